"""Behaviour cloning: the expert's actions by supervised learning. Pomerleau 1991."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.errors import DivergenceError
from gailkit.functional.schedules import linear
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution
from gailkit.types import Transitions

CloningLoss = Callable[[ActionDistribution, Tensor], Tensor]
"""The policy in B states and the expert's actions there, (B, *act), to a scalar."""

ROUGH_LOG_STD = -1.5  # of Box actions while their means are cloned for a warm start: 0.22 half-widths
DEVIATIONS = (0.01, 1.0)  # of Box actions after it, in half-widths: never certain, and no wider than the Box
LEAST_GAIN = 0.1  # nats, of a clone that is of use: clones of some dozens of random actions gain up to 0.06 by luck
MOST_UPDATES = 20_000  # of the first part of cloning
LONGER = 1.5  # passes of the second part beside the best number of the first


class CloningResult(NamedTuple):
    """How the cloning ended."""

    epochs: int  # passes of the first part
    training_loss: float  # the loss of the policy as it is now, on all pairs; nats for a likelihood
    validation_loss: float  # the least on the held-out pairs, while the others were learned from
    gain: float  # nats, a component of Box actions, by which it knew held-out actions better than their frequencies do
    deviation: Tensor | None  # (*act) of Box actions that were held out from its own, half-widths, within DEVIATIONS


class WarmStart(NamedTuple):
    """What a clone of the demonstrations is worth to begin with."""

    cloning: CloningResult
    used: bool  # whether the policy is the clone now

    def record(self) -> dict[str, Any]:
        """All of it, in plain values and tensors."""
        return {"cloning": self.cloning._asdict(), "used": self.used}

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> WarmStart:
        """What ``record`` tells of."""
        return cls(CloningResult(**record["cloning"]), bool(record["used"]))


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
    """Maximise the likelihood of the expert's actions, for as long as that of held-out pairs says.

    First the held-out pairs tell how many passes are best, as in Ho & Ermon 2016, section 6. Then the policy learns
    from all pairs, for half as many passes more, since the learning rate falls to 0 in the course of them: its actions
    in states it has not seen are off by 5 to 23 % less than those of the best policy of the first part (six clones in
    Pendulum, HalfCheetah and Hopper; 7 % in the median).

    Args:
        loss: what is minimised, of the policy in B states and the expert's actions there.
        validation_share: of the pairs, held out at random, in (0, 1); a single pair is shown and held out alike.
        patience: passes without improvement after which the first part stops.
        max_epochs: passes of the first part at most, and no more than take MOST_UPDATES.

    Raises:
        DivergenceError: if the likelihood is never finite.
    """
    order = torch.randperm(len(expert))
    held_out = order[: max(1, round(validation_share * len(expert)))]
    shown = order[len(held_out) :] if len(held_out) < len(expert) else order
    cloner = _Cloner(actor_critic, expert, loss, learning_rate, batch_size)
    start, best_state, best_loss, best_epoch, epoch = cloner.state(), cloner.state(), math.inf, 0, 0
    most = min(max_epochs, max(1, MOST_UPDATES // -(-len(shown) // batch_size)))
    while epoch < most and epoch - best_epoch < patience:
        epoch += 1
        cloner.one_pass(shown)
        validation = cloner.loss_on(held_out)
        if validation < best_loss:
            best_state, best_loss, best_epoch = cloner.state(), validation, epoch
    if epoch and not math.isfinite(best_loss):
        raise DivergenceError("behaviour cloning never reached a finite likelihood on the held-out pairs")
    actor_critic.load_state_dict(best_state)
    worth = _worth(actor_critic, expert, shown, held_out)
    if epoch:
        actor_critic.load_state_dict(start)
        cloner.learn_from_all(math.ceil(LONGER * best_epoch))
    return CloningResult(epoch, cloner.loss_on(order), best_loss, *worth)


class _Cloner:
    """Passes of Adam over pairs of the expert's."""

    def __init__(
        self, actor_critic: ActorCritic, expert: Transitions, loss: CloningLoss, learning_rate: float, batch_size: int
    ) -> None:
        self.actor_critic, self.loss = actor_critic, loss
        self.learning_rate, self.batch_size = learning_rate, batch_size
        self.act = expert.act
        with torch.no_grad():
            self.features = actor_critic.encoder(expert.obs)
        self.optimizer = self._fresh_optimizer()

    def state(self) -> dict[str, Tensor]:
        """A copy of the policy as it is."""
        return copy.deepcopy(self.actor_critic.state_dict())

    def one_pass(self, pairs: Tensor) -> None:
        """One pass over the pairs with these numbers, in random order."""
        for index in pairs[torch.randperm(len(pairs))].split(self.batch_size):
            self.optimizer.zero_grad()
            negative = self.loss(self.actor_critic.distribution(self.features[index]), self.act[index])
            negative.backward()
            self.optimizer.step()

    def learn_from_all(self, passes: int) -> None:
        """From the policy as it is, at a learning rate that falls to 0."""
        self.optimizer = self._fresh_optimizer()
        everything = torch.arange(len(self.act))
        for done in range(passes):
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate * linear(done / passes)
            self.one_pass(everything)

    @torch.no_grad()
    def loss_on(self, pairs: Tensor) -> float:
        """The loss on the pairs with these numbers."""
        return float(self.loss(self.actor_critic.distribution(self.features[pairs]), self.act[pairs]))

    def _fresh_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.actor_critic.policy_parameters(), self.learning_rate, fused=True)


def warm_start(actor_critic: ActorCritic, expert: Transitions) -> WarmStart:
    """Make the policy a clone of the expert, with room to explore, if the clone knows what the expert does.

    It does where it predicts held-out actions better, by LEAST_GAIN, than a policy that acts alike in all states, or is
    nearly certain of them, as of an expert's who always does the same. Else the demonstrations are too few or too poor
    to clone: the policy stays as it was.

    A clone is certain of the actions that it has seen, and what it has not seen says how wrong it is: each component
    of Box actions begins with the deviation of held-out actions from the clone's. The statistics of the observations
    stay as they were when it learned, because it would act otherwise under others.
    """
    before = copy.deepcopy(actor_critic.state_dict())
    actor_critic.set_log_std(ROUGH_LOG_STD)
    try:
        cloning = clone_behaviour(actor_critic, expert, loss=negative_log_likelihood_of_means)
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


@torch.no_grad()
def _worth(
    actor_critic: ActorCritic, expert: Transitions, shown: Tensor, held_out: Tensor
) -> tuple[float, Tensor | None]:
    """``gain`` and ``deviation`` of a CloningResult, of a policy that has learned from the pairs ``shown``."""
    learned, unseen = expert.act[shown], expert[held_out]
    space = actor_critic.action_space
    if isinstance(space, Discrete):
        counts = torch.bincount(learned - int(space.start), minlength=int(space.n)) + 1.0
        unconditional = (counts / counts.sum()).log()[unseen.act - int(space.start)]
        return float((actor_critic(unseen.obs).log_prob(unseen.act) - unconditional).mean()), None
    assert isinstance(space, Box)
    low, high = (torch.as_tensor(bound) for bound in (space.low, space.high))

    def deviation(predicted: Tensor) -> Tensor:
        """Root mean square of what the held-out actions differ by, in half-widths, as the environment sees them."""
        apart = (unseen.act.clamp(low, high) - predicted.clamp(low, high)) / actor_critic.action_scale
        return apart.square().mean(0).sqrt().clamp(*DEVIATIONS)

    own = deviation(actor_critic(unseen.obs).mode())
    return float((deviation(learned.clamp(low, high).mean(0)) / own).log().mean()), own
