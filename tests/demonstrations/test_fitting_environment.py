"""Demonstrations of several parts, shown as an environment shows them that flattens its observations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text, Tuple

from gailkit.demonstrations.episodes import Episodes, HeldEpisodes
from gailkit.demonstrations.file_contents import About
from gailkit.demonstrations.fitting_environment import as_observed, check_fit, check_parts
from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium, leaves
from gailkit.types import Trajectory

ROBOT = Dict({"at": Box(-9, 9, (2,)), "door": Discrete(3)})
ACTIONS = Discrete(2)


def episode(length: int, first: int = 0) -> Trajectory:
    """At [t, first], the door in state t % 3."""
    elements = [{"at": [time, first], "door": time % 3} for time in range(length + 1)]
    return Trajectory(from_gymnasium(ROBOT, elements), np.arange(length) % 2, np.ones(length), True, seed=first)


EPISODES = HeldEpisodes([episode(2), episode(4, first=1), episode(3, first=2)])


def shown(stated: Space[Any] | None, space: Space[Any], episodes: Episodes = EPISODES) -> tuple[Episodes, About]:
    return as_observed(episodes, About(stated, ACTIONS), space, ACTIONS)


def test_observations_are_flattened_for_an_environment_that_does_so_too() -> None:
    episodes, about = shown(ROBOT, flattened_space(ROBOT))
    assert about.observation_space == flattened_space(ROBOT)
    assert episodes[0].observations.tolist() == [[0, 0, 1, 0, 0], [1, 0, 0, 1, 0], [2, 0, 0, 0, 1]]
    assert [seen.seed for seen in episodes] == [seen.seed for seen in episodes[:]] == [0, 1, 2]
    for before, after in zip(EPISODES, episodes, strict=True):
        assert np.array_equal(after.observations, flatten_values(ROBOT, before.observations))
        assert after.actions is before.actions and after.terminated == before.terminated
    check_fit(episodes, about, flattened_space(ROBOT), ACTIONS)


def test_flattened_episodes_are_known_by_the_same_digests_lengths_and_returns() -> None:
    picked = shown(ROBOT, flattened_space(ROBOT))[0].pick([2, 0])
    expected = EPISODES.pick([2, 0])
    assert picked.digests() == expected.digests()
    assert picked.lengths.tolist() == [3, 2] and picked.terminated.all()
    assert np.array_equal(picked.returns(), expected.returns())
    assert picked[0].observations[:, 1].tolist() == [2, 2, 2, 2]


def test_what_is_drawn_is_what_is_shown() -> None:
    episodes, about = shown(ROBOT, flattened_space(ROBOT))
    drawn = episodes.drawn(2, (0, 1, 0), (about.observation_space, ACTIONS)).overview()
    steps = drawn[torch.arange(len(drawn))]
    rows = [(0, 0), (1, 1), (1, 3), (2, 0), (2, 2)]
    assert steps.obs.dtype == torch.float32
    assert steps.obs.tolist() == [episodes[index].observations[time].tolist() for index, time in rows]
    assert steps.next_obs.tolist() == [episodes[index].observations[time + 1].tolist() for index, time in rows]
    assert steps.act.tolist() == [time % 2 for _, time in rows]


@pytest.mark.parametrize(
    ("stated", "space"),
    [
        (None, flattened_space(ROBOT)),
        (ROBOT, ROBOT),
        (ROBOT, Box(-9, 9, (6,))),
        (ROBOT, Discrete(5)),
        (flattened_space(ROBOT), flattened_space(ROBOT)),
        (Discrete(5), flattened_space(MultiDiscrete([5]))),
    ],
)
def test_all_others_are_left_as_they_are(stated: Space[Any] | None, space: Space[Any]) -> None:
    episodes, about = shown(stated, space)
    assert episodes is EPISODES and about == About(stated, ACTIONS)


def test_bounds_may_differ_as_they_may_for_a_plain_box() -> None:
    assert shown(ROBOT, Box(-1, 1, (5,)))[1].observation_space == flattened_space(ROBOT)


def test_several_numbers_are_shown_one_hot() -> None:
    keys = MultiDiscrete([2, 3])
    held = HeldEpisodes([Trajectory(np.array([[0, 2], [1, 0]]), np.zeros(1, int), None, False)])
    episodes, about = shown(keys, Box(0, 1, (5,), np.int64), held)
    assert episodes[0].observations.tolist() == [[1, 0, 0, 0, 1], [0, 1, 1, 0, 0]]
    steps = episodes.drawn(1, (0,), (about.observation_space, ACTIONS)).overview()
    assert steps[torch.arange(1)].obs.tolist() == [[1, 0, 0, 0, 1]]


SHUFFLED = Dict([("door", Discrete(3)), ("at", Box(-9, 9, (2,)))])  # as somebody else wrote them down
LEVERS = MultiDiscrete([2, 3], start=[1, 0])


def test_the_order_of_parts_is_that_of_the_environment_whatever_it_is_in_the_file() -> None:
    assert [path for path, _ in leaves(SHUFFLED)] != [path for path, _ in leaves(ROBOT)]
    space = flattened_space(SHUFFLED)
    check_parts(About(ROBOT, ACTIONS), space, ACTIONS)
    episodes, about = shown(ROBOT, space)
    assert about.observation_space == space
    assert episodes[0].observations.tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 2, 0]]


@pytest.mark.parametrize("stated", [LEVERS, None])
def test_actions_of_several_parts_are_flattened_too(stated: Space[Any] | None) -> None:
    pulled = np.array([[1, 2], [2, 0]])
    held = HeldEpisodes([Trajectory(np.zeros((3, 1), np.float32), pulled, None, False)])
    seen, levers = Box(-1, 1, (1,)), flattened_space(LEVERS)
    episodes, about = as_observed(held, About(None, stated), seen, levers)
    assert episodes[0].actions.tolist() == [[1, 0, 0, 0, 1], [0, 1, 1, 0, 0]]
    check_fit(episodes, about, seen, levers)
    steps = episodes.drawn(1, (0,), (seen, levers)).overview()
    assert steps[torch.arange(2)].act.tolist() == episodes[0].actions.tolist()


def test_actions_with_other_parts_or_bounds_do_not_fit() -> None:
    mine = Dict({"push": Box(-1, 1, (2,)), "jump": Discrete(2)})
    for other in (
        Dict({"push": Box(-2, 2, (2,)), "jump": Discrete(2)}),
        Dict({"push": Box(-1, 1, (2,)), "duck": Discrete(2)}),
    ):
        with pytest.raises(InputError, match=r"the demonstrations' actions are Dict.*, the environment's are Dict"):
            check_parts(About(None, other), ACTIONS, flattened_space(mine))


def test_a_space_that_cannot_be_flattened_is_named() -> None:
    with pytest.raises(UnsupportedSpaceError, match="Text"):
        shown(Tuple([Text(3)]), Box(-9, 9, (5,)))


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (
            ROBOT,
            r"observation space is Dict.*, the environment's is Box\(-9.0, 9.0, \(6,\), float32\): they do not fit",
        ),
        (None, r"in episode 0 they are \[\('at', '<f4', \(2,\)\), \('door', '<i8'\)\] of shape \(\)$"),
    ],
)
def test_several_parts_do_not_fit_one_vector_of_something_else(stated: Space[Any] | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_fit(EPISODES, About(stated, ACTIONS), Box(-9, 9, (6,)), ACTIONS)


def test_several_parts_do_not_fit_a_set_of_numbers() -> None:
    with pytest.raises(InputError, match=r"in episode 0 they are \[\('at', .* of shape \(\)$"):
        check_fit(EPISODES, About(None, ACTIONS), Discrete(3), ACTIONS)


def test_whole_numbers_that_bytes_cannot_hold_do_not_fit_an_image() -> None:
    image = Box(0, 255, (2,), np.uint8)
    for brightest, fits in ((255, True), (256, False)):
        one = Trajectory(np.array([[0, 1], [brightest, 7]]), np.zeros(1, int), None, False)
        if fits:
            check_fit([one], About(), image, ACTIONS)
        else:
            with pytest.raises(InputError, match=r"they are int64 of shape .* and range from 0 to 256"):
                check_fit([one], About(), image, ACTIONS)


def test_where_they_do_not_fit_it_is_said_where_they_were_recorded() -> None:
    about = About(Box(-1, 1, (3,)), ACTIONS, "Pendulum-v1")
    with pytest.raises(InputError, match=r"do not fit; they were recorded in Pendulum-v1$"):
        check_fit([], about, Box(-1, 1, (4,)), ACTIONS)
    with pytest.raises(InputError, match=r"they were recorded in Pendulum-v1$"):
        check_fit(EPISODES, About(env_id="Pendulum-v1"), Box(-1, 1, (4,)), ACTIONS)
