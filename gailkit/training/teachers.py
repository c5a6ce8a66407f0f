"""Where the policy's rewards come from: a discriminator that learns beside it, or the environment itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.on_device import Steps
from gailkit.discriminator import DiscriminatorLearner
from gailkit.types import Experience, Replayed, Rollout, Transitions


class Teacher(ABC):
    """Rewards the policy for its steps, and may itself learn from them."""

    of_a_rank: tuple[str, ...] = ()  # what in its state is each rank's own

    @abstractmethod
    def learn(self, rollout: Rollout, experience: Experience) -> dict[str, float]:
        """Take in what the policy did last, and learn from what stands for it; what tells how it went, by name."""

    @abstractmethod
    def rewards(self, steps: Rollout | Replayed) -> Tensor:
        """The rewards of steps that were taken in, as they are now, in the shape (...) of the steps."""

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

    of_a_rank = ("demonstrations",)

    def __init__(
        self, learner: DiscriminatorLearner, demonstrations: Demonstrations, shown: Steps | None = None
    ) -> None:
        """``shown`` are steps of the demonstrations on the learner's device; to be drawn on the CPU when None."""
        self.learner = learner
        self.demonstrations = demonstrations
        self.shown = demonstrations.steps() if shown is None else shown

    def learn(self, rollout: Rollout, experience: Experience) -> dict[str, float]:
        """Update D."""
        told = self.learner.update(self.draw_expert, rollout, experience)
        return {f"discriminator/{name}": value for name, value in told.items()}

    def rewards(self, steps: Rollout | Replayed) -> Tensor:
        """By D as it is now, whenever the steps were taken."""
        return self.learner.rewards(steps)

    def draw_expert(self, batch_size: int) -> Transitions:
        """Expert transitions at random, with replacement, as D judges them: with what came before, of windows."""
        window, device = self.learner.discriminator.window, self.shown.device
        if window == 1:
            return self.draw_steps(batch_size)
        return self.shown.in_windows(torch.randint(len(self.shown), (batch_size,), device=device), window)

    def draw_steps(self, batch_size: int) -> Transitions:
        """Expert transitions at random, with replacement, each by itself."""
        device = self.shown.device
        if device.type == "cpu" or not self.demonstrations.in_memory:
            return self.demonstrations.sample(batch_size, torch.default_generator).to(device)
        return self.shown[torch.randint(len(self.shown), (batch_size,), device=device)]

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
    """The environment's own rewards, which no step holds: whoever steps it hands them to ``observe``.

    They are looked up by the number of a step in the run.
    """

    of_a_rank = ("kept",)

    def __init__(self, remembered: int = 0) -> None:
        """``remembered`` is how many of the run's steps before the last rollout may be asked about."""
        self._observed: list[Tensor] = []
        self._remembered = remembered
        self._kept = torch.zeros(0)  # that of step k at k modulo its size

    def observe(self, rewards: np.ndarray | Tensor) -> None:
        """Take the rewards (N,) of one step of the rollout in progress."""
        self._observed.append(torch.as_tensor(rewards).to(torch.float32, copy=True))

    def learn(self, rollout: Rollout, experience: Experience) -> dict[str, float]:
        """Take in the rewards observed since the last rollout."""
        rewards = torch.stack(self._observed).flatten().to(rollout.terminated.device)
        self._observed = []
        if not len(self._kept):
            self._kept = torch.zeros(self._remembered + len(rewards), device=rewards.device)
        self._kept[rollout.numbers.flatten() % len(self._kept)] = rewards
        return {}

    def rewards(self, steps: Rollout | Replayed) -> Tensor:
        """Those that were observed."""
        return self._kept[steps.numbers % len(self._kept)]

    def networks(self) -> dict[str, nn.Module]:
        """None."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """The rewards of the steps that may be asked about."""
        return {"kept": self._kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned, giving up the rollout in progress."""
        self._observed = []
        self._kept = state["kept"].clone() if "kept" in state else self._kept  # runs of 0.1.0 kept none
