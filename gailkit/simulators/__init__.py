"""Environments whose states are tensors: N of them are stepped together, on the device where the networks are."""

from gailkit.simulators.cartpole import CartPole
from gailkit.simulators.pendulum import Pendulum
from gailkit.simulators.protocol import Simulator, Step
from gailkit.simulators.simulation import Simulation, uniform

__all__ = ["CartPole", "Pendulum", "Simulation", "Simulator", "Step", "uniform"]
