"""One run of imitation, timed in the same way whoever learns.

``benchmarks.peers_gailkit`` and ``benchmarks.peers_imitation`` are this, each with its own way to learn; so it imports
nothing of either.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from benchmarks.trial import versions

MEASURED = "measured.json"  # in the folder of a run
FEWEST_EPISODES = 5  # before that many have ended there is no mean return


@dataclass(frozen=True)
class Asked:
    """What is to be learned."""

    env_id: str
    demos: Path
    trajectories: int  # the first ones in ``demos``, whole
    steps: int  # in all environments together
    seed: int
    num_envs: int
    out: Path  # what was measured goes to OUT/measured.json; the rest of the folder is the learner's


@dataclass
class Clocked:
    """How the mean return of the last training episodes went; the clock starts when this is made."""

    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    true_return: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def append(self, steps: int, true_return: float) -> None:
        """What is so now."""
        self.steps.append(steps)
        self.seconds.append(time.perf_counter() - self.started)
        self.true_return.append(true_return)


def main(learn: Callable[[Asked], Clocked], *packages: str) -> None:
    """Read what is asked from the command line, have it learned, and write what was measured.

    ``packages`` are those that learn; their versions are kept.
    """
    asked = _asked()
    os.chdir(asked.out)  # where MuJoCo leaves its MUJOCO_LOG.TXT
    torch.set_num_threads(1)
    # Imports put off until first use, and the first calls into torch and the physics, stay outside the clock.
    learn(replace(asked, steps=1, out=asked.out / "warm-up"))
    clocked = learn(asked)
    curve = {"steps": clocked.steps, "seconds": clocked.seconds, "true_return": clocked.true_return}
    measured = {"curve": curve, "versions": versions(*packages)}
    (asked.out / MEASURED).write_text(json.dumps(measured) + "\n", encoding="utf-8")


def _asked() -> Asked:
    parser = argparse.ArgumentParser(description="Learn one task from demonstrations, timed.")
    parser.add_argument("env_id")
    for name in ("trajectories", "steps", "seed", "num-envs"):
        parser.add_argument(f"--{name}", required=True, type=int)
    for name in ("demos", "out"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    asked = Asked(**vars(parser.parse_args()))
    asked.out.mkdir(parents=True, exist_ok=True)
    return replace(asked, demos=asked.demos.resolve(), out=asked.out.resolve())
