"""A task as other packages have them, from recording to report: goals in a Dict, words beside them, success told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from gailkit import Demonstrations, load_policy

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

ERRANDS = """
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Text

class Errands(gymnasium.Env):
    "One walks to a goal, and is told so in words."
    observation_space = Dict({
        "achieved_goal": Box(-9, 9, (1,)), "desired_goal": Box(-9, 9, (1,)), "facing": Discrete(2, start=3),
        "cells": Box(0, 255, (2, 2, 3), np.uint8), "mission": Text(20),
    })
    action_space = Discrete(3, start=-1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.facing, self.steps = 0, 3, 0
        self.goal = int(self.np_random.choice([-3, -2, 2, 3]))
        return self._look(), {}

    def step(self, action):
        self.place += action
        self.facing = 3 + (action > 0)
        self.steps += 1
        missing = abs(self.goal - self.place)
        return self._look(), -float(missing), False, self.steps == 5, {"is_success": np.float32(missing == 0)}

    def _look(self):
        cells = np.full((2, 2, 3), self.goal + 9, np.uint8)
        numbers = {name: np.array([at], np.float32) for name, at in
                   (("achieved_goal", self.place), ("desired_goal", self.goal))}
        return {**numbers, "facing": self.facing, "cells": cells, "mission": f"go to {self.goal}"}

gymnasium.register("Errands-v0", entry_point=Errands, disable_env_checker=True)

def errand(seen):
    assert "mission" not in seen
    return int(np.sign(seen["desired_goal"] - seen["achieved_goal"])[0])
"""
LEFT_OUT = "note: 'mission' of the observations is text, and left out\n"


@pytest.fixture
def errands(tmp_path: Path, run_here: RunHere) -> str:
    """The name of the environment, which lies in the current folder beside 12 episodes of its expert."""
    (tmp_path / "errands.py").write_text(ERRANDS)
    gymnasium.registry.pop("Errands-v0", None)
    words = ("--policy", "errands:errand", "--episodes", "12", "--seed", "0", "-o", "demos.hdf5")
    done = run_here("record", "errands:Errands-v0", *words)
    assert done.returncode == 0, done.stderr
    assert LEFT_OUT in done.stderr
    assert "(0 terminated, 12 truncated, 12 of 12 succeeded)" in done.stdout
    return "errands:Errands-v0"


def test_words_are_left_out_and_success_is_told_from_recording_to_the_report(
    errands: str, run_here: RunHere, tmp_path: Path
) -> None:
    assert "mission" not in str(Demonstrations.load(tmp_path / "demos.hdf5").observation_space)
    done = run_here("data", "check", "demos.hdf5", "--env", errands)
    assert done.returncode == 0 and "All is well." in done.stdout, done.stdout
    words = ("--demos", "demos.hdf5", "--steps", "512", "--num-envs", "2", "--rollout-size", "256", "--out", "run")
    done = run_here("train", errands, *words)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(LEFT_OUT) == 1
    words = ("--env", errands, "--episodes", "8", "--json", "found.json", "--report", "page.html")
    done = run_here("evaluate", "run", "--demos", "demos.hdf5", *words)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["random_success_fraction"] < found["success_fraction"] == 1.0
    (row,) = [line.split() for line in done.stdout.splitlines() if line.startswith("succeeded")]
    assert row == ["succeeded", "100%", f"{found['random_success_fraction']:.0%}"]
    assert "that the environment calls a success" in (tmp_path / "page.html").read_text()

    policy = load_policy(tmp_path / "run")
    env = gymnasium.make("Errands-v0").unwrapped
    seen, _ = env.reset(seed=5)
    assert "mission" in seen and policy(seen) == np.sign(seen["desired_goal"] - seen["achieved_goal"])


def test_success_is_not_told_where_the_environment_says_nothing_of_it(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("record", "CartPole-v1", "--policy", "random", "--episodes", "2", "--seed", "0", "-o", "d.hdf5")
    assert "succeeded" not in done.stdout and "left out" not in done.stderr
    done = run_here("evaluate", "random", "--demos", "d.hdf5", "--episodes", "2", "--json", "found.json")
    assert "succeeded" not in done.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["success_fraction"] is found["random_success_fraction"] is None
