"""What every optimiser learns from: a rollout with its advantages, whole or in minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gailkit.functional.policy_gradient import importance_weighted, standardized
from gailkit.functional.returns import Values, explained_variance, generalized_advantages
from gailkit.memory import blocks
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution, joined
from gailkit.networks.encoders import ObservationEncoder
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

    @cached_property
    def features(self) -> Tensor:
        """(B, size); of pictures not to be asked for of a whole rollout, see ``policy_now``."""
        return self.encoder.features(self.held)

    def chunks(self) -> Iterator[Batch]:
        """All steps in their order, of pictures as many at a time as CHUNK numbers hold."""
        if not self.encoder.pictures:
            yield self
            return
        for chunk in blocks(len(self), self.encoder.size, CHUNK):
            yield self.take(chunk)

    def __len__(self) -> int:
        return len(self.targets)

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
    here, policy = _looked_at(actor_critic, held)
    values = Values(here.reshape(rollout.shape), _values_after(actor_critic, rollout))
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
    return batch, explained_variance(values.here, estimates.returns)


def _looked_at(actor_critic: ActorCritic, held: Tensor) -> tuple[Tensor, ActionDistribution]:
    """Values (B,) and policy in B states, of pictures a chunk at a time."""
    encoder = actor_critic.encoder
    if not encoder.pictures:
        return actor_critic.critic(held), actor_critic.distribution(held)
    values, policies = [], []
    for chunk in blocks(len(held), encoder.size, CHUNK):
        features = encoder.features(held[chunk])
        values.append(actor_critic.critic(features))
        policies.append(actor_critic.distribution(features))
    return torch.cat(values), joined(policies)


def _values_after(actor_critic: ActorCritic, rollout: Rollout) -> Tensor:
    """V of the true successors, (T, N), of which a chunk at a time is encoded."""
    successors = rollout.next_obs.flatten(0, 1)
    chunks = blocks(len(successors), successors[:1].numel(), CHUNK)
    found = [actor_critic.critic(actor_critic.encoder(successors[chunk])) for chunk in chunks]
    return torch.cat(found).reshape(rollout.shape)


def minibatches(batch: Batch, size: int) -> Iterator[Batch]:
    """One epoch over the steps in random order, ``size`` at a time; the last minibatch may be smaller."""
    shuffled = batch.take(torch.randperm(len(batch)))
    for start in range(0, len(batch), size):
        yield shuffled.take(slice(start, start + size))


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
