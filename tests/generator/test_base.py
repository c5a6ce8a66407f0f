"""What every generator can do once it says how it improves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.generator import Generator
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Reward, Rollout


class Untaught(Generator):
    """One that never improves: all there is to write of a new one."""

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        return {"rewards": float(reward(rollout).mean())}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def actor_critic(action_space: Space[object]) -> ActorCritic:
    encoder = ObservationEncoder(Box(-np.inf, np.inf, (3,)))
    encoder.update(torch.randn(50, 3))
    return ActorCritic(encoder, action_space, (8,))


def test_a_generator_that_does_not_say_how_it_improves_is_refused() -> None:
    with pytest.raises(TypeError, match=r"abstract method.*update"):
        Generator(actor_critic(Discrete(2)))


@pytest.mark.parametrize("action_space", [Discrete(4, start=1), Box(-1, 1, (2,)), Box(0, 5, (2, 3))], ids=str)
def test_it_acts_and_knows_how_likely_its_actions_were(action_space: Space[object]) -> None:
    model = actor_critic(action_space)
    generator = Untaught(model)
    obs = torch.randn(7, 3)
    act, value = generator.act(obs), generator.value(obs)
    assert act.shape == (7, *action_space.shape)
    assert value.shape == (7,)
    assert torch.equal(generator.log_prob(obs, act), model(obs).log_prob(act))
    assert torch.equal(value, model.critic(model.encoder(obs)))
    assert not any(t.requires_grad for t in (act, value, generator.log_prob(obs, act)))


def test_values_are_in_the_units_of_the_rewards() -> None:
    model = actor_critic(Discrete(2))
    obs = torch.randn(7, 3)
    before = Untaught(model).value(obs)
    model.critic.normalize_targets(1000 + 50 * torch.randn(100))
    torch.testing.assert_close(Untaught(model).value(obs), before, rtol=1e-3, atol=1e-2)


def test_actions_are_samples_and_are_not_clipped_to_the_box() -> None:
    actions = Untaught(actor_critic(Box(-1, 1, (1,)))).act(torch.zeros(2000, 3))
    outside = (actions.abs() > 1).float().mean().item()  # a standard normal lies beyond 1 with probability 0.317
    assert outside == pytest.approx(0.317, abs=4 * (0.317 * 0.683 / 2000) ** 0.5)


def test_actions_follow_torchs_seed() -> None:
    generator = Untaught(actor_critic(Discrete(4)))
    obs = torch.randn(50, 3)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(generator.act(obs))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
