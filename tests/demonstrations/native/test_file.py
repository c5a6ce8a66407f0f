"""The native file gives back what was written, or says what is damaged; never other data."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text, Tuple, flatten
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.joined_episodes import FlatEpisodes
from gailkit.demonstrations.native import reading, writing
from gailkit.errors import DataError, InputError, StorageError
from gailkit.spaces import flattened_space, from_gymnasium, to_gymnasium
from gailkit.types import Trajectory

Make = Callable[..., Demonstrations]

DTYPES = [np.float16, np.float32, np.float64, np.uint8, np.int32, np.int64, np.bool_, np.dtype(">f4")]
TEXTS = st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3)


def spaces() -> st.SearchStrategy[Box | Discrete | None]:
    boxes = st.builds(
        lambda shape, low, width: Box(np.float32(low), np.float32(low + width), shape),
        st.lists(st.integers(1, 3), max_size=3).map(tuple),
        st.floats(-5, 5, width=32),
        st.floats(0.5, 5, width=32),
    )
    return (
        st.none() | boxes | st.builds(lambda n, start: Discrete(n, start=start), st.integers(1, 9), st.integers(-3, 3))
    )


@st.composite
def demonstrations(draw: st.DrawFn) -> Demonstrations:
    """Any demonstrations that can be made: shapes, dtypes, lengths, with or without actions, rewards, seeds, spaces."""
    shapes = [draw(st.lists(st.integers(1, 3), max_size=2).map(tuple)) for _ in range(2)]
    shapes[1] = draw(st.sampled_from([shapes[1], (0,)]))
    dtypes = [draw(st.sampled_from(DTYPES)) for _ in range(2)]
    with_rewards = draw(st.booleans())

    def numbers(role: int, rows: int) -> np.ndarray:
        values = {"allow_nan": False, "allow_infinity": False} if np.dtype(dtypes[role]).kind == "f" else {}
        elements = arrays.from_dtype(np.dtype(dtypes[role]), **values)
        return draw(arrays.arrays(dtypes[role], (rows, *shapes[role]), elements=elements))

    trajectories = []
    for length in draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)):
        rewards = np.array(draw(st.lists(st.floats(-9, 9), min_size=length, max_size=length))) if with_rewards else None
        seed = draw(st.none() | st.integers(0, 2**63 - 1))
        terminated = draw(st.booleans())
        trajectories.append(Trajectory(numbers(0, length + 1), numbers(1, length), rewards, terminated, seed))
    env_id = draw(st.none() | st.text("abcXYZ-0/:é", max_size=9))
    kwargs = draw(
        st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(), max_size=3)
    )
    return Demonstrations(tuple(trajectories), draw(spaces()), draw(spaces()), env_id, kwargs, draw(TEXTS))


def image_of(demonstrations: Demonstrations) -> bytes:
    return writing.image(demonstrations.about, demonstrations.trajectories)


def assert_equal(read: Demonstrations, written: Demonstrations) -> None:
    assert len(read.trajectories) == len(written.trajectories)
    for one, other in zip(read.trajectories, written.trajectories, strict=True):
        assert (one.terminated, one.seed) == (other.terminated, other.seed)
        for name in ("observations", "actions", "rewards"):
            values, expected = getattr(one, name), getattr(other, name)
            if expected is None:
                assert values is None
            else:
                assert values.dtype == expected.dtype.newbyteorder("=")
                np.testing.assert_array_equal(values, expected)
    for name in ("observation_space", "action_space", "env_id", "env_kwargs", "provenance"):
        assert getattr(read, name) == getattr(written, name)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("native") / "demonstrations.hdf5"


@settings(max_examples=60, deadline=None, database=None)
@given(written=demonstrations())
def test_what_is_read_is_what_was_written(scratch: Path, written: Demonstrations) -> None:
    scratch.write_bytes(image_of(written))
    assert_equal(Demonstrations.load(scratch), written)


PARTS = Dict(
    {
        "camera": Box(0, 255, (2, 3, 1), np.uint8),
        "odd / name.": Tuple((Discrete(3), Box(-1, 1, (2,), np.float64))),
        "..": MultiDiscrete([2, 3]),
    }
)


def test_observations_of_several_parts_keep_every_dtype(scratch: Path) -> None:
    PARTS.seed(0)
    trajectories = [
        Trajectory(from_gymnasium(PARTS, [PARTS.sample() for _ in range(steps + 1)]), np.zeros(steps), None, True)
        for steps in (3, 1, 700)
    ]
    written = Demonstrations(tuple(trajectories), PARTS, None, "Parts-v0")
    written.save(scratch)
    for memory in (None, 0):
        read = Demonstrations.load(scratch, memory=memory)
        assert_equal(read, written)
        assert read.digests() == written.digests()
        flat = read.fitted_to(flattened_space(PARTS), Box(-1, 1, (), np.float32))
        expected = np.stack(
            [flatten(PARTS, to_gymnasium(PARTS, trajectories[0].observations, row)) for row in range(3)]
        )
        if memory is None:
            np.testing.assert_array_equal(flat.transitions().obs[:3].numpy(), expected.astype(np.float32))
        else:
            drawn = flat.sample(704, torch.Generator().manual_seed(0)).obs.double().sum(dim=0)
            held = written.fitted_to(flattened_space(PARTS), Box(-1, 1, (), np.float32)).transitions().obs
            torch.testing.assert_close(drawn, held.double().sum(dim=0))


@pytest.mark.parametrize("space", [None, Box(-1, 1, (3,)), Dict({"a": Box(-1, 1, (2,), np.float64)})])
def test_parts_that_could_not_be_put_together_again_are_not_written(tmp_path: Path, space: Any) -> None:
    values = np.zeros(4, np.dtype([("a", "<f4", (2,))]))
    lost = Demonstrations((Trajectory(values, np.zeros(3), None, True),), space)
    with pytest.raises(InputError, match=r"the observations have the parts .* not those of the observation space"):
        lost.save(tmp_path / "d.hdf5")
    assert not list(tmp_path.iterdir())


def test_parts_of_another_byte_order_are_read_back(tmp_path: Path) -> None:
    values = np.array([((1.0, 2.0),), ((3.0, 4.0),)], np.dtype([("a", ">f4", (2,))]))
    written = Demonstrations((Trajectory(values, np.zeros(1), None, True),), Dict({"a": Box(-9, 9, (2,), np.float32)}))
    written.save(tmp_path / "d.hdf5")
    read = Demonstrations.load(tmp_path / "d.hdf5")
    assert read.digests() == written.digests()
    assert read.trajectories[0].observations["a"].tolist() == [[1, 2], [3, 4]]


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is too large to be built in memory, and two episodes of [3, 4, 5] are packed at a time."""
    monkeypatch.setattr(writing, "_IMAGE_BYTES", 0)
    monkeypatch.setattr(writing, "_BUFFER_BYTES", 100)
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 100)  # and a second process reads every other of them


