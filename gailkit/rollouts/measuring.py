"""How long environments take for a step, and in how many processes they are stepped soonest."""

from __future__ import annotations

import math
import time
from contextlib import closing, suppress
from typing import Any, NamedTuple

import gymnasium

from gailkit.ranks.joining import beside
from gailkit.rollouts.global_generators import global_state, seeded_globally
from gailkit.rollouts.group import EnvFactory
from gailkit.rollouts.machine import usable_processors

TRIAL_SECONDS, TRIAL_STEPS = 0.1, 300
CALL, EACH = 60e-6, 15e-6  # seconds that a step in workers takes more, and more for each of them
START = 0.5  # seconds until a worker is there
LEAST_GAIN = 1.2  # times as fast it has to be
WORTH = 2.0  # times what it costs to start workers they have to save


class Trial(NamedTuple):
    """What a moment with one environment has shown."""

    step: float  # seconds, resets shared out
    make: float  # seconds
    draws_globally: bool


def best_workers(factory: EnvFactory, num_envs: int, planned: int | None = None) -> tuple[int, str]:
    """The number of processes in which ``planned`` steps of ``num_envs`` environments take the least time, and why.

    Raises:
        InputError, EnvironmentFailure: if the environment cannot be made.
    """
    processors = max(1, usable_processors() // beside())
    most = min(processors, num_envs)
    if most == 1:
        limit = "1 environment" if num_envs == 1 else "1 processor that may be used"
        return 1, f"environments in this process: there is {limit}"
    trial = try_out(factory)
    workers, why = chosen(trial, num_envs, most, planned)
    if workers == 1:
        return 1, f"environments in this process: {why}"
    return workers, (
        f"environments in {workers} worker processes, of {processors} processors that may be used: {why} "
        "(--workers 1 for none)"
    )


def chosen(trial: Trial, num_envs: int, most: int, planned: int | None = None) -> tuple[int, str]:
    """The number of processes, at most ``most``, that is best by what ``trial`` has shown, and why."""
    took = f"a step takes {_duration(trial.step)}"
    if trial.draws_globally:
        return 1, "it draws from generators that everybody uses, and would draw otherwise elsewhere"

    def seconds(workers: int) -> float:
        """That all environments take for a step."""
        own = -(-num_envs // workers) * trial.step
        return own if workers == 1 else own + CALL + EACH * workers

    workers = min(range(1, most + 1), key=seconds)
    gain = seconds(1) / seconds(workers)
    if workers == 1 or gain < LEAST_GAIN:
        return 1, f"{took}, too little for other processes to gain by"
    saved = math.inf if planned is None else planned / num_envs * (seconds(1) - seconds(workers))
    cost = START + trial.make * (-(-num_envs // workers))
    if saved < WORTH * cost:
        return 1, f"{took}, and there are too few of them for other processes to gain by"
    return workers, f"{took}, which makes {workers} of them {gain:.1f} times as fast as this one"


def try_out(factory: EnvFactory) -> Trial:
    """Step one environment by random actions, for a moment; global generators stand afterwards where they stood."""
    with seeded_globally(0):
        before, started = _position(), time.perf_counter()
        env = factory()
        make = time.perf_counter() - started
        with closing(env):
            step = _seconds_of_a_step(env)
        return Trial(step, make, _position() != before)


def _seconds_of_a_step(env: gymnasium.Env[Any, Any]) -> float:
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(16)]
    started, taken = time.perf_counter(), 0
    with suppress(Exception):  # that it fails is said where it is not only tried out
        env.reset(seed=0)
        env.step(actions[0])  # the first may load something
        started = time.perf_counter()
        while taken < TRIAL_STEPS and time.perf_counter() - started < TRIAL_SECONDS:
            _, _, terminated, truncated, _ = env.step(actions[taken % 16])
            taken += 1
            if terminated or truncated:
                env.reset(seed=taken)
    return (time.perf_counter() - started) / max(taken, 1)


def _position() -> list[Any]:
    """Where the global generators stand."""
    state = global_state()
    numpy_state = state["numpy"]["state"]
    return [state["python"], numpy_state["pos"], numpy_state["key"].tolist(), state["torch"].tolist()]


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} us"
