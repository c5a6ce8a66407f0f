"""Trajectories that `imitation` saved as NPZ: where each begins, and that its pickle stays shut."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gailkit.demonstrations.endings import AmbiguousEnding
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.opening import Reading, read
from gailkit.errors import DataError


class Dropper:
    """Unpickled, it creates a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


def arrays(lengths: list[int], done: list[bool]) -> dict[str, np.ndarray]:
    """Episode i observes 100 i + t, and does action t; the way that `imitation` 0.x puts them together."""
    return {
        "obs": np.concatenate([100.0 * i + np.arange(steps + 1) for i, steps in enumerate(lengths)])[:, None],
        "acts": np.concatenate([np.arange(steps) for steps in lengths]),
        "rews": np.concatenate([np.full(steps, float(i)) for i, steps in enumerate(lengths)]),
        "indices": np.cumsum(lengths[:-1]),
        "terminal": np.array(done),
    }


def load(path: Path, held: dict[str, np.ndarray], options: ReadOptions | None = None) -> Reading:
    np.savez(path / "final.npz", **held)  # type: ignore[arg-type]
    return read(path / "final.npz", options)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(episodes=st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=6))
def test_each_episode_is_where_it_was(tmp_path: Path, episodes: list[tuple[int, bool]]) -> None:
    lengths, done = [steps for steps, _ in episodes], [ended for _, ended in episodes]
    found = load(tmp_path, arrays(lengths, done), ReadOptions(ends="truncated")).trajectories
    assert list(map(len, found)) == lengths
    for index, trajectory in enumerate(found):
        assert trajectory.observations.ravel().tolist() == [100 * index + t for t in range(len(trajectory) + 1)]
        assert trajectory.actions.tolist() == list(range(len(trajectory)))
        assert trajectory.episode_return == index * len(trajectory)


def test_done_after_as_many_steps_as_the_longest_is_asked_about(tmp_path: Path) -> None:
    reading = load(tmp_path, arrays([3, 5, 4], [True, True, False]))
    assert [t.terminated for t in reading.trajectories] == [True, True, False]
    with pytest.raises(AmbiguousEnding, match="2 of 2 after 5 steps"):
        load(tmp_path, arrays([3, 5, 5], [True, True, True]))
    limited = load(tmp_path, arrays([3, 5, 5], [True, True, True]), ReadOptions(max_episode_steps=5))
    assert [t.terminated for t in limited.trajectories] == [True, False, False]


def test_the_pickle_stays_shut(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    infos = np.array([Dropper(trap)] * 3, dtype=object)
    reading = load(tmp_path, arrays([3], [True]) | {"infos": infos})
    assert len(reading.trajectories) == 1
    assert reading.about.provenance["left_out"] == "infos"
    assert not trap.exists()


def test_an_episode_without_a_step_is_left_out(tmp_path: Path) -> None:
    reading = load(tmp_path, arrays([0, 3, 0, 2, 0], [True, True, False, True, True]))
    assert [t.observations.ravel().tolist() for t in reading.trajectories] == [[100, 101, 102, 103], [300, 301, 302]]
    assert reading.about.provenance["gone"] == "3 of 5 episodes left out: 0, 2, 4 (no step)"


def test_rewards_may_be_missing(tmp_path: Path) -> None:
    held = arrays([3, 2], [True, True])
    del held["rews"]
    reading = load(tmp_path, held)
    assert (reading.format, [t.rewards for t in reading.trajectories]) == ("imitation NPZ", [None, None])


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"indices": np.array([3, 4])}, "'indices' must be 1 ascending whole numbers"),
        ({"indices": np.array([6])}, "ascending whole numbers between 0 and 5"),
        ({"indices": np.array([-1])}, "ascending whole numbers"),
        ({"indices": np.array([2.5])}, "found float64"),
        ({"obs": np.zeros((6, 1))}, "7 observations; found 5 and 6"),
        ({"rews": np.zeros(4)}, "found 4 and 7"),
        ({"terminal": np.zeros(0)}, "must be 0 ascending"),
        ({"acts": np.full(5, np.inf)}, "episode 0 of 2.*not finite"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, np.ndarray], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        load(tmp_path, arrays([3, 2], [True, True]) | changes)


@pytest.mark.parametrize("name, limit, episodes, terminated", [("cartpole", 500, 57, 42), ("pendulum", 200, 56, 0)])
def test_rollouts_of_imitation(experts_folder: Path, name: str, limit: int, episodes: int, terminated: int) -> None:
    path = experts_folder / "files" / f"imitation_{name}_final.npz"
    with pytest.raises(AmbiguousEnding, match=f"after {limit} steps, none after more"):
        read(path)
    found = read(path, ReadOptions(max_episode_steps=limit)).trajectories
    assert (len(found), sum(t.terminated for t in found)) == (episodes, terminated)
    with np.load(path) as file:  # a pickle is in it, which numpy leaves alone unless asked
        assert np.array_equal(np.concatenate([t.observations for t in found]), file["obs"])
        assert np.array_equal(np.concatenate([t.actions for t in found]), file["acts"])
        assert np.array_equal(np.concatenate([t.rewards for t in found if t.rewards is not None]), file["rews"])
        assert np.array_equal(np.cumsum([len(t) for t in found])[:-1], file["indices"])
