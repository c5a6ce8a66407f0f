"""Minari data sets as gailkit writes them: Minari opens them, and nothing that both can hold is lost on the way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gailkit.demonstrations.file_contents import About
from gailkit.demonstrations.formats.minari_writing import losses, write
from gailkit.demonstrations.joined_episodes import FlatEpisodes
from gailkit.demonstrations.native.writing import write as write_native
from gailkit.demonstrations.opening import Reading, read
from gailkit.errors import InputError, StorageError
from gailkit.spaces import from_gymnasium
from gailkit.types import Trajectory

IMAGES = Box(0, 255, (33, 40, 3), np.uint8)
leaf_spaces = st.one_of(
    st.tuples(st.integers(1, 3), st.sampled_from([np.float32, np.float64])).map(
        lambda size: Box(-2, 2, (size[0],), size[1])
    ),
    st.builds(Discrete, st.integers(1, 5), start=st.integers(-3, 3)),
    st.lists(st.integers(1, 4), min_size=1, max_size=3).map(MultiDiscrete),
    st.integers(1, 3).map(MultiBinary),
    st.just(IMAGES),
)
names = st.text("abz_. é", min_size=1, max_size=3).filter(lambda name: name != ".")
spaces = st.recursive(
    leaf_spaces,
    lambda inner: st.one_of(
        st.lists(st.tuples(names, inner), min_size=1, max_size=3, unique_by=lambda item: item[0]).map(Dict),
        st.lists(inner, min_size=1, max_size=3).map(Tuple),
    ),
    max_leaves=4,
)


def episodes(observed: Space[Any], acted: Space[Any], lengths: list[int]) -> list[Trajectory]:
    """Odd ones terminate, and have no seed."""
    observed.seed(0)
    acted.seed(1)
    return [
        Trajectory(
            from_gymnasium(observed, [observed.sample() for _ in range(steps + 1)]),
            from_gymnasium(acted, [acted.sample() for _ in range(steps)]),
            np.linspace(-1, 1, steps),
            terminated=number % 2 == 1,
            seed=None if number % 2 else number,
        )
        for number, steps in enumerate(lengths)
    ]


def digests(reading: Reading) -> list[bytes]:
    return [FlatEpisodes.of([trajectory]).digest(0) for trajectory in reading.trajectories]


SIMPLE = About(Box(-2, 2, (2,)), Discrete(3), "CartPole-v1", {}, {"author": "A; B", "source": "by hand", "note": "n"})


def simple(lengths: list[int]) -> list[Trajectory]:
    assert SIMPLE.observation_space is not None and SIMPLE.action_space is not None
    return episodes(SIMPLE.observation_space, SIMPLE.action_space, lengths)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(observed=spaces, acted=spaces, lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_there_and_back_again(tmp_path: Path, observed: Space[Any], acted: Space[Any], lengths: list[int]) -> None:
    about = About(observed, acted, "Nowhere-v7", {"size": [1, None]}, {"note": "made by hand"})
    write_native(tmp_path / "first.hdf5", about, episodes(observed, acted, lengths))
    native = read(tmp_path / "first.hdf5")
    assert write(tmp_path / "set", native.about, native.trajectories) == len(lengths)
    minari = read(tmp_path / "set")
    assert digests(minari) == digests(native)
    assert minari.about[:4] == native.about[:4]
    assert minari.about.provenance["note"] == "made by hand"
    shutil.rmtree(tmp_path / "set")


def test_minari_opens_it_and_finds_the_same(tmp_path: Path) -> None:
    minari = pytest.importorskip("minari", reason="NOT TESTED with Minari: it is not installed")
    observed = Dict({"eye": IMAGES, "rest": Tuple([Discrete(4), Box(-2, 2, (2,))])})
    trajectories = episodes(observed, Discrete(3), [3, 2, 4])
    about = SIMPLE._replace(observation_space=observed, env_kwargs={"sutton_barto_reward": True})
    write(tmp_path / "some name", about, trajectories)
    data = minari.MinariDataset(tmp_path / "some name" / "data")
    assert (data.total_episodes, data.total_steps, data.id) == (3, 9, "some-name-v0")
    assert (data.observation_space, data.action_space) == (observed, Discrete(3))
    assert data.storage.metadata["author"] == {"A", "B"}
    stated = [episode.get("seed") for episode in data.storage.get_episode_metadata(range(3))]
    assert stated == [0, None, 2]
    for trajectory, episode in zip(trajectories, data, strict=True):
        assert np.array_equal(episode.observations["eye"], trajectory.observations["eye"])  # not changed by JPEG
        assert np.array_equal(episode.observations["rest"][0], trajectory.observations["rest"]["0"])
        assert np.array_equal(episode.observations["rest"][1], trajectory.observations["rest"]["1"])
        assert np.array_equal(episode.actions, trajectory.actions)
        assert np.array_equal(episode.rewards, trajectory.rewards)
        last = [False] * (len(trajectory) - 1)
        assert episode.terminations.tolist() == [*last, trajectory.terminated]
        assert episode.truncations.tolist() == [*last, not trajectory.terminated]
        assert "infos" in repr(episode)
    with data.recover_environment() as env:
        assert env.spec.id == "CartPole-v1" and env.unwrapped._sutton_barto_reward
    assert data.filter_episodes(lambda episode: bool(episode.terminations[-1])).total_episodes == 1


def test_a_time_limit_among_the_arguments_stays_one(tmp_path: Path) -> None:
    minari = pytest.importorskip("minari", reason="NOT TESTED with Minari: it is not installed")
    write(tmp_path / "set", SIMPLE._replace(env_kwargs={"max_episode_steps": 33}), simple([2]))
    spec = minari.MinariDataset(tmp_path / "set" / "data").env_spec
    assert (spec.max_episode_steps, spec.kwargs) == (33, {})
    assert read(tmp_path / "set").about.env_kwargs == {"max_episode_steps": 33}


def test_an_environment_that_gymnasium_does_not_know_is_kept_for_gailkit_alone(tmp_path: Path) -> None:
    minari = pytest.importorskip("minari", reason="NOT TESTED with Minari: it is not installed")
    about = SIMPLE._replace(env_id="os:Nowhere-v0")
    write(tmp_path / "set", about, simple([2]))
    assert minari.MinariDataset(tmp_path / "set" / "data").env_spec is None
    assert read(tmp_path / "set").about.env_id == "os:Nowhere-v0"
    assert any("os:Nowhere-v0" in loss for loss in losses(about))


def test_what_was_known_before_stays_known(tmp_path: Path) -> None:
    write(tmp_path / "one", SIMPLE, simple([2]))
    first = read(tmp_path / "one")
    write(tmp_path / "two", first.about, first.trajectories)
    known = read(tmp_path / "two").about.provenance
    assert (known["source"], known["original_source"], known["note"]) == ("two", "by hand", "n")
    assert (known["author"], known["dataset_id"]) == ("A; B", "one-v0")


@pytest.mark.parametrize("name", ["CartPole/scripted-v0", "Pendulum/random-v0"])
def test_from_minari_to_native_and_back(tmp_path: Path, experts_folder: Path, name: str) -> None:
    minari = pytest.importorskip("minari", reason="NOT TESTED with Minari: it is not installed")
    reading = read(experts_folder / "minari" / name)
    write_native(tmp_path / "native.hdf5", reading.about, reading.trajectories)
    native = read(tmp_path / "native.hdf5")
    write(tmp_path / "set", native.about, native.trajectories)
    before, after = (
        minari.MinariDataset(path / "data") for path in (experts_folder / "minari" / name, tmp_path / "set")
    )
    assert (before.env_spec, before.id, before.total_steps) == (after.env_spec, after.id, after.total_steps)
    for one, other in zip(before, after, strict=True):
        for field in ("observations", "actions", "rewards", "terminations", "truncations"):
            assert getattr(one, field).tobytes() == getattr(other, field).tobytes()
            assert getattr(one, field).dtype == getattr(other, field).dtype


def test_what_is_lost_is_said() -> None:
    assert losses(SIMPLE) == ("the digest of each episode",)
    narrow = SIMPLE._replace(action_space=Tuple([Discrete(3, dtype=np.int32)]))
    assert losses(narrow)[1:] == ("that a Discrete space is not of int64",)


@pytest.mark.parametrize(
    "about, trajectories, complaint",
    [
        (SIMPLE._replace(action_space=None), simple([2]), "--env gives them"),
        (SIMPLE, [], "at least one trajectory"),
        (SIMPLE, [Trajectory(np.zeros((2, 2), np.float32), np.zeros(1, int), None, True)], "trajectory 0 has none"),
        (SIMPLE._replace(action_space=Dict({"a/b": Discrete(2)})), simple([2]), "a part called 'a/b'"),
    ],
)
def test_what_minari_cannot_hold_is_refused(
    tmp_path: Path, about: About, trajectories: list[Trajectory], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        write(tmp_path / "set", about, trajectories)
    assert not [*tmp_path.iterdir()]


def test_an_older_data_set_is_replaced_once_the_new_one_is_complete(tmp_path: Path) -> None:
    write(tmp_path / "set", SIMPLE, simple([2]))
    with pytest.raises(InputError, match="trajectory 1 has none"):
        one = simple([2])[0]
        write(tmp_path / "set", SIMPLE, [one, Trajectory(one.observations, one.actions, None, True)])
    assert [len(trajectory) for trajectory in read(tmp_path / "set").trajectories] == [2]
    write(tmp_path / "set", SIMPLE, simple([3]))
    assert [len(trajectory) for trajectory in read(tmp_path / "set").trajectories] == [3]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_nothing_but_a_data_set_is_ever_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("dear")
    with pytest.raises(InputError, match="no Minari data set"):
        write(tmp_path / "thesis", SIMPLE, simple([2]))
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "dear"


@pytest.mark.parametrize("name", ["thesis.txt", "data/notes.txt", "data/.hidden", "more/deep.txt"])
def test_what_lies_beside_an_older_data_set_is_never_lost(tmp_path: Path, name: str) -> None:
    write(tmp_path / "set", SIMPLE, simple([2]))
    (tmp_path / "set" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "set" / name).write_text("dear")
    with pytest.raises(InputError, match=r"set holds '.*' beside a Minari data set, so it is not replaced"):
        write(tmp_path / "set", SIMPLE, simple([3]))
    assert (tmp_path / "set" / name).read_text() == "dear"
    assert [len(trajectory) for trajectory in read(tmp_path / "set").trajectories] == [2]


def test_what_comes_to_lie_there_while_it_is_written_is_not_lost_either(tmp_path: Path) -> None:
    write(tmp_path / "set", SIMPLE, simple([2]))

    def interrupted_by_a_person() -> Iterator[Trajectory]:
        yield from simple([3])
        (tmp_path / "set" / "thesis.txt").write_text("dear")

    with pytest.raises(InputError, match=r"set holds 'thesis.txt'"):
        write(tmp_path / "set", SIMPLE, interrupted_by_a_person())
    assert (tmp_path / "set" / "thesis.txt").read_text() == "dear"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written"):
        write(tmp_path / "nowhere" / "set", SIMPLE, simple([2]))
