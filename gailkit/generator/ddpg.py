"""Deep deterministic policy gradient (DDPG). Lillicrap et al. 2016."""

from __future__ import annotations

import torch
from torch import Tensor

from gailkit.functional.q_learning import value_target
from gailkit.generator.deterministic import DeterministicGenerator
from gailkit.generator.off_policy import Batch
from gailkit.networks.actor_critic import ActorCritic


class DDPG(DeterministicGenerator):
    """y = r + gamma Q'(s', mu'(s')); mu goes uphill on Q with every step of it."""

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float = 0.99,
        replay_size: int = 1_000_000,
        warm_up: int = 1000,
        updates_per_step: float = 1.0,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        critic_hidden: tuple[int, ...] = (128, 128),
        target_rate: float = 0.005,
        n_step: int = 1,
        exploration_noise: float = 0.1,
    ) -> None:
        """The arguments are those of ``DeterministicGenerator``."""
        super().__init__(
            actor_critic,
            gamma=gamma,
            replay_size=replay_size,
            warm_up=warm_up,
            updates_per_step=updates_per_step,
            batch_size=batch_size,
            learning_rate=learning_rate,
            critic_hidden=critic_hidden,
            target_rate=target_rate,
            estimates=1,
            n_step=n_step,
            exploration_noise=exploration_noise,
        )

    def learn(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Of the action value and of the policy."""
        values = self.values(self.critic, batch.features, batch.act)
        loss = self.fit_values(values, self.targets(batch))
        self.improve_mean(batch, progress)
        self.target_critic.follow()
        return {"value_loss": loss, "value": values.detach().mean()}

    @torch.no_grad()
    def targets(self, batch: Batch) -> Tensor:
        """y (B,)."""
        following = self.values(self.target_critic, batch.following, self.target_action(batch.following))
        return value_target(batch.ahead, following[0])
