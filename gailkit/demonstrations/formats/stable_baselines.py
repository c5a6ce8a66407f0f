"""Expert data of Stable-Baselines 2: an NPZ with ``obs``, ``actions``, ``rewards`` and ``episode_starts``, all of one
length N, and ``episode_returns`` (E,).

It has neither last observations nor how episodes ended. Actions of a Discrete space are stored as (N, 1), by some
programs as floating numbers. Where the rewards of an episode do not add up to its return, they are not what the
environment paid, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gailkit.demonstrations.file_contents import About, Contents, Episode, ReadOptions
from gailkit.demonstrations.formats.arrays import (
    check_one_length,
    column,
    episode_bounds,
    is_npz_of,
    left_behind,
    origin,
)
from gailkit.errors import DataError
from gailkit.untrusted.source import Source

NAME = "Stable-Baselines 2"
MAX_CHOICES = 64  # of actions that are whole numbers stored as floating ones
_ARRAYS = ("obs", "actions", "rewards", "episode_returns", "episode_starts")


def recognises(source: Source) -> bool:
    """Whether it is an NPZ with the five arrays."""
    return is_npz_of(source, _ARRAYS)


def read(source: Source, options: ReadOptions) -> Contents:
    """The episodes, of none of which it is known how it ended.

    Raises:
        DataError: if the arrays do not fit each other.
    """
    starts, stops = episode_bounds(source, "episode_starts")
    observations, stored, rewards = source.array("obs"), source.array("actions"), column(source, "rewards")
    marks = column(source, "episode_starts")
    check_one_length(source, {"obs": observations, "actions": stored, "rewards": rewards, "episode_starts": marks})
    actions = choices(stored)
    notes = origin(source, NAME)
    if actions is not stored:
        notes["actions"] = f"whole numbers stored as {stored.dtype} {stored.shape} were read as a choice a step"
    sums = np.add.reduceat(rewards, starts, dtype=np.float64)
    disagreement = _disagreement(source, sums)
    if disagreement:
        notes["rewards"] = disagreement
    paid = None if disagreement else rewards

    def episodes() -> Iterator[Episode]:
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            part = slice(start, stop)
            yield Episode(observations[part], actions[part], None if paid is None else paid[part], None)

    about = About(provenance=notes)
    return Contents(about, len(starts), episodes(), left_behind(source, _ARRAYS))


def choices(actions: np.ndarray) -> np.ndarray:
    """Actions (N,) int64 of a Discrete space that were stored as (N, 1); others, such as (N, 3), as they are.

    Floating numbers are choices where all are whole and none is below 0 or as large as MAX_CHOICES.
    """
    if actions.ndim != 2 or actions.shape[1] != 1:
        return actions
    if actions.dtype.kind == "f":
        fits = (actions == np.floor(actions)) & (actions >= 0) & (actions < MAX_CHOICES)
        if not fits.all():
            return actions
    return actions[:, 0].astype(np.int64)


def _disagreement(source: Source, sums: np.ndarray) -> str:
    """What to say where the sums (E,) of the rewards are not the returns that the file states; else nothing."""
    returns = column(source, "episode_returns")
    if len(returns) != len(sums):
        raise DataError(
            f"{source.path}: 'episode_returns' must have one number for each of the {len(sums)} episodes that start; "
            f"found {len(returns)}"
        )
    if np.allclose(sums, returns, rtol=1e-3, atol=1e-3):
        return ""
    return (
        f"left out, because those stored add up to {sums.mean():.6g} an episode and the file's episode_returns are "
        f"{returns.mean():.6g} on average"
    )
