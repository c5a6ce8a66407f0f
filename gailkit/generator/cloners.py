"""How a policy learns the expert's actions: from pairs in any order, or with a memory from whole episodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property

import torch
from torch import Tensor

from gailkit.functional.schedules import linear
from gailkit.generator.expert_runs import ExpertRuns
from gailkit.memory import blocks
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution
from gailkit.types import Pairs

CloningLoss = Callable[[ActionDistribution, Tensor], Tensor]
"""The policy in B states and the expert's actions there, (B, *act), to a scalar."""

OnCloning = Callable[[int, int], None]
"""Is told now and then how many pairs were learned from, each as often as it was, and how many it will be at most."""

CHUNK = 2**21  # numbers of features that are held at a time
TOLD = 4096  # pairs that are learned from between one word on how far it is and the next
RUNS_OF_BATCH = 16  # at least, where steps are learned from in runs: few take as long as many
LONG = 5  # times as long as on pairs a gradient step on runs takes
PATIENT = 500  # gradient steps on runs, at least: nothing improves for long before it is known what is to be remembered


class Cloner(ABC):
    """Epochs of Adam over pairs of the expert's. A subclass says how they are gone through."""

    def __init__(
        self,
        actor_critic: ActorCritic,
        expert: Pairs,
        loss: CloningLoss,
        learning_rate: float,
        batch_size: int,
        image_shift: float,
        on_cloning: OnCloning | None = None,
    ) -> None:
        self.actor_critic, self.expert, self.loss = actor_critic, expert, loss
        self.on_cloning = on_cloning
        self.learned, self.at_most = 0, 0  # pairs so far, each as often as it was, and how many it will be at most
        self.learning_rate, self.batch_size, self.image_shift = learning_rate, batch_size, image_shift
        self.optimizer = self._fresh_optimizer()

    @abstractmethod
    def one_epoch(self, pairs: Tensor) -> None:
        """One epoch over the pairs with these numbers, in random order."""

    @abstractmethod
    def updates(self, count: int) -> int:
        """How many gradient steps an epoch over ``count`` pairs takes as long as, at one minibatch of pairs each."""

    @abstractmethod
    def patience(self, epochs: int, count: int) -> int:
        """How many epochs over ``count`` pairs may bring no improvement, where at least so many ``epochs`` may."""

    @abstractmethod
    def policies(self, pairs: Tensor) -> Iterator[tuple[ActionDistribution, Tensor]]:
        """The policy in the states of the pairs with these numbers, and their actions, some at a time in their order;
        without gradient."""

    def policy_on(self, pairs: Tensor) -> Iterator[ActionDistribution]:
        """The policy in the states of the pairs with these numbers, some at a time in their order; without gradient."""
        return (policy for policy, _ in self.policies(pairs))

    def learn_from_all(self, epochs: int) -> None:
        """From the policy as it is, at a learning rate that falls to 0."""
        self.optimizer = self._fresh_optimizer()
        everything = torch.arange(len(self.expert), device=self.actor_critic.device)
        for done in range(epochs):
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate * linear(done / epochs)
            self.one_epoch(everything)

    def loss_on(self, pairs: Tensor) -> float:
        """The loss on the pairs with these numbers."""
        return sum(float(self.loss(policy, act)) * (len(act) / len(pairs)) for policy, act in self.policies(pairs))

    def learn(self, policy: ActionDistribution, act: Tensor) -> None:
        """One step on the policy in some states and the expert's actions there."""
        self.optimizer.zero_grad()
        self.loss(policy, act).backward()
        self.optimizer.step()
        before, self.learned = self.learned, self.learned + len(act)
        if self.on_cloning is not None and self.learned // TOLD > before // TOLD:
            self.on_cloning(self.learned, max(self.at_most, self.learned))

    def _fresh_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.actor_critic.policy_parameters(), self.learning_rate, fused=True)