def test_a_file_that_is_written_in_pieces_holds_the_same(
    make_demonstrations: Make, tmp_path: Path, streaming: None
) -> None:
    written = make_demonstrations([3, 4, 5, 1, 700])
    written.save(tmp_path / "d.hdf5")
    assert_equal(Demonstrations.load(tmp_path / "d.hdf5"), written)
    assert [path.name for path in tmp_path.iterdir()] == ["d.hdf5"]


def test_numbers_of_several_widths_take_the_widest_however_many_episodes_there_are(
    make_demonstrations: Make, tmp_path: Path, streaming: None
) -> None:
    narrow = make_demonstrations([3, 40, 5])
    wide = [
        replace(
            t, observations=t.observations.astype(np.float64), actions=t.actions.astype(np.int32), rewards=t.rewards
        )
        for t in narrow.trajectories
    ]
    mixed = replace(narrow, trajectories=(*narrow.trajectories, *wide), offsets=())
    mixed.save(tmp_path / "d.hdf5")
    read = Demonstrations.load(tmp_path / "d.hdf5")
    for one, other in zip(read.trajectories, mixed.trajectories, strict=True):
        assert (one.observations.dtype, one.actions.dtype) == (np.float64, np.int64)
        np.testing.assert_array_equal(one.observations, other.observations)
        np.testing.assert_array_equal(one.actions, other.actions)
    with pytest.raises(InputError, match="a file holds numbers of one kind"):
        writing.write(tmp_path / "e.hdf5", narrow.about, mixed.trajectories)


@pytest.mark.parametrize("most", [0, 1000, 3000, 5000, 8000])
def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_file(
    make_demonstrations: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streaming: None, most: int
) -> None:
    path = tmp_path / "d.hdf5"
    path.write_bytes(b"old")

    class Full(io.FileIO):
        def write(self, content: Any) -> int:
            if self.tell() + len(content) > most:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content)

    demonstrations = make_demonstrations([900] * 9)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, mode, buffering=-1: Full(self, "x+"))
        with pytest.raises(StorageError, match=r"d\.hdf5 could not be written .*No space left on device"):
            demonstrations.save(path)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["d.hdf5"]


