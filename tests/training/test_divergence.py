"""A number that is not finite stops the training, and the sentence says which."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import DiscreteActionDiscriminator, Discriminator
from gailkit.errors import DivergenceError, InputError
from gailkit.functional.rewards import log_d
from gailkit.generator import PPOClip
from gailkit.networks.encoders import ObservationEncoder
from gailkit.training.config import TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.parts import Parts
from gailkit.types import Reward, Rollout

Build = Callable[..., Trainer]


class Extended(DiscreteActionDiscriminator):
    """A discriminator with a parameter that takes no part, and is not a number."""

    def __init__(self, encoder: ObservationEncoder, action_space: Any) -> None:
        super().__init__(encoder, action_space, torch.nn.Linear)
        self.idle = torch.nn.Parameter(torch.tensor([1.0, math.nan]))


class Reporting(PPOClip):
    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        return {"oddity": math.inf}


class Poisoned(PPOClip):
    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        self.actor_critic.policy[-1].bias.data[0] = math.nan
        return {}


def broken_discriminator(encoder: ObservationEncoder, action_space: Any) -> Discriminator:
    return Extended(encoder, action_space)


def test_a_reward_that_is_not_a_number_stops_the_run_by_its_name(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    calls = []

    def reward(logits: Tensor) -> Tensor:
        if logits.numel() == 64:  # a rollout: neither the absorbing state, nor endings, nor the first try-out
            calls.append(logits)
        return logits / 0 if len(calls) == 2 else log_d(logits)

    trainer = build(cartpole, tiny, Parts(reward=reward))
    trainer.iterate()
    weights = trainer.generator.actor_critic.policy[0].weight.clone()
    with pytest.raises(DivergenceError, match=r"^the rewards became NaN or infinite in iteration 2, step 128$"):
        trainer.iterate()
    assert torch.equal(trainer.generator.actor_critic.policy[0].weight, weights)  # it learned nothing from them


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        (Parts(discriminator=broken_discriminator), "the discriminator's parameter idle"),
        (Parts(generator=Poisoned), "the policy's parameter actor_critic.policy"),
        (Parts(generator=Reporting), "policy/oddity"),
    ],
    ids=["discriminator", "policy", "metric"],
)
def test_the_first_number_that_is_not_finite_is_named(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig, parts: Parts, named: str
) -> None:
    trainer = build(cartpole, tiny, parts)
    with pytest.raises(DivergenceError) as stopped:
        trainer.iterate()
    assert not trainer.whole
    assert str(stopped.value).startswith(named)
    assert str(stopped.value).endswith("became NaN or infinite in iteration 1, step 64")


def test_a_generator_that_reports_nothing_is_named(build: Build, cartpole: Demonstrations, tiny: TrainConfig) -> None:
    class Silent(PPOClip):
        def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
            return None

    trainer = build(cartpole, tiny, Parts(generator=Silent))
    with pytest.raises(InputError, match=r"Silent.update must return a dict of numbers by name; found NoneType"):
        trainer.iterate()
