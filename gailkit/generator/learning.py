"""What every optimiser learns from: a rollout with its advantages, whole or in minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from gailkit.functional.policy_gradient import importance_weighted, standardized
from gailkit.functional.returns import Values, explained_variance, generalized_advantages
from gailkit.memory import blocks
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution, joined
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.recurrent import Features, Sequences, alone
from gailkit.ranks.merging import averaged
from gailkit.types import Rollout

CHUNK = 2**21  # numbers of observations that a network sees at a time


@dataclass(frozen=True)
class Batch:
    """B = T * N steps of the policy that acted, or some of them."""

    held: Tensor  # (B, ...), what ``ObservationEncoder.held`` makes of the observations
    act: Tensor  # (B, *act)
    log_prob: Tensor  # (B,), of act under the policy that acted
    advantages: Tensor  # (B,), ``standardized`` over the rollout
    targets: Tensor  # (B,), of the value function, in its normalised units
    old: ActionDistribution  # of the policy that acted, in the B states
    encoder: ObservationEncoder
    runs: Runs | None = None  # of a policy with memory, of which the steps consist, one behind the other

    @cached_property
    def features(self) -> Features:
        """(B, size); of pictures not to be asked for of a whole rollout, see ``policy_now``."""
        features = self.encoder.features(self.held)
        return features if self.runs is None else Sequences(features, self.runs.lengths, self.runs.states)

    def chunks(self) -> Iterator[Batch]:
        """All steps in their order, of pictures as many at a time as CHUNK numbers hold."""
        if not self.encoder.pictures:
            yield self
        elif self.runs is None:
            for chunk in blocks(len(self), self.encoder.size, CHUNK):
                yield self.take(chunk)
        else:
            for chunk in blocks(len(self.runs), self.encoder.size * int(self.runs.lengths.max()), CHUNK):
                yield self.take_runs(torch.arange(chunk.start, chunk.stop, device=self.device))

    def share(self, stride: int) -> Batch:
        """One in ``stride`` of the steps at random, or of the runs of steps."""
        whole = self.parts
        chosen = torch.randperm(whole, device=self.device)[: -(-whole // stride)]
        return self.take(chosen) if self.runs is None else self.take_runs(chosen)

    def minibatches(self, size: int) -> Iterator[Batch]:
        """One epoch over the steps in random order, about ``size`` at a time; of runs as many as have so many."""
        if self.runs is None:
            shuffled = self.take(torch.randperm(len(self), device=self.device))
            for start in range(0, len(self), size):
                yield shuffled.take(slice(start, start + size))
            return
        for chosen in torch.randperm(self.parts, device=self.device).tensor_split(
            min(-(-len(self) // size), self.parts)
        ):
            yield self.take_runs(chosen)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.targets.device

    @property
    def parts(self) -> int:
        """How many there are that are drawn: B steps, or the runs of a policy with memory."""
        return len(self) if self.runs is None else len(self.runs)

    def __len__(self) -> int:
        return len(self.targets)

    def take_runs(self, index: Tensor) -> Batch:
        """The steps of the runs at ``index`` (K,) int64, in that order."""
        assert self.runs is not None
        return replace(self.take(self.runs.rows(index)), runs=self.runs.take(index))

    def take(self, index: Tensor | slice) -> Batch:
        """The steps at ``index`` (K,) int64, or of a slice."""
        return Batch(
            self.held[index],
            self.act[index],
            self.log_prob[index],
            self.advantages[index],
            self.targets[index],
            self.old[index],
            self.encoder,
        )


@dataclass(frozen=True)
class Runs:
    """S runs of steps, each within one episode, one behind the other."""

    lengths: Tensor  # (S,) int64
    states: Tensor  # (S, M), what was remembered before the first step of each

    @classmethod
    def cut(cls, lengths: Tensor, before: Tensor, longest: int) -> Runs:
        """Runs of these ``lengths``, cut into such of ``longest`` steps; ``before`` (B, M) is remembered before each
        step."""
        pieces = [min(longest, length - k) for length in lengths.tolist() for k in range(0, length, longest)]
        cut = torch.tensor(pieces, device=before.device)
        return cls(cut, before[cut.cumsum(0) - cut])

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, index: Tensor) -> Runs:
        """Those at ``index`` (K,) int64."""
        return Runs(self.lengths[index], self.states[index])

    def rows(self, index: Tensor) -> Tensor:
        """The numbers (B',) int64 of the steps of the runs at ``index`` (K,) int64, in that order."""
        firsts, lengths = (self.lengths.cumsum(0) - self.lengths)[index], self.lengths[index]
        starts = lengths.cumsum(0) - lengths
        return torch.arange(int(lengths.sum()), device=lengths.device) + (firsts - starts).repeat_interleave(lengths)


@torch.no_grad()
def policy_now(actor_critic: ActorCritic, batch: Batch) -> ActionDistribution:
    """pi in the states of ``batch`` as it is now, without gradient."""
    found = [actor_critic.distribution(chunk.features) for chunk in batch.chunks()]
    return found[0] if len(found) == 1 else joined(found)


@torch.no_grad()
def learning_batch(
    actor_critic: ActorCritic,
    rollout: Rollout,
    rewards: Tensor,
    gamma: float,
    lam: float,
    least_deviation: float = 0.0,
) -> tuple[Batch, float]:
    """A rollout with rewards (T, N) as one Batch, and how much of the returns' variance the values explained.

    The critic takes the returns into the statistics of its targets.
    """
    encoder, act = actor_critic.encoder, rollout.act.flatten(0, 1)
    held = encoder.held(rollout.obs.flatten(0, 1))
    along = None if actor_critic.memory is None else _remembered_along(actor_critic, rollout, held)
    before, after = (None, None) if along is None else (along.before, along.after)
    here, policy = _looked_at(actor_critic, held, before)
    values = Values(here.reshape(rollout.shape), _values_after(actor_critic, rollout, after))
    estimates = generalized_advantages(rollout, values, rewards, gamma, lam)
    batch = Batch(
        held,
        act,
        policy.log_prob(act),
        standardized(estimates.advantages, least_deviation).flatten(),
        actor_critic.critic.normalize_targets(estimates.returns).flatten(),
        policy.detach(),
        encoder,
    )
    if along is not None and actor_critic.memory is not None:
        runs = Runs.cut(along.lengths, along.before[along.order], actor_critic.memory.length)
        batch = replace(batch.take(along.order), runs=runs)
    return batch, explained_variance(values.here, estimates.returns)


class _Along(NamedTuple):
    """What is remembered in the course of a rollout."""

    before: Tensor  # (B, M), before each of its B = T * N steps in their order
    after: Tensor  # (B, M), and after it
    order: Tensor  # (B,) int64, of these steps, by which runs of one episode lie together
    lengths: Tensor  # (S,) int64, of these runs


def _remembered_along(actor_critic: ActorCritic, rollout: Rollout, held: Tensor) -> _Along:
    """By the networks as they are."""
    assert rollout.states is not None
    num_steps, num_envs = rollout.shape
    held, states = held.reshape(*rollout.shape, *held.shape[1:]), rollout.states
    before, after = [], []
    for step, begins in zip(held, rollout.begins, strict=True):
        before.append(torch.where(begins[:, None], 0.0, states))
        states = actor_critic.remembered(actor_critic.encoder.features(step), before[-1])
        after.append(states)
    order = torch.arange(num_steps * num_envs, device=held.device).reshape(rollout.shape).T.flatten()
    firsts = torch.cat([torch.ones_like(rollout.begins[:1]), rollout.begins[1:]]).T.flatten().nonzero().squeeze(1)
    lengths = torch.cat([firsts, torch.tensor([len(order)], device=order.device)]).diff()
    return _Along(torch.cat(before), torch.cat(after), order, lengths)


def _looked_at(actor_critic: ActorCritic, held: Tensor, before: Tensor | None) -> tuple[Tensor, ActionDistribution]:
    """Values (B,) and policy in B states, of pictures a chunk at a time; with a memory by what is known ``before``."""
    encoder = actor_critic.encoder
    if not encoder.pictures:
        features = alone(held, before)
        return actor_critic.critic(features), actor_critic.distribution(features)
    values, policies = [], []
    for chunk in blocks(len(held), encoder.size, CHUNK):
        features = alone(encoder.features(held[chunk]), None if before is None else before[chunk])
        values.append(actor_critic.critic(features))
        policies.append(actor_critic.distribution(features))
    return torch.cat(values), joined(policies)


def _values_after(actor_critic: ActorCritic, rollout: Rollout, after: Tensor | None) -> Tensor:
    """V of the true successors, (T, N), of which a chunk at a time is encoded; with what is remembered ``after``
    each step."""
    successors, encoder = rollout.next_obs.flatten(0, 1), actor_critic.encoder
    found = [
        actor_critic.critic(alone(encoder(successors[chunk]), None if after is None else after[chunk]))
        for chunk in blocks(len(successors), successors[:1].numel(), CHUNK)
    ]
    return torch.cat(found).reshape(rollout.shape)


def with_entropy(objective: Tensor, distribution: ActionDistribution, weight: float) -> Tensor:
    """objective + c mean H(pi(.|s)), a scalar; the entropy is not computed where its weight c is 0."""
    return objective + weight * distribution.entropy().mean() if weight > 0 else objective


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the next steps of ``optimizer`` be taken at ``rate``."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def value_loss(actor_critic: ActorCritic, batch: Batch) -> Tensor:
    """1/2 mean (V - target)^2 in normalised units."""
    return (actor_critic.critic.normalized(batch.features) - batch.targets).square().mean() / 2


@torch.no_grad()
def describe_update(actor_critic: ActorCritic, batch: Batch) -> dict[str, float]:
    """Where an update has led, over the whole rollout, of all ranks: what every optimiser reports, in the same terms.

    ``surrogate`` is mean r A, 0 before the update; ``kl`` the mean exact KL(old, new) in nats.
    """
    new = policy_now(actor_critic, batch)
    losses = [value_loss(actor_critic, chunk) * (len(chunk) / len(batch)) for chunk in batch.chunks()]
    told = {
        "surrogate": importance_weighted(new.log_prob(batch.act), batch.log_prob, batch.advantages),
        "kl": batch.old.kl(new).mean(),
        "entropy": new.entropy().mean(),
        "value_loss": torch.stack(losses).sum(),
    }
    return dict(zip(told, averaged(torch.stack(list(told.values()))).tolist(), strict=True))
