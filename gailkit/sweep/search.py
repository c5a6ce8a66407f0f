"""Settings that are searched for: sampled one trial after another, each judged by the closeness that it comes to."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gailkit.sweep.config import Range
from gailkit.sweep.outcomes import Outcome, Outcomes
from gailkit.sweep.plan import Method, Run, shown
from gailkit.sweep.preparing import Prepared
from gailkit.wording import counted

SEED = 0  # of the sampler
MOST_ATTEMPTS = 100  # to find settings that were not tried yet


class Search:
    """Trials, each of which is a method that is seen on every task with every seed.

    Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) proposes their settings; what it maximises is the
    mean closeness over tasks of the mean over seeds. A trial of which a run failed, or has no closeness, has failed.

    Trials that were begun before come first, with their settings, and count among those that were asked for.
    """

    def __init__(self, prepared: Prepared) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._settings, self._planner = prepared.config.settings, prepared.planner
        self._folder, self._names = prepared.folder, prepared.names
        self._left, self._failed = prepared.asked.trials, optuna.trial.TrialState.FAIL
        with warnings.catch_warnings():  # Optuna 3 and 4 call it experimental that trials run beside each other
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=SEED, constant_liar=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._trials: dict[str, tuple[Any, list[Run]]] = {}  # Optuna's trial and all of its runs, by method
        self.settings: list[dict[str, Any]] = []  # of each trial that was begun
        for settings in prepared.earlier:
            known = {name: self._as_sampled(name, value) for name, value in settings.items() if self._is_searched(name)}
            self._study.enqueue_trial(known)

    def more(self) -> list[Run]:
        """The runs of another trial, as long as there are to be more."""
        if self._left == 0:
            return []
        self._left -= 1
        asked = self._new_trial()
        if asked is None:
            self._left = 0
            return []
        trial, settings = asked
        method = Method(f"trial-{len(self.settings)}", settings)
        self.settings.append(settings)
        runs = self._names.given_to(self._planner.runs([method]))
        self._trials[method.label] = (trial, runs)
        if all(map(self._folder.is_finished, runs)):
            self._judge(method.label)
        return runs

    def _new_trial(self) -> tuple[Any, dict[str, Any]] | None:
        """A trial of Optuna's and its settings, which were not tried before; None where there seem to be no others."""
        for _ in range(MOST_ATTEMPTS):
            trial = self._study.ask()
            settings = {name: self._choice(trial, name, values) for name, values in self._settings.lists.items()}
            settings |= {name: _number(trial, name, bounds) for name, bounds in self._settings.ranges.items()}
            if settings not in self.settings:
                return trial, settings
            self._study.tell(trial, state=self._failed)
        return None

    def ended(self, run: Run) -> None:
        """Judges a trial with whose last run it has come to its end."""
        _, runs = self._trials[run.method]
        if all(self._folder.is_finished(each) or each.name in self._folder.failures for each in runs):
            self._judge(run.method)

    def _judge(self, method: str) -> None:
        trial, runs = self._trials[method]
        value = self._value(runs)
        if value is None:
            self._study.tell(trial, state=self._failed)
        else:
            self._study.tell(trial, value)

    def _value(self, runs: Sequence[Run]) -> float | None:
        by_task: dict[str, list[float]] = {}
        for run in runs:
            if not self._folder.is_finished(run):
                return None
            closeness = Outcome.of(run.task, run.method, run.seed, self._folder.evaluation(run)).closeness
            if closeness is None:
                return None
            by_task.setdefault(run.task, []).append(closeness.value)
        return float(np.mean([np.mean(found) for found in by_task.values()]))

    def _choice(self, trial: Any, name: str, values: Sequence[Any]) -> Any:
        if len(values) == 1:
            return values[0]
        words = [shown(value) for value in values]
        return values[words.index(trial.suggest_categorical(name, words))]

    def _is_searched(self, name: str) -> bool:
        return name in self._settings.ranges or len(self._settings.lists.get(name, ())) > 1

    def _as_sampled(self, name: str, value: Any) -> Any:
        return value if name in self._settings.ranges else shown(value)


def _number(trial: Any, name: str, bounds: Range) -> Any:
    """To three digits, so that a setting can be read and typed; within the bounds all the same."""
    if bounds.whole:
        return trial.suggest_int(name, int(bounds.low), int(bounds.high), log=bounds.log)
    value = float(trial.suggest_float(name, bounds.low, bounds.high, log=bounds.log))
    if value == 0:
        return value
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    return min(max(rounded, bounds.low), bounds.high)


def closing_words(search: Search, outcomes: Outcomes) -> list[str]:
    """What each trial was, and what to bear in mind of the closest."""
    first = outcomes.methods[0]
    told = [f"- trial-{number}: {_settings(settings)}" for number, settings in enumerate(search.settings)]
    if first.mean is not None:
        told += [
            "",
            f"{first.method} is the closest of {counted(len(search.settings), 'trial')} on these seeds, and "
            "looks better than it is by that alone: compare it with the usual settings on other seeds, in a "
            "sweep of its own, with these two methods:",
            "",
            "```toml",
            "[[method]]",
            "",
            "[[method]]",
            *(f"{name} = {json.dumps(value)}" for name, value in settings_of(search, first.method).items()),
            "```",
        ]
    return ["Trials:", "", *told]


def settings_of(search: Search, method: str) -> Mapping[str, Any]:
    """Those of the trial that goes by the name ``method``."""
    return search.settings[int(method.removeprefix("trial-"))]


def _settings(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={shown(value)}" for name, value in settings.items())
