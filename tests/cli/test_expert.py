"""``gailkit expert`` as a user meets it: from an environment to an expert's demonstrations, mistakes, interruptions."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.training.build_policy import GENERATORS
from gailkit.training.checkpoint import load_checkpoint
from gailkit.training.metrics import read_metrics
from gailkit.training.policy_config import DETERMINISTIC, OFF_POLICY
from gailkit.training.run import load_policy

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

TINY = ("--steps", "192", "--num-envs", "2", "--rollout-size", "64", "--policy-hidden", "8", "--out", "run")


def test_from_an_environment_to_an_experts_demonstrations(run_here: RunHere, tmp_path: Path) -> None:
    trained = run_here("expert", "CartPole-v1", "--steps", "4096", "--seed", "2", "--out", "run")
    assert trained.returncode == 0, trained.stderr
    rows = read_metrics(tmp_path / "run")
    assert rows[-1]["steps"] == 4096
    first, second = trained.stdout.splitlines()
    reached = rows[-1]["episode/true_return"]
    assert first == f"trained for 4,096 steps, mean return of the last episodes {reached:.1f}: run"
    assert second == "Record it: gailkit record CartPole-v1 --policy run --episodes 10 --seed 0 -o demos.hdf5"
    recorded = run_here(*second.partition("gailkit ")[2].split())
    assert recorded.returncode == 0, recorded.stderr
    demonstrations = Demonstrations.load(tmp_path / "demos.hdf5")
    assert (len(demonstrations.trajectories), demonstrations.env_id) == (10, "CartPole-v1")
    assert "Traceback" not in trained.stderr + recorded.stderr


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_generator_makes_a_run_that_can_be_recorded_and_shows_what_it_has(
    run_here: RunHere, tmp_path: Path, generator: str
) -> None:
    soon = ("--policy-warm-up", "16", "--policy-batch-size", "16") if generator in OFF_POLICY else ()
    env_id = "Pendulum-v1" if generator in DETERMINISTIC else "CartPole-v1"
    done = run_here("expert", env_id, *TINY, "--generator", generator, *soon)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stderr.splitlines() if line.startswith("step "))
    labels = [field.split(": ")[0] for field in line.split("; ")[1:]]
    assert not [label for label in labels if "discriminator" in label]
    assert {"reward, mean | deviation", "true return"} <= set(labels)
    assert ("policy entropy | KL of the update" in labels) == (generator not in ("dqn", *DETERMINISTIC))
    assert ("action value, mean | half its squared error" in labels) == (generator in OFF_POLICY)
    assert ("share of the step taken" in labels) == ("policy/step_share" in read_metrics(tmp_path / "run")[-1])
    assert ("weight of the KL penalty" in labels) == (generator == "ppo-penalty")
    described = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (described["config"]["generator"], described["demonstrations"]) == (generator, None)
    options = ("--policy", "run", "--episodes", "2", "--seed", "0", "-o", "demos.hdf5")
    assert run_here("record", env_id, *options).returncode == 0


def test_where_no_episode_has_ended_it_says_so(run_here: RunHere) -> None:
    done = run_here("expert", "Pendulum-v1", "--env-kwargs", '{"g": 9.81}', *TINY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("trained for 192 steps, no episode has ended yet: run\n")
    assert "true return: -" in done.stderr


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        (["--generator", "trpo", "--policy-clip", "0.2"], 2, r"--policy-clip is a setting of ppo-clip; the generator"),
        (["--generator", "pg", "--policy-epochs", "3"], 2, r"--policy-epochs is a setting of .*; the generator is pg$"),
        (["--generator", "ppo-penalty", "--policy-kl-max", "0"], 2, r"--policy-kl-min must be below --policy-kl-max"),
        (["--policy-target-kl", "-0.1"], 2, r"--policy-target-kl must be at least 0; found -0\.1$"),
        (["--policy-bounds", "none"], 2, r"'none' is not one of 'clip', 'tanh'"),
        (["--policy-clip-schedule", "cosine"], 2, r"'cosine' is not one of 'linear', 'constant'"),
        (["--generator", "ppo-clp", "--policy-clip", "0.3"], 2, r"no generator is called 'ppo-clp'; did you mean"),
        (["--config", "imitation.toml"], 2, r"no setting is called 'reward'; known are steps, "),
        (["--demos", "demos.hdf5"], 2, r"No such option '--demos'"),
        (["--env-kwargs", '{"nosuch": 1}'], 2, r"nosuch"),
        (["--out", "file/run"], 5, r"the run folder file/run cannot be made"),
        (["--out", "."], 2, r"is not empty; choose another folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_its_exit_code(
    run_here: RunHere, tmp_path: Path, changes: list[str], code: int, said: str
) -> None:
    (tmp_path / "imitation.toml").write_text('reward = "log_d"\n')
    (tmp_path / "file").touch()
    done = run_here("expert", "CartPole-v1", *TINY, *changes)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and re.search(said, errors[0]), done.stderr
    assert not (tmp_path / "run").exists()


def test_a_file_that_only_the_options_complete_is_taken(run_here: RunHere, tmp_path: Path) -> None:
    (tmp_path / "trust.toml").write_text("[policy]\nmax_kl = 0.02\n")
    assert run_here("expert", "CartPole-v1", *TINY, "--config", "trust.toml").returncode == 2
    done = run_here("expert", "CartPole-v1", *TINY, "--config", "trust.toml", "--generator", "trpo")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"]["policy"]["max_kl"] == 0.02


STUCK = """
import os, time
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

