"""Demonstrations are held once: to load, draw or digest them copies nothing as a whole; what is drawn is the same."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.episodes import HeldEpisodes
from gailkit.demonstrations.joined_episodes import rows_in_common
from gailkit.demonstrations.step_tensors import KeptSteps
from gailkit.errors import InputError
from gailkit.spaces import array_dtype
from gailkit.types import Trajectory

WIDTH, EPISODES, STEPS = 1000, 30, 99
VECTORS, IMAGES = Box(-9, 9, (WIDTH,)), Box(0, 255, (WIDTH,), np.uint8)


@contextmanager
def peak() -> Iterator[Callable[[], int]]:
    """Asked inside the block: the most bytes that numpy and Python have held since it began."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def large(space: Box) -> Demonstrations:
    """3 million numbers that pack well, in 30 episodes."""
    shown = [np.full((STEPS + 1, WIDTH), number, space.dtype) for number in range(EPISODES)]
    acted = np.zeros(STEPS, np.int64)
    return Demonstrations([Trajectory(each, acted, None, False) for each in shown], space, Discrete(1))


def num_bytes(demonstrations: Demonstrations) -> int:
    return sum(trajectory.observations.nbytes for trajectory in demonstrations.trajectories)


@pytest.fixture(scope="module", params=[VECTORS, IMAGES], ids=["vectors", "images"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("memory") / "large.hdf5"
    large(request.param).save(path)
    return path


def test_a_native_file_is_held_once_and_drawn_from_where_it_is(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.demonstrations.native.reading._BLOCK_BYTES", 2**17)  # it has more than one
    with peak() as held:
        demonstrations = Demonstrations.load(stored)
        size = num_bytes(demonstrations)
        assert held() < 1.2 * size
        steps = demonstrations.fitted_to(demonstrations.observation_space, Discrete(1)).steps()
        assert held() < 1.2 * size
    for trajectory in demonstrations.trajectories:
        assert np.shares_memory(trajectory.observations, steps.observations)
    part = demonstrations.pick([7, 2]).steps()
    assert np.shares_memory(part.observations, steps.observations)
    assert part[torch.tensor([0, STEPS])].obs[:, 0].tolist() == [7, 2]


def test_going_through_everything_takes_a_small_part_of_it(stored: Path) -> None:
    demonstrations = Demonstrations.load(stored)
    with peak() as held:
        demonstrations.digests()
        assert held() < 0.1 * num_bytes(demonstrations)
        steps = demonstrations.steps()
        assert held() < 0.2 * num_bytes(demonstrations) + 2**20  # which is a block of bool
    rows = torch.cat(list(steps.in_blocks()))
    assert torch.equal(rows, demonstrations.transitions().obs)


def test_an_episode_is_looked_through_in_blocks() -> None:
    values = np.zeros((3000, WIDTH), np.float32)
    with peak() as held:
        Trajectory(values, np.zeros(2999, np.int64), None, False)
        assert held() < 0.11 * values.nbytes  # a block of bool, 1/12 of them
    values[-1, -1] = np.nan
    with pytest.raises(InputError, match="not finite"):
        Trajectory(values, np.zeros(2999, np.int64), None, False)


def apart(trajectory: Trajectory) -> Trajectory:
    return replace(trajectory, observations=trajectory.observations.copy(), actions=trajectory.actions.copy())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4", np.uint8, np.int32, np.bool_])
def test_steps_of_one_array_are_those_of_as_many(dtype: Any) -> None:
    random = np.random.default_rng(0)
    observed, acted = random.integers(0, 9, (12, 3)).astype(dtype), random.integers(0, 9, 9).astype(dtype)
    whole = [
        Trajectory(observed[9:], acted[7:], None, True),
        Trajectory(observed[:4], acted[:3], None, False),
        Trajectory(observed[4:9], acted[3:7], None, True),
    ]
    kept = KeptSteps.of(whole, 2, (1, 0, 1), (None, None))
    copied = KeptSteps.of([apart(each) for each in whole], 2, (1, 0, 1), (None, None))
    assert np.shares_memory(kept.observations, observed) and not np.shares_memory(copied.observations, observed)
    everything = torch.arange(len(kept))
    for name, values in kept[everything].to_dict().items():
        expected = copied[everything].to_dict()[name]
        assert values.dtype == expected.dtype and torch.equal(values, expected)
    assert kept[everything].obs.tolist() == observed[[10, 0, 2, 5, 7]].tolist()
    assert kept[everything].next_obs.tolist() == observed[[11, 1, 3, 6, 8]].tolist()
    assert kept[everything].terminated.tolist() == [True, False, False, False, True]


def test_pairs_are_the_observations_and_actions_of_steps() -> None:
    steps = KeptSteps.of([Trajectory(np.arange(5.0), np.arange(4), None, True)], 1, (0,), (None, None))
    for pairs in (steps, steps[torch.arange(4)]):
        assert pairs.observations_at(torch.tensor([3, 1])).tolist() == [3.0, 1.0]
        assert pairs.actions_at(torch.tensor([2, 2])).tolist() == [2, 2]
    assert steps.chosen(torch.tensor([2, 0]))[torch.arange(2)].next_obs.tolist() == [3.0, 1.0]


def test_which_arrays_are_rows_of_one() -> None:
    whole = np.arange(24).reshape(8, 3)
    whole = whole.copy()
    found = rows_in_common([whole[5:7], whole[:2], whole[1:]])
    assert found is not None and found[0] is whole and found[1].tolist() == [5, 0, 1]
    assert rows_in_common([whole]) is not None
    flat = np.arange(24)
    shifted = flat[1:].reshape(-1)[:21].reshape(7, 3)  # begins in the middle of what would be a row
    for arrays in (
        [whole[:2], whole[2:].copy()],
        [whole[::2]],
        [whole[:, :2]],
        [whole[:2], whole[2:].astype(float)],
        [shifted],
    ):
        assert rows_in_common(arrays) is None


def test_what_is_flattened_to_be_drawn_from_counts_for_what_fits_into_memory(tmp_path: Path) -> None:
    space = Dict({"see": Box(0, 255, (50,), np.uint8), "odd": Discrete(2)})
    observed = np.zeros(101, array_dtype(space))  # 50 + 8 bytes each, flat 52 float32
    trajectory = Trajectory(observed, np.zeros(100, np.int64), None, False)
    Demonstrations([trajectory], space, Discrete(1)).save(tmp_path / "d.hdf5")
    needed = 101 * (58 + 4 * 52) + 100 * 8
    for memory, held in ((needed, True), (needed - 1, False)):
        found = Demonstrations.load(tmp_path / "d.hdf5", memory=memory)
        assert isinstance(found.trajectories, HeldEpisodes) is found.in_memory is held
