"""What the optimisers have in common that learn action values from a replay of the whole run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from gailkit.errors import InputError
from gailkit.functional.q_learning import Ahead, look_ahead
from gailkit.generator.base import Generator
from gailkit.generator.replay import Replay, check_fits
from gailkit.memory import blocks
from gailkit.networks.action_values import Target
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ActionEncoder
from gailkit.networks.flat import FlatParameters
from gailkit.ranks.merging import deviation
from gailkit.spaces import brief
from gailkit.types import Experience, Reward, Rollout

CHUNK = 2**21  # numbers of observations that are drawn at a time
SHOWN = 2048  # steps of the policy's that a discriminator is shown, after each rollout,
RECENT = 0.25  # from the newest share of the replay


@dataclass(frozen=True)
class Batch:
    """B steps from the replay, as action values are learned from them."""

    features: Tensor  # (B, size), of the state that was acted in
    act: Tensor  # (B, actions), encoded
    ahead: Ahead
    following: Tensor  # (B, size), of the state that is bootstrapped from

    def take(self, chosen: slice) -> Batch:
        """Some of them."""
        ahead = Ahead(*(part[chosen] for part in self.ahead))
        return Batch(self.features[chosen], self.act[chosen], ahead, self.following[chosen])


class OffPolicyGenerator(Generator):
    """Learns from minibatches of a replay, rewarded as the teacher sees them now; so many for every step of the run.

    A subclass gives ``learn``. Until ``warm_up`` steps are there it learns nothing, and actions are drawn uniformly,
    or from the policy where that began as a clone.
    """

    acts_in: tuple[type[Space[Any]], ...] = (Box, Discrete)

    def __init__(
        self,
        actor_critic: ActorCritic,
        critic: nn.Module,
        *,
        gamma: float,
        replay_size: int,
        warm_up: int,
        updates_per_step: float,
        batch_size: int,
        learning_rate: float,
        target_rate: float,
        n_step: int,
    ) -> None:
        """
        Args:
            critic: the action values that are learned: (B, inputs) to (..., B, outputs).
            gamma: discount of future rewards, in [0, 1).
            replay_size: steps that are remembered.
            warm_up: steps before the first update, at least ``batch_size``.
            updates_per_step: gradient steps for every step in an environment.
            learning_rate: Adam's, of every network.
            target_rate: tau, how fast their copies follow.
            n_step: steps of which the rewards are summed up before the value of a state stands for the rest.

        Raises:
            InputError: for actions that it cannot choose, a warm-up that is shorter than a minibatch or longer than the
                replay, or a replay that does not fit into memory.
        """
        if not self.can_act_in(actor_critic.action_space):
            raise InputError(f"{type(self).__name__} cannot act in {brief(actor_critic.action_space)}")
        if actor_critic.memory is not None:
            raise InputError(
                f"{type(self).__name__} does not learn with a memory, as it draws single steps from its replay; the "
                "generators ppo-clip, ppo-penalty, trpo and pg do"
            )
        if not batch_size <= warm_up <= replay_size:
            raise InputError(
                f"warm_up must be at least the batch size, {batch_size}, and no more than the replay holds, "
                f"{replay_size}; found {warm_up}"
            )
        check_fits(replay_size, actor_critic.encoder.space, actor_critic.action_space, actor_critic.device)
        super().__init__(actor_critic)
        self.gamma, self.n_step = gamma, n_step
        self.batch_size, self.updates_per_step = batch_size, updates_per_step
        self.warm_up = warm_up
        self.replay: Replay = Replay(replay_size)
        self.owed = 0.0  # gradient steps
        self.action_encoder = ActionEncoder(actor_critic.action_space).to(actor_critic.device)
        self.critic = critic.to(actor_critic.device)
        self.trained_critic = FlatParameters(self.critic.parameters())
        self.target_critic = Target(self.critic, self.trained_critic, target_rate)
        self.critic_optimizer = torch.optim.Adam([self.trained_critic.vector], learning_rate, fused=True)

    @property
    def remembered(self) -> int:
        """As many as the replay holds."""
        return self.replay.size

    @property
    def warm(self) -> bool:
        """Whether the steps are there that the first update takes."""
        return len(self.replay) >= self.warm_up

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        """Actions (B, *act) by which the run goes on, unclipped: of the policy, or while it knows nothing uniform."""
        if self.warm or self.guidance is not None:
            return self.explore(obs)
        space = self.actor_critic.action_space
        if isinstance(space, Discrete):
            return int(space.start) + torch.randint(int(space.n), (len(obs),), device=obs.device)
        uniform = 2.0 * torch.rand(len(obs), *(space.shape or ()), device=obs.device) - 1.0
        return self.actor_critic.action_center + self.actor_critic.action_scale * uniform

    def explore(self, obs: Tensor) -> Tensor:
        """The policy's own actions (B, *act) by which it learns more: samples of it."""
        return self._distribution(obs).sample()

    def experience(self, rollout: Rollout) -> Experience:
        """Take in a rollout; what stands for the policy are steps from the newest part of the replay.

        The mixture of all that the run has been is what the policy was, more than what it is: against it, a policy that
        has become the expert is rewarded for whatever the earlier ones did too rarely.
        """
        self.replay.add(rollout)
        shown = min(SHOWN, max(self.batch_size, CHUNK // (self.actor_critic.encoder.size * (1 + self.replay.earlier))))
        steps = self.replay.draw(shown, share=RECENT).transitions()
        return Experience(steps, self.replay.num_steps(RECENT), self.replay.num_terminated(RECENT))

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        """As many gradient steps as the rollout calls for; see ``Generator.update``."""
        if not self.warm:
            return {"updates": 0.0}
        self.owed += self.updates_per_step * rollout.terminated.numel()
        count = int(self.owed)
        self.owed -= count
        told = [self.learn(batch, progress) for batch in self._batches(count, reward)]
        names = told[0] if told else {}
        return {"updates": float(count)} | {
            name: float(torch.stack([each[name] for each in told]).mean()) for name in names
        }

    @abstractmethod
    def learn(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """One gradient step of everything. Returns what tells how it went, by name, each a scalar."""

    def get_extra_state(self) -> dict[str, Any]:
        """The gradient steps that are owed, beside the optimisers. The replay has a ``state_dict`` of its own."""
        return super().get_extra_state() | {"owed": self.owed}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Put back what ``get_extra_state`` returned."""
        super().set_extra_state(state)
        self.owed = state["owed"]

    def improve(
        self, trained: FlatParameters, optimizer: torch.optim.Optimizer, objective: Tensor, progress: float
    ) -> None:
        """One step of the policy uphill on the mean of ``objective`` (B,).

        Where it is guided too, the values are first divided by their deviation, as advantages are, so that the
        guidance weighs as much whatever rewards amount to.
        """
        pairs = self.expert_pairs()
        if pairs is not None:
            objective = objective / deviation(objective.detach()).clamp(min=max(self.least_deviation, 1e-6))
        trained.backward(-self.guided(objective.mean(), pairs, progress))
        optimizer.step()

    def fit_values(self, values: Tensor, targets: Tensor) -> Tensor:
        """Descend 1/2 mean (Q - y)^2 of estimates (..., B) from targets (B,); the loss before it."""
        loss = (values - targets).square().mean() / 2
        self.trained_critic.backward(loss)
        self.critic_optimizer.step()
        return loss.detach()

    def _batches(self, count: int, reward: Reward) -> Iterator[Batch]:
        observation, steps = self.actor_critic.encoder.size, self.n_step + self.replay.earlier
        for chunk in blocks(count, self.batch_size * steps * observation, CHUNK):
            drawn = self._drawn((chunk.stop - chunk.start) * self.batch_size, reward)
            for start in range(0, len(drawn.features), self.batch_size):
                yield drawn.take(slice(start, start + self.batch_size))

    @torch.no_grad()
    def _drawn(self, count: int, reward: Reward) -> Batch:
        steps = self.replay.draw(count, self.n_step)
        ahead = look_ahead(reward(steps), steps.terminated, steps.truncated, self.gamma)
        encoder = self.actor_critic.encoder
        after = steps.next_obs[ahead.last, torch.arange(count, device=ahead.last.device)]
        return Batch(encoder(steps.obs[0]), self.action_encoder(steps.act[0]), ahead, encoder(after))
