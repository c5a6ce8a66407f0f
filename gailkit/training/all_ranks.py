"""What the ranks of a training have in common and what each has of its own, and how it comes to the others.

Parameters, optimisers and statistics are the same on all ranks. Environments, random numbers, replays and the place in
the demonstrations are each rank's own; rank 0 collects them for its checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gailkit.ranks.group import collected, from_first, is_first, rank, size
from gailkit.training.checkpoint import packed, unpacked
from gailkit.training.kept_replay import new_rows
from gailkit.training.loop import Trainer

OWN = ("collector", "random", "replay", "recent")
"""What a rank has of its own, beside some of its teacher's state."""


def begin_alike(trainer: Trainer) -> None:
    """Let every rank begin with the networks, optimisers and statistics of rank 0."""
    if size() == 1:
        return
    own = trainer.state_dict()
    state = unpacked(from_first(lambda: packed({name: own[name] for name in own if name not in OWN})))
    trainer.load_state_dict(with_own(state, own_of(trainer)))


def own_of(trainer: Trainer) -> dict[str, Any]:
    """What this rank has of its own."""
    state = trainer.state_dict()
    teacher = {name: state["teacher"][name] for name in trainer.teacher.of_a_rank}
    return {**{name: state[name] for name in OWN}, "teacher": teacher}


def with_own(state: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a run with what is a rank's ``own``."""
    return {**state, **own, "teacher": {**state["teacher"], **own["teacher"]}}


def of_this_rank(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint holds of this rank."""
    own = {name: value for name, value in state.items() if name != "ranks"}
    return own if is_first() else with_own(own, state["ranks"][rank() - 1])


class Collecting:
    """Brings to rank 0 what the others have of their own; of their replays what is new since it was last kept."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._kept = self._rows()

    def collect(self) -> dict[str, Any]:
        """``ranks`` and, on rank 0, the state of each of the others, to be put into a checkpoint; nothing where there
        is one rank."""
        if size() == 1:
            return {}
        if is_first():
            return {"ranks": [unpacked(content) for content in collected(b"")]}
        own = own_of(self.trainer)
        collected(packed({**own, "replay": new_rows(own["replay"], self._kept)}))
        return {}

    def kept(self) -> None:
        """Know that what was collected last is kept."""
        self._kept = self._rows()

    def _rows(self) -> int:
        replay = self.trainer.generator.replay
        return 0 if replay is None else replay.rows
