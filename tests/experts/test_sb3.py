"""Foreign policies earn what their authors measured, and each family turns a known network into the right action."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from gailkit.errors import DataError, InputError
from gailkit.experts.sb3 import sb3_policy
from gailkit.rollouts.environments import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes

PLANE = Box(-np.inf, np.inf, (2,), np.float32)
SLIDER = Box(np.float32(-1.0), np.float32(3.0), (1,), np.float32)  # unscaling [-1, 1] gives 1 + 2 x
CHOICE = Discrete(3)
ROWS = np.array([[1.0, 0.0], [0.0, 1.0], [-2.0, 1.0]], np.float32)
VALUE = {"value_net.weight": [[9.0, 9.0]], "value_net.bias": [9.0]}

WriteZip = Callable[..., Path]


@pytest.mark.parametrize(
    ("artifact", "env_id", "episodes", "at_least", "at_most"),
    [  # the bounds lie 4 standard errors around the return measured over 400 episodes; 500 is the most there is
        ("ppo/CartPole-v1", "CartPole-v1", 2, 500, 500),
        ("trpo/CartPole-v1", "CartPole-v1", 2, 500, 500),
        ("dqn/CartPole-v1", "CartPole-v1", 2, 500, 500),
        ("qrdqn/CartPole-v1", "CartPole-v1", 2, 500, 500),
        ("ars/CartPole-v1", "CartPole-v1", 2, 500, 500),
        ("dqn/MountainCar-v0", "MountainCar-v0", 10, -114, -89),
        ("ppo/MountainCar-v0", "MountainCar-v0", 10, -135, -85),
        ("trpo/MountainCarContinuous-v0", "MountainCarContinuous-v0", 5, 92, 93),
        ("sac/MountainCarContinuous-v0", "MountainCarContinuous-v0", 5, 92, 97),
        ("a2c/Pendulum-v1", "Pendulum-v1", 10, -285, -29),
        ("ppo/Pendulum-v1", "Pendulum-v1", 10, -303, -50),
        ("sac/Pendulum-v1", "Pendulum-v1", 10, -254, -44),
        ("tqc/Pendulum-v1", "Pendulum-v1", 10, -249, -38),
        ("ddpg/Pendulum-v1", "Pendulum-v1", 10, -288, -9),
        ("ppo/Hopper-v3", "Hopper-v5", 1, 2418, 2458),
    ],
)
def test_an_expert_earns_what_was_measured_for_it(
    experts_folder: Path, artifact: str, env_id: str, episodes: int, at_least: float, at_most: float
) -> None:
    if env_id == "Hopper-v5":
        pytest.importorskip("mujoco", reason="NOT TESTED with an expert of MuJoCo: it is not installed")
    env = make_env(env_id)
    policy = sb3_policy(experts_folder / "zoo" / f"{artifact}.zip", env.observation_space, env.action_space)
    seeds = SeedStream(0, "evaluation").take(episodes)
    returns = [t.episode_return for t in collect_episodes(policy, partial(make_env, env_id), seeds, num_envs=10)]
    assert at_least <= np.mean(returns) <= at_most


def test_without_its_statistics_the_hopper_falls_over(experts_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED with an expert of MuJoCo: it is not installed")
    lonely = tmp_path / "Hopper-v3.zip"
    lonely.write_bytes((experts_folder / "zoo/ppo/Hopper-v3.zip").read_bytes())
    env = make_env("Hopper-v5")
    policy = sb3_policy(lonely, env.observation_space, env.action_space)
    (episode,) = collect_episodes(policy, partial(make_env, "Hopper-v5"), [0])
    assert (episode.episode_return or 0.0) < 1000


def test_an_action_does_not_depend_on_who_else_is_asked(experts_folder: Path) -> None:
    env = make_env("Pendulum-v1")
    policy = sb3_policy(experts_folder / "zoo/ddpg/Pendulum-v1.zip", env.observation_space, env.action_space)
    rows = np.stack([env.observation_space.sample() for _ in range(64)])
    together = policy(rows)
    np.testing.assert_array_equal(together, np.concatenate([policy(rows[i : i + 1]) for i in range(64)]))
    assert (together.shape, together.dtype) == ((64, 1), np.float32)


def actions(path: Path, action_space: Any = SLIDER, rows: np.ndarray = ROWS, space: Any = PLANE) -> Any:
    return sb3_policy(path, space, action_space)(rows).reshape(len(rows), -1).squeeze(1).tolist()


def test_an_actor_critic_is_tanh_inside_and_clipped_outside(write_zip: WriteZip) -> None:
    hidden = {"mlp_extractor.policy_net.0.weight": [[1.0, 0.0]], "mlp_extractor.policy_net.0.bias": [0.5]}
    weights = {**hidden, **VALUE, "action_net.weight": [[10.0]], "action_net.bias": [-6.0]}
    means = 10 * np.tanh(ROWS[:, 0] + 0.5) - 6  # 3.05, -1.38 and -15.05
    found = actions(write_zip(PLANE, SLIDER, weights))
    np.testing.assert_allclose(found, np.clip(means, -1, 3), rtol=1e-6)
    assert found == [3.0, -1.0, -1.0]


def test_the_activation_in_the_settings_is_used(write_zip: WriteZip) -> None:
    hidden = {"mlp_extractor.policy_net.0.weight": [[1.0, 0.0]], "mlp_extractor.policy_net.0.bias": [0.5]}
    weights = {**hidden, **VALUE, "action_net.weight": [[1.0]], "action_net.bias": [0.0]}
    kwargs = {"activation_fn": "<class 'torch.nn.modules.activation.ReLU'>"}
    assert actions(write_zip(PLANE, SLIDER, weights, kwargs)) == [1.5, 0.5, 0.0]
    with pytest.raises(InputError, match=r"activation Softsign.*ReLU, Tanh"):
        actions(write_zip(PLANE, SLIDER, weights, {"activation_fn": "<class 'torch.nn.Softsign'>"}))


def test_a_shared_network_of_old_versions_comes_first(write_zip: WriteZip) -> None:
    kwargs = {"activation_fn": "<class 'torch.nn.modules.activation.ReLU'>"}
    shared = {"mlp_extractor.shared_net.0.weight": [[1.0, 0.0]], "mlp_extractor.shared_net.0.bias": [1.0]}
    own = {"mlp_extractor.policy_net.0.weight": [[0.5]], "mlp_extractor.policy_net.0.bias": [0.0]}
    weights = {**shared, **own, **VALUE, "action_net.weight": [[1.0]], "action_net.bias": [0.0]}
    assert actions(write_zip(PLANE, SLIDER, weights, kwargs)) == [1.0, 0.5, 0.0]


def test_the_likeliest_of_discrete_actions_is_taken(write_zip: WriteZip) -> None:
    weights = {**VALUE, "action_net.weight": [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], "action_net.bias": [0.0, 0.0, 0.0]}
    assert actions(write_zip(PLANE, CHOICE, weights), CHOICE) == [0, 1, 2]


def test_discrete_observations_become_one_hot(write_zip: WriteZip) -> None:
    weights = {"q_net.q_net.0.weight": [[0.0, 5.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]}
    path = write_zip(CHOICE, CHOICE, weights)
    assert actions(path, CHOICE, np.array([0, 1, 2]), CHOICE) == [1, 0, 2]


def test_a_soft_actor_squashes_into_the_bounds(write_zip: WriteZip) -> None:
    weights = {
        "actor.latent_pi.0.weight": [[1.0, 0.0]],
        "actor.latent_pi.0.bias": [0.0],
        "actor.mu.weight": [[3.0]],
        "actor.mu.bias": [0.0],
        "actor.log_std.weight": [[0.0]],
    }
    expected = 1 + 2 * np.tanh(3 * np.maximum(ROWS[:, 0], 0))  # ReLU inside
    np.testing.assert_allclose(actions(write_zip(PLANE, SLIDER, weights)), expected, rtol=1e-6)


def test_state_dependent_noise_clips_the_mean_before_squashing(write_zip: WriteZip) -> None:
    weights = {"actor.mu.0.weight": [[3.0, 0.0]], "actor.mu.0.bias": [0.0], "actor.log_std": [[0.0], [0.0]]}
    expected = 1 + 2 * np.tanh(np.clip(3 * ROWS[:, 0], -2, 2))
    np.testing.assert_allclose(actions(write_zip(PLANE, SLIDER, weights)), expected, rtol=1e-6)


def test_a_deterministic_actor_squashes_into_the_bounds(write_zip: WriteZip) -> None:
    weights = {
        "actor.mu.0.weight": [[1.0, 1.0]],
        "actor.mu.0.bias": [0.0],
        "actor.mu.2.weight": [[1.0]],
        "actor.mu.2.bias": [-1.0],
        "critic.qf0.0.weight": [[1.0, 1.0, 1.0]],
    }
    expected = 1 + 2 * np.tanh(np.array([0.0, 0.0, -1.0]))
    np.testing.assert_allclose(actions(write_zip(PLANE, SLIDER, weights)), expected, rtol=1e-6)


def test_quantiles_are_averaged_for_each_action(write_zip: WriteZip) -> None:
    biases = [
        0.0,
        3.0,
        1.0,
        8.0,
        2.0,
        0.0,
    ]  # two quantiles of three actions: (0, 3, 1) and (8, 2, 0); means 4, 2.5, 0.5
    weights = {"quantile_net.quantile_net.0.weight": np.zeros((6, 2)), "quantile_net.quantile_net.0.bias": biases}
    assert actions(write_zip(PLANE, CHOICE, weights), CHOICE) == [0, 0, 0]


def test_random_search_clips_a_linear_policy_and_squashes_a_deep_one(write_zip: WriteZip) -> None:
    assert actions(write_zip(PLANE, SLIDER, {"action_net.weight": [[2.0, 0.0]]})) == [2.0, 0.0, -1.0]
    deep = {"action_net.0.weight": [[1.0, 0.0]], "action_net.2.weight": [[1.0]]}
    expected = 1 + 2 * np.tanh(np.maximum(ROWS[:, 0], 0))
    np.testing.assert_allclose(actions(write_zip(PLANE, SLIDER, deep)), expected, rtol=1e-6)


def test_more_than_nine_layers_keep_their_order(write_zip: WriteZip) -> None:
    weights: dict[str, Any] = {f"action_net.{2 * i}.weight": [[1.0]] for i in range(1, 6)}
    weights["action_net.0.weight"] = [[1.0, 0.0]]
    weights["action_net.10.weight"] = [[0.0]]  # the last one by number, not by letters
    assert actions(write_zip(PLANE, SLIDER, weights)) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("observation_space", "action_space", "said"),
    [
        (Box(-1, 1, (3,)), SLIDER, r"observation space Box\(2,\); the environment has Box\(3,\)"),
        (PLANE, Box(-1, 1, (2,)), r"action space Box\(1,\); the environment has Box\(2,\)"),
        (PLANE, CHOICE, r"action space Box\(1,\); the environment has Discrete\(3\)"),
        (Discrete(2), SLIDER, r"observation space Box\(2,\); the environment has Discrete\(2\)"),
    ],
)
def test_a_policy_for_other_spaces_is_refused_with_both(
    write_zip: WriteZip, observation_space: Any, action_space: Any, said: str
) -> None:
    path = write_zip(PLANE, SLIDER, {"action_net.weight": [[2.0, 0.0]]})
    with pytest.raises(InputError, match=said):
        sb3_policy(path, observation_space, action_space)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"lstm_actor.weight_ih_l0": [[1.0]]}, "memory"),
        ({"features_extractor.cnn.0.weight": [[1.0]], **VALUE}, "images"),
        ({"something.weight": [[1.0]]}, r"no algorithm that is read.*something\.weight"),
        ({**VALUE, "action_net.weight": [[1.0, 1.0]], "action_net.scale": [1.0]}, "not linear"),
        ({"actor.mu.0.weight": [[1.0, 1.0]], "actor.mu.1.running_mean": [1.0]}, "not linear"),
    ],
)
def test_networks_that_are_not_read_are_named(write_zip: WriteZip, weights: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        sb3_policy(write_zip(PLANE, SLIDER, weights), PLANE, SLIDER)


@pytest.mark.parametrize(
    "weights",
    [
        {"action_net.weight": [[1.0, 1.0, 1.0]]},
        {"action_net.weight": [[1.0, 1.0], [1.0, 1.0]]},
        {"action_net.weight": [[1.0, 1.0]], "action_net.bias": [1.0, 2.0]},
        {"action_net.0.weight": [[1.0, 1.0]], "action_net.2.weight": [[1.0, 1.0]]},
        {"actor.mu.other": [1.0], "actor.mu.weight": np.ones((0, 2))},
    ],
)
def test_layers_that_do_not_fit_each_other_are_refused(write_zip: WriteZip, weights: dict[str, Any]) -> None:
    with pytest.raises((DataError, InputError)):
        sb3_policy(write_zip(PLANE, SLIDER, weights), PLANE, SLIDER)


def test_statistics_of_another_shape_are_refused(write_zip: WriteZip, experts_folder: Path) -> None:
    path = write_zip(PLANE, SLIDER, {"action_net.weight": [[2.0, 0.0]]})
    path.with_suffix("").mkdir()
    statistics = experts_folder / "zoo/ppo/Hopper-v3/vecnormalize.pkl"
    (path.with_suffix("") / "vecnormalize.pkl").write_bytes(statistics.read_bytes())
    with pytest.raises(InputError, match=r"\(11,\); the environment has \(2,\)"):
        sb3_policy(path, PLANE, SLIDER)
