"""Twin delayed deep deterministic policy gradient (TD3). Fujimoto et al. 2018."""

from __future__ import annotations

import torch
from torch import Tensor

from gailkit.functional.q_learning import value_target
from gailkit.generator.deterministic import DeterministicGenerator
from gailkit.generator.off_policy import Batch
from gailkit.networks.actor_critic import ActorCritic


class TD3(DeterministicGenerator):
    """y = r + gamma min_i Q_i'(s', mu'(s') + clipped noise); mu goes uphill on Q_1 every ``policy_delay`` steps."""

    updates: Tensor  # () int64

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
        policy_delay: int = 2,
        target_noise: float = 0.2,
        noise_clip: float = 0.5,
    ) -> None:
        """
        Args:
            policy_delay: steps of the action values for one of the policy and of the copies.
            target_noise: standard deviation, in half-widths of the Box, of the noise on the action that is judged.
            noise_clip: the most that it may be.

        The others are those of ``DeterministicGenerator``.
        """
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
            estimates=2,
            n_step=n_step,
            exploration_noise=exploration_noise,
        )
        self.policy_delay = policy_delay
        self.target_noise, self.noise_clip = target_noise, noise_clip
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def learn(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Of the action values always, of the policy every so often."""
        values = self.values(self.critic, batch.features, batch.act)
        loss = self.fit_values(values, self.targets(batch))
        self.updates += 1
        if int(self.updates) % self.policy_delay == 0:
            self.improve_mean(batch, progress)
            self.target_critic.follow()
        return {"value_loss": loss, "value": values.detach().mean()}

    @torch.no_grad()
    def targets(self, batch: Batch) -> Tensor:
        """y (B,): the smaller of two estimates near the action of the policy's copy."""
        act = self.target_action(batch.following)
        noise = (self.target_noise * torch.randn_like(act)).clamp(-self.noise_clip, self.noise_clip)
        following = self.values(self.target_critic, batch.following, self.action_encoder.within(act + noise))
        return value_target(batch.ahead, following.min(0).values)
