"""Demonstrations of another task: refused before a step is taken and a file is made, both sides printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from gailkit.cli.common import note_differences
from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
from gailkit.spaces import from_gymnasium
from gailkit.training.config import TrainConfig
from gailkit.training.train import train
from gailkit.types import Trajectory

AT = Box(-9.0, 9.0, (2,), np.float32)
WHEEL = Box(-1.0, 1.0, (1,), np.float32)


class Still(gymnasium.Env[Any, Any]):
    """Has the spaces it is told, and cannot be stepped: nobody is to get so far."""

    def __init__(self, observation_space: Space[Any], action_space: Space[Any]) -> None:
        self.observation_space, self.action_space = observation_space, action_space


@pytest.fixture(autouse=True, scope="module")
def still() -> Iterator[None]:
    gymnasium.register("Still-v0", entry_point=Still, disable_env_checker=True, order_enforce=False)
    yield
    gymnasium.registry.pop("Still-v0")


def shown_in(observation_space: Space[Any], action_space: Space[Any], stated: bool) -> Demonstrations:
    observations = from_gymnasium(observation_space, [observation_space.sample() for _ in range(4)])
    actions = np.stack([np.asarray(action_space.sample()) for _ in range(3)])
    episode = Trajectory(observations, actions, np.ones(3), terminated=True)
    spaces = (observation_space, action_space) if stated else (None, None)
    return Demonstrations((episode,), *spaces, "Recorded-v3")


@pytest.mark.parametrize(
    ("demonstrated", "environment", "both"),
    [
        ((Box(-9, 9, (3,)), WHEEL), (AT, WHEEL), (r"\(3,\)", r"\(2,\)")),
        ((Box(0, 255, (2,), np.uint8), WHEEL), (AT, WHEEL), ("uint8", "float32")),
        ((AT, Discrete(3)), (AT, Discrete(2)), (r"Discrete\(3\)", r"Discrete\(2\)")),
        ((AT, Discrete(2, start=1)), (AT, Discrete(2)), (r"Discrete\(2, start=1\)", r"Discrete\(2\)")),
        ((AT, WHEEL), (AT, Discrete(2)), (r"Box\(-1.0, 1.0", r"Discrete\(2\)")),
        ((AT, Box(-1, 1, (2,))), (AT, WHEEL), (r"\(2,\)", r"\(1,\)")),
        ((AT, Box(-2, 2, (1,))), (AT, WHEEL), (r"Box\(-2.0, 2.0", r"Box\(-1.0, 1.0")),
        ((Dict({"at": AT, "door": WHEEL}), WHEEL), (Dict({"at": AT, "gate": WHEEL}), WHEEL), ("door", "gate")),
        (
            (Dict({"a": AT, "b": WHEEL}), WHEEL),
            (Dict({"a": WHEEL, "b": AT}), WHEEL),
            (r"'a': Box\(-9", r"'a': Box\(-1"),
        ),
        (
            (Dict({"a": MultiDiscrete([2, 3])}), WHEEL),
            (Dict({"a": MultiDiscrete([3, 2])}), WHEEL),
            (r"\[2 3\]", r"\[3 2\]"),
        ),
        ((Dict({"at": AT}), WHEEL), (Dict({"at": AT, "too": WHEEL}), WHEEL), ("'at'", "'too'")),
    ],
    ids=[
        "shape", "dtype", "number of actions", "first action", "kind of action", "shape of actions",
        "bounds of actions", "a key", "keys that change places", "numbers that change places", "another key",
    ],
)  # fmt: skip
def test_spaces_that_do_not_fit_are_refused_before_anything_is_made(
    tmp_path: Path, demonstrated: Any, environment: Any, both: tuple[str, str]
) -> None:
    shown = shown_in(*demonstrated, stated=True)
    kwargs = dict(zip(("observation_space", "action_space"), environment, strict=True))
    said = f"the demonstrations' .*{both[0]}.*the environment's .*{both[1]}.*; they were recorded in Recorded-v3"
    with pytest.raises(InputError, match=said):
        train("Still-v0", shown, TrainConfig(), out=tmp_path / "run", env_kwargs=kwargs)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("demonstrated", "environment", "said"),
    [
        ((Box(-9, 9, (3,)), WHEEL), (AT, WHEEL), r"float32 of shape \(3,\)"),
        ((Box(0, 255, (2,), np.uint8), WHEEL), (AT, WHEEL), r"uint8 of shape \(2,\)"),
        ((AT, Discrete(1, start=7)), (AT, Discrete(2)), "range from 7 to 7"),
    ],
    ids=["shape", "dtype", "number of actions"],
)
def test_values_that_do_not_fit_are_refused_where_no_space_is_stated(
    tmp_path: Path, demonstrated: Any, environment: Any, said: str
) -> None:
    kwargs = dict(zip(("observation_space", "action_space"), environment, strict=True))
    with pytest.raises(InputError, match=said):
        train("Still-v0", shown_in(*demonstrated, stated=False), out=tmp_path / "run", env_kwargs=kwargs)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("recorded", "used", "said"),
    [
        (
            ("CartPole-v0", {}, {}),
            ("CartPole-v1", {}),
            "note: recorded in CartPole-v0, used in CartPole-v1\n"
            "note: recorded with a time limit of 200 steps, used with one of 500\n",
        ),
        (
            ("CartPole-v1", {}, {}),
            ("CartPole-v1", {"max_episode_steps": 50}),
            "note: recorded in CartPole-v1, used in CartPole-v1 {'max_episode_steps': 50}\n"
            "note: recorded with a time limit of 500 steps, used with one of 50\n",
        ),
        (
            ("CartPole-v1", {}, {"max_episode_steps": "1000"}),
            ("CartPole-v1", {}),
            "note: recorded with a time limit of 1,000 steps, used with one of 500\n",
        ),
        (("CartPole-v1", {}, {}), ("CartPole-v1", {}), ""),
        (("Unknown-v7", {}, {}), ("CartPole-v1", {}), "note: recorded in Unknown-v7, used in CartPole-v1\n"),
    ],
    ids=["version", "limit of the environment", "limit of the file", "none", "unknown"],
)
def test_another_version_or_time_limit_is_said_with_both_sides(
    cartpole: Demonstrations, capsys: pytest.CaptureFixture[str], recorded: Any, used: Any, said: str
) -> None:
    """They may be what somebody wants: episodes of CartPole-v0 show what to do in CartPole-v1 too."""
    env_id, env_kwargs, provenance = recorded
    shown = Demonstrations(cartpole.trajectories, None, None, env_id, env_kwargs, provenance)
    note_differences(shown, *used)
    assert capsys.readouterr().err == said
