"""Names of the numbers of an observation: as many as there are, all different, and true where it can be measured."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import WrapperSpec
from gymnasium.spaces import Box

from gailkit.evaluation.names import NAMES, observation_names
from gailkit.evaluation.steps_as_points import Description

GONE = ("-v2", "-v3")  # of MuJoCo, which gymnasium itself no longer makes
KNOWN = [
    env_id
    for env_id in sorted(gymnasium.registry)
    if observation_names(env_id) and not (env_id.endswith(GONE) and "mujoco" in str(gymnasium.spec(env_id).entry_point))
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MuJoCo writes what it warns of into the current folder."""
    monkeypatch.chdir(tmp_path)


def made(env_id: str, **options: Any) -> gymnasium.Env[Any, Any]:
    spec = gymnasium.spec(env_id)
    module = str(spec.entry_point)
    for package, part in (("mujoco", "mujoco"), ("Box2D", "box2d")):
        if part in module:
            pytest.importorskip(package, reason=f"NOT TESTED: names of {env_id}, as {package} is not installed")
    if env_id == "Pusher-v4":
        pytest.skip(f"NOT TESTED: names of {env_id}, which this gymnasium does not make with this MuJoCo")
    entry: Any = gymnasium.envs.registration.load_env_creator(module)
    kwargs = {**spec.kwargs, **options}
    assert not any(isinstance(each, WrapperSpec) for each in spec.additional_wrappers)
    env: gymnasium.Env[Any, Any] = entry(**kwargs)
    return env


@pytest.mark.parametrize("env_id", KNOWN)
def test_there_are_as_many_names_as_numbers(env_id: str) -> None:
    with closing(made(env_id)) as env:
        assert env.observation_space.shape == (len(observation_names(env_id)),)


def test_the_tasks_of_classic_control_mujoco_and_box2d_have_names() -> None:
    """All whose observation is a vector: CarRacing shows a picture."""
    for env_id, spec in gymnasium.registry.items():
        own = "/" in env_id or not isinstance(spec.entry_point, str)  # of tests
        module = "" if own else str(spec.entry_point)
        if any(f"envs.{part}" in module for part in ("classic_control", "mujoco.", "box2d")):
            assert bool(observation_names(env_id)) is ("CarRacing" not in env_id), env_id


@pytest.mark.parametrize("key", NAMES)
def test_names_are_short_and_each_is_there_once(key: str) -> None:
    assert len(set(NAMES[key])) == len(NAMES[key])
    assert max(map(len, NAMES[key])) <= 36
    assert all(name == " ".join(name.split()) and name for name in NAMES[key])


@pytest.mark.parametrize(
    ("env_id", "options"),
    [
        ("Hopper-v5", {"exclude_current_positions_from_observation": False}),
        ("Ant-v5", {"include_cfrc_ext_in_observation": False}),
        ("Ant-v4", {"use_contact_forces": True}),
        ("Humanoid-v5", {"include_cinert_in_observation": False}),
    ],
)
def test_options_that_change_the_size_leave_no_names(env_id: str, options: dict[str, Any]) -> None:
    with closing(made(env_id, **options)) as env:
        features = Description(env.observation_space, Box(-1, 1, (1,)), env_id).features()
    assert [each.name for each in features[:2]] == ["observation[0]", "observation[1]"]


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Walker2d-v5", "HalfCheetah-v5", "Swimmer-v5", "InvertedPendulum-v5"])
def test_what_is_called_a_velocity_is_one(env_id: str) -> None:
    """The second half of a state are the velocities of what the names before it say, in the same order."""
    names = observation_names(env_id)
    with closing(made(env_id)) as env:
        env.reset(seed=0)
        bare: Any = env.unwrapped
        velocities = len(bare.init_qvel)
    assert [("velocity" in name) for name in names] == [False] * (len(names) - velocities) + [True] * velocities
    turning = [name.removesuffix(" angle") for name in names if name.endswith(" angle")]
    assert turning == [name.removesuffix(" angular velocity") for name in names if name.endswith("angular velocity")]


def test_what_mujoco_tells_of_bodies_is_named_in_its_order() -> None:
    """Of a body: its mass stands last of its inertia; what turns comes before what moves; the ground pushes up."""
    with closing(made("Humanoid-v5")) as env:
        seen, _ = env.reset(seed=0)
        bare: Any = env.unwrapped
        told = dict(zip(observation_names("Humanoid-v5"), seen.tolist(), strict=True))
        assert told["torso mass"] == pytest.approx(bare.model.body("torso").mass[0])
        assert told["left foot mass"] == pytest.approx(bare.model.body("left_foot").mass[0])
        at = {name: bare.data.qvel[index] for index, name in enumerate(["x", "y", "z"])}
        assert all(told[f"torso {axis} velocity"] == pytest.approx(value) for axis, value in at.items())
    with closing(made("Ant-v5", contact_force_range=(-99.0, 99.0))) as env:
        env.reset(seed=0)
        bare = env.unwrapped
        forces = [env.step(np.zeros(8))[0] for _ in range(40)][-1]
        names = np.array(observation_names("Ant-v5"))
        weight = 9.81 * bare.model.body_mass.sum()
        upward = forces[[name.endswith("force z") for name in names]].sum()
        assert upward == pytest.approx(weight, rel=0.3)


@pytest.mark.parametrize("env_id", [None, "", "CartPole", "Unheard-v1", "-v1"])
def test_other_environments_lend_no_names(env_id: str | None) -> None:
    assert observation_names(env_id) == ()
