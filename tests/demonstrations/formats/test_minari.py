"""Minari data sets as Minari itself writes them, and as somebody else might have damaged them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from PIL import Image

from gailkit.demonstrations.file_contents import Broken, ReadOptions
from gailkit.demonstrations.opening import Reading, open_contents, read
from gailkit.errors import DataError, GailkitError, InputError
from gailkit.spaces import to_gymnasium

minari = pytest.importorskip("minari", reason="NOT TESTED against Minari's own files: minari is not installed")
from minari.data_collector import EpisodeBuffer  # noqa: E402
from minari.dataset.minari_storage import MinariStorage  # noqa: E402

REALS = Box(-1, 1, (2,))
NESTED = Dict(
    {
        "place": Tuple([REALS, Discrete(5, start=2)]),
        "flags": MultiBinary(3),
        "levels": MultiDiscrete([3, 4]),
        "picture": Box(0, 255, (40, 36, 3), np.uint8),
    }
)


def stacked(space: Space[Any], count: int) -> Any:
    """``count`` elements as an EpisodeBuffer has them: a list of each leaf."""
    if isinstance(space, Dict):
        return {name: stacked(part, count) for name, part in space.spaces.items()}
    if isinstance(space, Tuple):
        return tuple(stacked(part, count) for part in space.spaces)
    return [space.sample() for _ in range(count)]


def written(
    folder: Path, observed: Space[Any] = REALS, acted: Space[Any] = REALS, lengths: tuple[int, ...] = (3, 1, 4)
) -> Path:
    """A data set of Minari's own making: odd episodes terminate, episode i has the seed 10 * i, images are not JPEG."""
    folder.mkdir(exist_ok=True)
    storage = MinariStorage.new(folder / "data", observed, acted, jpeg_encoding=False)
    for space, seed in ((observed, 1), (acted, 2)):
        space.seed(seed)
    storage.update_metadata({"dataset_id": "test/some-v0", "minari_version": minari.__version__, "author": {"A", "B"}})
    storage.update_episodes(
        EpisodeBuffer(
            seed=10 * number,
            observations=stacked(observed, steps + 1),
            actions=stacked(acted, steps),
            rewards=np.arange(steps).tolist(),
            terminations=[number % 2 == 1 and step == steps - 1 for step in range(steps)],
            truncations=[number % 2 == 0 and step == steps - 1 for step in range(steps)],
            infos={"speed": np.zeros(steps)},
        )
        for number, steps in enumerate(lengths)
    )
    return folder


def changed(folder: Path, **fields: Any) -> Path:
    """The data set with other fields in its metadata; None takes one away."""
    path = folder / "data" / "metadata.json"
    stated = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({name: value for name, value in stated.items() if value is not None}))
    return folder


def edit(folder: Path) -> h5py.File:
    """The file of episodes, to be changed."""
    return h5py.File(folder / "data" / "main_data.hdf5", "r+")


def same(found: Any, expected: Any) -> bool:
    """Whether nested elements are equal to the last bit."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, tuple):
        return len(found) == len(expected) and all(same(*pair) for pair in zip(found, expected, strict=True))
    return np.array_equal(found, expected)


def element(values: Any, index: int) -> Any:
    """One element of what Minari's reader returns for an episode."""
    if isinstance(values, dict):
        return {key: element(part, index) for key, part in values.items()}
    return tuple(element(part, index) for part in values) if isinstance(values, tuple) else values[index]


def test_an_episode_without_a_step_is_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path, lengths=(3, 2, 4))
    with edit(folder) as file:
        for name in ("actions", "rewards", "terminations", "truncations"):
            empty = file[f"episode_1/{name}"][:0]
            del file[f"episode_1/{name}"]
            file[f"episode_1/{name}"] = empty
        first = file["episode_1/observations"][:1]
        del file["episode_1/observations"]
        file["episode_1/observations"] = first
    reading = read(folder)
    assert [len(t) for t in reading.trajectories] == [3, 4]
    assert reading.about.provenance["gone"] == "1 of 3 episodes left out: 1 (no step)"


