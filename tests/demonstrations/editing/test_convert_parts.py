"""Actions of several choices on their way into an environment that shows them flat: they stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.editing.convert import Target, convert
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.native import writing
from gailkit.errors import InputError
from gailkit.spaces import flattened_space, from_gymnasium
from gailkit.types import Trajectory

LEVERS = MultiDiscrete([2, 3], start=[1, 0])
ARM = Dict({"grip": Discrete(2), "turn": Box(-1, 1, (1,), np.float32)})
SEEN = Box(-1, 1, (1,), np.float32)


def target(path: Path, actions: Space[Any]) -> Target:
    spaces = {"observation_space": SEEN, "action_space": flattened_space(actions)}
    return Target(path, writing.write, env_id="Levers-v0", env_kwargs={}, **spaces)


def stored(path: Path, actions: np.ndarray, space: Space[Any] | None) -> Path:
    observations = np.zeros((len(actions) + 1, 1), np.float32)
    Demonstrations((Trajectory(observations, actions, np.ones(len(actions)), True),), SEEN, space).save(path)
    return path


@pytest.mark.parametrize("stated", [LEVERS, None])
def test_whole_numbers_stay_whole_numbers(tmp_path: Path, stated: Space[Any] | None) -> None:
    pulled = np.array([[1, 2], [2, 0]])
    source = stored(tmp_path / "a.hdf5", pulled, stated)
    convert(source, ReadOptions(), target(tmp_path / "b.hdf5", LEVERS))
    found = Demonstrations.load(tmp_path / "b.hdf5")
    assert found.action_space == LEVERS and found.trajectories[0].actions.tolist() == pulled.tolist()


def test_parts_stay_parts_whatever_their_order(tmp_path: Path) -> None:
    turned = Dict(list(reversed(ARM.spaces.items())))
    acted = from_gymnasium(turned, [{"grip": 1, "turn": [0.5]}, {"grip": 0, "turn": [-1]}])
    convert(stored(tmp_path / "a.hdf5", acted, turned), ReadOptions(), target(tmp_path / "b.hdf5", ARM))
    found = Demonstrations.load(tmp_path / "b.hdf5")
    assert found.trajectories[0].actions["turn"].tolist() == [[0.5], [-1.0]]
    assert found.fitted_to(SEEN, flattened_space(ARM)).trajectories[0].actions.tolist() == [[0, 1, 0.5], [1, 0, -1]]


def test_a_number_that_is_in_no_set_is_named(tmp_path: Path) -> None:
    source = stored(tmp_path / "a.hdf5", np.array([[1, 3]]), None)
    with pytest.raises(InputError, match=r"an element is 3, which MultiDiscrete.* does not have"):
        convert(source, ReadOptions(), target(tmp_path / "b.hdf5", LEVERS))
