"""Environments by name: each mistake has its own sentence; seeds are reproducible and belong to one purpose."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple

from gailkit.errors import EnvironmentFailure, InputError, UnsupportedSpaceError
from gailkit.rollouts.environments import (
    SeedStream,
    all_finite,
    canonical_id,
    environment_failures,
    make_env,
)
from gailkit.rollouts.failures import Told, failures_in
from gailkit.rollouts.protocol import About
from gailkit.rollouts.vector import make_vector_env
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium

ACTIONS = Discrete(2)


@pytest.mark.parametrize(
    ("env_id", "said"),
    [
        ("CartPol-v1", "CartPole-v1"),
        ("cartpole-v1", "CartPole-v1"),
        ("CartPole-v7", "CartPole-v1"),
        ("Hopper-v3", "Hopper-v5"),
        ("Cart Pole", "CartPole-v1"),
        ("", "environments are registered"),
        ("nowhere/Nothing-v0", "environments are registered"),
    ],
)
def test_a_wrong_name_is_answered_with_near_matches(env_id: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make_env(env_id)


def test_a_missing_dependency_is_named() -> None:
    gymnasium.register("gailkit-test/Needy-v0", entry_point=_needs_wings)
    try:
        with pytest.raises(InputError, match=r"gailkit-test/Needy-v0 needs a package.*pip install wings"):
            make_env("gailkit-test/Needy-v0")
    finally:
        gymnasium.registry.pop("gailkit-test/Needy-v0")


def test_a_missing_extra_of_gailkit_is_named() -> None:
    gymnasium.register("gailkit-test/Needy-v0", entry_point=_needs_mujoco)
    try:
        with pytest.raises(InputError, match=r"Needy-v0 needs a package that is .*: pip install 'gailkit\[mujoco\]'$"):
            make_env("gailkit-test/Needy-v0")
    finally:
        gymnasium.registry.pop("gailkit-test/Needy-v0")


def _needs_mujoco() -> gymnasium.Env:
    raise gymnasium.error.DependencyNotInstalled("MuJoCo is not installed")


def _needs_wings() -> gymnasium.Env:
    raise gymnasium.error.DependencyNotInstalled("pip install wings")


def test_a_module_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="nosuchmodule"):
        make_env("nosuchmodule:Foo-v0")


def test_an_environment_may_lie_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env_of_mine.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('gailkit-test/Mine-v0', entry_point='gymnasium.envs.classic_control:PendulumEnv')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # puts sys.path back afterwards
    assert make_env("env_of_mine:gailkit-test/Mine-v0").action_space.shape == (1,)


def test_arguments_reach_the_environment_and_unknown_ones_are_refused() -> None:
    assert make_env("Pendulum-v1", {"g": 5.0}).unwrapped.get_wrapper_attr("g") == 5.0
    with pytest.raises(InputError, match=r"\{'nosuch': 1\}.*nosuch"):
        make_env("CartPole-v1", {"nosuch": 1})


def test_what_an_environment_raises_while_it_is_made_is_its_failure() -> None:
    gymnasium.register("gailkit-test/Broken-v0", entry_point=_broken)
    try:
        said = r"failed while it was made: ZeroDivisionError: one over none \(test_environments\.py, line \d+\)$"
        with pytest.raises(EnvironmentFailure, match=said):
            make_env("gailkit-test/Broken-v0")
    finally:
        gymnasium.registry.pop("gailkit-test/Broken-v0")


def _broken() -> gymnasium.Env:
    raise ZeroDivisionError("one over none\nand more")


class Parts(gymnasium.Env[Any, Any]):
    """Random observations of a space, and actions of another."""

    def __init__(self, observed: Space[Any], acted: Space[Any] = ACTIONS) -> None:
        self.observation_space, self.action_space = observed, acted

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.observation_space.sample(), 0.0, False, False, {}


@pytest.fixture
def parts() -> Iterator[str]:
    """The name of an environment of any spaces."""
    gymnasium.register("gailkit-test/Parts-v0", entry_point=Parts, max_episode_steps=10)
    yield "gailkit-test/Parts-v0"
    gymnasium.registry.pop("gailkit-test/Parts-v0")


@pytest.mark.parametrize(
    "observed",
    [
        Dict({"image": Box(0, 255, (2, 3), np.uint8), "arm": Tuple([Discrete(3, start=1), Box(-1, 1, (2,))])}),
        Tuple([MultiDiscrete([2, 3]), Box(-1, 1, ())]),
        MultiDiscrete([2, 3]),
        MultiBinary(4),
    ],
    ids=str,
)
def test_observations_of_several_parts_are_one_vector(observed: Space[Any], parts: str) -> None:
    env, plain = make_env(parts, {"observed": observed}), Parts(observed)
    assert env.observation_space == flattened_space(observed)
    seen = [env.reset(seed=5)[0], *(env.step(0)[0] for _ in range(3))]
    samples = [plain.reset(seed=5)[0], *(plain.step(0)[0] for _ in range(3))]
    expected = flatten_values(observed, from_gymnasium(observed, samples))
    assert np.array_equal(np.stack(seen), expected)
    batch, _ = make_vector_env(parts, 2, {"observed": observed}).reset(seed=[5, 6])
    assert np.array_equal(batch[0], expected[0])


def test_plain_observations_stay_as_they_are(parts: str) -> None:
    for observed in (Box(0, 255, (2, 3), np.uint8), Discrete(3, start=1)):
        assert make_env(parts, {"observed": observed}).observation_space is observed


def test_text_beside_numbers_is_left_out_and_named(parts: str) -> None:
    observed = Dict({"mission": Text(3), "arm": Box(-1, 1, (2,)), "inner": Dict({"said": Text(3)}), "way": Discrete(3)})
    seen = Dict({"arm": Box(-1, 1, (2,)), "way": Discrete(3)})
    env, plain = make_env(parts, {"observed": observed}), Parts(observed)
    assert env.observation_space == flattened_space(seen)
    assert About.of(env).left_out == ("mission", "inner/said")
    assert About.of(make_env(parts, {"observed": seen})).left_out == ()
    samples = [plain.reset(seed=5)[0], plain.step(0)[0]]
    expected = flatten_values(
        seen, from_gymnasium(seen, [{name: each[name] for name in ("arm", "way")} for each in samples])
    )
    assert np.array_equal([env.reset(seed=5)[0], env.step(0)[0]], expected)
    batch, _ = make_vector_env(parts, 2, {"observed": observed}).reset(seed=[5, 6])
    assert np.array_equal(batch[0], expected[0])


@pytest.mark.parametrize(
    ("observed", "acted", "said"),
    [
        (
            Dict({"mission": Text(3)}),
            ACTIONS,
            r"Text.* of 'mission' is not supported; supported are Box, Discrete, Multi",
        ),
        (
            Dict({"a": Tuple([Text(3)])}),
            ACTIONS,
            r"Text.* of 'a/0' is not supported; supported are Box, Discrete, Multi",
        ),
        (ACTIONS, Tuple([ACTIONS, Text(3)]), r"Text.* is not supported; supported are Box, Discrete, MultiDiscrete"),
        (ACTIONS, Tuple([ACTIONS, Box(0, 9, (2,), np.int64)]), r"is not supported: '1' is a Box of whole numbers$"),
    ],
)
def test_spaces_that_are_not_supported_are_refused_at_the_door(
    observed: Space[Any], acted: Space[Any], said: str, parts: str
) -> None:
    with pytest.raises(UnsupportedSpaceError, match=said):
        make_env(parts, {"observed": observed, "acted": acted})


class Remembers(Parts):
    """Keeps the actions that it was given, each an element of its space."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.done = action
        return super().step(action)


