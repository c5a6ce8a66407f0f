"""Two quick tasks of our own, in which success ends an episode and so does failure, and an expert for each.

Importing this module registers ``Docking-v0`` and ``Crossing-v0``: ``gailkit record benchmarks.own_tasks:Docking-v0
--policy benchmarks.own_tasks:docking_expert --episodes 30 --seed 0 -o docking.hdf5``.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

STEP_COST = 0.005
END_REWARD = 5.0  # gained by success, lost by failure

SECONDS = 0.05  # of one step of Docking
THRUST = 0.4  # acceleration at full thrust
DRAG = 0.5  # acceleration against the velocity, per unit of it
WIND = 0.15  # greatest acceleration by the wind along x and y
DEPTH, HALF_HEIGHT = 2.0, 1.0  # the arena: 0 < x < DEPTH, |y| < HALF_HEIGHT; the wall is x = 0
PORT = 0.05  # half-width of the port, which lies in the wall around y = 0
CRASH_SPEED = 0.12
APPROACH_SPEED = 0.08  # that the expert wishes for at the port, which it meets a little faster: it brakes with a lag

STRIDE = 0.05  # of one step of Crossing
LANES = (0.3, 0.7)  # y of the middles
LANE_SPEEDS = (0.05, -0.06)  # along x, per step
LANE_HALF_HEIGHT = 0.08
CAR = 0.4  # half-length
MARGIN = 0.05  # that the expert leaves between a car and itself
GATE = 0.1  # half-width of the gate, which lies in the far bank around x = 0; the expert comes a little nearer
STAY, UP, DOWN, LEFT, RIGHT = range(5)
MOVES = ((0.0, 0.0), (0.0, STRIDE), (0.0, -STRIDE), (-STRIDE, 0.0), (STRIDE, 0.0))  # (dx, dy) of each action


class Docking(gymnasium.Env[np.ndarray, np.ndarray]):
    """A ship with drag, in a steady wind, has to meet the port in a wall, slowly.

    Observation (6,): position x, y, velocity vx, vy, and the acceleration wx, wy by the wind of the episode. Action
    (2,): thrust in [-1, 1] along x and y. An episode terminates at the wall, with success in the port (|y| <= PORT) at
    a speed of at most CRASH_SPEED, else with failure; and with failure outside the arena. ``info["success"]`` says
    which. The reward is how much nearer the port came, minus STEP_COST, plus or minus END_REWARD at the end.
    """

    def __init__(self) -> None:
        self.observation_space = Box(-4.0, 4.0, (6,), np.float32)
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)
        self.state = (DEPTH / 2, 0.0, 0.0, 0.0)
        self.wind = (0.0, 0.0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin on the far side of the arena, drifting in any direction."""
        super().reset(seed=seed)
        x, y, vx, vy = self.np_random.uniform((0.8, -0.8, -0.15, -0.15), (1.7, 0.8, 0.15, 0.15)).tolist()
        self.state = (x, y, vx, vy)
        wx, wy = self.np_random.uniform(-WIND, WIND, 2).tolist()
        self.wind = (wx, wy)
        return self._observation(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """v += SECONDS (THRUST a - DRAG v + w), p += SECONDS v."""
        x, y, vx, vy = self.state
        distance = math.hypot(x, y)
        vx += SECONDS * (THRUST * min(1.0, max(-1.0, float(action[0]))) - DRAG * vx + self.wind[0])
        vy += SECONDS * (THRUST * min(1.0, max(-1.0, float(action[1]))) - DRAG * vy + self.wind[1])
        x += SECONDS * vx
        y += SECONDS * vy
        self.state = (x, y, vx, vy)
        success = x <= 0.0 and abs(y) <= PORT and math.hypot(vx, vy) <= CRASH_SPEED
        terminated = x <= 0.0 or x >= DEPTH or abs(y) >= HALF_HEIGHT
        reward = distance - math.hypot(x, y) - STEP_COST + _end_reward(terminated, success)
        return self._observation(), reward, terminated, False, {"success": success}

    def _observation(self) -> np.ndarray:
        return np.array((*self.state, *self.wind), np.float32)


class Crossing(gymnasium.Env[np.ndarray, np.int64]):
    """A walker has to cross two lanes, each with a car that comes round again and again, to a gate in the far bank.

    Observation (4,): position x, y, and how far ahead along x the car of each lane is, in [-1, 1]. Actions: STAY, UP,
    DOWN, LEFT, RIGHT. An episode terminates at the far bank, y = 1, with success in the gate (|x| <= GATE), else with
    failure; and with failure where a car hits the walker or the walker leaves the road, |x| > 1. ``info["success"]``
    says which. The reward is how much nearer the gate came, minus STEP_COST, plus or minus END_REWARD at the end.
    """

    def __init__(self) -> None:
        self.observation_space = Box(
            np.array((-2.0, 0.0, -1.0, -1.0), np.float32),
            np.array((2.0, 2.0, 1.0, 1.0), np.float32),
        )
        self.action_space = Discrete(5)
        self.x, self.y = 0.0, 0.0
        self.cars = [0.0] * len(LANES)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin anywhere on the near bank, with the cars anywhere in their lanes."""
        super().reset(seed=seed)
        self.x, self.y = float(self.np_random.uniform(-0.8, 0.8)), 0.0
        self.cars = self.np_random.uniform(-1.0, 1.0, len(LANES)).tolist()
        return self._observation(), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """The walker moves, then the cars do, and then it shows who is where."""
        distance = math.hypot(self.x, 1.0 - self.y)
        across, up = MOVES[int(action)]
        self.x += across
        self.y = max(0.0, self.y + up)
        self.cars = [_around(car + speed) for car, speed in zip(self.cars, LANE_SPEEDS, strict=True)]
        arrived = self.y > 1.0 - STRIDE / 2
        success = arrived and abs(self.x) <= GATE
        terminated = arrived or abs(self.x) > 1.0 or self._is_hit()
        reward = distance - math.hypot(self.x, 1.0 - self.y) - STEP_COST + _end_reward(terminated, success)
        return self._observation(), reward, terminated, False, {"success": success}

    def _is_hit(self) -> bool:
        return any(
            abs(self.y - lane) < LANE_HALF_HEIGHT and abs(_around(car - self.x)) < CAR
            for lane, car in zip(LANES, self.cars, strict=True)
        )

    def _observation(self) -> np.ndarray:
        return np.array((self.x, self.y, *(_around(car - self.x) for car in self.cars)), np.float32)


def docking_expert(observation: np.ndarray) -> np.ndarray:
    """Thrust towards a velocity that falls with the distance, and advances no faster than it comes to face the port."""
    x, y, *motion = observation.tolist()
    velocity, wind = motion[:2], motion[2:]
    advance = min(0.45, APPROACH_SPEED + 0.6 * (x - 2.0 * abs(y)))
    wish = (-max(-0.1, advance), -min(0.35, max(-0.35, 0.9 * y)))
    thrusts = [
        6.0 * (to - now) + (DRAG * to - blown) / THRUST for to, now, blown in zip(wish, velocity, wind, strict=True)
    ]
    return np.array([min(1.0, max(-1.0, thrust)) for thrust in thrusts], np.float32)


def crossing_expert(observation: np.ndarray) -> int:
    """Go up where no car will be in the way; meanwhile come to face the gate, at the latest before the far bank."""
    x, y, *ahead = observation.tolist()
    facing = abs(x) <= 0.6 * GATE
    may_go = facing or y < LANES[-1] + LANE_HALF_HEIGHT
    if may_go and all(_lane_stays_clear(y, *lane) for lane in zip(LANES, LANE_SPEEDS, ahead, strict=True)):
        return UP
    if facing:
        return STAY
    return LEFT if x > 0.0 else RIGHT


def _lane_stays_clear(y: float, lane: float, speed: float, ahead: float) -> bool:
    """Whether a walker at ``y`` who enters the lane now, or is in it, gets through; True for any other lane."""
    if not lane - LANE_HALF_HEIGHT - STRIDE < y < lane + LANE_HALF_HEIGHT:
        return True
    steps = math.ceil((lane + LANE_HALF_HEIGHT - y) / STRIDE)
    return all(abs(_around(ahead + speed * step)) > CAR + MARGIN for step in range(1, steps))


def _around(x: float) -> float:
    """``x`` on the ring from -1 to 1."""
    return (x + 1.0) % 2.0 - 1.0


def _end_reward(terminated: bool, success: bool) -> float:
    if not terminated:
        return 0.0
    return END_REWARD if success else -END_REWARD


gymnasium.register("Docking-v0", "benchmarks.own_tasks:Docking", max_episode_steps=400)
gymnasium.register("Crossing-v0", "benchmarks.own_tasks:Crossing", max_episode_steps=200)
