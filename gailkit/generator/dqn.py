"""Q-learning with a deep network (DQN), Mnih et al. 2015, with double Q, van Hasselt et al. 2016, and n steps."""

from __future__ import annotations

import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from gailkit.functional.q_learning import double_q, value_target
from gailkit.generator.off_policy import Batch, OffPolicyGenerator
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.heads import EPSILON


class DQN(OffPolicyGenerator):
    """y = sum of n rewards + gamma^n Q'(s_n, argmax_a Q(s_n, a)); the policy takes the action of the largest Q.

    Q is the network of the policy. Its actions are uniform with probability epsilon, which falls from 1 to EPSILON in
    the first ``exploration_share`` of the run.
    """

    acts_in = (Discrete,)
    progress: Tensor  # ()

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float = 0.99,
        replay_size: int = 1_000_000,
        warm_up: int = 1000,
        updates_per_step: float = 1.0,
        batch_size: int = 128,
        learning_rate: float = 3e-4,
        target_rate: float = 0.005,
        n_step: int = 3,
        exploration_share: float = 0.1,
    ) -> None:
        """
        Args:
            exploration_share: of the run, in which epsilon falls.

        The others are those of ``OffPolicyGenerator``.
        """
        actor_critic.head = "greedy"
        super().__init__(
            actor_critic,
            actor_critic.policy,
            gamma=gamma,
            replay_size=replay_size,
            warm_up=warm_up,
            updates_per_step=updates_per_step,
            batch_size=batch_size,
            learning_rate=learning_rate,
            target_rate=target_rate,
            n_step=n_step,
        )
        self.exploration_share = exploration_share
        self.register_buffer("progress", torch.zeros(()))

    @property
    def epsilon(self) -> float:
        """The probability of a uniform action while it explores."""
        explored = min(float(self.progress) / self.exploration_share, 1.0) if self.exploration_share else 1.0
        return 1.0 - explored * (1.0 - EPSILON)

    def explore(self, obs: Tensor) -> Tensor:
        """The best actions (B,), or with probability epsilon any."""
        space = self.actor_critic.action_space
        assert isinstance(space, Discrete)
        uniform = int(space.start) + torch.randint(int(space.n), (len(obs),), device=obs.device)
        return torch.where(
            torch.rand(len(obs), device=obs.device) < self.epsilon, uniform, self._distribution(obs).mode()
        )

    def learn(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """One step of Q."""
        self.progress.fill_(progress)
        values = (self.critic(batch.features) * batch.act).sum(-1)
        loss = self.fit_values(values, self.targets(batch))
        self.target_critic.follow()
        return {"value_loss": loss, "value": values.detach().mean(), "epsilon": torch.tensor(self.epsilon)}

    @torch.no_grad()
    def targets(self, batch: Batch) -> Tensor:
        """y (B,)."""
        following = double_q(self.critic(batch.following), self.target_critic(batch.following))
        return value_target(batch.ahead, following)