@pytest.mark.parametrize(
    ("acted", "elements"),
    [
        (MultiDiscrete([2, 3], start=[4, 0]), [[4, 2], [5, 0]]),
        (MultiBinary((1, 2)), [[[1, 0]], [[0, 0]]]),
        (Tuple([Discrete(2, start=1), Box(-1, 1, (2,))]), [(2, [0.5, -1]), (1, [0, 0.25])]),
        (Dict({"b": MultiBinary(2), "a": Dict({"c": Discrete(3)})}), [{"a": {"c": 2}, "b": [1, 1]}]),
    ],
)
def test_an_environment_is_given_elements_of_its_own_actions(acted: Space[Any], elements: list[Any]) -> None:
    gymnasium.register("gailkit-test/Remembers-v0", entry_point=Remembers)
    try:
        env = make_env("gailkit-test/Remembers-v0", {"observed": ACTIONS, "acted": acted})
    finally:
        gymnasium.registry.pop("gailkit-test/Remembers-v0")
    env.reset(seed=0)
    assert env.action_space == flattened_space(acted)
    values = from_gymnasium(acted, elements)
    for element, flat in zip(values, flatten_values(acted, values), strict=True):
        env.step(flat.astype(np.float32))
        done = from_gymnasium(acted, [env.unwrapped.done])
        assert np.array_equal(done[0], element)


