"""Behaviour cloning: the expert's actions by supervised learning. Pomerleau 1991."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gailkit.errors import DivergenceError, InputError
from gailkit.generator.cloners import Cloner, CloningLoss, OnCloning, cloner_of
from gailkit.generator.cloning_worth import worth_of_clone
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution
from gailkit.types import Pairs

ROUGH_LOG_STD = -1.5  # of Box actions while their means are cloned for a warm start: 0.22 half-widths
LEAST_GAIN = 0.1  # nats, of a clone that is of use: clones of some dozens of random actions gain up to 0.06 by luck
RATE, PICTURED_RATE = 1e-3, 3e-4  # at the former convolutions may go out for good
MOST_UPDATES = 20_000  # of the first part of cloning
MOST_PICTURES = 100_000  # that are looked at in it, where observations are pictures
LONGER = 1.5  # epochs of the second part beside the best number of the first


class CloningResult(NamedTuple):
    """How the cloning ended."""

    epochs: int  # epochs of the first part
    training_loss: float  # the loss of the policy as it is now, on all pairs; nats for a likelihood
    validation_loss: float  # the least on the held-out pairs, while the others were learned from
    gain: float  # see ``worth_of_clone``
    deviation: Tensor | None  # likewise


class WarmStart(NamedTuple):
    """What a clone of the demonstrations is worth to begin with."""

    cloning: CloningResult
    used: bool  # whether the policy is the clone now

    def record(self) -> dict[str, Any]:
        """All of it, in plain values and tensors."""
        return {"cloning": self.cloning._asdict(), "used": self.used}

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> WarmStart:
        """What ``record`` tells of. Raises ValueError or TypeError for what is no record."""
        cloning = CloningResult(**record["cloning"])
        numbers = all(isinstance(value, int | float) for value in cloning[:4])
        if not numbers or not isinstance(cloning.deviation, Tensor | None):
            raise ValueError(f"a clone is told of by {cloning}")
        return cls(cloning, bool(record["used"]))


def negative_log_likelihood(distribution: ActionDistribution, act: Tensor) -> Tensor:
    """-mean ln pi(a|s), a scalar in nats."""
    return -distribution.log_prob(act).mean()


def negative_log_likelihood_of_means(distribution: ActionDistribution, act: Tensor) -> Tensor:
    """-mean ln pi(a|s), in which the deviations of a normal distribution count as given: they learn nothing.

    Where they depend on the state and may learn, states whose means are wrong are excused by a wide deviation, and
    their means are never learned.
    """
    return negative_log_likelihood(distribution.with_deviations_given(), act)


def clone_behaviour(
    actor_critic: ActorCritic,
    expert: Pairs,
    *,
    loss: CloningLoss = negative_log_likelihood,
    learning_rate: float | None = None,
    batch_size: int = 128,
    validation_share: float = 0.3,
    patience: int = 50,
    max_epochs: int = 2000,
    image_shift: float = 0.05,
    on_cloning: OnCloning | None = None,
) -> CloningResult:
    """Maximise the likelihood of the expert's actions, for as long as that of held-out pairs says.

    First the held-out pairs tell how many epochs are best, as in Ho & Ermon 2016, section 6. Then the policy learns
    from all pairs, for half as many epochs more, since the learning rate falls to 0 in the course of them: its actions
    in states it has not seen are off by 5 to 23 % less than those of the best policy of the first part (six clones in
    Pendulum, HalfCheetah and Hopper; 7 % in the median).

    Args:
        loss: what is minimised, a mean over B states, of the policy in them and the expert's actions there.
        learning_rate: Adam's; RATE when None, or PICTURED_RATE where pictures are seen.
        validation_share: of the pairs, held out at random, in (0, 1); a single pair is shown and held out alike.
        patience: epochs without improvement after which the first part stops; more where these take few steps, with a
            memory.
        max_epochs: epochs of the first part at most, and no more than take MOST_UPDATES, or MOST_PICTURES.
        image_shift: the share of their side by which pictures move at random before they are learned from, so that
            few are not learned by heart.
        on_cloning: is told how far it is.

    Raises:
        InputError: if the pairs hold no actions.
        DivergenceError: if the likelihood is never finite.
    """
    if not expert.actions_at(torch.zeros(1, dtype=torch.int64, device=actor_critic.device)).numel():
        raise InputError(
            "there are no actions to clone; gailkit train imitates states by --discriminator-kind next-state"
        )
    order = torch.randperm(len(expert), device=actor_critic.device)
    held_out = order[: max(1, round(validation_share * len(expert)))]
    shown = order[len(held_out) :] if len(held_out) < len(expert) else order
    if learning_rate is None:
        learning_rate = PICTURED_RATE if actor_critic.encoder.pictures else RATE
    cloner = cloner_of(actor_critic, expert, loss, learning_rate, batch_size, image_shift, on_cloning)
    start = copy.deepcopy(actor_critic.state_dict())
    most = min(max_epochs, max(1, MOST_UPDATES // cloner.updates(len(shown))))
    if actor_critic.encoder.pictures:
        most = min(most, max(1, MOST_PICTURES // len(shown)))
    cloner.at_most = most * len(shown) + math.ceil(LONGER * most) * len(expert)
    best = _best_of_first_part(cloner, shown, held_out, most, cloner.patience(patience, len(shown)))
    actor_critic.load_state_dict(best.state)
    worth = worth_of_clone(actor_critic, expert, shown, held_out, cloner.policy_on)
    before = cloner.loss_on(order)
    if not best.of:
        return CloningResult(0, before, best.loss, *worth)
    actor_critic.load_state_dict(start)
    epochs = math.ceil(LONGER * best.epoch)
    cloner.at_most = cloner.learned + epochs * len(expert)
    cloner.learn_from_all(epochs)
    after = cloner.loss_on(order)
    if not after <= before:  # it knows less than what learned from a part of them, or nothing, as rectifiers may go out
        actor_critic.load_state_dict(best.state)
        after = before
    return CloningResult(best.of, after, best.loss, *worth)


class _Best(NamedTuple):
    """The policy that knew held-out pairs best."""

    state: dict[str, Any]
    loss: float  # on them
    epoch: int  # after which it did
    of: int  # epochs in all


def _best_of_first_part(cloner: Cloner, shown: Tensor, held_out: Tensor, most: int, patience: int) -> _Best:
    """Learn from the pairs ``shown`` (S,) int64 for as long as those ``held_out`` (H,) say, ``most`` epochs at most.

    Raises DivergenceError if the likelihood is never finite.
    """
    state = cloner.actor_critic.state_dict
    best, best_loss, best_epoch, epoch = copy.deepcopy(state()), math.inf, 0, 0
    while epoch < most and epoch - best_epoch < patience:
        epoch += 1
        cloner.one_epoch(shown)
        validation = cloner.loss_on(held_out)
        if validation < best_loss:
            best, best_loss, best_epoch = copy.deepcopy(state()), validation, epoch
    if epoch and not math.isfinite(best_loss):
        raise DivergenceError("behaviour cloning never reached a finite likelihood on the held-out pairs")
    return _Best(best, best_loss, best_epoch, epoch)


def warm_start(
    actor_critic: ActorCritic, expert: Pairs, image_shift: float = 0.05, on_cloning: OnCloning | None = None
) -> WarmStart:
    """Make the policy a clone of the expert, with room to explore, if the clone knows what the expert does.

    It does where it predicts held-out actions better, by LEAST_GAIN, than a policy that acts alike in all states, or is
    nearly certain of them, as of an expert's who always does the same. Else the demonstrations are too few or too poor
    to clone: the policy stays as it was.

    A clone is certain of the actions that it has seen, and what it has not seen says how wrong it is: each component
    of Box actions begins with the deviation of held-out actions from the clone's. The statistics of the observations
    stay as they were when it learned, because it would act otherwise under others. ``image_shift`` and
    ``on_cloning`` are those of ``clone_behaviour``.
    """
    before = copy.deepcopy(actor_critic.state_dict())
    if actor_critic.head == "greedy":  # action values are no likelihoods
        return WarmStart(CloningResult(0, math.inf, math.inf, 0.0, None), used=False)
    actor_critic.set_log_std(ROUGH_LOG_STD)
    try:
        cloning = clone_behaviour(
            actor_critic,
            expert,
            loss=negative_log_likelihood_of_means,
            image_shift=image_shift,
            on_cloning=on_cloning,
        )
    except DivergenceError:
        actor_critic.load_state_dict(before)
        return WarmStart(CloningResult(0, math.inf, math.inf, 0.0, None), used=False)
    if cloning.gain < LEAST_GAIN and not _is_certain(cloning):
        actor_critic.load_state_dict(before)
        return WarmStart(cloning, used=False)
    if cloning.deviation is not None:
        actor_critic.set_log_std(cloning.deviation.log())
    actor_critic.encoder.freeze()
    return WarmStart(cloning, used=True)


def _is_certain(cloning: CloningResult) -> bool:
    """Whether held-out actions are known to within LEAST_GAIN nats, or so many half-widths of a Box."""
    if cloning.deviation is None:
        return cloning.validation_loss < LEAST_GAIN
    return bool((cloning.deviation < LEAST_GAIN).all())
