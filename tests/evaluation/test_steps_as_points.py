"""Steps as points: what becomes of each space by hand, and what the scale keeps and drops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from hypothesis import given
from hypothesis import strategies as st

from gailkit.evaluation import steps_as_points as module
from gailkit.evaluation.steps_as_points import Description, Scale, cloud, scattered
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium
from gailkit.types import Trajectory

ONE_ACTION = Box(-1, 1, (1,))


def seen(observations: np.ndarray) -> Trajectory:
    """An episode of these observations, in which action 0 is done."""
    return Trajectory(observations, np.zeros((len(observations) - 1, 1), np.float32), None, False)


def rows_of(space: Space[Any], observations: np.ndarray) -> np.ndarray:
    """The columns of the observations."""
    every = np.arange(len(observations) - 1)
    return Description(space, ONE_ACTION).rows(seen(observations), every)[:, :-1]


def images(*shape: int) -> tuple[Box, np.ndarray]:
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    return Box(0, 255, shape, np.uint8), pixels


def test_a_step_is_its_observation_and_its_action_as_the_environment_takes_it() -> None:
    observed, action = Box(-9, 9, (2,)), Box(np.array([-1, 0], np.float32), np.array([1, 5], np.float32))
    episode = Trajectory(
        np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.float32), np.array([[-3, 3], [0.5, 7], [2, -1]], np.float32),
        None, False,
    )  # fmt: skip
    description = Description(observed, action)
    assert description.rows(episode, np.arange(3)).tolist() == [[1, 2, -1, 3], [3, 4, 0.5, 5], [5, 6, 1, 0]]
    assert description.rows(episode, np.array([2])).tolist() == [[5, 6, 1, 0]]


def test_of_choices_the_one_that_is_taken_is_1() -> None:
    episode = Trajectory(np.array([5, 7, 5]), np.array([0, 1]), None, False)
    rows = Description(Discrete(3, start=5), Discrete(2)).rows(episode, np.arange(2))
    assert rows.tolist() == [[1, 0, 0, 1, 0], [0, 0, 1, 0, 1]]


def test_a_large_image_is_averaged_to_8_by_8_cells_of_each_channel() -> None:
    space, pixels = images(16, 32, 3)
    cells = pixels[:-1].reshape(2, 8, 2, 8, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(rows_of(space, pixels), cells.reshape(2, -1))


def test_colours_or_frames_first_or_last_have_the_same_cells() -> None:
    space, pixels = images(16, 32, 3)
    first = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(rows_of(Box(0, 255, (3, 16, 32), np.uint8), first), rows_of(space, pixels))


def test_of_several_parts_choices_are_columns_each_and_everything_has_the_name_of_its_part() -> None:
    space = Dict(
        {"eye": Box(0, 255, (16, 24), np.uint8), "arm": Box(-9, 9, (2,), np.float32), "go": Discrete(2, start=4)}
    )
    acted = flattened_space(MultiDiscrete([2, 3], start=[1, 0]))
    space.seed(0)
    values = from_gymnasium(space, [space.sample() for _ in range(3)])
    done = flatten_values(acted, np.array([[2, 0], [1, 2]]))
    episode = Trajectory(flatten_values(space, values), done, None, False)
    description = Description(flattened_space(space), acted)
    rows, features = description.rows(episode, np.arange(2)), description.features()
    cells = values["eye"][:2].reshape(2, 8, 2, 8, 3).mean(axis=(2, 4)).reshape(2, 64)
    np.testing.assert_allclose(rows[:, :64], cells)
    np.testing.assert_allclose(rows[:, 64:66], values["arm"][:2], rtol=1e-6)
    assert rows[:, 66:68].argmax(1).tolist() == (values["go"][:2] - 4).tolist()
    assert rows[:, 68:].tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]
    assert [column for feature in features for column in feature.columns] == list(range(rows.shape[1]))
    named = [(feature.name, feature.start) for feature in features[64:]]
    assert named == [
        ("observation/arm[0]", 0), ("observation/arm[1]", 0), ("observation/go", 4), ("action[0]", 1), ("action[1]", 0)
    ]  # fmt: skip


def test_cells_of_an_image_that_cannot_be_divided_evenly_cover_it() -> None:
    space, pixels = images(20, 17)
    found = rows_of(space, pixels).reshape(2, 8, 8)
    # edges at multiples of 2.5 and 2.125, rounded to whole pixels (2.5 and 12.5 to the even one)
    down, across = [0, 2, 5, 8, 10, 12, 15, 18, 20], [0, 2, 4, 6, 8, 11, 13, 15, 17]
    for row in range(8):
        for column in range(8):
            cell = pixels[:-1, down[row] : down[row + 1], across[column] : across[column + 1]]
            np.testing.assert_allclose(found[:, row, column], cell.mean(axis=(1, 2)))


def test_many_images_are_averaged_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    space = Box(0, 255, (20, 20), np.uint8)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 20, 20), np.uint8)
    whole = rows_of(space, pixels)
    monkeypatch.setattr(module, "BATCH", 3)
    np.testing.assert_array_equal(rows_of(space, pixels), whole)


def test_small_images_and_long_vectors_stay_as_they_are() -> None:
    for shape in ((16, 16), (4, 4, 3), (300,)):
        space, pixels = images(*shape)
        np.testing.assert_array_equal(rows_of(space, pixels), pixels[:-1].reshape(2, -1))


SPACES: list[Space[Any]] = [
    Box(-1, 1, (1,)), Box(-1, 1, ()), Box(-1, 1, (4,)), Box(-1, 1, (2, 3)), Box(0, 255, (40, 30, 3), np.uint8),
    Box(0, 255, (3, 200), np.uint8), Discrete(4), Discrete(3, start=-1), Box(-1, 1, (300,)),
]  # fmt: skip


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("action_space", [Discrete(2, start=1), Box(-1, 1, (2,)), Box(-1, 1, (1,))], ids=str)
def test_every_column_belongs_to_one_feature_in_order(space: Space[Any], action_space: Space[Any]) -> None:
    actions = np.array([action_space.sample() for _ in range(2)])
    description = Description(space, action_space)
    rows = description.rows(
        Trajectory(np.array([space.sample() for _ in range(3)]), actions, None, False), np.arange(2)
    )
    features = description.features()
    assert [column for feature in features for column in feature.columns] == list(range(rows.shape[1]))
    assert [feature.is_action for feature in features] == sorted(feature.is_action for feature in features)
    assert len({feature.name for feature in features}) == len(features)
    for feature in features:
        own = action_space if feature.is_action else space
        assert feature.is_choice == isinstance(own, Discrete)
        if feature.is_choice:
            assert rows[:, feature.columns].sum(axis=1).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("space", "env_id", "names"),
    [
        (Box(-1, 1, (2,)), None, ["observation[0]", "observation[1]"]),
        (Box(-1, 1, (1,)), None, ["observation"]),
        (Box(-1, 1, (1, 2)), None, ["observation[0, 0]", "observation[0, 1]"]),
        (Discrete(2), "Any-v0", ["observation"]),
        (Box(-1, 1, (2,)), "MountainCar-v0", ["position", "velocity"]),
        (Box(-1, 1, (3,)), "MountainCar-v0", ["observation[0]", "observation[1]", "observation[2]"]),
        (Box(-1, 1, (1,)), "MountainCar-v0", ["observation"]),
    ],
)
def test_names_are_those_of_the_environment_where_they_fit(
    space: Space[Any], env_id: str | None, names: list[str]
) -> None:
    features = Description(space, Box(-1, 1, (2,)), env_id).features()
    assert [feature.name for feature in features] == [*names, "action[0]", "action[1]"]
    assert Description(space, Discrete(2), env_id).features()[-1].name == "action"


def test_the_scale_is_the_experts() -> None:
    expert = [np.random.default_rng(index).normal(4, 3, (50 + index, 2)) for index in range(3)]
    features = Description(Box(-9, 9, (1,)), Box(-9, 9, (1,))).features()
    wide = [100 * np.random.default_rng(9).normal(size=(20, 2))]
    scale = Scale.of(features, expert, wide, wide)
    scaled = np.concatenate(scale.apply(expert))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1)
    (found,) = scale.apply(wide)
    np.testing.assert_allclose(found * scale.width + scale.center, wide[0])
    assert not scale.constant.any()


def one_number(expert: list[float], random: list[float], policy: list[float]) -> list[np.ndarray]:
    """What becomes of a number that the expert keeps, for each side an episode of a few steps."""
    sides = [[np.array(side)[:, None]] for side in (expert, random, policy)]
    (feature, _) = Description(Box(-9, 9, (1,)), ONE_ACTION).features()
    scale = Scale.of([feature], *sides)
    assert scale.constant.all()
    return [scale.apply(side)[0][:, 0] for side in sides]


@pytest.mark.parametrize(
    ("random", "policy"), [([3.0, 3.0, 7.0], [3.0, 7.0]), ([3.0, 3.0], [3.0, 5.0])], ids=["random too", "policy alone"]
)
def test_who_leaves_what_the_expert_keeps_is_seen(random: list[float], policy: list[float]) -> None:
    expert, acted, played = one_number([3.0, 3.0], random, policy)
    assert expert.tolist() == [0, 0]
    assert acted[:2].tolist() == [0, 0]
    assert played[0] == 0
    assert played[1] > 0.5


@pytest.mark.parametrize("value", [3.0, 1e6 / 3, -1e-3])
def test_what_nobody_varies_is_dropped_rounding_included(value: float) -> None:
    more, less = value * (1 + 1e-9), value * (1 - 1e-9)
    assert np.abs(one_number([value, more], [less, value], [value, less])).max() == 0


def test_who_keeps_to_another_value_than_the_expert_is_seen() -> None:
    expert, random, policy = one_number([3.0, 3.0], [3.0, 3.0], [5.0, 5.0])
    assert (np.abs(policy - expert) > 0.5).all()
    np.testing.assert_allclose(random, expert)


def test_random_actions_that_diverge_do_not_make_an_experts_number_constant() -> None:
    expert, wild = [np.array([[-1.0], [1.0]])], [np.array([[-1e8], [1e9]])]
    (feature, _) = Description(Box(-9, 9, (1,)), ONE_ACTION).features()
    scale = Scale.of([feature], expert, wild, wild)
    assert (scale.width.tolist(), scale.constant.tolist()) == ([1], [False])


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_a_number_may_be_as_small_or_large_as_it_likes(size: float) -> None:
    expert, random = [size * np.array([[1.0], [2.0]])], [size * np.array([[0.0], [9.0]])]
    (feature, _) = Description(Box(-9, 9, (1,)), ONE_ACTION).features()
    assert Scale.of([feature], expert, random, random).width == pytest.approx([size / 2])


def test_choices_stay_0_and_1_but_for_where_they_lie() -> None:
    features = Description(Discrete(2), Discrete(2)).features()
    expert = [np.array([[1.0, 0, 1, 0], [1.0, 0, 0, 1]])]
    scale = Scale.of(features, expert, expert, expert)
    assert scale.width.tolist() == [1, 1, 1, 1]
    (scaled,) = scale.apply(expert)
    assert (scaled[0] - scaled[1]).tolist() == [0, 0, 1, -1]


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 99))
def test_scattered_numbers_come_one_from_each_stretch(total: int, count: int, seed: int) -> None:
    chosen = scattered(total, count, np.random.default_rng(seed))
    assert len(chosen) == count
    stretches = np.arange(count + 1) * total / count
    assert (np.floor(stretches[:-1]) <= chosen).all()
    assert (chosen <= np.minimum(stretches[1:], total - 1)).all()
    if count >= 2 * total:
        assert set(chosen.tolist()) == set(range(total))
    if count == total:
        assert chosen.tolist() == list(range(total))


def test_scattered_numbers_are_as_likely_as_each_other_and_do_not_keep_step() -> None:
    random = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([scattered(10, 4, random) for _ in range(5000)]), minlength=10)
    np.testing.assert_allclose(counts / 20_000, 1 / 10, atol=0.01)
    assert len(set(np.diff(scattered(1000, 100, random)).tolist())) > 5


def test_long_episodes_weigh_more_in_a_cloud() -> None:
    points = [np.full((300, 1), 1.0), np.full((100, 1), 2.0)]
    found = cloud(points, 40, np.random.default_rng(0))
    assert found.shape == (40, 1)
    assert (found == 1).sum() == 30


def test_of_many_steps_each_episode_gives_the_same_share(monkeypatch: pytest.MonkeyPatch) -> None:
    episodes = [seen(np.arange(length + 1, dtype=np.float32)[:, None]) for length in (40, 20, 1)]
    description, lengths = Description(Box(-9, 99, (1,)), ONE_ACTION), np.array([40, 20, 1])
    whole = description.points(episodes, lengths, np.random.default_rng(0))
    assert [rows[:, 0].tolist() for rows in whole] == [list(range(40)), list(range(20)), [0]]
    monkeypatch.setattr(module, "MOST_STEPS", 30)
    few = description.points(episodes, lengths, np.random.default_rng(0))
    assert [len(rows) for rows in few] == [20, 10, 1]
    for rows in few:
        assert (np.diff(rows[:, 0]) > 0).all()
