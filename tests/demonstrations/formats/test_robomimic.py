"""robomimic files: which observations are read, which demonstrations, and how they ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from gailkit.demonstrations.endings import AmbiguousEnding
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.opening import Reading, read
from gailkit.errors import DataError, InputError

BOTH = ReadOptions(obs_keys=("eef", "grip"))


def written(path: Path, lengths: tuple[int, ...] = (2, 3, 4)) -> Path:
    """Demonstration i observes eef [i, t] and grip 100 i + t; it is done at its last step, but for the first one."""
    with h5py.File(path / "demos.hdf5", "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = '{"env_name": "Lift"}'
        for number, steps in enumerate(lengths):
            times = np.arange(steps + 1, dtype=np.float64)
            observed = {
                "eef": np.stack([np.full(steps + 1, float(number)), times], axis=1),
                "grip": 100 * number + times,
                "eye": np.arange((steps + 1) * 2 * 2 * 3, dtype=np.uint8).reshape(steps + 1, 2, 2, 3),
            }
            demo = data.create_group(f"demo_{number}")
            for key, values in observed.items():
                demo[f"obs/{key}"], demo[f"next_obs/{key}"] = values[:-1], values[1:]
            demo["actions"], demo["states"] = np.ones((steps, 7)), np.zeros((steps, 32))
            demo["rewards"] = np.arange(steps, dtype=np.float64)
            demo["dones"] = (np.arange(steps) == steps - 1).astype(int) * (number > 0)
        file["mask/train"] = np.array(["demo_2", "demo_0"], dtype="S8")
        file.create_dataset("mask/valid", data=["demo_1"], dtype=h5py.string_dtype())
    return path / "demos.hdf5"


def edit(path: Path) -> h5py.File:
    """The file, to be changed."""
    return h5py.File(path, "r+")


def endings(reading: Reading) -> list[tuple[int, bool]]:
    return [(len(trajectory), trajectory.terminated) for trajectory in reading.trajectories]


def test_chosen_observations_are_joined_in_the_order_of_choice(tmp_path: Path) -> None:
    path = written(tmp_path)
    one = read(path, BOTH).trajectories[1]
    assert one.observations.tolist() == [[1, 0, 100], [1, 1, 101], [1, 2, 102], [1, 3, 103]]
    assert one.actions.shape == (3, 7) and one.episode_return == 0 + 1 + 2 and one.seed is None
    other = read(path, ReadOptions(obs_keys=("grip", "eef"))).trajectories[1]
    assert other.observations[3].tolist() == [103, 1, 3]


def test_a_single_observation_stays_as_it_is(tmp_path: Path) -> None:
    image = read(written(tmp_path), ReadOptions(obs_keys=("eye",))).trajectories[0].observations
    assert (image.shape, image.dtype) == ((3, 2, 2, 3), np.uint8)
    assert image.ravel().tolist() == [*range(3 * 12)]


def test_the_only_observation_needs_no_choice(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edit(path) as file:
        for demo in file["data"].values():
            for group in ("obs", "next_obs"):
                del demo[group]["eef"], demo[group]["eye"]
    assert read(path).trajectories[0].observations.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "options, complaint",
    [
        (ReadOptions(), r"several observations.*--obs-keys must choose: eef \(2,\), eye \(2, 2, 3\), grip \(\)"),
        (ReadOptions(obs_keys=("eef", "wings")), "no observation 'wings'; it has eef"),
        (ReadOptions(obs_keys=("eef", "eye")), "of one dimension"),
        (ReadOptions(obs_keys=("eef",), mask="test"), "no list 'test' of demonstrations; it has train, valid"),
    ],
)
def test_what_has_to_be_chosen_is_asked_for(tmp_path: Path, options: ReadOptions, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read(written(tmp_path), options)


def test_a_demonstration_without_a_step_is_left_out(tmp_path: Path) -> None:
    reading = read(written(tmp_path, (2, 0, 4)), BOTH)
    assert endings(reading) == [(2, False), (4, True)]
    assert reading.about.provenance["gone"] == "1 of 3 episodes left out: 1 (no step)"
    with pytest.raises(
        DataError, match=r"no step whose successor is known: 2 of 2 episodes left out: 0, 1 \(no step\)"
    ):
        read(written(tmp_path, (0, 0)), BOTH)


def test_lists_say_which_demonstrations(tmp_path: Path) -> None:
    path = written(tmp_path)
    train, valid = (read(path, ReadOptions(obs_keys=("grip",), mask=name)) for name in ("train", "valid"))
    assert [trajectory.observations[0] for trajectory in train.trajectories] == [0, 200]
    assert [trajectory.observations[0] for trajectory in valid.trajectories] == [100]
    assert valid.about.provenance["mask"] == "valid"


def test_demonstrations_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    lengths = tuple(range(1, 13))  # as text, demo_10 would come before demo_2
    assert [steps for steps, _ in endings(read(written(tmp_path, lengths), BOTH))] == [*lengths]


def test_the_last_done_tells_how_it_ended(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert endings(read(path, BOTH)) == [(2, False), (3, True), (4, True)]
    with edit(path) as file:
        file["data/demo_1/dones"][:] = [0, 1, 1]  # done from the success on
        file["data/demo_2/dones"][:] = [0, 1, 0, 0]  # a success that was lost again
    assert endings(read(path, BOTH)) == [(2, False), (3, True), (4, False)]


def test_several_of_the_longest_may_be_a_time_limit(tmp_path: Path) -> None:
    path = written(tmp_path, (3, 4, 4))
    with pytest.raises(AmbiguousEnding, match="2 of 2 after 4 steps"):
        read(path, BOTH)
    told = ReadOptions(obs_keys=("eef",), max_episode_steps=4)
    assert endings(read(path, told)) == [(3, False), (4, False), (4, False)]


def test_without_dones_and_next_observations(tmp_path: Path) -> None:
    path = written(tmp_path, (2, 3))
    with edit(path) as file:
        for demo in file["data"].values():
            del demo["dones"], demo["next_obs"]
    with pytest.raises(AmbiguousEnding):
        read(path, BOTH)
    reading = read(path, ReadOptions(obs_keys=("grip",), ends="truncated"))
    assert [trajectory.observations.tolist() for trajectory in reading.trajectories] == [[0, 1], [100, 101, 102]]


def test_provenance_and_what_is_left_behind(tmp_path: Path) -> None:
    reading = read(written(tmp_path), BOTH)
    known = reading.about.provenance
    assert (known["format"], known["env_args"]) == ("robomimic", '{"env_name": "Lift"}')
    assert known["observed"] == "obs/eef, obs/grip"
    assert known["left_out"] == "obs/eye, states"
    assert reading.about.env_id is None  # it is no id of Gymnasium's


def part_missing(file: h5py.File) -> None:
    del file["data/demo_1/obs/grip"]


def part_of_another_length(file: h5py.File) -> None:
    del file["data/demo_1/obs/grip"]
    file["data/demo_1/obs/grip"] = np.zeros(2)


def part_of_another_shape(file: h5py.File) -> None:
    del file["data/demo_1/next_obs/eef"]
    file["data/demo_1/next_obs/eef"] = np.zeros((3, 5))


def too_few_observations(file: h5py.File) -> None:
    del file["data/demo_1/actions"]
    file["data/demo_1/actions"] = np.zeros((9, 7))


def demonstration_from_another_file(file: h5py.File) -> None:
    del file["data/demo_1"]
    file["data/demo_1"] = h5py.ExternalLink("secret.hdf5", "/data/demo_1")


@pytest.mark.parametrize(
    "damage, complaint",
    [
        (part_missing, "episode 1 of 3: it has no 'obs/grip'"),
        (part_of_another_length, r"episode 1 of 3: its observations do not fit.*obs/grip \(2,\)"),
        (part_of_another_shape, r"episode 1 of 3: its observations do not fit.*next_obs/eef \(3, 5\)"),
        (too_few_observations, "episode 1 of 3: a trajectory needs"),
        (demonstration_from_another_file, "a link to somewhere else"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path: Path, damage: Callable[[h5py.File], None], complaint: str) -> None:
    path = written(tmp_path)
    with edit(path) as file:
        damage(file)
    with pytest.raises(DataError, match=complaint):
        read(path, BOTH)


@pytest.mark.parametrize("names", [["demo_1", "../demo_0"], [f"demo_{2**40}"]])
def test_a_list_cannot_name_anything_but_demonstrations(tmp_path: Path, names: list[str]) -> None:
    path = written(tmp_path)
    with edit(path) as file:
        file["mask/bad"] = np.array(names, dtype="S16")
        file["mask/numbers"] = np.arange(3)
    with pytest.raises(DataError, match="there is no such demonstration"):
        read(path, ReadOptions(obs_keys=("eef",), mask="bad"))
    with pytest.raises(DataError, match="must be a list of names"):
        read(path, ReadOptions(obs_keys=("eef",), mask="numbers"))


def test_an_early_file_of_robosuite(experts_folder: Path) -> None:
    path = experts_folder / "files" / "robosuite_lift_panda.hdf5"
    with pytest.raises(AmbiguousEnding):
        read(path)
    reading = read(path, ReadOptions(ends="truncated"))
    trajectory = reading.trajectories[0]
    assert (trajectory.observations.shape, trajectory.actions.shape) == ((412, 32), (411, 7))
    assert trajectory.rewards is None and reading.about.provenance["env"] == "Lift"
    assert "states" in reading.about.provenance["observed"]
    assert reading.about.provenance["left_out"] == "joint_torques"
