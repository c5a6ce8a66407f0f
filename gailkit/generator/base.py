"""What every generator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from gailkit.generator.guidance import Guidance, Shown
from gailkit.generator.learning import set_learning_rate
from gailkit.generator.replay import Replay
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution
from gailkit.networks.optimizers import load_optimizer
from gailkit.spaces import Flat
from gailkit.types import Experience, Reward, Rollout, Transitions


class Generator(nn.Module, ABC):
    """A stochastic policy with a value function, and how it improves. A subclass gives ``update`` and nothing else.

    ``state_dict`` holds networks, normalisers and every optimiser that is an attribute. A subclass with more that
    changes, a coefficient say, registers a buffer.
    """

    acts_in: tuple[type[Space[Any]], ...] = (Box, Discrete, Flat)  # the kinds of actions that it can choose
    gamma: float  # the discount, of those that have one
    least_deviation: float = 0.0  # by which advantages are divided at least, in the units of the rewards
    replay: Replay | None = None  # of those that learn from the whole run; its state is its own, as it is large
    measures: bool = False  # whether it asks for ``measured``
    measured: Transitions | None = None  # pairs of an expert's, to find out how well the policy knows them
    guidance: Guidance | None = None  # where the policy began as a clone: see ``guided``

    def __init__(self, actor_critic: ActorCritic) -> None:
        super().__init__()
        self.actor_critic = actor_critic

    @classmethod
    def can_act_in(cls, action_space: Space[Any]) -> bool:
        """Whether it can choose such actions; those of several parts, which are flat, are none of a Box to it."""
        return Flat in cls.acts_in if isinstance(action_space, Flat) else isinstance(action_space, cls.acts_in)

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        """Observations (B, *obs) to sampled actions (B, *act) in the environment's units, unclipped."""
        return self._distribution(obs).sample()

    @torch.no_grad()
    def follow(self, obs: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """As ``act`` of a policy with memory: the actions, and what is remembered (B, M) after them.

        Args:
            states: what was remembered before (B, M), 0 where an episode begins.
        """
        features = self.actor_critic.encoder(obs)
        distribution, _ = self.actor_critic.follow(features, states)
        return distribution.sample(), self.actor_critic.remembered(features, states)

    @torch.no_grad()
    def log_prob(self, obs: Tensor, act: Tensor) -> Tensor:
        """ln pi(act|obs), (B,)."""
        return self._distribution(obs).log_prob(act)

    @torch.no_grad()
    def value(self, obs: Tensor) -> Tensor:
        """Observations (B, *obs) to values (B,) in the units of the rewards."""
        values: Tensor = self.actor_critic.critic(self.actor_critic.encoder(obs))
        return values

    def get_extra_state(self) -> dict[str, Any]:
        """The states of the optimisers among the attributes, by name, for ``state_dict``."""
        return {name: optimizer.state_dict() for name, optimizer in self._optimizers().items()}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Put back what ``get_extra_state`` returned, for ``load_state_dict``."""
        for name, optimizer in self._optimizers().items():
            load_optimizer(optimizer, state[name])

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {name: value for name, value in vars(self).items() if isinstance(value, torch.optim.Optimizer)}

    def set_learning_rate(self, rate: float) -> None:
        """Let its optimisers go on at ``rate``, which a schedule still multiplies where there is one."""
        if hasattr(self, "learning_rate"):
            self.learning_rate = rate
        for optimizer in self._optimizers().values():
            set_learning_rate(optimizer, rate)

    def guide(self, guidance: Guidance) -> None:
        """Be guided from now on: the policy has begun as a clone of the expert."""
        self.guidance = guidance

    def expert_pairs(self) -> Shown | None:
        """Some of the expert's pairs to be guided by; None where there is no guidance."""
        return None if self.guidance is None else self.guidance.pairs()

    def guided(self, objective: Tensor, pairs: Shown | None, progress: float) -> Tensor:
        """What the policy is to maximise, with the guidance of ``pairs`` in it where there is one."""
        if self.guidance is None or pairs is None:
            return objective
        return objective - self.guidance.loss(self.actor_critic, pairs, progress)

    def _distribution(self, obs: Tensor) -> ActionDistribution:
        distribution: ActionDistribution = self.actor_critic(obs)
        return distribution

    @property
    def remembered(self) -> int:
        """Of how many of the run's steps before its rollout ``update`` may ask for rewards."""
        return 0

    def experience(self, rollout: Rollout) -> Experience:
        """What stands for the policy where a discriminator learns to tell it from the expert: its rollout.

        Asked for once, before ``update``.
        """
        return Experience.of(rollout)

    @abstractmethod
    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        """Improve the policy on a rollout of its own.

        Args:
            reward: asked for the rewards (T, N) of the rollout, ``reward(rollout)``, or of any steps of the run that a
                replay gave out again; neither has any in itself.
            progress: share in [0, 1] of the training that is done, for schedules.

        Returns:
            What tells how the update went, by name.
        """
