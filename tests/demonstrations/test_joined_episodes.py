"""The digest of an episode: what it was it stays, and episodes of several parts have one that depends on all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Tuple

from gailkit.demonstrations.joined_episodes import FlatEpisodes
from gailkit.spaces import array_dtype, from_gymnasium, leaf, leaves
from gailkit.types import Trajectory

ROBOT = Dict({"arm": Tuple([Box(-9, 9, (2,)), Discrete(3)]), "see": Box(0, 255, (2, 2), np.uint8)})


def robot_episode(length: int = 3, first: int = 0) -> Trajectory:
    ROBOT.seed(first)
    observations = from_gymnasium(ROBOT, [ROBOT.sample() for _ in range(length + 1)])
    return Trajectory(observations, np.arange(length) % 2, np.ones(length), True, seed=first)


def digest(trajectory: Trajectory) -> str:
    """Of arrays as they are, which is how they come out of a file; joining several would lay them out anew."""
    ends = np.array([len(trajectory)]), np.array([trajectory.terminated]), np.array([trajectory.seed])
    return FlatEpisodes(trajectory.observations, trajectory.actions, trajectory.rewards, *ends).digest(0).hex()


def in_dtype(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """The values in another layout of the same fields, what lies between the fields being 0xFF."""
    laid_out = np.frombuffer(b"\xff" * (dtype.itemsize * len(values)), dtype).copy()
    for path, _ in leaves(ROBOT):
        leaf(laid_out, path)[...] = leaf(values, path)
    return laid_out


def test_the_digest_of_a_plain_episode_is_that_of_the_files_that_exist() -> None:
    # computed by the first version that wrote files: a digest that changes makes all of them look damaged
    observations = np.arange(6, dtype=">f4").reshape(3, 2)
    plain = Trajectory(observations, np.array([0, 1]), np.array([0.5, -1.0]), True, 7)
    expected = "d3f0a817a4704f6c062a530f13dbae1fc69ae4a986bf46210774a7814f878fc1"
    assert digest(plain) == expected
    assert digest(replace(plain, observations=observations.astype("<f4"))) == expected


def test_structured_episodes_are_joined_and_parted_again() -> None:
    episodes = [robot_episode(3, first=0), robot_episode(1, first=1), robot_episode(5, first=2)]
    flat = FlatEpisodes.of(episodes)
    for index, episode in enumerate(episodes):
        observations, _, _ = flat.episode(index)
        assert observations.dtype == array_dtype(ROBOT)
        assert observations.tobytes() == episode.observations.tobytes()
        assert flat.digest(index).hex() == digest(episode)


def test_the_digest_of_a_structured_episode_does_not_depend_on_its_layout() -> None:
    episode = robot_episode()
    expected = digest(episode)
    padded = np.dtype([("arm", [("0", "<f4", (2,)), ("1", "<i8")]), ("see", "u1", (2, 2))], align=True)
    big_endian = np.dtype([("arm", [("0", ">f4", (2,)), ("1", ">i8")]), ("see", "u1", (2, 2))])
    assert padded.itemsize > big_endian.itemsize
    for dtype in (padded, big_endian):
        assert digest(replace(episode, observations=in_dtype(episode.observations, dtype))) == expected


@pytest.mark.parametrize(
    "dtype",
    [
        [("arm", [("0", "<f8", (2,)), ("1", "<i8")]), ("see", "u1", (2, 2))],
        [("arm", [("0", "<f4", (2,)), ("1", "<i4")]), ("see", "u1", (2, 2))],
        [("see", "u1", (2, 2)), ("arm", [("0", "<f4", (2,)), ("1", "<i8")])],
    ],
)
def test_the_digest_depends_on_the_types_and_order_of_the_parts(dtype: list[Any]) -> None:
    episode = robot_episode()
    assert digest(replace(episode, observations=in_dtype(episode.observations, np.dtype(dtype)))) != digest(episode)


def test_the_digest_depends_on_the_names_of_the_parts_and_on_every_number() -> None:
    episode = robot_episode()
    found = {digest(episode)}
    renamed = episode.observations.astype([("leg", array_dtype(ROBOT)["arm"]), ("see", "u1", (2, 2))])
    found.add(digest(replace(episode, observations=renamed)))
    for path, _ in leaves(ROBOT):
        changed = episode.observations.copy()
        leaf(changed, path)[-1] += 1
        found.add(digest(replace(episode, observations=changed)))
    assert len(found) == 1 + 1 + 3