class Blinded(Parts):
    """Whose arm is nowhere, beside a picture that is as it should be."""

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, *answer = super().step(action)
        observation["arm"][1] = np.nan
        return observation, *answer


def test_a_number_that_is_not_finite_is_named_among_the_bytes_of_pictures() -> None:
    observed = Dict({"eye": Box(0, 255, (16, 16), np.uint8), "arm": Box(-1, 1, (2,), np.float32)})
    gymnasium.register("gailkit-test/Blinded-v0", entry_point=Blinded, disable_env_checker=True)
    try:
        envs = make_vector_env("gailkit-test/Blinded-v0", 1, {"observed": observed})
    finally:
        gymnasium.registry.pop("gailkit-test/Blinded-v0")
    envs.reset(seed=[0])
    *_, infos = envs.step(np.zeros(1, np.int64))
    assert infos["failures"][0].why.startswith("ValueError: element 1 of 'arm' of an observation is nan")


@pytest.mark.parametrize("env_id", ["CartPole", "HalfCheetah", "Pendulum-v1", "CartPole-v0", "gailkit-test/Ten"])
def test_the_full_name_is_that_of_what_is_made(env_id: str) -> None:
    names = [f"gailkit-test/Ten-v{version}" for version in (9, 10, 2)]
    for name in names:
        gymnasium.register(name, entry_point="gymnasium.envs.classic_control:PendulumEnv")
    try:
        if env_id == "HalfCheetah":
            pytest.importorskip("mujoco", reason="NOT TESTED with a MuJoCo environment: it is not installed")
        spec = make_env(env_id).spec
        assert spec is not None and canonical_id(env_id) == spec.id
    finally:
        for name in names:
            gymnasium.registry.pop(name)


@pytest.mark.parametrize("env_id", ["gymnasium:CartPole", "NoSuch", "NoSuch-v3", ""])
def test_a_name_that_is_not_registered_stays_as_it_is(env_id: str) -> None:
    assert canonical_id(env_id) == env_id


def test_an_outdated_version_is_made_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make_env("CartPole-v0").spec is not None


def test_mujoco_leaves_no_log_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED that MuJoCo leaves no log: it is not installed")
    monkeypatch.chdir(tmp_path)
    make_env("HalfCheetah-v5").close()
    assert list(tmp_path.iterdir()) == []


def test_an_environment_of_a_batch_rests_at_its_true_end_until_it_is_reset() -> None:
    envs = make_vector_env("CartPole-v1", 2)
    envs.reset(seed=[1, 2])
    done = np.zeros(2, bool)
    while not done.any():
        last, _, terminated, truncated, _ = envs.step(np.array([1, 0]))
        done = terminated | truncated
    assert abs(last[done][0, 2]) > 0.2  # the pole of the last observation has fallen: more than 12 degrees
    reset, _ = envs.reset(seed=[7, 7], options={"reset_mask": done})
    assert np.all(np.abs(reset[done]) <= 0.05)
    np.testing.assert_array_equal(reset[~done], last[~done])


