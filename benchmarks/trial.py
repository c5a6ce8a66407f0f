"""One training run on the environment's own reward, timed and judged in the same way whoever learns.

``benchmarks.learn`` (gailkit) and ``benchmarks.reinforcement_peers`` (in the peers' virtual environment) are this, each
with its own way to learn; so it imports nothing of either.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import mean

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box

OPTIMISERS = ("ppo-clip", "trpo", "dqn", "ddpg", "td3", "sac")
EVALUATION_SEED = 1_000_000  # episode i of every evaluation begins with env.reset(seed=EVALUATION_SEED + i)
PACKAGES = ("torch", "numpy", "gymnasium", "mujoco")  # whose versions are kept, with those of the learner itself


@dataclass(frozen=True)
class Trial:
    """What is to be learned."""

    env_id: str
    optimiser: str
    steps: int
    seed: int
    num_envs: int
    episodes: int  # of the evaluation
    training_episodes: int  # at the end of training, whose mean return is reported too
    out: Path  # what was measured goes to OUT/measured.json; the rest of the folder is the learner's


@dataclass(frozen=True)
class Learned:
    """What came of it."""

    policy: Callable[[np.ndarray], np.ndarray]  # observations (1, *obs) to the likeliest actions (1, *act)
    steps: int  # taken in all environments together
    returns: Sequence[float]  # of the last training episodes, oldest first


def main(learn: Callable[[Trial], Learned], *packages: str) -> None:
    """Read a Trial from the command line, have it learned against the clock, and write what was measured.

    ``packages`` are those that learn; their versions are kept.
    """
    trial = _asked()
    os.chdir(trial.out)  # where MuJoCo leaves its MUJOCO_LOG.TXT
    torch.set_num_threads(1)
    # Imports put off until first use, and the first calls into torch and the physics, stay outside the clock.
    learn(dataclasses.replace(trial, steps=1, out=trial.out / "warm-up"))
    started, cpu_started = time.perf_counter(), time.process_time()
    learned = learn(trial)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    last = learned.returns[-trial.training_episodes :]
    measured = {
        "return_mean": mean(evaluated(learned.policy, trial.env_id, trial.episodes)),
        "training_return_mean": mean(last) if last else None,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),  # what else the machine did meanwhile is not in it
        "steps": learned.steps,
        "versions": versions(*packages),
    }
    (trial.out / "measured.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


def evaluated(policy: Callable[[np.ndarray], np.ndarray], env_id: str, episodes: int) -> list[float]:
    """The return of each of ``episodes`` episodes, one environment seed after the other."""
    env = gymnasium.make(env_id)
    returns = []
    for seed in range(EVALUATION_SEED, EVALUATION_SEED + episodes):
        observation, _ = env.reset(seed=seed)
        rewards, ended = 0.0, False
        while not ended:
            action = policy(np.asarray(observation)[None])[0]
            if isinstance(env.action_space, Box):
                action = np.clip(action, env.action_space.low, env.action_space.high)
            observation, reward, terminated, truncated, _ = env.step(action)
            rewards += float(reward)
            ended = terminated or truncated
        returns.append(rewards)
    env.close()
    return returns


def _asked() -> Trial:
    parser = argparse.ArgumentParser(description="Learn one task on its own reward, timed.")
    parser.add_argument("env_id")
    parser.add_argument("--optimiser", required=True, choices=OPTIMISERS)
    for name in ("steps", "seed", "num-envs", "episodes", "training-episodes"):
        parser.add_argument(f"--{name}", required=True, type=int)
    parser.add_argument("--out", required=True, type=Path)
    trial = Trial(**vars(parser.parse_args()))
    trial.out.mkdir(parents=True, exist_ok=True)
    return dataclasses.replace(trial, out=trial.out.resolve())


def versions(*packages: str) -> dict[str, str]:
    """Of Python, ``packages`` and ``PACKAGES``, as far as they are installed here."""
    found = {"python": platform.python_version()}
    for name in (*packages, *PACKAGES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
