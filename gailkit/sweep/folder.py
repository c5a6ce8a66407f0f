"""The folder of a sweep, and what of it is done: the disk says so, whatever stopped the sweep.

DIR/sweep.json              what was asked for, every run with its command and what came of it, and the conclusions
DIR/runs/NAME               the run folder of each
DIR/evaluations/NAME.json   what gailkit evaluate --json says of it; a run that has it is finished
DIR/logs/NAME.log           what its commands printed
DIR/table.md, sweep.svg     what came of it all
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gailkit.errors import DataError, InputError, StorageError
from gailkit.storage import LOCK_FILE, SoleUse, write_atomically
from gailkit.sweep.plan import Run
from gailkit.training.metrics import last_steps
from gailkit.training.places import is_begun, is_trained

RECORD_FILE = "sweep.json"
FORMAT = "gailkit-sweep"
FORMAT_VERSION = 1
NEEDED = {"config": str, "name": str, "folder": str, "trials": int, "runs": list}
PARTS = ("runs", "evaluations", "logs")
TABLE_FILE, PICTURE_FILE = "table.md", "sweep.svg"


@dataclass(frozen=True)
class Asked:
    """What a sweep was begun with."""

    config: str  # the text of its file
    name: str  # of that file
    folder: str  # that paths in it are relative to
    trials: int = 0  # of a search, 0 where there is none


class SweepFolder:
    """A folder that holds one sweep."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failures: dict[str, str] = {}  # names of runs, and the sentence with which each failed
        self.seconds: dict[str, float] = {}  # that finished runs took, evaluation included, where they were not stopped
        self._sole_use: SoleUse | None = None

    @property
    def holds_sweep(self) -> bool:
        """Whether a sweep was begun here."""
        return (self.path / RECORD_FILE).is_file()

    def claim(self) -> None:
        """Make it where it is missing, and have it alone until ``close``.

        Raises:
            InputError: if it is a file, or holds something else than a sweep.
            InUseError: if another process has it.
            StorageError: if it cannot be made or written to.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file, and a sweep makes a folder; choose one with --out")
        if not self.holds_sweep and self._holds_others():
            raise InputError(f"{self.path} is not empty and holds no sweep; choose another folder with --out")
        try:
            for name in PARTS:
                (self.path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the folder {self.path} cannot be made: {error.strerror}") from error
        self._sole_use = SoleUse(self.path)

    def _holds_others(self) -> bool:
        """Whether it has more than what a sweep makes before it first writes its record."""
        if not self.path.is_dir():
            return False
        others = [entry for entry in self.path.iterdir() if entry.name not in (LOCK_FILE, *PARTS)]
        return bool(others) or any(any((self.path / name).glob("*")) for name in PARTS)

    def close(self) -> None:
        """Let others use it."""
        if self._sole_use is not None:
            self._sole_use.release()
            self._sole_use = None

    def run_folder(self, run: Run) -> Path:
        """Where it is trained."""
        return self.path / "runs" / run.name

    def evaluation_file(self, run: Run) -> Path:
        """Where its evaluation goes."""
        return self.path / "evaluations" / f"{run.name}.json"

    def log(self, run: Run) -> Path:
        """Where what it prints goes."""
        return self.path / "logs" / f"{run.name}.log"

    def is_finished(self, run: Run) -> bool:
        """Whether it was trained and evaluated."""
        return self.evaluation_file(run).is_file() and self.run_folder(run).is_dir()

    def is_trained(self, run: Run) -> bool:
        """Whether it came to its last step and chose its policy."""
        return is_trained(self.run_folder(run))

    def is_begun(self, run: Run) -> bool:
        """Whether it has a checkpoint to go on from."""
        return is_begun(self.run_folder(run))

    def steps_done(self, run: Run) -> float:
        """Those that it has behind it; of one that is trained all that were asked for."""
        asked = float(run.understood.steps)
        if self.is_trained(run):
            return asked
        return min(last_steps(self.run_folder(run)), asked)

    def written(self) -> list[Path]:
        """The files that say what came of it, as far as there are any."""
        return [path for name in (TABLE_FILE, PICTURE_FILE, RECORD_FILE) if (path := self.path / name).is_file()]

    def evaluation(self, run: Run) -> dict[str, Any]:
        """What ``gailkit evaluate --json`` wrote. Raises DataError if it is damaged."""
        path = self.evaluation_file(run)
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise DataError(f"{path} is damaged or no evaluation: {error}; remove it to evaluate again") from error

    def read(self) -> dict[str, Any]:
        """What ``write`` wrote.

        Raises:
            InputError: if it holds no sweep.
            DataError: if that is damaged or of a version that is not known.
        """
        path = self.path / RECORD_FILE
        if not self.holds_sweep:
            raise InputError(f"{self.path} holds no sweep: it has no {RECORD_FILE}")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            found = (record["format"], record["format_version"])
            proper = all(type(record[name]) is kind for name, kind in NEEDED.items())
            self.failures = {str(name): str(sentence) for name, sentence in dict(record["failures"]).items()}
            self.seconds = {str(name): float(seconds) for name, seconds in dict(record["seconds"]).items()}
            proper = proper and all(
                isinstance(run["name"], str) and run["identity"] and isinstance(run["train"], list)
                for run in record["runs"]
            )
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise DataError(f"{path} is damaged or not the record of a sweep: {error}") from error
        if found != (FORMAT, FORMAT_VERSION) or not proper:
            raise DataError(f"{path} is of format {found}; this gailkit reads {(FORMAT, FORMAT_VERSION)}")
        return dict(record)

    def asked(self) -> Asked:
        """What it was begun with. Raises as ``read``."""
        record = self.read()
        return Asked(**{name: record[name] for name in ("config", "name", "folder", "trials")})

    def write(self, asked: Asked, runs: Sequence[Run], **conclusions: Any) -> None:
        """Keep what was asked for, what has come of every run, and ``conclusions``, atomically."""
        record = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **asdict(asked),
            "runs": [self._described(run) for run in runs],
            "failures": self.failures,
            "seconds": self.seconds,
            **conclusions,
        }
        content = json.dumps(record, indent=1, allow_nan=False) + "\n"
        write_atomically(self.path / RECORD_FILE, content.encode())

    def _described(self, run: Run) -> dict[str, Any]:
        finished = self.is_finished(run)
        state = "finished" if finished else "failed" if run.name in self.failures else "unfinished"
        return {
            **{name: getattr(run, name) for name in ("name", "task", "method", "seed")},
            "state": state,
            "train": list(run.train),
            "evaluate": list(run.evaluate),
            "identity": run.understood.identity,
        }


class Names:
    """The names of runs: each keeps the folder that it has, new ones get one of their own.

    A run is known by all that decides its numbers, or by the very words of its command, to which a later gailkit may
    give settings that there were not before.
    """

    def __init__(self, folder: SweepFolder) -> None:
        """Raises DataError if the record of the sweep in ``folder`` is damaged."""
        self._folder = folder
        self._recorded = folder.read()["runs"] if folder.holds_sweep else []
        self._names = {_key(each): str(each["name"]) for each in self._recorded}
        self._typed = {_typed(each): str(each["name"]) for each in self._recorded}

    def given_to(self, runs: Sequence[Run]) -> list[Run]:
        """``runs`` with their names."""
        taken = set(self._names.values())
        for run in runs:
            if run.key not in self._names:
                self._names[run.key] = self._typed.get(run.train) or _free(run.name, taken)
                taken.add(self._names[run.key])
        return [replace(run, name=self._names[run.key]) for run in runs]

    def require_all_in(self, runs: Sequence[Run]) -> None:
        """Raise InputError if a run was begun that is not among ``runs``."""
        asked, typed = {run.key for run in runs}, {run.train for run in runs}
        for each in self._recorded:
            place = self._folder.path / "runs" / str(each["name"])
            if _key(each) not in asked and _typed(each) not in typed and place.is_dir():
                raise InputError(
                    f"{place} was begun ({each.get('task')}, {each.get('method')}, seed {each.get('seed')}) and is not "
                    "asked for any more, or with other values; a sweep may be given more runs and none less: ask for "
                    "it again, remove that folder, or choose another one with --out"
                )


def _key(recorded: Mapping[str, Any]) -> str:
    return json.dumps(recorded["identity"], sort_keys=True)


def _typed(recorded: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, recorded["train"]))


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