def test_no_environments_are_too_few() -> None:
    with pytest.raises(InputError, match="at least 1; found 0"):
        make_vector_env("CartPole-v1", 0)


def test_the_same_seed_and_purpose_give_the_same_seeds() -> None:
    assert SeedStream(3, "training").take(50) == SeedStream(3, "training").take(50)


def test_seeds_of_different_purposes_and_runs_do_not_meet() -> None:
    streams = [SeedStream(seed, purpose) for seed in (0, 1) for purpose in ("training", "evaluation", "recording")]
    seeds = [seed for stream in streams for seed in stream.take(500)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_taking_in_parts_is_taking_at_once_also_after_the_state_was_put_back() -> None:
    stream = SeedStream(0, "training")
    parts = stream.take(3)
    state = stream.generator.bit_generator.state
    parts += stream.take(4)
    assert parts == SeedStream(0, "training").take(7)
    resumed = SeedStream(0, "training")
    resumed.generator.bit_generator.state = state
    assert resumed.take(4) == parts[3:]


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="-1"):
        SeedStream(-1, "training")


def test_what_an_environment_raises_becomes_one_sentence() -> None:
    said = r"failed while stepping: ValueError: joint 3 \(test_environments\.py, line \d+\)$"
    with pytest.raises(EnvironmentFailure, match=said), environment_failures("stepping"):
        raise ValueError("joint 3\nand more")
    with pytest.raises(EnvironmentFailure, match="KeyError: no message"), environment_failures("stepping"):
        raise KeyError
    with pytest.raises(InputError, match="ours"), environment_failures("stepping"):
        raise InputError("ours")


class Lost(gymnasium.Env[dict[str, Any], np.int64]):
    """Observes a place, a kind and a speed, the second number of which is what the seed says: 1 NaN, 2 infinite."""

    observation_space = Dict({"place": Box(-9, 9, (2, 2)), "kind": Discrete(3), "speed": Box(-np.inf, np.inf, (2,))})
    action_space = ACTIONS

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        speed = np.array([0.0, {1: np.nan, 2: np.inf}.get(seed or 0, 0.0)], np.float32)
        return {"place": np.zeros((2, 2), np.float32), "kind": np.int64(1), "speed": speed}, {}


@pytest.fixture
def lost() -> Iterator[str]:
    gymnasium.register("gailkit-test/Lost-v0", entry_point=Lost, disable_env_checker=True)
    yield "gailkit-test/Lost-v0"
    gymnasium.registry.pop("gailkit-test/Lost-v0")


@pytest.mark.parametrize(("seed", "number"), [(1, "nan"), (2, "inf")])
def test_what_is_not_finite_is_told_with_environment_seed_and_step_and_in_which_part(
    lost: str, seed: int, number: str
) -> None:
    env = make_env(lost)
    values = env.reset(seed=seed)[0]
    assert not all_finite(values)
    about, meant, rows = About.of(env), np.array([False, True]), np.stack([values, values])
    begun = failures_in(about, {}, meant, Told([0, seed], [0, 0]), [("an observation", rows, rows)])
    assert list(begun) == [1]
    assert str(begun[1]) == (
        f"the environment {lost} returned an observation that is not finite when it was reset with seed {seed} "
        f"(number 1): element 1 of 'speed' is {number}"
    )
    rewards, told = np.array([0.0, -np.inf]), Told([0, seed], [1, 3], np.array([0, 1]))
    later = failures_in(about, {}, meant, told, [("a reward", rewards, rewards)])
    assert str(later[1]) == (
        f"the environment {lost} returned a reward that is not finite at step 3 of the episode with seed {seed} "
        "(number 1, action 1): it is -inf"
    )
    assert all_finite(env.reset(seed=0)[0])