def test_a_limit_that_the_data_set_states_and_contradicts_is_said(tmp_path: Path) -> None:
    spec = json.dumps({"id": "Numbers-v0", "kwargs": {}, "max_episode_steps": 3})
    reading = read(changed(written(tmp_path, lengths=(3, 1, 5)), env_spec=spec))
    assert [len(t) for t in reading.trajectories] == [3, 1, 5]  # what is marked stands
    said = "the file states a time limit of 3 steps, and 1 episode goes on beyond it, up to 5 steps"
    assert reading.about.provenance["time_limit"] == said


@pytest.mark.parametrize("space", [REALS, Discrete(5, start=2), MultiDiscrete([3, 4]), MultiBinary(3), NESTED])
def test_every_number_is_the_one_that_minari_reads(tmp_path: Path, space: Space[Any]) -> None:
    folder = written(tmp_path, observed=space, acted=space)
    reading, oracle = read(folder), minari.MinariDataset(folder / "data")
    assert reading.about.observation_space == reading.about.action_space == space
    assert len(reading.trajectories) == len(oracle)
    for number, (trajectory, episode) in enumerate(zip(reading.trajectories, oracle, strict=True)):
        assert trajectory.rewards is not None and np.array_equal(trajectory.rewards, episode.rewards)
        assert (trajectory.terminated, trajectory.seed) == (number % 2 == 1, 10 * number)
        for values, expected in (
            (trajectory.observations, episode.observations),
            (trajectory.actions, episode.actions),
        ):
            for index in range(len(values)):
                assert same(to_gymnasium(space, values, index), element(expected, index))


def test_folder_data_and_file_are_the_same_data_set(tmp_path: Path) -> None:
    folder = written(tmp_path)
    readings = [read(path) for path in (folder, folder / "data", folder / "data" / "main_data.hdf5")]
    assert {reading.format for reading in readings} == {"Minari"}
    assert {reading.about.provenance["sha256"] for reading in readings} == {readings[0].about.provenance["sha256"]}
    assert len({trajectory.observations.tobytes() for r in readings for trajectory in r.trajectories}) == 3


def test_episodes_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    lengths = tuple(range(1, 13))  # as text, episode_10 would come before episode_2
    assert [len(trajectory) for trajectory in read(written(tmp_path, lengths=lengths)).trajectories] == [*lengths]


def test_more_episodes_than_are_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.demonstrations.formats.minari_episodes._BLOCK_EPISODES", 2)
    seeds = [trajectory.seed for trajectory in read(written(tmp_path, lengths=(1,) * 5)).trajectories]
    assert seeds == [0, 10, 20, 30, 40]


def test_what_is_said_about_the_data_set(tmp_path: Path) -> None:
    spec = {"id": "Nowhere-v0", "kwargs": {"size": 3}, "entry_point": "os:system", "max_episode_steps": 7}
    reading = read(changed(written(tmp_path), env_spec=json.dumps(spec), algorithm_name="by hand", description=""))
    about = reading.about
    assert (about.env_id, about.env_kwargs) == ("Nowhere-v0", {"size": 3})
    known = about.provenance
    assert (known["dataset_id"], known["algorithm_name"], known["max_episode_steps"]) == (
        "test/some-v0",
        "by hand",
        "7",
    )
    assert sorted(known["author"].split("; ")) == ["A", "B"] and "description" not in known
    assert known["left_out"] == "infos/speed"


def test_chosen_parts_of_an_observation(tmp_path: Path) -> None:
    folder = written(tmp_path, observed=NESTED)
    whole = read(folder)
    one, two = (read(folder, ReadOptions(obs_keys=keys)) for keys in (("flags",), ("place", "flags")))
    assert one.about.observation_space == NESTED["flags"]
    assert np.array_equal(one.trajectories[2].observations, whole.trajectories[2].observations["flags"])
    assert one.about.provenance["left_out"] == (
        "infos/speed, observations/levels, observations/picture, observations/place"
    )
    assert two.trajectories[0].observations.dtype.names == ("place", "flags")
    with pytest.raises(InputError, match="no observation 'wings'; it has flags, levels, picture, place"):
        read(folder, ReadOptions(obs_keys=("flags", "wings")))
    with pytest.raises(InputError, match="of one part"):
        read(written(tmp_path / "plain"), ReadOptions(obs_keys=("flags",)))


WORDS = {"type": "Text", "max_length": 3, "min_length": 0, "charset": "abc"}