class Stuck(CartPoleEnv):
    taken = 0

    def step(self, action):
        Stuck.taken += 1
        if Stuck.taken == 160 and "HANG" in os.environ:
            open("hangs", "w").close()
            time.sleep(600)
        return super().step(action)

gymnasium.register("Stuck-v0", entry_point=Stuck, max_episode_steps=500)
"""


def started(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """``gailkit expert`` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gailkit", "expert", *TINY, *words],
        cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def wait_for(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not there() and time.monotonic() < deadline:
        time.sleep(0.05)


def nobody_is_left_of(process: subprocess.Popen[str]) -> bool:
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_signal_stops_it_after_the_iteration_and_keeps_the_expert_as_it_is(tmp_path: Path) -> None:
    process = started(tmp_path, "CartPole-v1", "--steps", "100000000")
    metrics = tmp_path / "run" / "metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") >= 3)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 143, errors
    assert "Traceback" not in errors
    assert nobody_is_left_of(process)
    rows = read_metrics(tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors")
    assert len(rows) >= 3
    assert (checkpoint["iteration"], checkpoint["steps"]) == (len(rows), rows[-1]["steps"])
    assert (
        f"stopped early, after {rows[-1]['steps']:,.0f} of 100,000,000 steps; saved in run; it goes on with: gailkit "
        "expert --resume run" in errors
    )
    assert load_policy(tmp_path / "run").env_id == "CartPole-v1"


@pytest.mark.skipif(os.name != "posix", reason="NOT TESTED: a second signal, where there are none")
def test_a_second_signal_stops_it_at_once_and_it_goes_on_as_if_it_had_not_been_stopped(
    run_here: RunHere, tmp_path: Path
) -> None:
    """The environment hangs in the third of three iterations, so that only a second signal can stop it."""
    (tmp_path / "stuck.py").write_text(STUCK)
    process = started(tmp_path, "stuck:Stuck-v0", "--workers", "1", HANG="1")
    wait_for((tmp_path / "hangs").exists)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "stopped early, after 128 of 192 steps; saved in run; it goes on with: gailkit expert --resume run" in errors
    assert "Traceback" not in errors
    assert nobody_is_left_of(process)
    again = run_here("expert", "--resume", "run", "--trust", "stuck:Stuck-v0")
    assert again.returncode == 0, again.stderr
    assert run_here("expert", "stuck:Stuck-v0", *TINY[:-2], "--out", "whole").returncode == 0
    clock = {"seconds", "steps_per_second"}
    one, whole = (
        [{name: row[name] for name in row.keys() - clock} for row in read_metrics(tmp_path / run)]
        for run in ("run", "whole")
    )
    assert one == whole
