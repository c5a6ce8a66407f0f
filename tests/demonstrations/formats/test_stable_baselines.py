"""Expert data of Stable-Baselines 2 and of CS 285: where episodes lie, what was paid, how they ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gailkit.demonstrations.endings import AmbiguousEnding
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.formats.stable_baselines import MAX_CHOICES, choices
from gailkit.demonstrations.opening import Reading, read
from gailkit.errors import DataError

# Two episodes, of three and of two steps.
STEPS = {
    "obs": np.array([0, 1, 2, 10, 11], np.float32)[:, None],
    "actions": np.array([[0], [1], [0], [1], [1]]),
    "rewards": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
    "episode_returns": np.array([6.0, 9.0]),
    "episode_starts": np.array([True, False, False, True, False]),
}
FOLLOWED = {
    "obs": STEPS["obs"],
    "actions": np.array([[0.0], [3.5], [-1], [1], [1]], np.float32),
    "rewards": STEPS["rewards"],
    "next_obs": np.array([1, 2, 3, 11, 12], np.float32)[:, None],
    "dones": np.array([0, 0, 1, 0, 0], bool),
    "episode_starts": STEPS["episode_starts"],
}


def load(
    folder: Path, arrays: dict[str, np.ndarray], options: ReadOptions | None = None, **changes: np.ndarray | None
) -> Reading:
    """What is read of an NPZ of the arrays with ``changes``; None leaves an array out."""
    held = {name: values for name, values in (arrays | changes).items() if values is not None}
    np.savez(folder / "expert.npz", **held)  # type: ignore[arg-type]
    return read(folder / "expert.npz", options)


def shown(reading: Reading) -> list[tuple[list[float], list[float], bool]]:
    """Observations, actions and ending of each episode."""
    return [(t.observations.ravel().tolist(), t.actions.ravel().tolist(), t.terminated) for t in reading.trajectories]


def test_it_is_asked_how_episodes_ended(tmp_path: Path) -> None:
    with pytest.raises(AmbiguousEnding, match="1 of 2 after 3 steps"):
        load(tmp_path, STEPS)


def test_a_time_limit_decides(tmp_path: Path) -> None:
    reading = load(tmp_path, STEPS, ReadOptions(max_episode_steps=3))
    assert reading.format == "Stable-Baselines 2"
    assert shown(reading) == [([0, 1, 2], [0, 1], False), ([10, 11, 11], [1, 1], True)]
    assert [t.rewards.tolist() for t in reading.trajectories if t.rewards is not None] == [[1, 2], [4, 5]]
    assert "rewards" not in reading.about.provenance


def test_rewards_that_are_not_what_was_paid_are_left_out(tmp_path: Path) -> None:
    reading = load(tmp_path, STEPS, ReadOptions(ends="terminated"), rewards=np.ones((5, 1)))
    assert [t.rewards for t in reading.trajectories] == [None, None]
    assert "add up to 2.5 an episode and the file's episode_returns are 7.5" in reading.about.provenance["rewards"]


@pytest.mark.parametrize(
    "stored, expected",
    [
        (np.array([[0], [1], [4]]), np.array([0, 1, 4])),
        (np.array([[0], [1], [4]], np.float64), np.array([0, 1, 4])),
        (np.array([[0], [1], [-4]]), np.array([0, 1, -4])),
        (np.array([[0], [1], [-4]], np.float64), None),
        (np.array([[0], [1], [MAX_CHOICES]], np.float64), None),
        (np.array([[0], [1], [0.5]]), None),
        (np.array([[0], [1], [np.nan]]), None),
        (np.array([[0, 1], [1, 0]]), None),
        (np.array([0, 1]), None),
    ],
)
def test_what_is_a_choice(stored: np.ndarray, expected: np.ndarray | None) -> None:
    np.testing.assert_array_equal(choices(stored), stored if expected is None else expected, strict=True)


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"episode_starts": np.array([False, True, False, True, False])}, "must mark the first row"),
        ({"episode_starts": np.ones((5, 2))}, "'episode_starts' must hold one number a row"),
        ({"episode_starts": np.ones(4)}, "one length, at least 1.*'episode_starts': 4"),
        ({"actions": np.zeros((4, 1))}, "one length.*'actions': 4"),
        ({"episode_returns": np.zeros(3)}, "for each of the 2 episodes that start; found 3"),
        ({"obs": STEPS["obs"] * np.nan}, "episode 0 of 2.*not finite"),
        ({name: values[:0] for name, values in STEPS.items()}, "must mark the first row"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, np.ndarray], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        load(tmp_path, STEPS, ReadOptions(ends="terminated"), **changes)


def test_next_observations_complete_each_episode(tmp_path: Path) -> None:
    reading = load(tmp_path, FOLLOWED)
    assert reading.format == "CS 285 NPZ"
    assert shown(reading) == [([0, 1, 2, 3], [0, 3.5, -1], True), ([10, 11, 12], [1, 1], False)]
    assert "from -1 to 3.5; not clipped" in reading.about.provenance["actions"]


def test_without_starts_the_marks_divide(tmp_path: Path) -> None:
    assert shown(load(tmp_path, FOLLOWED, episode_starts=None)) == shown(load(tmp_path, FOLLOWED))


def test_without_starts_and_marks_what_followed_shows_the_ends(tmp_path: Path) -> None:
    reading = load(tmp_path, FOLLOWED, dones=np.zeros(5, bool), episode_starts=None)
    assert shown(reading) == [([0, 1, 2, 3], [0, 3.5, -1], False), ([10, 11, 12], [1, 1], False)]


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"dones": np.array([0, 1, 0, 0, 0])}, "contradict 'episode_starts'"),
        ({"episode_starts": np.ones(4)}, "contradict 'episode_starts'"),
        ({"next_obs": np.array([1, 5, 3, 11, 12.0])[:, None]}, "episode 0 of 2: next_obs of step 1 is not"),
        ({"next_obs": np.zeros((5, 2))}, "must be like 'obs'"),
        ({"rewards": np.zeros(4)}, "one length"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, np.ndarray], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        load(tmp_path, FOLLOWED, **changes)


@pytest.mark.parametrize(
    "name, limit, steps, terminated",
    [("expert_cartpole", 500, 49_527 - 99, 1), ("expert_pendulum", 200, 20_000 - 100, 0)],
)
def test_experts_of_stable_baselines(experts_folder: Path, name: str, limit: int, steps: int, terminated: int) -> None:
    path = experts_folder / "files" / f"{name}.npz"
    with pytest.raises(AmbiguousEnding, match=f"after {limit} steps, none after more"):
        read(path)
    found = read(path, ReadOptions(max_episode_steps=limit)).trajectories
    assert (len(found), sum(map(len, found)), sum(t.terminated for t in found)) == (100, steps, terminated)
    with np.load(path) as file:
        starts = np.flatnonzero(file["episode_starts"])
        for trajectory, start in zip(found, starts, strict=True):
            stop = start + len(trajectory)
            assert np.array_equal(trajectory.observations[:-1], file["obs"][start:stop])
            assert np.array_equal(trajectory.actions.reshape(-1, 1), file["actions"][start:stop])
            assert np.array_equal(trajectory.rewards, file["rewards"][start:stop])


def test_an_expert_whose_rewards_are_all_one(experts_folder: Path) -> None:
    reading = read(experts_folder / "files" / "sail_MountainCar-v0.npz", ReadOptions(ends="terminated"))
    assert {t.rewards is None for t in reading.trajectories} == {True}
    assert {t.actions.dtype for t in reading.trajectories} == {np.dtype(np.int64)}
    assert np.unique(np.concatenate([t.actions for t in reading.trajectories])).tolist() == [0, 1, 2]
    assert "98.03 an episode and the file's episode_returns are -98.03" in reading.about.provenance["rewards"]
    assert "float64 (9803, 1)" in reading.about.provenance["actions"]


def test_a_time_out_stored_as_a_termination(experts_folder: Path) -> None:
    path = experts_folder / "files" / "cs285_Hopper-v4.npz"
    with pytest.raises(AmbiguousEnding, match="2 of 2 after 1,000 steps"):
        read(path)
    reading = read(path, ReadOptions(max_episode_steps=1000))
    assert [(len(t), t.terminated) for t in reading.trajectories] == [(1000, False), (1000, False)]
    with np.load(path) as file:
        second = reading.trajectories[1]
        assert np.array_equal(second.observations[:-1], file["obs"][1000:])
        assert np.array_equal(second.observations[1:], file["next_obs"][1000:])
    assert "from -5.132 to 3.949" in reading.about.provenance["actions"]
