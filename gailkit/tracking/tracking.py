"""The trackers of a run, by name, and what becomes of one that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from gailkit.errors import GailkitError, InputError
from gailkit.importing import describe_foreign, import_attribute, leads_to, require, where_defined
from gailkit.rollouts.global_generators import undisturbed
from gailkit.tracking.protocol import TrackedRun, Tracker, TrackerFactory

NONE = "none"
"""What stands alone for no tracker."""


def _tensorboard(run: TrackedRun) -> Tracker:
    from gailkit.tracking.on_tensorboard import OnTensorBoard

    return OnTensorBoard(run)


def _wandb(run: TrackedRun) -> Tracker:
    from gailkit.tracking.on_wandb import OnWandb

    return OnWandb(run)


def _trackio(run: TrackedRun) -> Tracker:
    from gailkit.tracking.on_trackio import OnTrackio

    return OnTrackio(run)


TRACKERS: Mapping[str, TrackerFactory] = {"tensorboard": _tensorboard, "wandb": _wandb, "trackio": _trackio}


def named_trackers(track: Sequence[str | TrackerFactory]) -> dict[str, TrackerFactory]:
    """What makes each of the trackers, by its name: one of TRACKERS, or ``package.module:attribute``.

    A factory is called by where it was defined.

    Raises:
        InputError: for a name that is none of these, is not callable, or whose package is not installed: the extra of
            gailkit that has it is named. For two of one name, such as two ``functools.partial``.
    """
    if isinstance(track, str) or not all(isinstance(each, str) or callable(each) for each in track):
        raise InputError(f"trackers are given as a list of names or callables; found {track!r}")
    names = [each for each in track if each != NONE]
    if len(names) < len(track) and names:
        raise InputError(f"{NONE} stands alone; found it among {', '.join(map(str, track))}")
    found = [_found(each) for each in names]
    twice = sorted(name for name, count in Counter(name for name, _ in found).items() if count > 1)
    if twice:
        raise InputError(f"each tracker needs a name of its own; found {', '.join(twice)} more than once")
    return dict(found)


def _found(tracker: str | TrackerFactory) -> tuple[str, TrackerFactory]:
    if not isinstance(tracker, str):
        return where_defined(tracker), tracker
    if tracker in TRACKERS:
        require(f"tracking by {tracker}", tracker, tracker)
        return tracker, TRACKERS[tracker]
    if ":" not in tracker:
        known = ", ".join(TRACKERS)
        raise InputError(f"no tracker is called {tracker!r}; known are {known}, {NONE} and package.module:attribute")
    factory = import_attribute(tracker)
    if not callable(factory):
        raise InputError(f"the tracker {tracker!r} must be callable; found {type(factory).__name__}")
    return tracker, factory


def names_to_keep(trackers: Mapping[str, TrackerFactory]) -> list[str]:
    """The names by which another process finds the trackers again; those that it could not find are left out."""
    return [name for name, factory in trackers.items() if name in TRACKERS or leads_to(name, factory)]


class Tracking:
    """The trackers of a run that trains. One that fails is told of once, and asked no more.

    What they draw from global generators makes no difference to the run.
    """

    def __init__(self, trackers: Mapping[str, TrackerFactory], run: TrackedRun, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._trackers: dict[str, Tracker] = {}
        for name, factory in trackers.items():
            self._ask(name, partial(self._begin, name, factory, run))

    def write(self, metrics: Mapping[str, float]) -> None:
        """Tell all of a row."""
        for name, tracker in list(self._trackers.items()):
            self._ask(name, partial(tracker.write, dict(metrics)))

    def film(self, path: Path, steps: int) -> None:
        """Tell all of a film."""
        for name, tracker in list(self._trackers.items()):
            self._ask(name, partial(tracker.film, path, steps))

    def close(self) -> None:
        """Close all."""
        for name, tracker in list(self._trackers.items()):
            self._ask(name, tracker.close)
        self._trackers.clear()

    def _begin(self, name: str, factory: TrackerFactory, run: TrackedRun) -> None:
        self._trackers[name] = factory(run)

    def _ask(self, name: str, do: Callable[[], object]) -> None:
        try:
            with undisturbed():
                do()
        except Exception as error:  # a tracker is foreign code, and may raise anything
            failed = self._trackers.pop(name, None)
            if failed is not None:
                with suppress(Exception):  # it may be in no state to be closed
                    failed.close()
            reason = str(error) if isinstance(error, GailkitError) else describe_foreign(error, __file__)
            self._tell(f"{name} is not told any more how the run goes: {reason}")
