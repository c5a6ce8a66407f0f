"""What can be joined, that no number is changed by it, and that files larger than memory stay where they are."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.editing.merge import Merged, Named, merge
from gailkit.demonstrations.file_contents import About
from gailkit.demonstrations.native import writing
from gailkit.errors import InputError
from gailkit.types import Trajectory

Make = Callable[..., Demonstrations]

NARROW, WIDE = np.dtype("f4"), np.dtype("f8")


def loaded(merged: Merged) -> Demonstrations:
    return Demonstrations(tuple(merged), *merged.about)


def of_type(dtype: np.dtype[Any], count: int) -> Demonstrations:
    """Episodes of 20 steps of random numbers of ``dtype``."""
    random = np.random.default_rng(dtype.itemsize)
    seen, acted = (random.normal(size=(count, steps, 8)).astype(dtype) for steps in (21, 20))
    return Demonstrations(tuple(Trajectory(o, a, a[:, 0], False) for o, a in zip(seen, acted, strict=True)))


def test_what_is_split_and_merged_again_is_the_same_set_of_episodes(make_demonstrations: Make) -> None:
    whole = make_demonstrations([3, 1, 4, 1, 5, 9])
    train, test = whole.split(0.5, seed=3)
    again = merge([Named("train", train), Named("test", test)])
    assert list(again.digests()) == train.digests() + test.digests()
    assert Counter(again.digests()) == Counter(loaded(again).digests()) == Counter(whole.digests())


def test_a_merger_keeps_every_provenance_apart_also_those_of_earlier_mergers(make_demonstrations: Make) -> None:
    one, two = (replace(make_demonstrations([2]), provenance={"source": name}) for name in ("left", "right"))
    once = merge([Named("1.hdf5", one), Named("2.hdf5", two)])
    assert once.about.provenance == {
        "source": "merged from 2 files",
        "merged_1": "1 episode of 1.hdf5", "merged_1 source": "left",
        "merged_2": "1 episode of 2.hdf5", "merged_2 source": "right",
    }  # fmt: skip
    twice = merge([Named("both.hdf5", loaded(once)), Named("1.hdf5", one)])
    assert twice.about.provenance["merged_1 merged_2 source"] == "right"
    assert twice.about.provenance["merged_2 source"] == "left"


def test_a_merger_holds_every_step(make_demonstrations: Make) -> None:
    part = make_demonstrations([8, 6]).subsample(4)
    assert loaded(merge([Named("a", part), Named("b", part)])).num_kept == 28


@pytest.mark.parametrize(
    "change, said",
    [
        ({"env_id": "Other-v0"}, r"^a and b do not .* environment: Numbers-v0 in the former, Other-v0 in the latter"),
        ({"env_id": None}, r"environment: Numbers-v0 in the former, not stated in the latter"),
        ({"env_kwargs": {}}, r"arguments of the environment: {'size': 3} in the former, {} in the latter"),
        ({"action_space": Discrete(3)}, r"action space: Discrete\(2\) in the former, Discrete\(3\) in the latter"),
        ({"observation_space": Box(0, 1, (2,))}, r"observation space: Box\(-1000.* in the former, Box\(0.0, 1.0"),
    ],
    ids=str,
)
def test_files_of_different_tasks_are_not_joined(make_demonstrations: Make, change: dict[str, Any], said: str) -> None:
    whole = make_demonstrations([2, 3])
    with pytest.raises(InputError, match=said):
        merge([Named("a", whole), Named("b", replace(whole, **change))])


def test_episodes_of_other_numbers_or_without_rewards_are_not_joined(make_demonstrations: Make) -> None:
    whole = replace(make_demonstrations([2]), observation_space=None, action_space=None)
    (episode,) = whole.trajectories
    for changed, said in (
        (
            replace(episode, observations=episode.observations[:, :1]),
            r"observations: floating numbers of shape \(2,\) in",
        ),
        (replace(episode, actions=episode.actions * 1.0), r"actions: integers of shape \(\) in .* floating numbers"),
        (replace(episode, rewards=None), r"rewards: recorded in the former, not recorded in the latter"),
    ):
        with pytest.raises(InputError, match=said):
            merge([Named("a", whole), Named("b", whole), Named("c", replace(whole, trajectories=(changed,)))])


def test_a_space_that_is_not_stated_is_that_of_the_others_if_it_fits(make_demonstrations: Make) -> None:
    whole = make_demonstrations([2, 3])
    silent = replace(whole, observation_space=None, action_space=None)
    joined = merge([Named("a", silent), Named("b", whole)])
    assert joined.about[:2] == (whole.observation_space, whole.action_space)
    (first, _) = silent.trajectories
    beyond = replace(silent, trajectories=(replace(first, actions=first.actions + 5),), offsets=())
    with pytest.raises(InputError, match=r"Discrete\(2\).* range from 5 to 6"):
        merge([Named("a", whole), Named("b", beyond)])


@pytest.mark.parametrize("dtypes", [(NARROW, WIDE), (WIDE, NARROW)], ids=str)
@pytest.mark.parametrize("stored", [False, True])
def test_numbers_of_other_widths_are_joined_without_changing_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtypes: tuple[np.dtype[Any], ...], stored: bool
) -> None:
    """Also where they are packed many times."""
    monkeypatch.setattr(writing, "_BUFFER_BYTES", 3000)
    monkeypatch.setattr(writing, "_IMAGE_BYTES", 3000)
    made = [of_type(dtype, 9) for dtype in dtypes]
    parts = made
    if stored:
        for index, part in enumerate(made):
            part.save(tmp_path / f"{index}.hdf5")
        parts = [Demonstrations.load(tmp_path / f"{index}.hdf5", memory=0) for index in range(2)]
        assert not any(part.in_memory for part in parts)
    merged = merge([Named(str(index), part) for index, part in enumerate(parts)])
    assert writing.write(tmp_path / "m.hdf5", merged.about, merged) == 18
    found = Demonstrations.load(tmp_path / "m.hdf5")
    for mine, theirs in zip(found.trajectories, [*made[0].trajectories, *made[1].trajectories], strict=True):
        for name in ("observations", "actions", "rewards"):
            assert getattr(mine, name).dtype == WIDE
            assert getattr(mine, name).tolist() == getattr(theirs, name).tolist()
    assert list(merged.digests()) == found.digests()


def test_each_part_of_an_observation_is_widened_on_its_own() -> None:
    wholes = []
    for real, whole in ((NARROW, np.int64), (WIDE, np.int32)):
        seen = np.zeros(3, dtype=[("a", real, (2,)), ("b", [("c", whole)])])
        seen["a"][:, 1], seen["b"]["c"] = 1 / 3, [0, 1, 2]
        wholes.append(Demonstrations((Trajectory(seen, np.zeros((2, 1)), None, True),)))
    first, second = merge([Named("a", wholes[0]), Named("b", wholes[1])])
    assert first.observations.dtype == second.observations.dtype
    assert first.observations.dtype == np.dtype([("a", WIDE, (2,)), ("b", [("c", np.int64)])])
    for mine, theirs in ((first, wholes[0]), (second, wholes[1])):
        assert mine.observations["a"].tolist() == theirs.trajectories[0].observations["a"].tolist()
        assert mine.observations["b"]["c"].tolist() == [0, 1, 2]


def test_of_episodes_equal_as_they_are_written_the_first_stays(make_demonstrations: Make) -> None:
    """An episode of 32 bits and the same of 64 are one once both have 64."""
    narrow = replace(make_demonstrations([3, 4]), observation_space=None)
    wide = [replace(each, observations=each.observations.astype(np.float64)) for each in narrow.trajectories]
    other = replace(wide[1], terminated=not wide[1].terminated)
    merged = merge([Named("a", narrow), Named("b", replace(narrow, trajectories=(*wide, other), offsets=()))])
    assert merged.lengths.tolist() == [3, 4, 3, 4, 4]
    assert merged.unique().lengths.tolist() == [3, 4, 4]
    assert list(merged.unique().digests()) == loaded(merged).digests()[:2] + loaded(merged).digests()[4:]
    again = merge([Named("a", narrow), Named("b", narrow)]).unique()
    assert (again.lengths.tolist(), len(again.parts)) == ([3, 4], 1)


def test_parts_that_stay_in_their_files_are_never_held_together(tmp_path: Path) -> None:
    """Two files of 96 MB each become one; fewer than 90 MB are held at a time."""
    episode = Trajectory(np.zeros((101, 64, 64, 3), np.uint8), np.zeros(100, int), None, False)
    for name in ("a", "b"):
        writing.write(tmp_path / name, About(), (replace(episode, seed=seed) for seed in range(80)))
    parts = [Named(name, Demonstrations.load(tmp_path / name, memory=0)) for name in ("a", "b")]
    tracemalloc.start()
    try:
        merged = merge(parts).unique()
        written = writing.write(tmp_path / "c", merged.about, merged)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written == 80
    assert held < 9e7 < 9.6e7 < 80 * episode.observations.nbytes
