"""What was trained on one's own environment, networks and losses is played, evaluated and recorded as any other."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.rollouts.environments import make_env
from gailkit.training.metrics import read_metrics
from gailkit.training.run import load_policy
from gailkit.types import Trajectory

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
TINY = ("--steps", "192", "--num-envs", "2", "--rollout-size", "64", "--policy-hidden", "8", "--policy-epochs", "2")

WORKSHOP = """
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv
from torch import nn

gymnasium.registry.pop("Cart-v0", None)  # the module is imported anew by every command
gymnasium.register("Cart-v0", entry_point=CartPoleEnv, max_episode_steps=50)

def network(inputs, outputs, hidden):
    return nn.Sequential(nn.Linear(inputs, hidden[0]), nn.ReLU(), nn.Linear(hidden[0], outputs))

class Wasserstein:
    def __call__(self, discriminator, expert, policy):
        return discriminator.logits(policy).mean() - discriminator.logits(expert).mean()

def critic(discriminator, expert, policy):
    return discriminator.logits(policy).mean() - discriminator.logits(expert).mean()
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """demos.hdf5 with twelve short episodes, and the module ``workshop``; the runs of other tests are not known."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    env, random = make_env("CartPole-v1"), np.random.default_rng(0)
    episodes = (
        Trajectory(
            random.uniform(-0.1, 0.1, (steps + 1, 4)).astype(np.float32),
            random.integers(2, size=steps),
            np.ones(steps),
            terminated=True,
        )
        for steps in range(30, 42)
    )
    whole = Demonstrations(tuple(episodes), env.observation_space, env.action_space, "CartPole-v1")
    whole.save(tmp_path / "demos.hdf5")
    (tmp_path / "workshop.py").write_text(WORKSHOP)


@pytest.fixture
def uses() -> dict[str, tuple[str, ...]]:
    """What is done with a run, command by command."""
    return {
        "play": ("play", "run", "--video", "run.gif", "--overwrite", "--max-steps", "5"),
        "evaluate": ("evaluate", "run", "--demos", "demos.hdf5", "--episodes", "2"),
        "record": (
            "record", "workshop:Cart-v0", "--policy", "run", "--episodes", "2", "--seed", "0", "-o", "new.hdf5",
            "--overwrite",
        ),
    }  # fmt: skip


def trained_here(run_here: RunHere) -> None:
    done = run_here("expert", "workshop:Cart-v0", "--policy-network", "workshop:network", "--out", "run", *TINY)
    assert done.returncode == 0, done.stderr


def test_a_run_that_was_made_here_is_used_without_asking(
    run_here: RunHere, uses: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    trained_here(run_here)
    for words in uses.values():
        done = run_here(*words)
        assert done.returncode == 0, done.stderr
        assert "note: run is not finished" not in done.stderr
    recorded = Demonstrations.load(tmp_path / "new.hdf5")
    assert recorded.provenance["training"] == "checkpoint last, after all 192 steps"


def test_a_run_of_a_stranger_is_answered_with_the_command_that_works(
    run_here: RunHere, uses: dict[str, tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_here(run_here)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "of somebody else"))
    for words in uses.values():
        done = run_here(*words)
        for _ in range(2):  # at most two names are to be trusted, one after another
            if done.returncode == 0:
                break
            assert done.returncode == 2
            advice = done.stderr.splitlines()[-1].partition("; if you trust it: gailkit ")[2]
            done = run_here(*shlex.split(advice))
        assert done.returncode == 0, done.stderr
        assert words[0] == "play" or "--trust workshop:network" in advice


@pytest.mark.parametrize("loss", ["Wasserstein", "critic"])
def test_a_critic_has_no_best_logit_and_trains(run_here: RunHere, tmp_path: Path, loss: str) -> None:
    words = ("--demos", "demos.hdf5", "--out", "run", "--loss", f"workshop:{loss}", "--reward", "log_odds")
    done = run_here("train", "CartPole-v1", *words, *TINY, "--steps", "400", "--discriminator-updates", "4")
    assert done.returncode == 0, done.stderr
    rows = read_metrics(tmp_path / "run")
    assert len(rows) == 6 and all(np.isfinite(list(row.values())).all() for row in rows)
    for row in rows[1:]:  # the absorbing state lies between the sides
        low, high = sorted((row["discriminator/logit_policy"], row["discriminator/logit_expert"]))
        assert low - 0.1 < row["discriminator/absorbing_reward"] < high + 0.1
    assert load_policy(tmp_path / "run").env_id == "CartPole-v1"


def test_a_run_that_was_stopped_is_not_taken_for_a_finished_one(
    run_here: RunHere, uses: dict[str, tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gailkit.cli.common import Interrupted, Interruption

    def stop(self: Interruption) -> None:
        if (tmp_path / "run").exists():  # which is begun when the clone is made
            raise Interrupted(2)

    with monkeypatch.context() as patch:
        patch.setattr(Interruption, "check", stop)  # as Ctrl-C does in the first iteration
        done = run_here("train", "workshop:Cart-v0", "--demos", "demos.hdf5", "--out", "run", *TINY)
    assert done.returncode == 130
    assert "after 64 of 192 steps; saved in run; it goes on with: gailkit train --resume run" in done.stderr
    said = "run is not finished: checkpoint last, at 64 of 192 steps"
    extra = {"evaluate": ("--json", "found.json", "--report", "page.html")}
    for name, words in uses.items():
        done = run_here(*words, *extra.get(name, ()))
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(f"note: {said}\n") == 1
    found = json.loads((tmp_path / "found.json").read_text())
    reached = {"checkpoint": "last", "steps": 64, "planned_steps": 192, "finished": False}
    assert found["training"] == reached
    assert said in (tmp_path / "page.html").read_text()
    assert Demonstrations.load(tmp_path / "new.hdf5").provenance["training"] == "checkpoint last, at 64 of 192 steps"
    assert "run in workshop:Cart-v0, checkpoint last, at 64 of 192 steps" in run_here(*uses["evaluate"]).stdout