class PairCloner(Cloner):
    """By minibatches of pairs, of which a chunk at a time is encoded: all may not fit into memory."""

    def one_epoch(self, pairs: Tensor) -> None:
        """See ``Cloner``."""
        shuffled = pairs[torch.randperm(len(pairs), device=pairs.device)]
        for chunk in self._chunks(len(pairs)):
            batches = (values.split(self.batch_size) for values in self._encoded(shuffled[chunk]))
            for features, act in zip(*batches, strict=True):
                (moved,) = self.actor_critic.encoder.shifted(self.image_shift, features)
                self.learn(self.actor_critic.distribution(moved), act)

    def updates(self, count: int) -> int:
        """See ``Cloner``."""
        return -(-count // self.batch_size)

    def patience(self, epochs: int, count: int) -> int:
        """See ``Cloner``."""
        return epochs

    @torch.no_grad()
    def policies(self, pairs: Tensor) -> Iterator[tuple[ActionDistribution, Tensor]]:
        """See ``Cloner``."""
        for chunk in self._chunks(len(pairs)):
            features, act = self._encoded(pairs[chunk])
            yield self.actor_critic.distribution(features), act

    @torch.no_grad()
    def _encoded(self, chunk: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, size) and actions (B, *act) of the pairs with these numbers."""
        return self.actor_critic.encoder(self.expert.observations_at(chunk)), self.expert.actions_at(chunk)

    def _chunks(self, count: int) -> Iterator[slice]:
        """Runs of whole batches that cover ``count`` pairs, as many batches a run as CHUNK holds."""
        batches = blocks(-(-count // self.batch_size), self.batch_size * self.actor_critic.encoder.size, CHUNK)
        return (slice(run.start * self.batch_size, min(run.stop * self.batch_size, count)) for run in batches)


class EpisodeCloner(Cloner):
    """By minibatches of runs of the expert's episodes; what is remembered before them is found anew every epoch."""

    @cached_property
    def runs(self) -> ExpertRuns:
        """The runs. Raises InputError for pairs that are in no episodes."""
        return ExpertRuns(self.actor_critic, self.expert, self.image_shift)

    def one_epoch(self, pairs: Tensor) -> None:
        """See ``Cloner``: over the runs in which there are any of the pairs."""
        self.runs.refresh()
        wanted = torch.zeros(len(self.expert), dtype=torch.bool, device=pairs.device)
        wanted[pairs] = True
        for chosen in torch.randperm(len(self.runs.runs), device=pairs.device).tensor_split(
            self._minibatches(len(pairs))
        ):
            shown = self.runs.shown(chosen, wanted)
            if len(shown):
                self.learn(shown.policy(self.actor_critic), shown.act)

    def updates(self, count: int) -> int:
        """See ``Cloner``."""
        return LONG * self._minibatches(count)

    def patience(self, epochs: int, count: int) -> int:
        """See ``Cloner``: of few runs an epoch has few steps."""
        return max(epochs, -(-PATIENT // self._minibatches(count)))

    def policies(self, pairs: Tensor) -> Iterator[tuple[ActionDistribution, Tensor]]:
        """See ``Cloner``."""
        self.runs.refresh()
        return self.runs.policies(pairs)

    def _minibatches(self, count: int) -> int:
        return max(1, min(-(-count // self.batch_size), len(self.runs.runs) // RUNS_OF_BATCH))


def cloner_of(
    actor_critic: ActorCritic,
    expert: Pairs,
    loss: CloningLoss,
    learning_rate: float,
    batch_size: int,
    image_shift: float = 0.0,
    on_cloning: OnCloning | None = None,
) -> Cloner:
    """The one for such a policy; one with memory refuses pairs that are in no episodes when it is first asked."""
    kind = PairCloner if actor_critic.memory is None else EpisodeCloner
    return kind(actor_critic, expert, loss, learning_rate, batch_size, image_shift, on_cloning)
