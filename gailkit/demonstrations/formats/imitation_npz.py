"""Trajectories as versions of `imitation` before 1.0 saved them: an NPZ in which episodes stand one behind the other.

Episode i of L_i steps has L_i + 1 rows of ``obs``, L_i rows of ``acts`` and, where they were saved, of ``rews``.
``indices`` (E - 1,) are the rows of ``acts`` at which the second and later episodes begin, ``terminal`` (E,) says which
were done. ``infos`` is a pickle, and is never touched.

Done was said of an episode also where a time limit cut it off, so that an end after as many steps as the longest
episode, where several are as long, is asked about.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gailkit.demonstrations.endings import doubtful
from gailkit.demonstrations.file_contents import About, Contents, Episode, ReadOptions
from gailkit.demonstrations.formats.arrays import column, is_npz_of, left_behind, origin
from gailkit.errors import DataError
from gailkit.untrusted.source import Source

NAME = "imitation NPZ"
_REQUIRED = ("obs", "acts", "terminal", "indices")
_REWARDS = "rews"


def recognises(source: Source) -> bool:
    """Whether it is an NPZ with the four arrays that every such file has."""
    return is_npz_of(source, _REQUIRED)


def read(source: Source, options: ReadOptions) -> Contents:
    """The episodes, each with its last observation.

    Raises:
        DataError: if the arrays do not fit each other.
    """
    observations, actions = source.array("obs"), source.array("acts")
    rewards = column(source, _REWARDS) if source.has(_REWARDS) else None
    done = column(source, "terminal") != 0
    starts, stops = _bounds(source, len(actions), len(done))
    if len(observations) != len(actions) + len(done) or (rewards is not None and len(rewards) != len(actions)):
        raise DataError(
            f"{source.path}: {len(done)} episodes with {len(actions)} actions have as many rewards, and "
            f"{len(actions) + len(done)} observations; found {None if rewards is None else len(rewards)} and "
            f"{len(observations)}"
        )
    terminated = doubtful((stops - starts).tolist(), done.tolist())

    def episodes() -> Iterator[Episode]:
        for index, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
            seen = observations[start + index : stop + index + 1]  # each episode before this one has one more
            paid = None if rewards is None else rewards[start:stop]
            yield Episode(seen, actions[start:stop], paid, terminated[index])

    about = About(provenance=origin(source, NAME))
    return Contents(about, len(done), episodes(), left_behind(source, (*_REQUIRED, _REWARDS)))


def _bounds(source: Source, steps: int, episodes: int) -> tuple[np.ndarray, np.ndarray]:
    """First actions (E,) and actions behind the last (E,) of the episodes."""
    inner = column(source, "indices")
    edges = np.concatenate([[0], inner.astype(np.int64), [steps]])
    whole = inner.dtype.kind in "iu" or not len(inner)  # numpy makes an empty list one of floating numbers
    if not whole or len(inner) != episodes - 1 or (np.diff(edges) < 0).any():
        raise DataError(
            f"{source.path}: 'indices' must be {max(0, episodes - 1)} ascending whole numbers between 0 and {steps}, "
            f"one less than 'terminal' has; found {inner.dtype} {inner.tolist()[:6]}"
        )
    return edges[:-1], edges[1:]