@pytest.mark.parametrize(
    ("unknown", "said"),
    [
        ({"type": "Graph"}, r"'Graph' is not supported.*--obs-keys"),
        ({"type": "Tuple", "subspaces": [WORDS]}, r"'Text' is not supported.*--obs-keys"),
    ],
)
def test_a_part_that_is_not_supported_is_not_dropped_silently(tmp_path: Path, unknown: Any, said: str) -> None:
    described = {"type": "Dict", "subspaces": {"unknown": unknown, "reals": json.loads(space_text(tmp_path / "other"))}}
    folder = written(tmp_path, observed=Dict({"reals": REALS}))
    changed(folder, observation_space=json.dumps(described))
    with pytest.raises(InputError, match=said):
        read(folder)
    assert read(folder, ReadOptions(obs_keys=("reals",))).about.observation_space == REALS


def test_text_in_a_dict_is_left_out_as_of_an_environment_and_it_is_said(tmp_path: Path) -> None:
    reals = json.loads(space_text(tmp_path / "other"))
    inner = {"type": "Dict", "subspaces": {"said": WORDS}}
    folder = written(tmp_path, observed=Dict({"reals": REALS}))
    plain = read(folder)
    changed(
        folder,
        observation_space=json.dumps({"type": "Dict", "subspaces": {"a": inner, "mission": WORDS, "reals": reals}}),
    )
    with edit(folder) as file:
        for name in file:
            file[f"{name}/observations/mission"] = ["go"] * len(file[f"{name}/observations/reals"])
    found = read(folder)
    assert found.about.observation_space == Dict({"reals": REALS})
    assert "observations/mission" in found.about.provenance["left_out"]
    for one, other in zip(found.trajectories, plain.trajectories, strict=True):
        assert np.array_equal(one.observations, other.observations)
    with pytest.raises(InputError, match="'Text' is not supported"):
        read(folder, ReadOptions(obs_keys=("mission", "reals")))


def space_text(folder: Path) -> str:
    """REALS as Minari describes it."""
    fields = json.loads((written(folder) / "data" / "metadata.json").read_text())
    return str(fields["observation_space"])


def test_marks_decide_how_an_episode_ended(tmp_path: Path) -> None:
    folder = written(tmp_path, lengths=(2, 2, 2))
    with edit(folder) as file:
        file["episode_0/truncations"][:] = False  # no mark at all
        file["episode_1/truncations"][-1] = True  # both
    assert [trajectory.terminated for trajectory in read(folder).trajectories] == [False, True, False]
    with edit(folder) as file:
        file["episode_2/terminations"][0] = True
    with pytest.raises(DataError, match="episode 2 of 3: it is marked as ended after 1 of its 2 steps"):
        read(folder)


def test_before_metadata_json_there_were_attributes(tmp_path: Path) -> None:
    folder = written(tmp_path, observed=Discrete(3))
    modern = read(folder)
    path = folder / "data" / "metadata.json"
    fields = json.loads(path.read_text())
    path.unlink()
    with edit(folder) as file:
        for name in ("observation_space", "action_space", "dataset_id"):
            file.attrs[name] = fields[name]
        file.attrs["total_episodes"], file.attrs["author"] = 3, "A"
        del file["episode_0"].attrs["seed"]
        file["episode_0"].attrs["seed"] = "None"
    early = read(folder)
    assert early.about.observation_space == Discrete(3) and early.about.provenance["author"] == "A"
    assert [trajectory.seed for trajectory in early.trajectories] == [None, 10, 20]
    assert all(
        np.array_equal(old.observations, new.observations)
        for old, new in zip(early.trajectories, modern.trajectories, strict=True)
    )


def images(tmp_path: Path, shape: tuple[int, ...], lengths: tuple[int, ...] = (2,)) -> tuple[Path, Any]:
    """A data set of images in JPEG, and what Minari decodes in the first episode."""
    space = Dict({"eye": Box(0, 255, shape, np.uint8)})
    storage = MinariStorage.new(tmp_path / "data", space, Discrete(2), jpeg_encoding=True)
    storage.update_metadata({"dataset_id": "test/some-v0", "minari_version": minari.__version__})
    storage.update_episodes(
        EpisodeBuffer(
            observations=stacked(space, steps + 1),
            actions=[0] * steps,
            rewards=[0.0] * steps,
            terminations=[False] * steps,
            truncations=[False] * steps,
        )
        for steps in lengths
    )
    return tmp_path, minari.MinariDataset(tmp_path / "data")[0].observations["eye"]


