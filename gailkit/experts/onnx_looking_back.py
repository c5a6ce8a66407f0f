"""A policy in an ONNX file that looks back: by the last observations of an episode as one, by a state, or by both.

It is what ``gailkit.exporting`` writes of a run that stacks observations or has a memory: the file says under
``frame_stack`` how many observations are one, and a second input ``state`` takes what the second output ``next_state``
gave in the step before, 0 where an episode begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gailkit.errors import InputError
from gailkit.spaces import Stacking
from gailkit.types import Policy, RememberingPolicy

FRAMES, STATE, NEXT_STATE = "frame_stack", "state", "next_state"
MOST_FRAMES, MOST_STATES = 1000, 2**16  # more than any policy of gailkit's has

Follow = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""What is seen (N, *obs) and states (N, M) to outputs (N, ...) and the states after them."""


class _Past(NamedTuple):
    """What is remembered of an episode."""

    last: np.ndarray  # (K, *obs), the last K observations
    state: np.ndarray  # (M,)


class LookingBack(RememberingPolicy):
    """The policy of a file that is asked for outputs by ``follow``."""

    def __init__(self, path: Path, stacking: Stacking, state_size: int, follow: Follow, actions: Policy) -> None:
        """``actions`` makes actions (N, *act) of outputs."""
        self.path, self.stacking, self.state_size = path, stacking, state_size
        self._outputs, self._actions = follow, actions

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Refused: InputError."""
        raise InputError(
            f"{self.path} acts by what its episode was so far, which observations alone do not tell: evaluate, record "
            "and play hand on what it remembers"
        )

    def follow(self, observations: np.ndarray, remembered: Sequence[Any]) -> tuple[np.ndarray, Sequence[Any]]:
        """See ``RememberingPolicy``."""
        begun, nothing = self.stacking.begun(observations), np.zeros(self.state_size, np.float32)
        past = np.stack([own if before is None else before.last for own, before in zip(begun, remembered, strict=True)])
        last = self.stacking.followed(past, observations)
        states = np.stack([nothing if before is None else before.state for before in remembered])
        outputs, after = self._outputs(self.stacking.stacked(last), states)
        return self._actions(outputs), [_Past(*own) for own in zip(last, after, strict=True)]


def frames_of(path: Path, session: Any) -> int:
    """How many observations are one, as the file of an ONNX session says; 1 where it says nothing of it."""
    told = session.get_modelmeta().custom_metadata_map.get(FRAMES, "1")
    if not (told.isascii() and told.isdigit() and 1 <= int(told[:9]) <= MOST_FRAMES):
        raise InputError(
            f"{path} acts by {told[:20]!r} observations as one ({FRAMES}); accepted are 1 to {MOST_FRAMES}"
        )
    return int(told)


def state_size_of(path: Path, session: Any) -> int:
    """M, how many numbers it remembers; 0 where it has no ``state`` that it gives back."""
    given = {each.name: each for each in session.get_inputs()}
    back = {each.name: each for each in session.get_outputs()}
    if STATE not in given or NEXT_STATE not in back or len(given) == 1:
        return 0
    (_, *taken), (_, *returned) = given[STATE].shape or [None], back[NEXT_STATE].shape or [None]
    sound = len(taken) == 1 and isinstance(taken[0], int) and 1 <= taken[0] <= MOST_STATES
    if not sound or given[STATE].type != "tensor(float)":
        raise InputError(
            f"{path} has the input {STATE} {given[STATE].type} {given[STATE].shape}; accepted is tensor(float) "
            f"['B', M] of 1 to {MOST_STATES} numbers"
        )
    if returned != taken:
        raise InputError(f"{path} takes {STATE} {given[STATE].shape} and returns {NEXT_STATE} {back[NEXT_STATE].shape}")
    return int(taken[0])
