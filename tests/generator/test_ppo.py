"""PPO: it finds known optima, and stays where it should stay."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.generator import Generator, PPOClip
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Rollout

CONTEXTS = Discrete(3)
ARMS = Discrete(3)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def ppo(action_space: Space[object] = ARMS, observation_space: Space[object] = CONTEXTS, **settings: float) -> PPOClip:
    settings = {"learning_rate": 5e-3, "batch_size": 64} | settings
    return PPOClip(ActorCritic(ObservationEncoder(observation_space), action_space, (16,)), **settings)


def rollout(generator: Generator, obs: Tensor, ends: Tensor | None = None) -> Rollout:
    """What ``generator`` does on ``obs`` (T, N); every step ends an episode unless ``ends`` (T,) says which do."""
    lead = obs.shape[:2]
    flat = obs.flatten(0, 1)
    act = generator.act(flat)
    ends = torch.ones(lead[0], dtype=torch.bool) if ends is None else ends
    terminated = ends.unsqueeze(-1).expand(lead)
    value = generator.value(flat).reshape(lead)
    log_prob = generator.log_prob(flat, act).reshape(lead)
    next_obs = obs.roll(-1, 0)
    return Rollout(
        obs,
        act.unflatten(0, lead),
        next_obs,
        log_prob,
        value,
        value.roll(-1, 0),
        terminated,
        ~torch.ones_like(terminated),
    )


def contexts(steps: int = 16, environments: int = 8) -> Tensor:
    return torch.randint(3, (steps, environments))


def learn(generator: PPOClip, reward: Callable[[Rollout], Tensor], rollouts: int = 15) -> dict[str, float]:
    """``rollouts`` of 128 one-step episodes each, 1920 steps by default."""
    for _ in range(rollouts):
        steps = rollout(generator, contexts())
        metrics = generator.update(steps, reward(steps))
    return metrics


def probabilities(generator: Generator) -> Tensor:
    """pi(a|s) for all contexts and arms, (3, 3)."""
    return generator.actor_critic(torch.arange(3)).logits.softmax(-1).detach()


def parameters(generator: PPOClip) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in generator.actor_critic.policy_parameters()]


def test_it_finds_the_best_arm_of_every_context_within_2000_steps() -> None:
    generator = ppo()
    learn(generator, lambda steps: (steps.act == (steps.obs + 1) % 3).float())
    assert probabilities(generator)[[0, 1, 2], [1, 2, 0]].min() > 0.9


def test_the_size_and_the_place_of_the_rewards_do_not_matter() -> None:
    generator = ppo()
    learn(generator, lambda steps: -500 - 20 * (steps.act != (steps.obs + 1) % 3).float())
    assert probabilities(generator)[[0, 1, 2], [1, 2, 0]].min() > 0.9


def test_it_finds_the_best_continuous_action_of_every_context_within_2000_steps() -> None:
    generator = ppo(Box(-4, 8, (1,)), learning_rate=1e-2)
    targets = torch.tensor([0.0, 2.0, 5.0])
    learn(generator, lambda steps: -(steps.act.squeeze(-1) - targets[steps.obs]).square())
    distribution = generator.actor_critic(torch.arange(3))
    torch.testing.assert_close(distribution.mode().squeeze(-1).detach(), targets, rtol=0, atol=1.0)
    assert distribution.log_std.exp().item() < 3.0  # half of the 6 it began with


def test_an_action_is_credited_with_what_it_brings_a_step_later() -> None:
    generator = ppo(gamma=0.9)
    obs = torch.tensor([0, 1]).unsqueeze(-1).expand(2, 64)
    ends = torch.tensor([False, True])
    for _ in range(15):
        steps = rollout(generator, obs, ends)
        earned = (steps.act[0] == 2).float()
        generator.update(steps, torch.stack((torch.zeros(64), earned)))
    assert probabilities(generator)[0, 2] > 0.9


def test_the_critic_learns_the_value_of_every_context() -> None:
    generator = ppo()
    metrics = learn(generator, lambda steps: 100.0 + 10 * steps.obs.float(), rollouts=25)
    torch.testing.assert_close(generator.value(torch.arange(3)), torch.tensor([100.0, 110.0, 120.0]), rtol=0, atol=1.5)
    assert metrics["explained_variance"] > 0.9


def test_where_no_action_has_an_advantage_the_policy_stays_and_the_critic_learns() -> None:
    generator = ppo()
    steps = rollout(generator, contexts())
    nothing = torch.zeros_like(steps.value)
    steps = Rollout(
        steps.obs, steps.act, steps.next_obs, steps.log_prob, nothing, nothing, steps.terminated, steps.truncated
    )
    before, critic = parameters(generator), generator.actor_critic.critic.network[0].weight.detach().clone()
    generator.update(steps, torch.ones_like(nothing))  # every advantage is 1 - 0
    assert all(map(torch.equal, parameters(generator), before))
    assert not torch.equal(generator.actor_critic.critic.network[0].weight, critic)


def test_at_the_end_of_the_training_an_update_changes_nothing() -> None:
    generator = ppo()
    before, values = parameters(generator), generator.value(torch.arange(3))
    steps = rollout(generator, contexts())
    generator.update(steps, torch.randn_like(steps.value), progress=1.0)
    assert all(map(torch.equal, parameters(generator), before))
    torch.testing.assert_close(generator.value(torch.arange(3)), values)


def test_the_learning_rate_falls_linearly() -> None:
    # Adam's first step is proportional to its learning rate
    moved = []
    for progress in (0.0, 0.75):
        torch.manual_seed(0)
        generator = ppo(epochs=1, batch_size=128)
        before, steps = parameters(generator), rollout(generator, contexts())
        generator.update(steps, torch.randn_like(steps.value), progress)
        moved.append(torch.cat([(a - b).flatten() for a, b in zip(parameters(generator), before, strict=True)]))
    torch.testing.assert_close(moved[1], 0.25 * moved[0], rtol=1e-2, atol=1e-6)
    assert moved[0].abs().max() > 1e-3


def test_what_an_update_reports_of_its_first_step() -> None:
    # At ratio 1: the surrogate is the mean of standardised advantages, 0; nothing has moved yet.
    generator = ppo(epochs=1, batch_size=128)
    steps = rollout(generator, contexts())
    entropy = generator.actor_critic(steps.obs.flatten()).entropy().mean().item()
    report = generator.update(steps, torch.randn_like(steps.value))
    assert report["surrogate"] == pytest.approx(0.0, abs=1e-5)
    assert report["kl"] == pytest.approx(0.0, abs=1e-6)
    assert report["clip_fraction"] == 0.0
    assert report["entropy"] == pytest.approx(entropy)
    assert set(report) == {"surrogate", "value_loss", "entropy", "kl", "clip_fraction", "explained_variance"}


def test_every_pass_goes_over_the_whole_rollout_in_minibatches() -> None:
    # 128 steps are minibatches of 50, 50 and 28; four passes
    generator = ppo(epochs=4, batch_size=50)
    steps = rollout(generator, contexts())
    generator.update(steps, torch.randn_like(steps.value))
    (state,) = generator.optimizer.state.values()
    assert int(state["step"]) == 12


def test_an_entropy_bonus_makes_the_policy_more_random() -> None:
    generator = ppo(entropy_bonus=0.1, learning_rate=1e-2)
    learn(generator, lambda steps: (steps.act == 0).float())
    certain = probabilities(generator)
    learn(generator, lambda steps: torch.ones_like(steps.value), rollouts=5)
    assert probabilities(generator).max() < certain.max()


def moved_by(clip: float) -> float:
    """KL(old, new) of the policy after many passes over one rollout."""
    torch.manual_seed(3)
    generator = ppo(clip=clip, epochs=40, learning_rate=1e-2)
    before = probabilities(generator)
    steps = rollout(generator, contexts())
    generator.update(steps, (steps.act == 0).float())
    return float((before * (before / probabilities(generator)).log()).sum(-1).mean())


def test_the_clip_keeps_the_policy_near_the_one_that_acted() -> None:
    near, far = moved_by(0.1), moved_by(10.0)
    assert 0.0 < near < 0.5
    assert far > 5 * near


def test_the_same_seed_gives_the_same_update() -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        generator = ppo(Box(-1, 1, (2,)), Box(-np.inf, np.inf, (1,)))
        generator.actor_critic.encoder.update(torch.randn(20, 1))
        steps = rollout(generator, torch.randn(16, 8, 1))
        generator.update(steps, torch.randn_like(steps.value))
        results.append(parameters(generator))
    assert all(map(torch.equal, *results))


def test_an_update_leaves_the_statistics_of_the_observations_alone() -> None:
    generator = ppo(ARMS, Box(-np.inf, np.inf, (1,)))
    generator.actor_critic.encoder.update(torch.randn(20, 1))
    before = copy.deepcopy(generator.actor_critic.encoder.state_dict())
    steps = rollout(generator, 3 + torch.randn(16, 8, 1))
    generator.update(steps, torch.randn_like(steps.value))
    assert all(torch.equal(value, before[name]) for name, value in generator.actor_critic.encoder.state_dict().items())


def test_a_stored_generator_goes_on_as_if_it_had_never_stopped() -> None:
    original = ppo()
    steps = rollout(original, contexts())
    rewards = torch.randn_like(steps.value)
    original.update(steps, rewards)
    restored = ppo()
    restored.load_state_dict(copy.deepcopy(original.state_dict()))
    restored.optimizer.load_state_dict(copy.deepcopy(original.optimizer.state_dict()))
    for generator in (original, restored):
        torch.manual_seed(1)
        generator.update(steps, rewards)
    assert all(map(torch.equal, parameters(restored), parameters(original)))
    assert torch.equal(restored.value(torch.arange(3)), original.value(torch.arange(3)))
