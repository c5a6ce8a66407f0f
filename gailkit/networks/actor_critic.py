"""The policy pi(a|s; theta) and its value function."""

from collections.abc import Sequence
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Discrete
from torch import Tensor, nn

from gailkit.networks.distributions import ActionDistribution, Categorical, DiagonalGaussian
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.spaces import box_center_and_scale, encoded_size


class Critic(nn.Module):
    """V(s) in the units of the rewards, learned in units in which its targets have mean 0 and variance 1.

    When the running mean and deviation of the targets move, the last layer is corrected so that V itself does not.
    van Hasselt et al. 2016 (Pop-Art), equations 9 and 10.
    """

    mean: Tensor  # () float64
    variance: Tensor  # () float64
    updates: Tensor  # ()

    def __init__(self, inputs: int, hidden: Sequence[int], step: float = 0.1) -> None:
        """``step`` is the weight of the newest rollout's targets in the running statistics."""
        super().__init__()
        self.step = step
        self.network = mlp(inputs, 1, hidden)
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("variance", torch.ones((), dtype=torch.float64))
        self.register_buffer("updates", torch.zeros(()))

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of the targets, () float64, at least 1e-4."""
        return self.variance.clamp(min=1e-8).sqrt()

    def normalized(self, features: Tensor) -> Tensor:
        """Features (B, size) to values (B,) in normalised units, which the loss compares with normalised targets."""
        values: Tensor = self.network(features)
        return values.squeeze(-1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, size) to values V (B,) in the units of the rewards."""
        return self.normalized(features) * self.deviation.float() + self.mean.float()

    @torch.no_grad()
    def normalize_targets(self, returns: Tensor) -> Tensor:
        """Take targets of any shape into the statistics, keeping V as it is, and return them in normalised units."""
        self.updates += 1
        weight = max(self.step, 1.0 / float(self.updates))
        old_mean, old_deviation = self.mean.clone(), self.deviation
        targets = returns.double()
        shift = targets.mean() - self.mean
        self.mean.add_(weight * shift)
        self.variance.lerp_(targets.var(correction=0), weight).add_(weight * (1.0 - weight) * shift.square())
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        last.weight.mul_(old_deviation / self.deviation)
        last.bias.mul_(old_deviation).add_(old_mean - self.mean).div_(self.deviation)
        return ((targets - self.mean) / self.deviation).to(returns.dtype)


class ActorCritic(nn.Module):
    """A stochastic policy and its value function on features of one ``ObservationEncoder``.

    Discrete actions: categorical. Box actions: a diagonal Gaussian whose deviation does not depend on the state; a
    bounded dimension starts centred with a deviation of half its width times exp(``initial_log_std``).
    """

    def __init__(
        self,
        encoder: ObservationEncoder,
        action_space: Space[Any],
        hidden: Sequence[int] = (64, 64),
        initial_log_std: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.action_space = action_space
        self.policy = mlp(encoder.size, encoded_size(action_space), hidden, output_gain=0.01)
        self.critic = Critic(encoder.size, hidden)
        if not isinstance(action_space, Discrete):
            center, scale = box_center_and_scale(action_space)
            self.register_buffer("action_center", center.reshape(action_space.shape or ()), persistent=False)
            self.register_buffer("action_scale", scale.reshape(action_space.shape or ()), persistent=False)
            self.register_buffer("action_log_scale", self.action_scale.log(), persistent=False)
            self.log_std = nn.Parameter(torch.full(action_space.shape or (), initial_log_std))
        self.action_center: Tensor
        self.action_scale: Tensor
        self.action_log_scale: Tensor

    def forward(self, obs: Tensor) -> ActionDistribution:
        """Observations (B, *obs) in the environment's units to pi(.|s)."""
        return self.distribution(self.encoder(obs))

    def distribution(self, features: Tensor) -> ActionDistribution:
        """Features (B, size) to pi(.|s)."""
        outputs: Tensor = self.policy(features)
        if isinstance(self.action_space, Discrete):
            return Categorical(outputs, int(self.action_space.start))
        mean = outputs.reshape(len(outputs), *self.log_std.shape)
        return DiagonalGaussian(self.action_center + self.action_scale * mean, self.log_std + self.action_log_scale)

    def policy_parameters(self) -> list[nn.Parameter]:
        """What the policy is made of: the network and, for Box actions, the log standard deviations."""
        own = [self.log_std] if not isinstance(self.action_space, Discrete) else []
        return [*self.policy.parameters(), *own]