@pytest.mark.parametrize("shape", [(40, 32, 3), (40, 32)])
@pytest.mark.parametrize("steps", [1, 40])  # few images may happen to be equally long, which is stored otherwise
def test_images_in_jpeg(tmp_path: Path, shape: tuple[int, ...], steps: int) -> None:
    folder, expected = images(tmp_path, shape, (steps,))
    reading = read(folder)
    found = reading.trajectories[0].observations["eye"]
    assert found.dtype == np.uint8 and np.array_equal(found, expected)
    assert reading.about.provenance["images"] == "stored as JPEG, which changes pixels: observations/eye"


def test_images_that_happen_to_be_equally_long(tmp_path: Path) -> None:
    folder, _ = images(tmp_path, (40, 32, 3))
    with edit(folder) as file:
        group = file["episode_0/observations"]
        first = group["eye"][0]
        del group["eye"]
        group["eye"] = np.stack([first] * 3)
    found = read(folder).trajectories[0].observations["eye"]
    assert found.shape == (3, 40, 32, 3) and (found == found[0]).all()


def other_kind_of_image(folder: Path) -> None:
    png = io.BytesIO()
    Image.fromarray(np.zeros((40, 32, 3), np.uint8)).save(png, "PNG")
    with edit(folder) as file:
        file["episode_0/observations/eye"][1] = np.frombuffer(png.getvalue(), np.uint8)


