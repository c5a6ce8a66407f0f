"""Behaviour cloning: the expert's actions by supervised learning. Pomerleau 1991."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gailkit.errors import DivergenceError
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution
from gailkit.types import Transitions

CloningLoss = Callable[[ActionDistribution, Tensor], Tensor]
"""The policy in B states and the expert's actions there, (B, *act), to a scalar."""

WARM_LOG_STD = -1.5  # of Box actions after a warm start: 0.22 half-widths


class CloningResult(NamedTuple):
    """How the cloning ended."""

    epochs: int
    training_loss: float  # mean -ln pi(a|s) of the parameters that are kept, on the pairs that were shown; nats
    validation_loss: float  # the same on the pairs that were held out


def negative_log_likelihood(distribution: ActionDistribution, act: Tensor) -> Tensor:
    """-mean ln pi(a|s), a scalar in nats."""
    return -distribution.log_prob(act).mean()


def negative_log_likelihood_of_means(distribution: ActionDistribution, act: Tensor) -> Tensor:
    """-mean ln pi(a|s), in which the deviations of a normal distribution count as given: they learn nothing.

    Where they depend on the state and may learn, states whose means are wrong are excused by a wide deviation, and
    their means are never learned.
    """
    decided, *deviations = distribution.parameters()
    given = (decided, *(deviation.detach() for deviation in deviations))
    return negative_log_likelihood(distribution.with_parameters(given), act)


def clone_behaviour(
    actor_critic: ActorCritic,
    expert: Transitions,
    *,
    loss: CloningLoss = negative_log_likelihood,
    learning_rate: float = 1e-3,
    batch_size: int = 128,
    validation_share: float = 0.3,
    patience: int = 50,
    max_epochs: int = 2000,
) -> CloningResult:
    """Maximise the likelihood of the expert's actions until that of the held-out pairs has stopped rising.

    The policy keeps the parameters that were best on the held-out pairs, as in Ho & Ermon 2016, section 6.

    Args:
        loss: what is minimised, of the policy in B states and the expert's actions there.
        validation_share: of the pairs, held out at random, in (0, 1); a single pair is shown and held out alike.
        patience: passes without improvement after which it stops.

    Raises:
        DivergenceError: if the likelihood is never finite.
    """
    with torch.no_grad():
        features = actor_critic.encoder(expert.obs)
    order = torch.randperm(len(expert))
    held_out = order[: max(1, round(validation_share * len(expert)))]
    shown = order[len(held_out) :] if len(held_out) < len(expert) else order
    optimizer = torch.optim.Adam(actor_critic.policy_parameters(), learning_rate, fused=True)
    best_state, best_loss, best_epoch = copy.deepcopy(actor_critic.state_dict()), float("inf"), 0
    epoch = 0
    while epoch < max_epochs and epoch - best_epoch < patience:
        epoch += 1
        for index in shown[torch.randperm(len(shown))].split(batch_size):
            optimizer.zero_grad()
            negative = loss(actor_critic.distribution(features[index]), expert.act[index])
            negative.backward()
            optimizer.step()
        with torch.no_grad():
            validation = float(loss(actor_critic.distribution(features[held_out]), expert.act[held_out]))
        if validation < best_loss:
            best_state, best_loss, best_epoch = copy.deepcopy(actor_critic.state_dict()), validation, epoch
    if epoch and not math.isfinite(best_loss):
        raise DivergenceError("behaviour cloning never reached a finite likelihood on the held-out pairs")
    actor_critic.load_state_dict(best_state)
    with torch.no_grad():
        reached = float(loss(actor_critic.distribution(features[shown]), expert.act[shown]))
    return CloningResult(epoch, reached, best_loss)


def warm_start(actor_critic: ActorCritic, expert: Transitions) -> CloningResult:
    """Behaviour cloning as a beginning for an optimiser: the clone's actions, with room to explore around them.

    A clone is certain of its actions, and policy gradients of a narrow normal distribution are huge: the deviation is
    not cloned but set to exp(WARM_LOG_STD). The statistics of the observations stay as they were when it learned,
    because it would act otherwise under others.
    """
    actor_critic.set_log_std(WARM_LOG_STD)
    result = clone_behaviour(actor_critic, expert, loss=negative_log_likelihood_of_means)
    actor_critic.encoder.freeze()
    return result
