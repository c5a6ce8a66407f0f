"""From what a user asks for to the runs that it takes, everything checked that can be before the first begins."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gailkit.errors import InputError, UntrustedError
from gailkit.sweep.config import SweepConfig, Vocabulary, read_config, read_text
from gailkit.sweep.folder import Asked, Names, SweepFolder
from gailkit.sweep.plan import Method, Planner, Run, Understand


@dataclass(frozen=True)
class Prepared:
    """A sweep that may begin, or go on."""

    folder: SweepFolder
    asked: Asked
    config: SweepConfig
    planner: Planner
    names: Names
    runs: tuple[Run, ...]  # all there are; of a search, which finds its own, none
    earlier: tuple[dict[str, Any], ...] = ()  # settings of the trials of a search, which were begun before

    @property
    def planned(self) -> int:
        """How many runs there will be; of a search at most."""
        trials = self.asked.trials * len(self.planner.tasks) * len(self.config.seeds)
        return trials or len(self.runs)


def what_is_begun(path: Path, out: Path, trials: int | None) -> tuple[SweepFolder, Asked]:
    """The folder and the request of a sweep that begins with the file ``path``.

    Raises:
        InputError: if there is no such file, or ``out`` holds a sweep.
        DataError: if it is no text.
    """
    asked = Asked(read_text(path), str(path), str(Path.cwd()), trials or 0)
    folder = SweepFolder(out)
    if folder.holds_sweep:
        same = folder.asked().config == asked.config
        how = f"gailkit sweep {'' if same else f'{path} '}--resume {out}"
        raise InputError(f"{out} already holds a sweep; choose another folder with --out, or go on with it: {how}")
    return folder, asked


def what_goes_on(folder: SweepFolder, path: Path | None, trials: int | None) -> Asked:
    """The request of a sweep that goes on, with the file ``path`` where one is given.

    Raises:
        InputError: for what contradicts what it was begun with.
        DataError: if its record is damaged.
    """
    before = folder.asked()
    asked = before if path is None else Asked(read_text(path), str(path), str(Path.cwd()), before.trials)
    if before.trials and asked.config != before.config:
        raise InputError(
            f"{folder.path} is a search, which goes on with the file that it was begun with, {before.name}"
        )
    if trials is not None and not before.trials:
        raise InputError(f"{folder.path} was begun without --search; a search needs a folder of its own")
    return replace(asked, trials=trials or before.trials)


def prepare(
    folder: SweepFolder, asked: Asked, known: Vocabulary, understand: Understand, trust: Collection[str] = ()
) -> Prepared:
    """The runs of a sweep, none of which is begun.

    Args:
        known: the options of ``gailkit train``.
        understand: what that command makes of words.
        trust: names, ``module:attribute``, that may be imported.

    Raises:
        InputError: for anything in the file that is refused, environments and demonstrations that are not there, and
            runs that were begun in the folder and are not asked for any more.
        UntrustedError: for a name that would import a module and is not in ``trust``.
        DataError: if the file is not TOML, or the record of the folder is damaged.
    """
    config = read_config(asked.config, asked.name, known)
    record = folder.read() if folder.holds_sweep else {}
    if record and record.get("episodes") != config.episodes:
        raise InputError(
            f"{folder.path} is evaluated in {record.get('episodes')} episodes each, and {asked.name} says "
            f"{config.episodes}; say the same, or choose another folder with --out"
        )
    here = Path(asked.folder) == Path.cwd()
    names = Names(folder)
    if asked.trials:
        _require_searchable(config)
    try:
        planner = Planner(config, known, understand, None if here else Path(asked.folder))
        runs = names.given_to(planner.runs(_probes(config) if asked.trials else planner.methods()))
        _check(planner, runs, trust)
    except UntrustedError:
        raise
    except InputError as error:
        raise InputError(f"{asked.name}: {error}") from error
    if asked.trials:
        return Prepared(folder, asked, config, planner, Names(folder), (), tuple(_tried(record)))
    names.require_all_in(runs)
    return Prepared(folder, asked, config, planner, names, tuple(runs))


def _require_searchable(config: SweepConfig) -> None:
    if any(group.lists or group.ranges for group in config.methods):
        raise InputError(
            "--search samples from [settings]; what stands in [[method]] tables is gone through without it"
        )
    if not config.settings.ranges and all(len(values) == 1 for values in config.settings.lists.values()):
        raise InputError(
            "--search has nothing to sample from: [settings] has neither a list, [8, 32], nor a range, "
            "{ low = 1e-4, high = 1e-2, log = true }"
        )


def _tried(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Settings of earlier trials, as far as the record, which may be anybody's, has any."""
    found = record.get("tried", [])
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _probes(config: SweepConfig) -> list[Method]:
    """The ends of what a search samples from, to see that they may be."""
    probes: list[Method] = []
    for end in (0, -1):
        settings = {name: values[end] for name, values in config.settings.lists.items()}
        settings |= {name: (bounds.low, bounds.high)[end] for name, bounds in config.settings.ranges.items()}
        if settings not in [probe.values for probe in probes]:
            probes.append(Method(f"trial {len(probes)}", settings))
    return probes


def _check(planner: Planner, runs: Sequence[Run], trust: Collection[str]) -> None:
    for run in runs:
        for name in run.understood.imports:
            if name not in trust:
                raise UntrustedError(f"the file names {name!r}, which would import a module", "--trust", name)
    demos = {task.where: planner.path(task) for task in planner.tasks}
    for where, path in demos.items():
        if not path.exists():
            raise InputError(f"demos in {where}: there is no {path}")
    from gailkit.rollouts.environments import make_env  # takes Gymnasium, which what is refused above need not wait for

    environments = {
        json.dumps([run.understood.identity[name] for name in ("env_id", "env_kwargs")]): run.understood.identity
        for run in runs
    }
    for identity in environments.values():
        if ":" not in identity["env_id"]:  # what a module registers is seen where a run imports it
            with closing(make_env(identity["env_id"], identity["env_kwargs"])):
                pass
