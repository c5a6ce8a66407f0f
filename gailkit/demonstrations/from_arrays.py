"""Episodes that somebody holds in arrays, whatever layout these came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space

from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode
from gailkit.demonstrations.to_trajectories import Conversion
from gailkit.errors import InputError
from gailkit.spaces import assemble, from_parts
from gailkit.types import Trajectory, no_actions

NAMES = ("observations", "actions", "rewards", "terminated", "seed")
NEEDED = ("observations", "terminated")


def trajectories_of(
    episodes: Iterable[Mapping[str, Any]], observation_space: Space[Any] | None, action_space: Space[Any] | None
) -> tuple[tuple[Trajectory, ...], dict[str, str]]:
    """Episodes as ``Demonstrations.from_episodes`` takes them as trajectories, and what had to be made up or left out.

    Raises:
        InputError: naming the first episode that is not as it should be, and what is wrong with it.
    """
    told = [_episode(index, given, observation_space, action_space) for index, given in enumerate(episodes)]
    conversion = Conversion(Path("what was given"), Contents(About(), len(told), told))
    trajectories = []
    for index, found in conversion.tolerant():
        if isinstance(found, Broken):
            raise InputError(f"episode {index}: {found.reason}")
        trajectories.append(found)
    if told and not trajectories:
        raise InputError(conversion.nothing())
    return tuple(trajectories), conversion.notes()


def _episode(
    index: int, given: Mapping[str, Any], observation_space: Space[Any] | None, action_space: Space[Any] | None
) -> Episode:
    told = {name for name in given if given[name] is not None} if isinstance(given, Mapping) else set()
    if not set(NEEDED) <= told <= set(NAMES):
        found = ", ".join(sorted(map(str, told))) if isinstance(given, Mapping) else type(given).__name__
        raise InputError(
            f"episode {index} must be a dict of {', '.join(NAMES)}, of which {' and '.join(NEEDED)} are needed; "
            f"found {found or 'nothing'}"
        )
    ended = given["terminated"]
    if not isinstance(ended, bool | np.bool_):
        raise InputError(f"episode {index}: terminated must be True or False; found {ended!r}")
    observations = _values(index, "observations", given, observation_space)
    assert observations is not None
    actions, rewards = _values(index, "actions", given, action_space), _values(index, "rewards", given, None)
    if actions is None:
        actions = no_actions(max(len(observations) - 1, 0))
    seed = given.get("seed")
    return Episode(observations, actions, rewards, bool(ended), None if seed is None else int(seed))


def _values(index: int, name: str, given: Mapping[str, Any], space: Space[Any] | None) -> np.ndarray | None:
    """The rows that are given under ``name``, of several parts as ``gailkit.spaces`` holds them; None for none."""
    found = given.get(name)
    if found is None:
        return None
    if space is None and isinstance(found, Mapping | tuple):
        raise InputError(f"episode {index}: of {name} in several parts the space must be told; found none")
    try:
        if space is None:
            return _rows(_numbers(found))
        arrays = from_parts(space, found)
        return assemble(space, {path: _rows(array) for path, array in arrays.items()})
    except InputError as error:
        raise InputError(f"episode {index}: of its {name}, {error}") from error


def _rows(array: np.ndarray) -> np.ndarray:
    if not array.ndim:
        raise InputError("there must be a row for each step; found a single number")
    return array


def _numbers(found: Any) -> np.ndarray:
    try:
        values = np.asarray(found)
    except ValueError as error:  # of a ragged list
        raise InputError(f"they are no array: {error}") from error
    if values.dtype.kind not in "biuf":
        raise InputError(f"they are no numbers but {values.dtype}")
    return values
