"""Flat D4RL files: where episodes end, and what their last observation is."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.endings import AmbiguousEnding, UnmarkedEnds
from gailkit.demonstrations.file_contents import ReadOptions, TimeLimit
from gailkit.errors import DataError

# Seven steps: a termination after step 2, a time-out after step 4, and a piece that is not finished.
OBSERVATIONS = np.array([0, 1, 2, 10, 11, 20, 21], np.float32)[:, None]
NEXT = np.array([1, 2, 3, 11, 12, 21, 22], np.float32)[:, None]
STEPS = {
    "observations": OBSERVATIONS,
    "actions": np.arange(7),
    "rewards": np.arange(7, dtype=np.float32),
    "terminals": np.arange(7) == 2,
    "timeouts": np.arange(7) == 4,
    "next_observations": NEXT,
}


def load(path: Path, **changes: np.ndarray | None) -> Demonstrations:
    """The demonstrations in a flat file of the seven steps with ``changes``; None leaves an array out."""
    with h5py.File(path / "flat.hdf5", "w") as file:
        for name, values in (STEPS | changes).items():
            if values is not None:
                file[name] = values
    return Demonstrations.load(path / "flat.hdf5")


def shown(demonstrations: Demonstrations) -> list[tuple[list[float], list[int], bool]]:
    """Observations, actions and ending of each episode."""
    return [(t.observations.ravel().tolist(), t.actions.tolist(), t.terminated) for t in demonstrations.trajectories]


def test_termination_timeout_and_unfinished_piece(tmp_path: Path) -> None:
    demonstrations = load(tmp_path)
    assert shown(demonstrations) == [
        ([0, 1, 2, 3], [0, 1, 2], True),
        ([10, 11, 12], [3, 4], False),
        ([20, 21, 22], [5, 6], False),
    ]
    returns = demonstrations.returns()
    assert returns is not None and returns.tolist() == [0 + 1 + 2, 3 + 4, 5 + 6]
    assert demonstrations.observation_space is demonstrations.action_space is demonstrations.env_id is None


def test_a_terminal_wins_over_a_timeout_on_the_same_step(tmp_path: Path) -> None:
    both = load(tmp_path, timeouts=np.isin(np.arange(7), [2, 4]))
    assert [terminated for _, _, terminated in shown(both)] == [True, False, False]


def test_without_timeouts_a_jump_cuts(tmp_path: Path) -> None:
    assert shown(load(tmp_path, timeouts=None)) == shown(load(tmp_path))


def test_a_single_step_has_no_jump(tmp_path: Path) -> None:
    first = {name: values[:1] for name, values in STEPS.items()} | {"timeouts": None}
    assert shown(load(tmp_path, **first)) == [([0, 1], [0], False)]


def test_with_timeouts_the_marks_alone_decide(tmp_path: Path) -> None:
    unmarked = load(tmp_path, timeouts=np.zeros(7, bool))
    assert [len(trajectory) for trajectory in unmarked.trajectories] == [3, 4]


def test_without_next_observations_no_successor_is_made_up(tmp_path: Path) -> None:
    demonstrations = load(tmp_path, next_observations=None)
    assert "divided" not in demonstrations.provenance
    assert shown(demonstrations) == [
        ([0, 1, 2, 2], [0, 1, 2], True),  # terminated: all steps, the last observation repeated
        ([10, 11], [3], False),  # truncated: the last step has no successor
        ([20, 21], [5], False),
    ]
    assert "last step of 2 truncated episodes was dropped" in demonstrations.provenance["conversion"]
    assert "last observation of 1 terminated episode repeated" in demonstrations.provenance["conversion"]


def test_an_episode_of_one_step_without_successor_is_left_out(tmp_path: Path) -> None:
    every_step = np.ones(7, bool)
    demonstrations = load(tmp_path, next_observations=None, timeouts=every_step)
    assert shown(demonstrations) == [([2, 2], [2], True)]
    gone = "6 of 7 episodes left out: 0, 1, 3, 4, 5, 6 (one step, of which nothing tells what followed it)"
    assert demonstrations.provenance["gone"] == gone
    with pytest.raises(DataError, match="no step whose successor is known"):
        load(tmp_path, next_observations=None, timeouts=every_step, terminals=np.zeros(7, bool))


UNMARKED: dict[str, np.ndarray | None] = {"timeouts": None, "next_observations": None}


def without_marks(path: Path, terminals: list[int], env_id: str | None = None, steps: int = 450) -> Path:
    """A flat file of ``steps`` steps, in which nothing is marked but ``terminals``; step t observes t."""
    with h5py.File(path / "flat.hdf5", "w") as file:
        file["observations"] = np.arange(steps, dtype=np.float32)[:, None]
        file["actions"], file["rewards"] = np.zeros(steps, int), np.ones(steps)
        file["terminals"] = np.isin(np.arange(steps), terminals)
        if env_id is not None:
            file.attrs["env_id"] = env_id
    return path / "flat.hdf5"


@pytest.mark.parametrize("changes", [UNMARKED, {**UNMARKED, "terminals": np.zeros(7, bool)}])
def test_without_marks_of_time_limits_it_is_asked_whether_there_was_one(
    tmp_path: Path, changes: dict[str, np.ndarray | None]
) -> None:
    with pytest.raises(UnmarkedEnds, match=r"does not mark where a time limit cut.*--max-episode-steps none"):
        load(tmp_path, **changes)
    path = tmp_path / "flat.hdf5"
    for options in (ReadOptions(max_episode_steps=math.inf), ReadOptions(ends="terminated")):
        whole = Demonstrations.load(path, options)
        assert whole.num_steps == 6 and "divided" not in whole.provenance
    with pytest.raises(UnmarkedEnds, match=r"\(It has a limit\)$"):
        Demonstrations.load(path, ReadOptions(registered=TimeLimit(3, "It has a limit")))
    Demonstrations.load(path, ReadOptions(registered=TimeLimit(7, "It has a limit")))  # nothing is longer: no doubt


def test_marks_that_were_never_set_tell_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnmarkedEnds):
        load(tmp_path, terminals=np.zeros(7, bool), timeouts=np.zeros(7, bool))


def test_a_time_limit_divides_what_has_no_marks(tmp_path: Path) -> None:
    """Runs of 30, 220 and 200 steps: with a limit of 100, pieces of 30 | 100, 100, 20 | 100, 100."""
    path = without_marks(tmp_path, [29, 249])
    found = Demonstrations.load(path, ReadOptions(max_episode_steps=100))
    assert [(len(t), t.terminated) for t in found.trajectories] == [
        (30, True), (99, False), (99, False), (20, True), (99, False), (99, False),
    ]  # fmt: skip
    firsts = [int(t.observations[0, 0]) for t in found.trajectories]
    assert firsts == [0, 30, 130, 230, 250, 350]
    said = "2 runs of up to 220 steps, one behind the other, into 5 episodes of up to 100 steps, by --max-episode-steps"
    assert found.provenance["divided"] == f"{said} 100"


def test_the_time_limit_that_the_file_states_divides_it_too(tmp_path: Path) -> None:
    found = Demonstrations.load(without_marks(tmp_path, [29], "Pendulum-v1"))  # 420 steps behind the mark
    assert [(len(t), t.terminated) for t in found.trajectories] == [(30, True), (199, False), (199, False), (19, False)]
    assert "because Pendulum-v1 is registered with a time limit of 200 steps" in found.provenance["divided"]
    with pytest.raises(UnmarkedEnds, match="Pendulum-v1 is registered with a time limit of 200"):
        Demonstrations.load(without_marks(tmp_path, [224, 449], "Pendulum-v1"))  # two of 225 contradict it
    for unknown in (None, "os:Evil-v0"):
        with pytest.raises(UnmarkedEnds):
            Demonstrations.load(without_marks(tmp_path, [29], unknown))


def test_what_follows_shows_no_episodes_if_it_never_does(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="what is said to follow 6 of 6 rows inside of episodes"):
        load(tmp_path, timeouts=None, terminals=np.zeros(7, bool), next_observations=np.zeros_like(NEXT))


def test_marks_may_be_numbers_in_a_column(tmp_path: Path) -> None:
    columns = {name: STEPS[name].astype(np.float32)[:, None] for name in ("terminals", "timeouts", "rewards")}
    assert shown(load(tmp_path, **columns)) == shown(load(tmp_path))


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"actions": np.arange(6)}, "one length.*'actions': 6"),
        ({name: values[:0] for name, values in STEPS.items()}, "one length, at least 1"),
        ({"terminals": np.zeros((7, 2))}, "'terminals' must hold one number a row"),
        ({"next_observations": NEXT.repeat(2, axis=1)}, "must be like observations"),
        ({"observations": OBSERVATIONS.astype(np.float64)}, "must be like observations"),
        (
            {"observations": np.where(OBSERVATIONS == 11, np.float32(np.nan), OBSERVATIONS)},
            "episode 1 of 3.*not finite",
        ),
        ({"terminals": None}, "no known format"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, np.ndarray | None], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        load(tmp_path, **changes)


def test_provenance_says_which_file_it_was(tmp_path: Path) -> None:
    load(tmp_path)
    path = tmp_path / "flat.hdf5"
    with h5py.File(path, "r+") as file:
        file.attrs["env_id"], file.attrs["note"] = "Numbers-v0", "made by hand"
    demonstrations = Demonstrations.load(path)
    assert demonstrations.env_id == "Numbers-v0"
    assert demonstrations.provenance == {
        "source": "flat.hdf5",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "format": "D4RL flat",
        "note": "made by hand",
    }


def test_equal_content_gives_equal_transitions_through_either_format(tmp_path: Path) -> None:
    flat = load(tmp_path)
    flat.save(tmp_path / "native.hdf5")
    native = Demonstrations.load(tmp_path / "native.hdf5")
    for draw in (
        lambda d: d.transitions(),
        lambda d: d.subsample(2, seed=1).transitions(),
        lambda d: d.sample(64, torch.Generator().manual_seed(0)),
    ):
        one, other = draw(flat), draw(native)
        for name in ("obs", "act", "next_obs", "terminated"):
            assert torch.equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype


@pytest.mark.parametrize(
    "name, mean_return, terminated",
    [("CartPole-v1", 440.5, 12), ("MountainCar-v0", -100.2, 25), ("Hopper-v5", 3376, 2), ("HalfCheetah-v5", 4664, 0)],
)
def test_the_experts_of_the_paper(experts_folder: Path, name: str, mean_return: float, terminated: int) -> None:
    demonstrations = Demonstrations.load(experts_folder / "paper" / f"{name}.hdf5")
    returns = demonstrations.returns()
    assert returns is not None and returns.mean() == pytest.approx(mean_return, rel=2e-4)
    assert (len(demonstrations.trajectories), demonstrations.num_terminated) == (25, terminated)
    assert demonstrations.env_id == name


def test_terminals_that_all_come_at_the_same_step_are_asked_about(experts_folder: Path) -> None:
    path = experts_folder / "files" / "d4rl_layout_trajectories.hdf5"
    with pytest.raises(AmbiguousEnding, match=r"10 of 10 after 2,000 steps.*--max-episode-steps 2000.*--ends"):
        Demonstrations.load(path)
    for options, terminated in (
        (ReadOptions(ends="terminated"), 10),
        (ReadOptions(ends="truncated"), 0),
        (ReadOptions(max_episode_steps=2000), 0),
        (ReadOptions(max_episode_steps=2001), 10),
    ):
        demonstrations = Demonstrations.load(path, options)
        assert demonstrations.num_steps == 20_000
        assert demonstrations.transitions().terminated.sum() == demonstrations.num_terminated == terminated


def test_a_single_terminal_at_the_end_is_believed(tmp_path: Path) -> None:
    """With timeouts the file says which end is which; without, several ends at one length are what is doubtful."""
    ends = np.array([0, 0, 1, 0, 0, 0, 1], bool)  # lengths 3 and 4
    assert [t.terminated for t in load(tmp_path, terminals=ends, timeouts=None).trajectories] == [True, False, True]
