"""Gymnasium's Pendulum, N at a time."""

from __future__ import annotations

import math

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from gailkit.simulators.simulation import Simulation, uniform

FASTEST, STRONGEST, TAU = 8.0, 2.0, 0.05
GRAVITY = 10.0  # of a rod of length 1 and mass 1
WIDEST = np.array([1.0, 1.0, FASTEST], dtype=np.float32)


class Pendulum(Simulation):
    """A rod that hangs down and is to be swung up by a torque that is too weak to lift it: ``Pendulum-v1``.

    A state is the angle from upright and the angular velocity.
    """

    single_observation_space = Box(-WIDEST, WIDEST, dtype=np.float32)
    single_action_space = Box(-STRONGEST, STRONGEST, (1,), np.float32)

    def __init__(self, num_envs: int, device: str | torch.device = "cpu", max_episode_steps: int | None = 200) -> None:
        """As that of ``Simulation``."""
        super().__init__(num_envs, device, max_episode_steps)

    def begin(self, seeds: Tensor) -> Tensor:
        """Any angle, and a velocity within 1 of 0."""
        turned, speed = (uniform(seeds, 2) * 2.0 - 1.0).unbind(-1)
        return torch.stack((math.pi * turned, speed), -1)

    def move(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A semi-implicit step of Euler's; what is earned is less than 0 by the angle, the velocity and the torque."""
        theta, theta_dot = states.unbind(-1)
        torque = actions.squeeze(-1).clamp(-STRONGEST, STRONGEST)  # float32, as Gymnasium's is: 200 steps add up
        from_upright = torch.remainder(theta + math.pi, 2.0 * math.pi) - math.pi
        cost = from_upright.square() + 0.1 * theta_dot.square() + (0.001 * torque.square()).double()
        faster = theta_dot + (1.5 * GRAVITY * theta.sin() + (3.0 * torque).double()) * TAU
        faster = faster.clamp(-FASTEST, FASTEST)
        moved = torch.stack((theta + faster * TAU, faster), -1)
        return moved, -cost, torch.zeros_like(cost, dtype=torch.bool)

    def see(self, states: Tensor) -> Tensor:
        """Cosine and sine of the angle, and the velocity."""
        return torch.stack((states[:, 0].cos(), states[:, 0].sin(), states[:, 1]), -1)
