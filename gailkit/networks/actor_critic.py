"""The policy pi(a|s; theta) and its value function."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Discrete
from torch import Tensor, nn

from gailkit.networks.convolutions import seeing
from gailkit.networks.distributions import ActionDistribution, Categorical, DiagonalGaussian, TanhGaussian
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.heads import (
    EPSILON,
    bounded_log_std,
    check_head,
    greedy_logits,
    number_columns,
    unbounded_log_std,
)
from gailkit.networks.mlp import NetworkFactory, ending_in_linear, mlp
from gailkit.networks.products import Bits, Choices, Product
from gailkit.networks.recurrent import Features, Memory, Recurrent, remembering
from gailkit.ranks.merging import moments
from gailkit.spaces import Flat, box_center_and_scale, encoded_size


class Critic(nn.Module):
    """V(s) in the units of the rewards, learned in units in which its targets have mean 0 and variance 1.

    When the running mean and deviation of the targets move, the last layer is corrected so that V itself does not.
    van Hasselt et al. 2016 (Pop-Art), equations 9 and 10.
    """

    mean: Tensor  # () float64
    variance: Tensor  # () float64
    updates: Tensor  # ()

    def __init__(self, inputs: int, hidden: Sequence[int], step: float = 0.1, network: NetworkFactory = mlp) -> None:
        """``step`` is the weight of the newest rollout's targets in the running statistics."""
        super().__init__()
        self.step = step
        self.network = ending_in_linear(network(inputs, 1, hidden=hidden), 1)
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("variance", torch.ones((), dtype=torch.float64))
        self.register_buffer("updates", torch.zeros(()))

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of the targets, () float64, at least 1e-4."""
        return self.variance.clamp(min=1e-8).sqrt()

    def normalized(self, features: Features) -> Tensor:
        """Features (B, size) to values (B,) in normalised units, which the loss compares with normalised targets."""
        values: Tensor = self.network(features)
        return values.squeeze(-1)

    def forward(self, features: Features) -> Tensor:
        """Features (B, size) to values V (B,) in the units of the rewards."""
        return self.normalized(features) * self.deviation.float() + self.mean.float()

    @torch.no_grad()
    def normalize_targets(self, returns: Tensor) -> Tensor:
        """Take targets of any shape into the statistics, keeping V as it is, and return them in normalised units.

        The statistics are of the targets of all ranks.
        """
        self.updates += 1
        weight = max(self.step, 1.0 / float(self.updates))
        old_mean, old_deviation = self.mean.clone(), self.deviation
        targets = returns.double()
        _, mean, variance = moments(targets)
        shift = mean - self.mean
        self.mean.add_(weight * shift)
        self.variance.lerp_(variance, weight).add_(weight * (1.0 - weight) * shift.square())
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        last.weight.mul_(old_deviation / self.deviation)
        last.bias.mul_(old_deviation).add_(old_mean - self.mean).div_(self.deviation)
        return ((targets - self.mean) / self.deviation).to(returns.dtype)


class ActorCritic(nn.Module):
    """A stochastic policy and its value function on features of one ``ObservationEncoder``.

    Discrete actions: categorical, by the softmax of what the policy network says, or with ``head`` "greedy" the one of
    the largest action value with probability 1 - EPSILON and else any. Box actions: a diagonal Gaussian, clipped where
    it is executed, or with ``bounds`` "tanh" squashed into the Box. Its log deviation starts at ``initial_log_std`` in
    every state: one parameter a dimension that no state changes, or with ``std`` "state" an output of the policy
    network within LOG_STD_RANGE. The unit is half the width of a bounded dimension or, squashed, that of x before the
    tanh, where a deviation of 1 is within 0.03 nats of uniform over the Box. Actions of several parts, which are flat:
    all of these side by side, and bits, independent of one another in a state. ``network`` makes the networks of policy
    and value function, each from the features to its own outputs; without one they are ``mlp``, and the policy's
    begins near 0. With a ``memory`` both have one each, whose states lie side by side: what takes features here then
    takes runs of them, ``Sequences``.

    Raises:
        InputError: for another ``std`` or ``bounds``, one that Discrete actions or this Box cannot have, or an
            ``initial_log_std`` outside the range.
    """

    def __init__(
        self,
        encoder: ObservationEncoder,
        action_space: Space[Any],
        hidden: Sequence[int] = (64, 64),
        initial_log_std: float = 0.0,
        std: str = "free",
        bounds: str = "clip",
        network: NetworkFactory | None = None,
        head: str = "softmax",
        memory: Memory | None = None,
    ) -> None:
        super().__init__()
        check_head(action_space, initial_log_std, std, bounds)
        self.memory = memory
        self.head = head
        self.encoder = encoder
        self.action_space = action_space
        self.std, self.bounds, self.initial_log_std = std, bounds, initial_log_std
        size, numbers = encoded_size(action_space), _columns(number_columns(action_space))
        outputs = size if std == "free" else size + len(numbers)
        make = self._perceiving(partial(mlp, output_gain=0.01) if network is None else network, 0)
        policy = make(encoder.size, outputs, hidden=hidden)
        self.policy = policy if std == "free" else ending_in_linear(policy, outputs)
        self.critic = Critic(encoder.size, hidden, network=self._perceiving(network or mlp, 1))
        if len(numbers):
            shape = (len(numbers),) if isinstance(action_space, Flat) else action_space.shape or ()
            center, scale = (each[numbers].reshape(shape) for each in box_center_and_scale(action_space))
            self.register_buffer("action_center", center, persistent=False)
            self.register_buffer("action_scale", scale, persistent=False)
            self.register_buffer("action_log_scale", self.action_scale.log(), persistent=False)
            if std == "free":
                self.log_std = nn.Parameter(torch.full(shape, float(initial_log_std)))
            else:
                self._silence(size)
        self.register_buffer("numbers", numbers, persistent=False)
        self.numbers: Tensor  # (K,) int64, columns of the outputs that are means
        marks = _marked_columns(action_space)
        self.register_buffer("choices", marks[0], persistent=False)
        self.register_buffer("bits", marks[1], persistent=False)
        self.choices: Tensor  # (K,) int64, columns of the outputs that are logits of sets,
        self.bits: Tensor  # and of bits
        self.action_center: Tensor
        self.action_scale: Tensor
        self.action_log_scale: Tensor

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.critic.mean.device

    def forward(self, obs: Tensor) -> ActionDistribution:
        """Observations (B, *obs) in the environment's units to pi(.|s)."""
        return self.distribution(self.encoder(obs))

    def distribution(self, features: Features) -> ActionDistribution:
        """Features (B, size) to pi(.|s)."""
        return self.distribution_of(self.policy(features))

    @property
    def state_size(self) -> int:
        """M: the numbers that are remembered of an episode, those of the policy first; 0 without a memory."""
        return sum(each.cell.state_size for each in self._memories())

    @property
    def policy_state_size(self) -> int:
        """How many of them are the policy's."""
        return self._memories()[0].cell.state_size if self.memory is not None else 0

    def remembered_by_policy(self, features: Tensor, states: Tensor) -> Tensor:
        """As ``remembered``, of the policy alone, (N, M')."""
        own = self._memories()[0]
        return own.step(own.sight(features), states)

    def remembered(self, features: Tensor, states: Tensor) -> Tensor:
        """What is remembered (N, M) after features (N, size), with ``states`` (N, M) before them."""
        return torch.cat([each.step(each.sight(features), states) for each in self._memories()], -1)

    def follow(self, features: Tensor, states: Tensor) -> tuple[ActionDistribution, Tensor]:
        """pi(.|s) for features (N, size) with states (N, M) before them, and the policy's own states (N, M') after."""
        assert isinstance(self.policy, nn.Sequential)
        first, *layers = self.policy
        assert isinstance(first, Recurrent)
        seen = first.sight(features)
        after = first.step(seen, states)
        outputs = first.shown(seen, after)
        for layer in layers:
            outputs = layer(outputs)
        return self.distribution_of(outputs), after

    def _memories(self) -> list[Recurrent]:
        """Of the policy and of the value function."""
        networks = (self.policy, self.critic.network)
        firsts = [each[0] for each in networks if isinstance(each, nn.Sequential) and len(each)]
        return [first for first in firsts if isinstance(first, Recurrent)]

    def _perceiving(self, network: NetworkFactory, place: int) -> Callable[..., nn.Module]:
        """A factory of networks that see pictures and, with a memory, remember."""
        if self.memory is None:
            return seeing(self.encoder, network)
        return remembering(self.encoder, network, self.memory, place)

    def distribution_of(self, outputs: Tensor) -> ActionDistribution:
        """What the outputs (B, ...) of a network like the policy's stand for."""
        if isinstance(self.action_space, Discrete):
            logits = outputs if self.head == "softmax" else greedy_logits(outputs, EPSILON)
            return Categorical(logits, int(self.action_space.start))
        return self._product(self.action_space, outputs) if isinstance(self.action_space, Flat) else self._box(outputs)

    def _product(self, space: Flat, outputs: Tensor) -> ActionDistribution:
        """A distribution for each kind of columns that actions of several parts have."""
        parts: list[tuple[ActionDistribution, Tensor]] = []
        if space.sets:
            sizes = tuple(each.stop - each.start for each in space.sets)
            parts.append((Choices(outputs[:, self.choices], sizes), self.choices))
        if len(space.bits):
            parts.append((Bits(outputs[:, self.bits]), self.bits))
        if len(self.numbers):
            parts.append((self._box(outputs), self.numbers))
        return parts[0][0] if len(parts) == 1 else Product(*map(tuple, zip(*parts, strict=True)))

    def _box(self, outputs: Tensor) -> ActionDistribution:
        """A normal distribution of numbers, squashed or not."""
        mean, log_std = self._mean_and_log_std(outputs)
        if self.bounds == "tanh":
            return TanhGaussian(DiagonalGaussian(mean, log_std), self.action_center, self.action_scale)
        return DiagonalGaussian(self.action_center + self.action_scale * mean, log_std + self.action_log_scale)

    def extra_repr(self) -> str:
        """What its modules do not show."""
        head = "" if self.head == "softmax" else f", head={self.head!r}"
        memory = "" if self.memory is None else f", memory={self.memory}"
        return f"std={self.std!r}, bounds={self.bounds!r}{head}{memory}"

    def policy_parameters(self) -> list[nn.Parameter]:
        """What the policy is made of: the network and, for numbers with "free" deviations, their logarithms."""
        free = len(self.numbers) > 0 and self.std == "free"
        return [*self.policy.parameters(), *([self.log_std] if free else [])]

    @torch.no_grad()
    def set_log_std(self, log_std: Tensor | float) -> None:
        """Let the deviation of Box actions be exp(``log_std``), one number or (*act), in every state.

        In the units of ``initial_log_std``. Actions without numbers have none; of flat ones (*act) is their numbers.
        """
        if not len(self.numbers):
            return
        wanted = torch.as_tensor(log_std, device=self.device).expand(self.action_center.shape)
        if self.std == "free":
            self.log_std.copy_(wanted)
            return
        last = self._last_layer()
        size = encoded_size(self.action_space)
        last.weight[size:] = 0.0
        last.bias[size:] = unbounded_log_std(wanted.flatten(), self.initial_log_std)

    def _last_layer(self) -> nn.Linear:
        """Of the policy, where its deviations depend on the state."""
        assert isinstance(self.policy, nn.Sequential)
        last = self.policy[-1]
        assert isinstance(last, nn.Linear)
        return last

    def _silence(self, first: int) -> None:
        """Let every output from ``first`` on start at exactly 0 in every state."""
        nn.init.zeros_(self._last_layer().weight[first:])

    def _mean_and_log_std(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs to means (B, *act) and log deviations, (*act) where free and (B, *act) else, without units yet."""
        shape, size = (outputs.shape[0], *self.action_center.shape), encoded_size(self.action_space)
        means, spread = outputs[:, :size], outputs[:, size:]
        if isinstance(self.action_space, Flat):
            means = means[:, self.numbers]
        if self.std == "free":
            return means.reshape(shape), self.log_std
        return means.reshape(shape), bounded_log_std(spread.reshape(shape), self.initial_log_std)


def _marked_columns(space: Space[Any]) -> tuple[Tensor, Tensor]:
    """Columns (K,) int64 of flat actions that are numbers out of sets, and that are bits."""
    if not isinstance(space, Flat):
        return torch.arange(0), torch.arange(0)
    sets = [torch.arange(each.start, each.stop) for each in space.sets]
    return torch.cat([torch.arange(0), *sets]), _columns(space.bits)


def _columns(numbers: np.ndarray) -> Tensor:
    """``numbers`` (K,) as int64. Not the array itself: an empty one has stride 0, which torch cannot export."""
    return torch.tensor(numbers.tolist(), dtype=torch.int64)
