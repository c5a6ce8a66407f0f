"""A number that is not finite stops the training, and the sentence says which."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control import CartPoleEnv
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import DiscreteActionDiscriminator, Discriminator
from gailkit.errors import DataError, DivergenceError, EnvironmentFailure, InputError
from gailkit.functional.rewards import log_d
from gailkit.generator import PPOClip
from gailkit.networks.encoders import ObservationEncoder
from gailkit.rollouts.stepping import Stepping
from gailkit.training.config import TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.metrics import read_metrics
from gailkit.training.parts import Parts
from gailkit.training.run import RunFolder
from gailkit.training.train import train
from gailkit.types import Reward, Rollout, Transitions

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


class Poisonous(CartPoleEnv):
    """What is named becomes NaN in the 70th step of all environments together, in the second rollout of 64."""

    taken = 0

    def __init__(self, what: str = "") -> None:
        super().__init__()
        self.what = what
        Poisonous.taken = 0

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, *rest = super().step(action)
        Poisonous.taken += 1
        if Poisonous.taken == 70 and self.what == "observation":
            observation[2] = np.nan
        if Poisonous.taken == 70 and self.what == "reward":
            reward = math.nan
        return observation, float(reward), *rest


@pytest.fixture(autouse=True, scope="module")
def poisonous() -> Iterator[None]:
    gymnasium.register("Poisonous-v0", entry_point=Poisonous, max_episode_steps=500)
    yield
    gymnasium.registry.pop("Poisonous-v0")


class LateLoss:
    """The sum of the logits, until the third of four updates of the second iteration makes it what it is told."""

    def __init__(self, ruin: Callable[[Tensor], Tensor]) -> None:
        self.ruin, self.calls = ruin, 0

    def __call__(self, discriminator: Discriminator, expert: Transitions, policy: Transitions) -> Tensor:
        logits = discriminator.logits(expert) - discriminator.logits(policy)
        self.calls += 1
        return self.ruin(logits) if self.calls == 7 else logits.mean()


class Late(PPOClip):
    """Whose parameter is no number after the second update."""

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        if progress > 0:
            self.actor_critic.policy[-1].bias.data[0] = math.nan
        return {}


@pytest.mark.parametrize(
    ("what", "parts", "error", "said"),
    [
        (
            "observation", {}, EnvironmentFailure,
            r"the environment Poisonous-v0 returned an observation that is not finite at step \d+ of the episode with "
            r"seed \d+ \(number \d, action \d\): element 2 is nan, after 64 steps",
        ),
        (
            "reward", {}, EnvironmentFailure,
            r"the environment Poisonous-v0 returned a reward that is not finite at step \d+ of the episode with seed "
            r"\d+ \(number \d, action \d\): it is nan, after 64 steps",
        ),
        (
            "", {"loss": lambda: LateLoss(lambda logits: logits.mean() * math.nan)}, DivergenceError,
            "the loss of the discriminator became NaN or infinite in iteration 2, step 128; the last good checkpoint",
        ),
        (
            "", {"loss": lambda: LateLoss(lambda logits: (logits.mean() * 0).abs().sqrt())}, DivergenceError,
            "the gradient of the loss of the discriminator became NaN or infinite in iteration 2, step 128; the last",
        ),
        (
            "", {"generator": lambda: Late}, DivergenceError,
            "the policy's parameter actor_critic.policy.* became NaN or infinite in iteration 2, step 128; the last",
        ),
    ],
    ids=["observation", "reward", "loss", "gradient", "parameter"],
)  # fmt: skip
def test_what_is_not_finite_stops_the_run_within_its_step_and_the_checkpoint_before_stays(
    cartpole: Demonstrations,
    tiny: TrainConfig,
    tmp_path: Path,
    what: str,
    parts: dict[str, Callable[[], Any]],
    error: type[Exception],
    said: str,
) -> None:
    own = Parts(**{name: make() for name, make in parts.items()})
    settings = dataclasses.replace(
        tiny, checkpoint_every=0.0, discriminator=dataclasses.replace(tiny.discriminator, updates=4)
    )
    with pytest.raises(error, match=said):
        train(
            "Poisonous-v0", cartpole, settings, parts=own, out=tmp_path / "run", env_kwargs={"what": what},
            stepping=Stepping(restarts=0),
        )  # fmt: skip
    folder = RunFolder(tmp_path / "run")
    assert folder.load("last")["iteration"] == 1
    for value in folder.load("last")["generator"].values():
        assert not isinstance(value, Tensor) or torch.isfinite(value).all()
    assert len(read_metrics(tmp_path / "run")) == 1


def test_a_demonstration_that_is_not_finite_is_refused_before_a_step_is_taken(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    episode = cartpole.trajectories[1]
    observations = episode.observations.copy()
    observations[3, 2] = np.nan
    with pytest.raises(
        (DataError, InputError),
        match=r"observations of a trajectory .* not finite \(NaN or infinity\), the first at step 3$",
    ):
        broken = dataclasses.replace(episode, observations=observations)
        train("CartPole-v1", Demonstrations((broken,)), tiny, out=tmp_path / "run")
    assert not list(tmp_path.iterdir())
