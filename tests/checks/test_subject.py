"""What is learned of a file by reading it for checks, and the sum of all checks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from gailkit.checks.finding import ranges
from gailkit.checks.run import CHECKS, check_all
from gailkit.checks.subject import Endings, Subject, read_subject
from gailkit.checks.surroundings import surroundings_of
from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.errors import DataError

Make = Callable[..., Demonstrations]


def write_d4rl(path: Path, lengths: list[int], **changes: np.ndarray) -> Path:
    """Episodes that all terminate, without time-outs and last observations."""
    steps = sum(lengths)
    random = np.random.default_rng(0)
    arrays = {
        "observations": random.normal(size=(steps, 2)),
        "actions": random.normal(size=(steps, 1)),
        "rewards": random.normal(size=steps),
        "terminals": np.isin(np.arange(steps), np.cumsum(lengths) - 1),
    }
    with h5py.File(path, "w") as file:
        for name, values in {**arrays, **changes}.items():
            file[name] = values
    return path


def test_a_sound_file_of_gailkits_own_is_fine(make_demonstrations: Make, tmp_path: Path) -> None:
    make_demonstrations([5, 3, 4]).save(tmp_path / "demos.hdf5")
    subject = read_subject(tmp_path / "demos.hdf5", ReadOptions())
    assert (subject.numbers, subject.format) == ((0, 1, 2), "gailkit native")
    report = check_all(subject, None)
    assert report.all_well
    assert report.findings == ()
    assert len(report.fine) + len(report.unchecked) + len(report.findings) == len(CHECKS)


def test_endings_that_nobody_knows_are_taken_for_a_time_limit(tmp_path: Path) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", [6, 4, 6])
    subject = read_subject(path, ReadOptions())
    assert subject.endings == Endings((0, 2), 6, ("--max-episode-steps", "6"), shortened=2, repeated=(1,))
    assert [each.terminated for each in subject.trajectories] == [False, True, False]
    told = read_subject(path, ReadOptions(ends="terminated"))
    assert told.endings == Endings(told=True, repeated=(0, 1, 2))
    known = read_subject(path, ReadOptions(), time_limit=9)
    assert known.endings.assumed == ("--max-episode-steps", "9")
    assert [each.terminated for each in known.trajectories] == [True] * 3


@pytest.mark.parametrize(
    ("lengths", "time_limit", "assumed"),
    [
        ([6, 4, 8], None, ("--ends", "terminated")),  # a time limit of 8 steps would have truncated more than one
        ([6, 4, 8], 9, ("--max-episode-steps", "9")),
        ([6, 4, 8], 8, ("--max-episode-steps", "8")),
        ([6, 4, 8], 7, ("--ends", "terminated")),
        ([6, 8, 8], None, ("--max-episode-steps", "8")),
        ([8], None, ("--max-episode-steps", "8")),
    ],
)
def test_what_is_assumed_is_what_the_mend_says(
    tmp_path: Path, lengths: list[int], time_limit: int | None, assumed: tuple[str, str]
) -> None:
    """Numbers of episodes say where each ends, and nothing says how."""
    steps = np.arange(sum(lengths))
    np.savez(
        tmp_path / "d.npz", observations=steps / 2, actions=steps % 2, episode=np.repeat(range(len(lengths)), lengths)
    )
    subject = read_subject(tmp_path / "d.npz", ReadOptions(), (), time_limit)
    assert subject.endings.assumed == assumed
    assert subject.mend("convert").endswith(" ".join(assumed))
    limit = 0 if assumed[0] == "--ends" else int(assumed[1])
    assert [each.terminated for each in subject.trajectories] == [length != limit for length in lengths]


def test_no_time_limit_is_assumed_that_a_longer_episode_contradicts(tmp_path: Path) -> None:
    lengths = [6, 6, 9]
    steps = np.arange(sum(lengths))
    cut = np.isin(steps, 20)  # the last episode was truncated, as the file says; of the others it says nothing
    np.savez(
        tmp_path / "d.npz",
        observations=steps / 2,
        actions=steps % 2,
        truncated=cut,
        episode=np.repeat(range(3), lengths),
    )
    subject = read_subject(tmp_path / "d.npz", ReadOptions())
    assert (subject.endings.ambiguous, subject.endings.assumed) == ((0, 1), ("--ends", "terminated"))
    assert [each.terminated for each in subject.trajectories] == [True, True, False]


def test_an_episode_with_nan_is_unusable_and_the_others_are_checked(tmp_path: Path) -> None:
    rewards = np.ones(11)
    rewards[5] = np.nan
    subject = read_subject(write_d4rl(tmp_path / "d.hdf5", [3, 4, 4], rewards=rewards), ReadOptions())
    assert subject.numbers == (0, 2)
    assert "NaN" in subject.unusable[1]
    found = {each.name: each for each in check_all(subject, None).findings}
    assert found["unusable_episodes"].episodes == (1,)
    assert "NaN" in found["unusable_episodes"].found


def test_a_file_of_nothing_but_nan_is_told_without_the_other_checks(tmp_path: Path) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", [3, 4], rewards=np.full(7, np.inf))
    report = check_all(read_subject(path, ReadOptions()), None)
    assert [(found.name, found.mend) for found in report.findings] == [("unusable_episodes", None)]
    assert len(report.fine) == 1


def test_a_damaged_episode_is_told_from_one_that_holds_nan(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "demos.hdf5"
    make_demonstrations([5, 3, 4]).save(path)
    with h5py.File(path, "r+") as file:
        file["digests"][1, 0] ^= 1
    subject = read_subject(path, ReadOptions())
    assert (list(subject.unreadable), subject.numbers, subject.unusable) == ([1], (0, 2), {})
    found = check_all(subject, None).findings[0]
    assert (found.name, found.episodes, found.mend) == (
        "damaged_episodes",
        (1,),
        f"gailkit data repair {path} -o demos-repaired.hdf5",
    )
    with h5py.File(path, "r+") as file:
        file["digests"][:, 0] = 255 - file["digests"][:, 0]
    with pytest.raises(DataError, match="none of its 3 episodes can be read: it is damaged"):
        read_subject(path, ReadOptions())


def test_what_is_left_behind_is_named(tmp_path: Path) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", [3, 4], zeta=np.zeros(3), extra=np.zeros(7))
    (found,) = [each for each in check_all(read_subject(path, ReadOptions()), None).findings if "behind" in each.name]
    assert found.found.endswith("2 members that gailkit leaves behind: extra, zeta")
    assert found.severity == "note"


def test_a_mend_says_every_option_once() -> None:
    subject = Subject(Path("d.npz"), (), (), words=("--max-episode-steps", "9", "--mask", "a b"))
    assert subject.mend("convert", "--max-episode-steps", "8") == (
        "gailkit data convert d.npz -o d-converted.hdf5 --max-episode-steps 8 --mask 'a b'"
    )


def test_ranges_are_what_select_takes() -> None:
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert ranges([]) == ""


TRAPS = {  # file -> environment, findings that are not mere notes
    "files/expert_cartpole.npz": ("CartPole-v1", {"ambiguous_ending", "no_last_observation", "failed_episodes"}),
    "files/expert_pendulum.npz": ("Pendulum-v1", {"ambiguous_ending", "no_last_observation"}),
    "files/imitation_cartpole_final.npz": ("CartPole-v1", {"ambiguous_ending"}),
    "files/imitation_pendulum_final.npz": ("Pendulum-v1", {"ambiguous_ending"}),
    "files/sail_MountainCar-v0.npz": ("MountainCar-v0", {"ambiguous_ending", "no_last_observation"}),
    "files/cs285_Hopper-v4.npz": ("Hopper-v5", {"ambiguous_ending"}),
    "files/robosuite_lift_panda.hdf5": (None, {"ambiguous_ending", "no_last_observation"}),
    "files/d4rl_layout_trajectories.hdf5": (None, {"ambiguous_ending", "jump"}),
    "minari/CartPole/scripted-v0": ("CartPole-v1", set()),
    "minari/Pendulum/random-v0": ("Pendulum-v1", set()),
}


@pytest.mark.parametrize("name", TRAPS)
def test_the_trap_in_a_strangers_file_is_found(experts_folder: Path, name: str) -> None:
    env_id, expected = TRAPS[name]
    if env_id is not None and env_id.startswith("Hopper"):
        pytest.importorskip("mujoco", reason="NOT TESTED on MuJoCo: the package mujoco is not installed")
    around = None if env_id is None else surroundings_of(env_id, {})
    limit = None if around is None else around.time_limit
    report = check_all(read_subject(experts_folder / name, ReadOptions(), (), limit), around)
    assert {found.name for found in report.findings if found.severity != "note"} == expected
    if "sail" in name:
        assert any("98.03" in found.found for found in report.findings if found.name == "rewards_as_read")
    if "cs285" in name:
        assert "actions_outside_box" in {found.name for found in report.findings}
    json.dumps([found._asdict() for found in report.findings])
