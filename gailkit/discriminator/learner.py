"""A discriminator together with how it learns and the rewards it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gailkit.discriminator.base import Discriminator, Shown
from gailkit.discriminator.endings import EndingJudge
from gailkit.discriminator.losses import DiscriminatorLoss, Weights, optimal_logit, weighted
from gailkit.errors import InputError
from gailkit.functional.absorbing import absorbing_mass, expert_share
from gailkit.networks.flat import FlatParameters
from gailkit.networks.optimizers import load_optimizer
from gailkit.ranks.merging import averaged, total
from gailkit.types import Experience, Replayed, RewardForm, Rollout, Transitions

ExpertSampler = Callable[[int], Transitions]
"""A number B to B expert transitions drawn at random."""

MASS_MEMORY = 0.9
"""Weight of the past in the running mean of the policy's absorbing mass: about the last ten rollouts count."""


class DiscriminatorLearner:
    """Discriminator, loss, optimiser, reward form and the absorbing state's logit."""

    def __init__(
        self,
        discriminator: Discriminator,
        loss: DiscriminatorLoss,
        reward_form: RewardForm,
        *,
        expert_mass: float,
        gamma: float,
        learning_rate: float = 3e-4,
        batch_size: int = 256,
        updates: int = 32,
        endings: EndingJudge | None = None,
        image_shift: float = 0.05,
    ) -> None:
        """
        Args:
            expert_mass: the expert's share of occupancy in the absorbing state (``functional.absorbing``).
            gamma: the discount that the policy is trained with.
            updates: gradient steps for each rollout, each on ``batch_size`` transitions of either side.
            endings: judges how episodes terminate; None where the expert shows too little of it.
            image_shift: the share of their side by which pictures of either side move at random before D learns from
                them (``functional.shifts``), so that it does not learn the few that the expert shows by heart.

        Raises:
            InputError: if ``updates`` or ``batch_size`` is less than 1, or the discriminator has no parameter.
        """
        if min(updates, batch_size) < 1:
            raise InputError(f"updates and batch_size must be at least 1; found {updates} and {batch_size}")
        self.discriminator = discriminator
        self.loss = loss
        self.reward_form = reward_form
        self.expert_mass = expert_mass
        self.policy_mass: float | None = None
        self.mean_logits = (0.0, 0.0)  # of the policy's and the expert's steps, kept where the loss is not solved
        self.gamma = gamma
        self.batch_size = batch_size
        self.updates = updates
        self.endings = endings
        self.image_shift = image_shift
        self.trained = FlatParameters(discriminator.parameters(), "the discriminator")
        self.optimizer = torch.optim.Adam([self.trained.vector], learning_rate, fused=True)

    def update(
        self, draw_expert: ExpertSampler, rollout: Rollout, experience: Experience | None = None
    ) -> dict[str, float]:
        """Descend the loss on expert transitions and on the policy's; returns the discriminator's health.

        Args:
            rollout: what the policy did last.
            experience: what stands for the policy in the loss; the rollout where there is none.
        """
        shown = experience or Experience.of(rollout)
        self._take_in_terminations(shown)
        if self.endings is not None and self.policy_mass is not None:
            self.endings.update(rollout, self.expert_mass, self.policy_mass)
        self.discriminator.observe(rollout.transitions())
        policy, weights = Shown(self.discriminator, shown.steps), self.weights()
        losses = []
        for _ in range(self.updates):
            expert = self.discriminator.encode(draw_expert(self.batch_size))
            chosen = policy[torch.randint(len(policy), (self.batch_size,), device=policy.device)]
            expert, chosen = (self.discriminator.moved(side, self.image_shift) for side in (expert, chosen))
            loss = weighted(self.loss, self.discriminator, expert, chosen, weights)
            self.trained.backward(loss)
            self.optimizer.step()
            losses.append(loss.detach())
        if optimal_logit(self.loss, 0.5) is None:
            self.mean_logits = self._mean_logit(shown.steps), self._mean_logit(draw_expert(len(policy)))
        return {"loss": float(torch.stack(losses).mean())} | self._health(expert, chosen)

    @torch.no_grad()
    def rewards(self, steps: Rollout | Replayed) -> Tensor:
        """u_t - u_abs for every step, in the shape of the steps (...), with the discriminator as it is now.

        Where a step terminated, what the ending is worth (``EndingJudge``) is added.
        """
        transitions, absorbing = steps.transitions(), self.absorbing_reward()
        rewards = self.reward_form(self.discriminator.judged(transitions)) - absorbing
        if self.endings is not None:
            rewards = rewards + self.endings.rewards(transitions, self.reward_form, absorbing)
        return rewards.reshape(steps.shape)

    def absorbing_reward(self) -> float:
        """u_abs: the reward form at the absorbing state's optimal logit.

        Where the loss does not say which is best, as of a critic whose logits are known up to a constant only, it is
        taken to lie between the mean logits of the policy's and the expert's steps, in their shares w of it: that
        moves with the constant, so that none of it comes into the rewards.

        While neither side has terminated any constant would do. It is the reward of a step that cannot be told, so
        that values are near 0 where the policy is the expert and nobody has to learn their mean first.
        """
        share = expert_share(self.expert_mass, self.policy_mass or 0.0)
        if share is None:
            share = 0.5
        solved, (policy, expert) = optimal_logit(self.loss, share), self.mean_logits
        logit = policy + share * (expert - policy) if solved is None else solved
        return float(
            self.reward_form(torch.tensor([logit], dtype=torch.float32, device=self.trained.vector.device))
        )  # like all that it is asked about

    def state_dict(self) -> dict[str, Any]:
        """All that changes while learning."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "policy_mass": self.policy_mass,
            "mean_logits": self.mean_logits,
            "endings": None if self.endings is None else self.endings.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.discriminator.load_state_dict(state["discriminator"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.policy_mass = state["policy_mass"]
        self.mean_logits = tuple(state["mean_logits"])
        if self.endings is not None:
            self.endings.load_state_dict(state["endings"])

    def weights(self) -> Weights:
        """Of the ordinary steps: shares 1 - m of either side's occupancy, scaled to 1 on average.

        A batch holds equally many steps of both. Where the policy ends sooner than the expert, fewer of its occupancy
        are ordinary steps, and the density ratio there is (1 - m_E) p_E to (1 - m_pi) p_pi.
        """
        expert, policy = 1.0 - self.expert_mass, 1.0 - (self.policy_mass or 0.0)
        return Weights(2 * expert / (expert + policy), 2 * policy / (expert + policy))

    def _take_in_terminations(self, shown: Experience) -> None:
        terminations, steps = total(shown.num_terminated, shown.num_steps)
        mass = absorbing_mass(terminations, steps, self.gamma)
        past = mass if self.policy_mass is None else self.policy_mass
        self.policy_mass = MASS_MEMORY * past + (1.0 - MASS_MEMORY) * mass

    def _mean_logit(self, steps: Transitions) -> float:
        return float(averaged(self.discriminator.judged(steps).mean()))

    @torch.no_grad()
    def _health(self, expert: Transitions, policy: Transitions) -> dict[str, float]:
        real, fake = self.discriminator.logits(expert), self.discriminator.logits(policy)
        told = {
            "accuracy_expert": (real > 0).float().mean(),
            "accuracy_policy": (fake < 0).float().mean(),
            "logit_expert": real.mean(),
            "logit_policy": fake.mean(),
        }
        means = torch.stack(list(told.values())).tolist()
        return {**dict(zip(told, means, strict=True)), "absorbing_reward": self.absorbing_reward()}
