"""Gymnasium's CartPole, N at a time."""

from __future__ import annotations

import math

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.simulators.simulation import Simulation, uniform

GRAVITY, FORCE, TAU = 9.8, 10.0, 0.02
POLE, MASS, HALF_LENGTH = 0.1, 1.1, 0.5  # mass of the pole, of both
FARTHEST, STEEPEST = 2.4, 12 * 2 * math.pi / 360
WIDEST = np.array([2 * FARTHEST, np.inf, 2 * STEEPEST, np.inf], dtype=np.float32)


class CartPole(Simulation):
    """A pole on a cart that is pushed to the left or to the right: ``CartPole-v1``. Barto et al. 1983.

    A state is position and velocity of the cart, angle and angular velocity of the pole.
    """

    single_observation_space = Box(-WIDEST, WIDEST, dtype=np.float32)
    single_action_space = Discrete(2)

    def __init__(self, num_envs: int, device: str | torch.device = "cpu", max_episode_steps: int | None = 500) -> None:
        """As that of ``Simulation``."""
        super().__init__(num_envs, device, max_episode_steps)

    def begin(self, seeds: Tensor) -> Tensor:
        """Everything within 0.05 of 0."""
        return uniform(seeds, 4) * 0.1 - 0.05

    def move(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A step of Euler's; every one earns 1."""
        x, x_dot, theta, theta_dot = states.unbind(-1)
        force = FORCE * (2 * actions - 1).double()
        cosine, sine = theta.cos(), theta.sin()
        push = (force + POLE * HALF_LENGTH * theta_dot.square() * sine) / MASS
        turned = (GRAVITY * sine - cosine * push) / (HALF_LENGTH * (4.0 / 3.0 - POLE * cosine.square() / MASS))
        driven = push - POLE * HALF_LENGTH * turned * cosine / MASS
        moved = torch.stack((x_dot, driven, theta_dot, turned), -1)
        states = states + TAU * moved
        terminated = (states[:, 0].abs() > FARTHEST) | (states[:, 2].abs() > STEEPEST)
        return states, torch.ones_like(x), terminated

    def see(self, states: Tensor) -> Tensor:
        """The states themselves."""
        return states
