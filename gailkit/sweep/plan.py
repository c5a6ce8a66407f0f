"""Every run that a sweep consists of: each combination of a task, a method and a seed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from gailkit.errors import InputError
from gailkit.sweep.config import TASK, Group, SweepConfig, Vocabulary

Values = Mapping[str, Any]
"""What options of ``gailkit train`` are: plain values by their names, without dashes."""

MOST_RUNS = 10_000
STEPPING = ("workers", "step-timeout", "restarts")  # options that change no number


@dataclass(frozen=True)
class Understood:
    """A command of ``gailkit train`` as that command understands it."""

    identity: Mapping[str, Any]  # all that decides its numbers, in plain JSON values
    steps: int
    imports: tuple[str, ...]  # names, ``module:attribute``, that it would import


Understand = Callable[[Sequence[str]], Understood]
"""Takes the words behind ``gailkit train``. Raises InputError, in one sentence, for what that command would refuse."""


@dataclass(frozen=True)
class Task:
    """What is to be learned."""

    label: str
    values: Values  # env and demos among them
    where: str  # as the file calls the table that it stands in


@dataclass(frozen=True)
class Method:
    """How it is learned."""

    label: str
    values: Values


@dataclass(frozen=True)
class Run:
    """One training and its evaluation."""

    task: str
    method: str
    seed: int
    train: tuple[str, ...]  # the words behind ``gailkit train``, but for where and how it runs
    evaluate: tuple[str, ...]  # those behind ``gailkit evaluate`` and the run folder, likewise
    stepping: tuple[str, ...]  # how environments are stepped, of both, and where a run goes on
    understood: Understood = field(repr=False)
    name: str  # of its folder

    @property
    def key(self) -> str:
        """The same for two runs that would come to the same numbers."""
        return json.dumps(self.understood.identity, sort_keys=True)


class Planner:
    """Makes runs of tasks, methods and seeds.

    Args:
        folder: what paths in the file are relative to; None for the current folder.
    """

    def __init__(
        self, config: SweepConfig, known: Vocabulary, understand: Understand, folder: Path | None = None
    ) -> None:
        self._config, self._known, self._understand, self._folder = config, known, understand, folder
        groups = [
            (group.where, values) for group in config.tasks for values in combinations(_without_ranges(group).lists)
        ]
        labels = labels_of([values for _, values in groups], "env")
        self.tasks = [Task(label, values, where) for label, (where, values) in zip(labels, groups, strict=True)]

    def path(self, task: Task) -> Path:
        """Where the demonstrations of a task lie."""
        path = Path(task.values["demos"])
        return path if self._folder is None else self._folder / path

    def methods(self) -> list[Method]:
        """Every combination of the settings in the file.

        Raises:
            InputError: for a range, or a setting that stands in two places.
        """
        shared = _without_ranges(self._config.settings)
        found: list[dict[str, Any]] = []
        for group in self._config.methods:
            _require_apart(shared, group)
            found += combinations({**shared.lists, **_without_ranges(group).lists})
        return [Method(*pair) for pair in zip(labels_of(found, "generator"), found, strict=True)]

    def runs(self, methods: Sequence[Method]) -> list[Run]:
        """Those of every method on every task with every seed; seeds go last, so that every method is soon seen.

        Raises:
            InputError: for what ``gailkit train`` would refuse, two runs that are one, or too many.
        """
        count = len(self.tasks) * len(methods) * len(self._config.seeds)
        if count > MOST_RUNS:
            raise InputError(f"these are {count:,} runs; a sweep has at most {MOST_RUNS:,}")
        found: dict[str, Run] = {}
        for seed, task, method in product(self._config.seeds, self.tasks, methods):
            run = self._run(task, method, seed)
            if run.key in found:
                other = found[run.key]
                raise InputError(
                    f"two runs are one and the same: {task.label}, {method.label} and {other.task}, {other.method}, "
                    f"seed {seed}"
                )
            found[run.key] = run
        return list(found.values())

    def _run(self, task: Task, method: Method, seed: int) -> Run:
        for name in method.values:
            if name in task.values:
                raise InputError(f"{name} stands in {task.where} and among the settings; say it in one of them")
        values = {**method.values, **{name: value for name, value in task.values.items() if name not in TASK}}
        demos = str(self.path(task))
        stepping = _words({"workers": 1, **{name: value for name, value in values.items() if name in STEPPING}})
        own = _words({name: value for name, value in values.items() if name not in STEPPING})
        train = (task.values["env"], "--demos", demos, *own, "--seed", str(seed))
        try:
            understood = self._understand((*train, *stepping))
        except InputError as error:
            raise InputError(f"{task.label}, {method.label}: {error}{_advice(error)}") from error
        both = {name: value for name, value in values.items() if self._known[name].evaluates and name not in STEPPING}
        environment = ("--env", task.values["env"]) if ":" in task.values["env"] else ()
        evaluate = ("--demos", demos, "--episodes", str(self._config.episodes), *_words(both), *environment)
        name = file_name(f"{task.label}--{method.label}--{seed}")
        return Run(task.label, method.label, seed, train, evaluate, stepping, understood, name)


def combinations(lists: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every choice of one value of each list; what comes last changes fastest. Raises InputError for too many."""
    if (count := math.prod(map(len, lists.values()))) > MOST_RUNS:
        raise InputError(f"these lists have {count:,} combinations; a sweep has at most {MOST_RUNS:,} runs")
    for chosen in product(*lists.values()):
        yield dict(zip(lists, chosen, strict=True))


def labels_of(all_values: Sequence[Values], first: str) -> list[str]:
    """What tells each from the others: its value of ``first`` and what differs among those that share it, such as
    ``sac policy-clip=0.1``. Of a method that is alone, ``first``, or all that was set."""
    labels = []
    for values in all_values:
        alike = [other for other in all_values if first not in values or other.get(first) == values[first]]
        differing = [
            f"{name}={shown(value)}"
            for name, value in values.items()
            if name != first and any(other.get(name) != value for other in alike)
        ]
        head = [shown(values[first])] if first in values else []
        labels.append(" ".join([*head, *differing]) or "default")
    return labels


def shown(value: Any) -> str:
    """A value as it is typed behind an option."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return json.dumps(value, default=str) if isinstance(value, dict) else str(value)


def words_of(name: str, value: Any) -> list[str]:
    """An option as it is typed; nothing for a flag that is not set."""
    if isinstance(value, bool):
        return [f"--{name}"] if value else []
    return [f"--{name}", shown(value)]


def _words(values: Values) -> tuple[str, ...]:
    return tuple(word for name, value in values.items() for word in words_of(name, value))


def file_name(text: str) -> str:
    """``text`` as a name of a file that needs no quotes anywhere, at most 120 characters long."""
    plain = re.sub(r"[^A-Za-z0-9._=-]+", "-", text).strip("-.") or "run"
    return plain if len(plain) <= 120 else f"{plain[:100]}--{plain[-18:]}"


def _without_ranges(group: Group) -> Group:
    for name in group.ranges:
        raise InputError(
            f"{name} in {group.where} is a range, which only --search samples from; a list is gone through"
        )
    return group


def _require_apart(shared: Group, group: Group) -> None:
    for name in group.lists:
        if name in shared.lists:
            raise InputError(f"{name} stands in {shared.where} and in {group.where}; say it in one of them")


def _advice(error: InputError) -> str:
    """How methods come by settings that others do not have."""
    foreign = "is a setting of" in str(error)
    return "; a setting that some methods do not have stands in a [[method]] of its own" if foreign else ""
