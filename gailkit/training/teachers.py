"""Where the policy's rewards come from: a discriminator that learns beside it, or the environment itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import DiscriminatorLearner
from gailkit.types import Rollout, Transitions


class Teacher(ABC):
    """Rewards the policy for its rollouts, and may itself learn from them."""

    @abstractmethod
    def teach(self, rollout: Rollout) -> tuple[Tensor, dict[str, float]]:
        """The rewards (T, N) of a rollout, and what tells how the teacher does, by name."""

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Whatever it trains, by name."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All of it that changes."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""


class Adversary(Teacher):
    """A discriminator that learns to tell the expert from the policy, and rewards by what it has learned."""

    def __init__(self, learner: DiscriminatorLearner, demonstrations: Demonstrations) -> None:
        self.learner = learner
        self.demonstrations = demonstrations

    def teach(self, rollout: Rollout) -> tuple[Tensor, dict[str, float]]:
        """Update D, then reward the same rollout by the updated D."""
        told = self.learner.update(self.draw_expert, rollout)
        return self.learner.rewards(rollout), {f"discriminator/{name}": value for name, value in told.items()}

    def draw_expert(self, batch_size: int) -> Transitions:
        """Expert transitions at random, with replacement."""
        return self.demonstrations.sample(batch_size, torch.default_generator)

    def networks(self) -> dict[str, nn.Module]:
        """The discriminator, and the one of endings where there is one."""
        endings = self.learner.endings
        judge = {} if endings is None else {"judge of endings": endings.discriminator}
        return {"discriminator": self.learner.discriminator, **judge}

    def state_dict(self) -> dict[str, Any]:
        """That of the learner, and how far the demonstrations were drawn from."""
        return {"learner": self.learner.state_dict(), "demonstrations": self.demonstrations.place()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.learner.load_state_dict(state["learner"])
        self.demonstrations.go_to(state["demonstrations"])


class TrueReward(Teacher):
    """The environment's own rewards, which a Rollout does not hold: whoever steps it hands them to ``observe``."""

    def __init__(self) -> None:
        self._observed: list[np.ndarray] = []

    def observe(self, rewards: np.ndarray) -> None:
        """Take the rewards (N,) of one step of the rollout in progress."""
        self._observed.append(np.array(rewards, dtype=np.float32))

    def teach(self, rollout: Rollout) -> tuple[Tensor, dict[str, float]]:
        """The rewards observed since the last rollout."""
        rewards = torch.from_numpy(np.stack(self._observed))
        self._observed = []
        return rewards, {}

    def networks(self) -> dict[str, nn.Module]:
        """None."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Nothing changes."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Give up the rollout in progress."""
        self._observed = []