def test_episodes_stand_behind_what_describes_them(make_demonstrations: Make, tmp_path: Path) -> None:
    make_demonstrations([3000] * 9).save(tmp_path / "d.hdf5")
    with h5py.File(tmp_path / "d.hdf5") as file:
        offsets = {name: file[name].id.get_chunk_info(0).byte_offset for name in file}
    assert max(offsets, key=lambda name: offsets[name]) == "observations"
    described = {"episode_lengths", "terminated", "truncated", "episode_seeds", "digests"}
    assert max(offsets[name] for name in described) < min(offsets[name] for name in ("actions", "rewards"))


def test_save_load_and_append(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "demonstrations.hdf5"
    first = make_demonstrations([3, 4])
    first.subsample(2).save(path)
    assert_equal(Demonstrations.load(path), first)  # full lengths; the selection is not stored
    more = replace(first, trajectories=(*Demonstrations.load(path).trajectories, first.trajectories[0]), offsets=())
    more.save(path)
    assert_equal(Demonstrations.load(path), more)


def test_equal_contents_give_equal_bytes(make_demonstrations: Make) -> None:
    assert image_of(make_demonstrations([3, 4])) == image_of(make_demonstrations([3, 4]))


def test_every_array_is_checksummed_and_needs_no_plug_in(make_demonstrations: Make, tmp_path: Path) -> None:
    make_demonstrations([3, 4]).save(tmp_path / "d.hdf5")
    with h5py.File(tmp_path / "d.hdf5") as file:
        assert set(file) >= {"observations", "actions", "rewards", "digests"}
        for dataset in file.values():
            assert (dataset.compression, dataset.shuffle, dataset.fletcher32) == ("gzip", True, True)


def test_long_texts_and_spaces_of_images_fit_into_the_header(make_demonstrations: Make, tmp_path: Path) -> None:
    images = Box(0, 255, (84, 84, 4), np.uint8)
    ragged = Box(np.arange(-9000, 0, dtype=np.float32), np.float32(1))
    written = replace(
        make_demonstrations([2]), observation_space=images, action_space=ragged, provenance={"x": "é" * 99999}
    )
    written.save(tmp_path / "big")
    assert_equal(Demonstrations.load(tmp_path / "big"), written)


def test_a_digest_depends_on_everything_the_episode_holds_and_on_nothing_else(make_demonstrations: Make) -> None:
    trajectories = make_demonstrations([3, 4, 5]).trajectories
    one = trajectories[1]

    def digests(*which: Trajectory) -> list[bytes]:
        flat = FlatEpisodes.of(which)
        return [flat.digest(index) for index in range(len(which))]

    assert set(digests(*trajectories)) == set(digests(*trajectories[::-1]))  # the order of episodes does not matter
    changed = one.observations.copy()
    changed[-1, 0] += 1
    variants = [
        replace(one, observations=changed),
        replace(one, observations=one.observations.astype(np.float64)),
        replace(one, actions=one.actions[:, None]),
        replace(one, rewards=None),
        replace(one, rewards=-one.rewards),
        replace(one, terminated=not one.terminated),
        replace(one, seed=None),
        replace(one, seed=0),
    ]
    found = [digests(variant)[0] for variant in [one, *variants]]
    assert len(set(found)) == len(found)


def damaged(image: bytes) -> Iterator[bytes]:
    """40 images with one bit flipped anywhere, and some cut off or overwritten; the benchmarks try a thousand."""
    random = np.random.default_rng(0)
    for place in random.choice(len(image), 40, replace=False):
        changed = bytearray(image)
        changed[place] ^= 1 << int(random.integers(8))
        yield bytes(changed)
    for length in random.choice(len(image), 5, replace=False):
        yield image[:length]
        yield image[:length] + bytes(len(image) - length)


@pytest.mark.parametrize("actions", [True, False], ids=["with actions", "without"])
def test_a_flipped_bit_or_a_cut_gives_the_same_data_or_a_data_error(
    make_demonstrations: Make, tmp_path: Path, actions: bool
) -> None:
    path = tmp_path / "damaged.hdf5"
    made = make_demonstrations([5, 1, 8, 3])
    image = image_of(made if actions else made.without_actions())
    refused = 0
    for changed in damaged(image):
        path.write_bytes(changed)
        try:
            read = Demonstrations.load(path)
        except DataError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            assert image_of(read) == image
    assert refused > 20


def test_a_changed_number_names_its_episode(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    make_demonstrations([4] * 25).save(path)
    with h5py.File(path, "r+") as file:
        file["observations"][5 * 3 + 2, 1] += 1  # each episode has five observations, so this is in episode 3
    with pytest.raises(DataError, match=r"d\.hdf5: episode 3 of 25: it is damaged"):
        Demonstrations.load(path)


def test_a_damaged_chunk_names_its_episodes(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    make_demonstrations([2999] * 5).save(path)
    with h5py.File(path) as file:  # a row of observations is 8 bytes, so a chunk of 32 KiB has 4096 rows
        assert file["observations"].chunks == (4096, 2)
        offset = file["observations"].id.get_chunk_info(1).byte_offset  # rows 4096..8191; an episode has 3000
    image = bytearray(path.read_bytes())
    image[offset + 100] ^= 1
    path.write_bytes(image)
    with pytest.raises(DataError, match=r"episode 1 of 5: it is damaged .*filter returned failure"):
        Demonstrations.load(path)


def rewrite(path: Path, **datasets: np.ndarray) -> None:
    with h5py.File(path, "r+") as file:
        for name, values in datasets.items():
            del file[name]
            file[name] = values


@pytest.mark.parametrize(
    "datasets, complaint",
    [
        ({"truncated": np.array([True, True])}, "episode 1 of 2 must be either terminated or truncated"),
        ({"truncated": np.array([False, False])}, "episode 0 of 2 must be either terminated or truncated"),
        ({"truncated": np.array([1, 0])}, "'truncated' must be bool"),
        ({"episode_lengths": np.array([4, 3])}, "episode 0 of 2: it is damaged"),
        ({"episode_lengths": np.array([7, 0])}, "do not add up to the 7 actions"),
        ({"episode_lengths": np.array([2**62, 2**62])}, "do not add up to the 7 actions"),
        ({"episode_lengths": np.array([7])}, "different lengths"),
        ({"episode_seeds": np.array([0, 1])}, "episode 0 of 2: it is damaged"),
        ({"observations": np.zeros((8, 2), np.float32)}, "'observations' must have 9 rows"),
        ({"rewards": np.zeros(8)}, "'rewards' must have 7 rows"),
        ({"digests": np.zeros((2, 31), np.uint8)}, "a digest must have 32 bytes; found 31"),
    ],
)
def test_contradictions_are_refused(
    make_demonstrations: Make, tmp_path: Path, datasets: dict[str, np.ndarray], complaint: str
) -> None:
    path = tmp_path / "d.hdf5"
    make_demonstrations([3, 4]).save(path)
    rewrite(path, **datasets)
    with pytest.raises(DataError, match=complaint):
        Demonstrations.load(path)


@pytest.mark.parametrize(
    "name, value, complaint",
    [
        ("format_version", 3, r"format version 3, which is newer than this gailkit reads \(2\)"),
        ("format_version", 2, "the header .* is damaged"),
        ("actions", "none", "the header .* is damaged"),
        ("format_version", 0, "states no format version"),
        ("format_version", "1", "'format_version' was not read, because the attribute is not one integer"),
        ("env_id", "Other-v0", "the header .* is damaged"),
        ("provenance", "{}", "the header .* is damaged"),
        ("env_id", b"\xff\xfe", "'env_id' was not read, because the attribute is not UTF-8 text"),
        ("env_id", np.arange(3), "'env_id' was not read, because the attribute is not a text"),
        ("header_digest", "0" * 64, "the header .* is damaged"),
        ("format", "gailkit-something", "no known format; known are: native, d4rl"),
    ],
)
def test_a_changed_header_is_refused(
    make_demonstrations: Make, tmp_path: Path, name: str, value: object, complaint: str
) -> None:
    path = tmp_path / "d.hdf5"
    make_demonstrations([3, 4]).save(path)
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
        del file["rewards"]  # so that it is no flat D4RL file either way
    with pytest.raises(DataError, match=complaint):
        Demonstrations.load(path)


@pytest.mark.parametrize(
    "texts, complaint",
    [
        ({"env_kwargs": "[1]"}, "env_kwargs must be a JSON object"),
        ({"env_kwargs": "["}, "damaged"),
        ({"env_kwargs": "[" * 100_000}, "d.hdf5"),
        ({"provenance": '{"a": 1}'}, "texts to texts"),
        ({"actions": "none"}, "says that it holds no actions, and holds some"),
        ({"actions": "many"}, "says of its actions 'many'; accepted is 'none'"),
        ({"observation_space": '{"type": "MultiFoo"}'}, "MultiFoo"),
        ({"observation_space": "os.system('x')"}, "not a description of a space"),
    ],
)
def test_a_header_with_a_true_digest_and_odd_texts_is_refused(
    make_demonstrations: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: dict[str, str], complaint: str
) -> None:
    path = tmp_path / "d.hdf5"
    with monkeypatch.context() as patch:
        patch.setattr(writing, "header_texts", lambda about, has_actions: texts)
        make_demonstrations([3]).save(path)
    with pytest.raises(DataError, match=complaint):
        Demonstrations.load(path)


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"observation_space": Text(2)}, "Text"),
        ({"env_id": "a\0b"}, "environment id"),
        ({"env_id": "\udc80"}, "environment id"),
    ],
)
def test_what_cannot_be_written_down_is_refused_and_leaves_no_file(
    make_demonstrations: Make, tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        replace(make_demonstrations([3]), **change).save(tmp_path / "d.hdf5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", [-2, 2**63])
def test_a_seed_that_does_not_fit_is_refused(seed: int) -> None:
    with pytest.raises(InputError, match="episode seeds must lie in"):
        FlatEpisodes.of([Trajectory(np.zeros((2, 1)), np.zeros(1), None, True, seed)])


def test_observations_without_a_number_are_refused(tmp_path: Path) -> None:
    episode = Trajectory(np.zeros((4, 0), np.float32), np.zeros(3, np.int64), np.zeros(3), terminated=False)
    with pytest.raises(InputError, match=r"observations of shape \(0,\) hold no number, and cannot be written"):
        Demonstrations((episode,)).save(tmp_path / "a.hdf5")
    assert not list(tmp_path.iterdir())


def test_a_file_says_that_it_holds_no_actions_and_is_no_other_one_without_them(
    make_demonstrations: Make, tmp_path: Path
) -> None:
    """Those with actions are of the version that they always were."""
    path, made = tmp_path / "d.hdf5", make_demonstrations([3, 4])
    for each, version, said in ((made, 1, None), (made.without_actions(), 2, b"none")):
        each.save(path)
        with h5py.File(path) as file:
            assert (int(file.attrs["format_version"]), file.attrs.get("actions")) == (version, said)
            assert ("actions" in file) == (said is None)
        read = Demonstrations.load(path)
        assert (read.has_actions, read.digests()) == (said is None, each.digests())
        assert read.action_space == made.action_space
    assert made.digests() != made.without_actions().digests()
    with h5py.File(path, "r+") as file:
        del file.attrs["actions"]
    with pytest.raises(DataError, match=r"the header .* is damaged"):
        Demonstrations.load(path)


@pytest.mark.parametrize("space", [Dict({"a": Discrete(3), "b": Box(-1, 1, (2,))}), MultiDiscrete([2, 3])], ids=str)
def test_actions_of_several_parts_can_be_left_out_and_their_space_stays(tmp_path: Path, space: Any) -> None:
    actions = from_gymnasium(space, [space.sample() for _ in range(4)])
    made = Demonstrations((Trajectory(np.zeros((5, 2), np.float32), actions, None, True),), Box(-1, 1, (2,)), space)
    made.without_actions().save(tmp_path / "d.hdf5")
    for memory in (None, 0):
        read = Demonstrations.load(tmp_path / "d.hdf5", memory=memory)
        others = [read.fitted_to(Box(-1, 1, (2,)), other) for other in (flattened_space(space), Discrete(7))]
        for each in (read, *others):  # in whichever space actions were, of another body's perhaps
            steps = each.transitions()
            assert (each.has_actions, steps.act.shape, steps.act.dtype) == (False, (4, 0), torch.float32)
            assert each.endings().act.shape == (1, 0)
        with pytest.raises(InputError, match="the environment's is Box"):
            read.fitted_to(Box(-1, 1, (3,)), Discrete(7))


def test_episodes_with_actions_and_without_are_not_put_together(make_demonstrations: Make, tmp_path: Path) -> None:
    (first, second), about = make_demonstrations([3, 4]).trajectories, make_demonstrations([3]).about
    for pair in ((first, second.without_actions()), (first.without_actions(), second)):
        with pytest.raises(InputError, match="have actions or none; found both"):
            Demonstrations(pair)
        with pytest.raises(InputError, match="have actions or none; found both"):
            writing.write(tmp_path / "d.hdf5", about, pair)
    assert not list(tmp_path.iterdir())