def half_an_image(folder: Path) -> None:
    with edit(folder) as file:
        whole = file["episode_0/observations/eye"][1]
        file["episode_0/observations/eye"][1] = whole[: len(whole) // 2]


def declares_four_gigapixels(folder: Path) -> None:
    with edit(folder) as file:
        data = file["episode_0/observations/eye"][0]
        start = data.tobytes().index(b"\xff\xc0") + 5  # height and width follow
        data[start : start + 4] = 255
        file["episode_0/observations/eye"][0] = data


@pytest.mark.parametrize(
    "damage, complaint",
    [
        (other_kind_of_image, "cannot be decoded as JPEG"),
        (half_an_image, "cannot be decoded as JPEG"),
        (declares_four_gigapixels, "65535 x 65535 pixels"),
    ],
)
def test_hostile_images(tmp_path: Path, damage: Callable[[Path], None], complaint: str) -> None:
    folder, _ = images(tmp_path, (40, 32, 3), (40,))
    damage(folder)
    with pytest.raises(DataError, match=complaint):
        read(folder)


def broken_json(folder: Path) -> None:
    (folder / "data" / "metadata.json").write_text("{'total")


def huge_json(folder: Path) -> None:
    with (folder / "data" / "metadata.json").open("r+b") as file:
        file.truncate(2**30)


def deep_json(folder: Path) -> None:
    (folder / "data" / "metadata.json").write_text("[" * 100_000)


def deep_space(folder: Path) -> None:
    changed(folder, observation_space='{"type": "Tuple", "subspaces": [' * 100_000)


def list_for_metadata(folder: Path) -> None:
    (folder / "data" / "metadata.json").write_text("[1]")


def metadata_is_a_folder(folder: Path) -> None:
    (folder / "data" / "metadata.json").unlink()
    (folder / "data" / "metadata.json").mkdir()


def other_storage(folder: Path) -> None:
    changed(folder, data_format="arrow")


def number_for_a_space(folder: Path) -> None:
    changed(folder, action_space=3)


def space_of_another_shape(folder: Path) -> None:
    changed(folder, observation_space=json.dumps({"type": "MultiBinary", "n": 5}))


def huge_space(folder: Path) -> None:
    changed(folder, observation_space=json.dumps({"type": "MultiBinary", "n": 2**40}))


def spec_without_id(folder: Path) -> None:
    changed(folder, env_spec='{"entry_point": "os:system"}')


def more_episodes_stated(folder: Path) -> None:
    changed(folder, total_episodes=4)


def an_episode_missing(folder: Path) -> None:
    with edit(folder) as file:
        del file["episode_1"]


def a_gap_in_the_numbers(folder: Path) -> None:
    an_episode_missing(folder)
    changed(folder, total_episodes=2)


def no_episode(folder: Path) -> None:
    with edit(folder) as file:
        file.clear()


def episode_from_another_file(folder: Path) -> None:
    with edit(folder) as file:
        del file["episode_1"]
        file["episode_1"] = h5py.ExternalLink("secret.hdf5", "/episode_1")


def rewards_missing(folder: Path) -> None:
    with edit(folder) as file:
        del file["episode_1/rewards"]


def too_few_marks(folder: Path) -> None:
    with edit(folder) as file:
        file["episode_2/terminations"].resize(2, axis=0)


def actions_that_are_no_array(folder: Path) -> None:
    with edit(folder) as file:
        del file["episode_0/actions"]
        file["episode_0"].create_group("actions")


@pytest.mark.parametrize(
    "damage, complaint",
    [
        (broken_json, "metadata.json is damaged"),
        (huge_json, "metadata.json is larger than"),
        (deep_json, "metadata.json is damaged"),
        (deep_space, "observation_space is not a description of a space"),
        (list_for_metadata, "must be a JSON object"),
        (metadata_is_a_folder, "has no file metadata.json"),
        (other_storage, "format 'arrow'; accepted is 'hdf5'"),
        (number_for_a_space, "action_space must be the text of a space; found '3'"),
        (space_of_another_shape, r"episode 0 of 3: the array must have the shape \(4, 5\)"),
        (huge_space, "observation_space is not a description of a space"),
        (spec_without_id, "env_spec must state an id"),
        (more_episodes_stated, "said to hold 4 episodes; found are 3"),
        (an_episode_missing, "said to hold 3 episodes; found are 2, with numbers from 0 to 2"),
        (a_gap_in_the_numbers, "said to hold 2 episodes; found are 2, with numbers from 0 to 2"),
        (no_episode, "holds no episode"),
        (episode_from_another_file, "a link to somewhere else"),
        (rewards_missing, "episode 1 of 3: it has no 'rewards'"),
        (too_few_marks, r"episode 2 of 3: it has 4 actions, terminations \(2,\)"),
        (actions_that_are_no_array, "not an array"),
    ],
)
def test_what_is_damaged_is_refused_in_one_sentence(
    tmp_path: Path, damage: Callable[[Path], None], complaint: str
) -> None:
    folder = written(tmp_path)
    damage(folder)
    with pytest.raises(GailkitError, match=complaint) as caught:
        read(folder)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_the_sound_episodes_of_a_damaged_data_set(tmp_path: Path) -> None:
    folder = written(tmp_path, lengths=(2, 300, 2))
    with edit(folder) as file:
        del file["episode_1/observations"]
        packed = file.create_dataset("episode_1/observations", (301, 2), "f4", chunks=(301, 2), compression="gzip")
        packed.id.write_direct_chunk((0, 0), bytes(100))
    with pytest.raises(DataError, match="episode 1 of 3: it is damaged"):
        read(folder)
    options = ReadOptions(tolerant=True)
    with open_contents(folder, options) as (_, contents):
        found = [*contents.episodes]
    assert [isinstance(episode, Broken) for episode in found] == [False, True, False]
    an_episode_missing(folder)
    with open_contents(folder, options) as (_, contents):
        assert [isinstance(episode, Broken) for episode in contents.episodes] == [False, False]


def steps(reading: Reading) -> list[int]:
    return [len(trajectory) for trajectory in reading.trajectories]


def test_data_sets_that_somebody_else_recorded(experts_folder: Path) -> None:
    cartpole, pendulum = (
        read(experts_folder / "minari" / name) for name in ("CartPole/scripted-v0", "Pendulum/random-v0")
    )
    assert (steps(cartpole), steps(pendulum)) == ([500] * 10, [200] * 5)
    assert (cartpole.about.env_id, pendulum.about.env_id) == ("CartPole-v1", "Pendulum-v1")
    assert not any(trajectory.terminated for reading in (cartpole, pendulum) for trajectory in reading.trajectories)
    assert [trajectory.seed for trajectory in pendulum.trajectories] == [300, 301, 302, 303, 304]
    assert pendulum.trajectories[0].episode_return == pytest.approx(-1059.4437384173712)  # as the file states it
