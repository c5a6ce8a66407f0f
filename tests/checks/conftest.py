"""Episodes of real environments and of none, in the shape in which checks see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings, surroundings_of
from gailkit.demonstrations.file_contents import About
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Trajectory

MakeSubject = Callable[..., Subject]
Around = Callable[[str], Surroundings]


@pytest.fixture
def subject_of() -> MakeSubject:
    """``subject_of(trajectories, ...)``: a subject called demos.hdf5 with these episodes, numbered from 0."""

    def make(trajectories: Sequence[Trajectory], space: gymnasium.Space[Any] | None = None, **known: Any) -> Subject:
        about = About(action_space=space)
        return Subject(Path("demos.hdf5"), tuple(trajectories), tuple(range(len(trajectories))), about, **known)

    return make


@pytest.fixture(scope="session")
def around() -> Around:
    """``around("CartPole-v1")``: what is known of an environment, found out once."""
    known: dict[str, Surroundings] = {}

    def find(env_id: str) -> Surroundings:
        return known.setdefault(env_id, surroundings_of(env_id, {}))

    return find


@pytest.fixture(scope="session")
def played() -> Callable[[str], list[Trajectory]]:
    """``played("CartPole-v1")``: six episodes of random actions."""
    known: dict[str, list[Trajectory]] = {}

    def play(env_id: str) -> list[Trajectory]:
        if env_id not in known:
            policy = random_policy(make_env(env_id).action_space, 0)
            known[env_id] = collect_episodes(policy, lambda: make_env(env_id), range(6))
        return known[env_id]

    return play


@pytest.fixture
def walks() -> Callable[..., list[Trajectory]]:
    """``walks([5, 3])``: random walks in three dimensions of these lengths, rewards 1, all truncated."""

    def make(lengths: Sequence[int], terminated: bool = False) -> list[Trajectory]:
        random = np.random.default_rng(0)
        return [
            Trajectory(random.normal(size=(n + 1, 3)).cumsum(0), random.uniform(-1, 1, (n, 2)), np.ones(n), terminated)
            for n in lengths
        ]

    return make
