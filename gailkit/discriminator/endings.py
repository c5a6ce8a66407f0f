"""How an episode ends, judged: success and failure lead into the same absorbing state, and D(s, a) never sees where."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gailkit.discriminator.base import Discriminator, Shown
from gailkit.discriminator.losses import DiscriminatorLoss, Weights, weighted
from gailkit.discriminator.state import StateDiscriminator
from gailkit.networks.flat import FlatParameters
from gailkit.networks.mlp import mlp
from gailkit.networks.optimizers import load_optimizer
from gailkit.ranks.group import size
from gailkit.ranks.merging import rows
from gailkit.types import RewardForm, Rollout, Transitions

HIDDEN = 32
LEARNING_RATE = 1e-3
BATCH_SIZE = 64
REMEMBERED = 1000  # endings of the policy's, the latest ones


class EndingJudge:
    """A discriminator of last observations, the expert's from the policy's.

    A terminated episode goes on for ever in the state in which it ended, seen as its last observation s_T. That state's
    occupancy is m_E p_E(s_T) for the expert and m_pi p_pi(s_T) for the policy, p the densities of last observations and
    m the absorbing masses, so that the best logit is z*(w) with w = m_E p_E / (m_E p_E + m_pi p_pi). Where s_T tells
    nothing this is the absorbing state's logit (``functional.absorbing``), and an ending is worth nothing more.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        loss: DiscriminatorLoss,
        expert: Transitions,
        *,
        updates: int,
        worth: float,
        image_shift: float = 0.05,
    ) -> None:
        """
        Args:
            discriminator: judges by ``obs`` alone, which are the last observations here.
            expert: the last steps of the expert's terminated episodes, at least one.
            updates: gradient steps for each rollout.
            worth: how many steps in the last state an ending is rewarded for.
            image_shift: as that of the ``DiscriminatorLearner``.
        """
        self.discriminator, self.loss = discriminator, loss
        self.expert, self.policy = arrivals(expert), arrivals(expert).last(0)
        self.updates, self.worth, self.image_shift = updates, worth, image_shift
        self.trained = FlatParameters(discriminator.parameters(), "the judge of endings")
        self.optimizer = torch.optim.Adam([self.trained.vector], LEARNING_RATE, fused=True)

    @classmethod
    def of(cls, like: Discriminator, loss: DiscriminatorLoss, expert: Transitions, **settings: Any) -> EndingJudge:
        """A judge that sees observations as the discriminator ``like`` does."""
        network = partial(mlp, hidden=(HIDDEN,))
        judge = StateDiscriminator(like.encoder, like.action_encoder.space, network).to(expert.device)
        return cls(judge, loss, expert, **settings)

    def update(self, rollout: Rollout, expert_mass: float, policy_mass: float) -> None:
        """Learn from the endings in all ranks' rollouts and the latest before; nothing while there are none."""
        own = _endings(rollout.transitions()).last(REMEMBERED // size())
        found = _places(rows(own.obs), rows(own.terminated))
        self.policy = Transitions.joined([self.policy, found]).last(REMEMBERED)
        if not len(self.policy):
            return
        total = expert_mass + policy_mass
        weights = Weights(2 * expert_mass / total, 2 * policy_mass / total)
        with torch.no_grad():
            expert, policy = (Shown(self.discriminator, side) for side in (self.expert, self.policy))
        for _ in range(self.updates):
            shown, taken = (self.discriminator.moved(_some(side), self.image_shift) for side in (expert, policy))
            loss = weighted(self.loss, self.discriminator, shown, taken, weights)
            self.trained.backward(loss)
            self.optimizer.step()

    @torch.no_grad()
    def rewards(self, steps: Transitions, reward_form: RewardForm, absorbing_reward: float) -> Tensor:
        """worth * (u(z(s_T)) - u_abs) where a step terminated and 0 elsewhere, (B,).

        The value after a termination stays 0: what follows it is in this reward already.
        """
        added = torch.zeros(len(steps), device=steps.device)
        if len(self.policy) and steps.terminated.any():
            judged = reward_form(self.discriminator.judged(_endings(steps)))
            added[steps.terminated] = self.worth * (judged - absorbing_reward)
        return added

    def state_dict(self) -> dict[str, Any]:
        """All that changes while learning."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "policy": {"obs": self.policy.obs, "terminated": self.policy.terminated},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.discriminator.load_state_dict(state["discriminator"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.policy = _places(state["policy"]["obs"], state["policy"]["terminated"]).to(self.expert.device)


def arrivals(steps: Transitions) -> Transitions:
    """Where the steps led, as ``obs``; nothing is done there."""
    return _places(steps.next_obs, steps.terminated)


def _places(obs: Tensor, terminated: Tensor) -> Transitions:
    return Transitions(obs, obs.new_zeros((len(obs), 0)), obs, terminated)


def _endings(steps: Transitions) -> Transitions:
    """Where those of the steps that terminated led, in their order."""
    return arrivals(steps[steps.terminated.nonzero().squeeze(-1)])


def _some(side: Shown) -> Transitions:
    return side[torch.randint(len(side), (BATCH_SIZE,), device=side.device)]
