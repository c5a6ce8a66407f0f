"""Demonstrations of another task: refused before a step is taken and a file is made, both sides printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from gailkit.cli.common import note_differences
from gailkit.demonstrations import Demonstrations
from gailkit.errors import EnvironmentFailure, InputError
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.protocol import About
from gailkit.rollouts.stepping import Stepping
from gailkit.spaces import from_gymnasium
from gailkit.training.config import DiscriminatorConfig, TrainConfig
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder
from gailkit.training.train import train
from gailkit.types import Trajectory

AT = Box(-9.0, 9.0, (2,), np.float32)
WHEEL = Box(-1.0, 1.0, (1,), np.float32)
TINY = TrainConfig(
    num_envs=2, rollout_size=64, discriminator=DiscriminatorConfig(hidden=(4,)), policy=PolicyConfig(hidden=(4,))
)


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


def formed(around: Sequence[str] = ()) -> gymnasium.Env[Any, Any]:
    """An environment inside wrappers of these names, the first of them innermost."""
    env: gymnasium.Env[Any, Any] = Still(AT, WHEEL)
    for name in around:
        env = type(name, (gymnasium.Wrapper,), {})(env)
    return env


@pytest.fixture(autouse=True, scope="module")
def forms() -> Iterator[None]:
    for name, limit in (("Form-v0", 9), ("Form-v1", 20), ("Variant-v2", 20)):
        gymnasium.register(name, entry_point=formed, max_episode_steps=limit, disable_env_checker=True)
    yield
    for name in ("Form-v0", "Form-v1", "Variant-v2"):
        gymnasium.registry.pop(name)


def recorded_in(env_id: str | None, env_kwargs: dict[str, Any], provenance: dict[str, str]) -> Demonstrations:
    return replace(shown_in(AT, WHEEL, stated=True), env_id=env_id, env_kwargs=env_kwargs, provenance=provenance)


ADDED = json.dumps({"env_wrappers": '["Halved"]'})


@pytest.mark.parametrize(
    ("recorded", "kwargs", "both"),
    [
        (("Form-v0", {}, {}), {"max_episode_steps": 9}, "recorded in Form-v0, used in Form-v1; "),
        (("lab:Form-v0", {}, {}), {"max_episode_steps": 9}, "recorded in lab:Form-v0, used in Form-v1; "),
        (
            ("Form-v0", {}, {}),
            {},
            "in Form-v0, used in Form-v1; recorded with a time limit of 9 steps, used with one of 20; ",
        ),
        (("Form-v1", {}, {}), {"max_episode_steps": 5}, "with a time limit of 20 steps, used with one of 5; "),
        (("Form-v1", {"max_episode_steps": 5}, {}), {}, "with a time limit of 5 steps, used with one of 20; "),
        (("Form-v1", {}, {"max_episode_steps": "1000"}), {}, "with a time limit of 1,000 steps, used with one of 20; "),
        (("Form-v1", {}, {}), {"max_episode_steps": -1}, "with a time limit of 20 steps, used without one; "),
        (("Form-v1", {"max_episode_steps": -1}, {}), {}, "without a time limit, used with one of 20; "),
        (("Form-v1", {}, {"max_episode_steps": "none"}), {}, "without a time limit, used with one of 20; "),
        (("Form-v1", {}, {"env_wrappers": '["Halved"]'}), {}, "with the wrappers Halved, used with no wrappers; "),
        (
            ("Form-v1", {}, {"env_wrappers": "[]"}),
            {"around": ["Halved", "Doubled"]},
            "with no wrappers, used with the wrappers Halved, Doubled; ",
        ),
        (
            ("Form-v1", {}, {"env_wrappers": '["Doubled", "Halved"]'}),
            {"around": ["Halved", "Doubled"]},
            "with the wrappers Doubled, Halved, used with the wrappers Halved, Doubled; ",
        ),
        (
            ("Form-v1", {}, {"wrappers": '[{"name": "Halved", "entry_point": "lab:Halved", "kwargs": null}]'}),
            {},
            "with the wrappers Halved, used with no wrappers; ",
        ),
        (
            ("Form-v1", {}, {"merged_1": "a", "merged_1 max_episode_steps": "20", "merged_2": "b",
                             "merged_2 max_episode_steps": "30"}),
            {},
            "with a time limit of 30 steps, used with one of 20; ",
        ),
        (
            ("Form-v1", {}, {"env_wrappers": "[]", "addition_1": ADDED}),
            {},
            "with the wrappers Halved, used with no wrappers; ",
        ),
    ],
    ids=[
        "version", "version, of a module", "version and limit", "limit of the environment", "limit of the arguments",
        "limit of the file", "none any more", "none by the arguments", "none before", "wrappers", "no wrappers before",
        "order of wrappers", "wrappers in Minari", "limit of one of several", "wrappers of an addition",
    ],
)  # fmt: skip
def test_another_form_of_the_environment_is_refused_unless_it_is_wanted(
    tmp_path: Path, recorded: Any, kwargs: dict[str, Any], both: str
) -> None:
    shown = recorded_in(*recorded)
    with pytest.raises(InputError, match=re.escape(both) + "--other-environment"):
        train("Form-v1", shown, TrainConfig(), out=tmp_path / "run", env_kwargs=kwargs)
    assert not list(tmp_path.iterdir())
    assert taken(shown, kwargs, other_environment=True)


@pytest.mark.parametrize(
    ("recorded", "kwargs"),
    [
        (("Form-v1", {}, {}), {}),
        (("Form-v1", {}, {"max_episode_steps": "20", "env_wrappers": "[]"}), {}),
        (("Form-v1", {}, {"env_wrappers": '["Halved"]'}), {"around": ["Halved"]}),
        (("Form-v1", {"max_episode_steps": 5}, {}), {"max_episode_steps": 5}),
        (("Form-v1", {"max_episode_steps": -1}, {}), {"max_episode_steps": -1}),
        (("Form-v1", {}, {}), {"around": ["Halved"]}),
        (("Form-v1", {}, {"env_wrappers": "Halved", "max_episode_steps": "9" * 5000}), {}),
        (("Form-v1", {}, {"env_wrappers": "3", "addition_1": "[" * 9999}), {}),
        (("Form-v1", {}, {"wrappers": '[{"name": "RecordEpisodeStatistics"}]'}), {}),
        (("Form", {}, {}), {}),
        (("Variant-v2", {}, {"max_episode_steps": "30", "env_wrappers": '["Halved"]'}), {}),
        (("no name at all", {}, {"max_episode_steps": "30"}), {}),
        ((None, {}, {"max_episode_steps": "30", "env_wrappers": '["Halved"]'}), {}),
    ],
    ids=[
        "registered alike", "told alike", "wrappers alike", "limits alike", "both without", "wrappers not told",
        "words of anybody", "no lists", "what only watches", "no version", "another name", "no name", "nameless",
    ],
)  # fmt: skip
def test_the_same_form_another_name_and_what_a_file_does_not_tell_are_taken(
    recorded: Any, kwargs: dict[str, Any]
) -> None:
    assert taken(recorded_in(*recorded), kwargs)


def taken(shown: Demonstrations, kwargs: dict[str, Any], **options: Any) -> bool:
    """Whether a training gets as far as to the environment, which cannot be reset."""
    with pytest.raises(EnvironmentFailure, match="when it was reset"):
        train("Form-v1", shown, TINY, env_kwargs=kwargs, stepping=Stepping(restarts=0), **options)
    return True


@pytest.mark.parametrize(
    ("recorded", "used", "said"),
    [
        (
            ("Form-v0", {}, {}),
            ("Form-v1", {}),
            "note: recorded in Form-v0, used in Form-v1\n"
            "note: recorded with a time limit of 9 steps, used with one of 20\n",
        ),
        (
            ("Form-v1", {}, {"env_wrappers": "[]"}),
            ("Form-v1", {"around": ["Halved"]}),
            "note: recorded in Form-v1, used in Form-v1 {'around': ['Halved']}\n"
            "note: recorded with no wrappers, used with the wrappers Halved\n",
        ),
        (("Form-v1", {}, {"env_wrappers": "[]"}), ("Form-v1", {}), ""),
        (("Unknown-v7", {}, {}), ("Form-v1", {}), "note: recorded in Unknown-v7, used in Form-v1\n"),
    ],
    ids=["version", "wrappers", "none", "unknown"],
)
def test_what_is_not_refused_is_said_with_both_sides(
    capsys: pytest.CaptureFixture[str], recorded: Any, used: Any, said: str
) -> None:
    with closing(make_env(*used)) as env:
        note_differences(recorded_in(*recorded), *used, About.of(env))
    assert capsys.readouterr().err == said


def test_a_run_that_goes_on_is_not_asked_again(tmp_path: Path, cartpole: Demonstrations, tiny: TrainConfig) -> None:
    with pytest.raises(InputError, match="CartPole-v1, used in CartPole-v0"):
        train("CartPole-v0", cartpole, tiny, out=tmp_path / "run")
    begun = train("CartPole-v0", cartpole, tiny, out=tmp_path / "run", other_environment=True)
    assert RunFolder.open(tmp_path / "run").description()["demonstrations"]["other_environment"] is True
    assert resume(tmp_path / "run", cartpole, steps=2 * tiny.steps, tell=str).trainer.steps == 2 * begun.trainer.steps
