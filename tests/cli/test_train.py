"""``gailkit train`` as a user meets it: from a recording to an evaluation, mistakes, interruptions, what it shows."""

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

import h5py
import numpy as np
import pytest
from gymnasium.spaces import Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.rollouts.environments import make_env
from gailkit.training.build_policy import GENERATORS
from gailkit.training.checkpoint import load_checkpoint
from gailkit.training.metrics import read_metrics
from gailkit.training.policy_config import OFF_POLICY
from gailkit.training.run import load_policy
from gailkit.types import Trajectory

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
RunHere = RunCli

TINY = (
    "--steps", "192", "--num-envs", "2", "--rollout-size", "64", "--discriminator-batch-size", "32",
    "--discriminator-updates", "2", "--policy-epochs", "2",
)  # fmt: skip

ENVIRONMENTS = """
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Text

class Dicts(gymnasium.Env):
    observation_space = Box(-1, 1, (2,))
    action_space = Dict({"left": Discrete(2), "right": Text(2)})

class Broken(gymnasium.Env):
    observation_space = Box(-np.inf, np.inf, (4,), np.float32)
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return np.zeros(4, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == 70:
            raise RuntimeError("a fuse blew")
        return np.full(4, self.steps, np.float32), 1.0, False, False, {}

gymnasium.register("Dicts-v0", entry_point=Dicts)
gymnasium.register("Broken-v0", entry_point=Broken)
"""


@pytest.fixture(scope="module")
def balancing() -> Demonstrations:
    """Three short episodes in the spaces of CartPole-v1."""
    env = make_env("CartPole-v1")
    random = np.random.default_rng(0)
    trajectories = (
        Trajectory(
            random.uniform(-0.1, 0.1, (steps + 1, 4)).astype(np.float32),
            random.integers(2, size=steps),
            np.ones(steps),
            terminated=True,
        )
        for steps in (30, 40, 50)
    )
    return Demonstrations(tuple(trajectories), env.observation_space, env.action_space, "CartPole-v1")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, balancing: Demonstrations) -> None:
    """demos.hdf5, the same with a damaged second episode, one of another task, a module with odd environments."""
    balancing.save(tmp_path / "demos.hdf5")
    balancing.save(tmp_path / "damaged.hdf5")
    with h5py.File(tmp_path / "damaged.hdf5", "r+") as file:
        file["actions"][35] = 1 - file["actions"][35]
    (tmp_path / "text.hdf5").write_text("not a data file at all")
    pendulum = make_env("Pendulum-v1")
    swing = Trajectory(np.zeros((4, 3), np.float32), np.zeros((3, 1), np.float32), None, terminated=False)
    Demonstrations((swing,), pendulum.observation_space, pendulum.action_space).save(tmp_path / "pendulum.hdf5")
    (tmp_path / "odd_rooms.py").write_text(ENVIRONMENTS)
    (tmp_path / "settings.toml").write_text("stesp = 3\n")
    (tmp_path / "file").touch()


def test_from_a_recording_to_an_evaluation(run_here: RunHere, tmp_path: Path) -> None:
    options = ["--policy", "random", "--episodes", "5", "--seed", "1", "-o", "random.hdf5"]
    assert run_here("record", "CartPole-v1", *options).returncode == 0
    trained = run_here(
        "train", "CartPole-v1", "--demos", "random.hdf5", "--steps", "4096", "--seed", "2", "--out", "run"
    )
    assert trained.returncode == 0, trained.stderr
    assert "gailkit evaluate run --demos random.hdf5" in trained.stdout
    assert re.search(r"chosen: the (averaged|last|clone) policy[, ]", trained.stdout)
    assert read_metrics(tmp_path / "run")[-1]["steps"] == 4096  # 3,891 in whole rollouts of 2,048
    options = ["--demos", "random.hdf5", "--episodes", "5", "--seed", "3", "--json", "result.json"]
    evaluated = run_here("evaluate", "run", *options)
    assert evaluated.returncode == 0, evaluated.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["env_id"], result["episodes"], result["seed"]) == ("CartPole-v1", 5, 3)
    assert result["return_ci95"][0] <= result["return_mean"] <= result["return_ci95"][1]
    assert (result["action_episodes"], result["action_held_out"]) == (1, True)  # a fifth of five was held out
    assert f"The policy's mean return is {result['return_mean']:.1f}" in evaluated.stdout
    assert "Traceback" not in trained.stderr + evaluated.stderr


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"--demos": "nothing.hdf5"}, 2, r"nothing\.hdf5"),
        ({"--demos": "damaged.hdf5"}, 3, r"episode 1 of 3: it is damaged"),
        ({"--demos": "text.hdf5"}, 3, r"text\.hdf5"),
        ({"--demos": "pendulum.hdf5"}, 2, r"\(3,\).*\(4,\)"),
        ({"env_id": "CartPol-v1"}, 2, r"no environment is called 'CartPol-v1'; near matches: CartPole-v1"),
        ({"env_id": "odd_rooms:Dicts-v0"}, 2, r"the space Text.* is not supported; supported are Box, Disc"),
        ({"--generator": "ppo-clp"}, 2, r"no generator is called 'ppo-clp'; .*ppo-clip"),
        ({"--loss": "bcee"}, 2, r"no discriminator loss is called 'bcee'; did you mean 'bce'\? .*adversarial, bce"),
        ({"--reward": "nowhere_at_all:r"}, 2, r"no module 'nowhere_at_all'"),
        ({"--config": "settings.toml"}, 2, r"no setting is called 'stesp'; did you mean 'steps'\? known are steps, "),
        ({"--config": "demos.hdf5"}, 3, r"demos\.hdf5 is not a TOML file"),
        ({"--steps": "0"}, 2, r"steps must be at least 1; found 0"),
        ({"--steps": "many"}, 2, r"'many' is not a whole number"),
        ({"--gamma": "1"}, 2, r"--gamma must be at least 0 and below 1; found 1"),
        ({"--policy-clip": "-1"}, 2, r"--policy-clip must be above 0; found -1"),
        (
            {"--generator": "trpo", "--policy-clip": "0.2"},
            2,
            r"--policy-clip is a setting of ppo-clip; the generator",
        ),
        ({"--policy-max-kl": "0.02"}, 2, r"--policy-max-kl is a setting of trpo.*; the generator is ppo-clip"),
        ({"--generator": "ppo-penalty", "--policy-kl-min": "1"}, 2, r"--policy-kl-min must be below --policy-kl-max"),
        ({"--policy-target-kl": "-1"}, 2, r"--policy-target-kl must be at least 0; found -1"),
        ({"--policy-std": "states"}, 2, r"'states' is not one of 'free', 'state'"),
        ({"--least-deviation": "-1"}, 2, r"--least-deviation must be at least 0; found -1"),
        ({"--policy-hidden": "64x64"}, 2, r"'64x64' is not a list of whole numbers"),
        ({"--trajectories": "9"}, 2, r"9 trajectories were asked for; these demonstrations hold 3"),
        ({"--subsample": "0"}, 2, r"0 is not in the range x>=1"),
        ({"--env-kwargs": '{"nosuch": 1}'}, 2, r"nosuch"),
        ({"--out": "file/run"}, 5, r"the run folder file/run cannot be made: Not a directory"),
        ({"--out": "file"}, 5, r"the run folder file cannot be made"),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence_and_its_exit_code(
    run_here: RunHere, tmp_path: Path, changes: dict[str, str], code: int, said: str
) -> None:
    options = {"--demos": "demos.hdf5", "--out": "run", **dict(zip(TINY[::2], TINY[1::2], strict=True)), **changes}
    env_id = options.pop("env_id", "CartPole-v1")
    done = run_here("train", env_id, *(word for pair in options.items() for word in pair))
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert (done.returncode, len(errors)) == (code, 1), done.stderr
    assert re.search(said, errors[0]), errors[0]
    assert done.stderr.splitlines()[-1] == errors[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_mistake_leaves_the_process_with_its_exit_code_and_no_traceback(run_cli: RunCli) -> None:
    done = run_cli("train", "CartPole-v1", "--demos", "damaged.hdf5", "--out", "run", *TINY)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "Error: damaged.hdf5: episode 1 of 3: it is damaged: its digest does not fit\n"


def test_a_run_is_not_replaced_unless_one_says_so(run_here: RunHere, tmp_path: Path) -> None:
    command = ("train", "CartPole-v1", "--demos", "demos.hdf5", "--out", "run", *TINY)
    assert run_here(*command).returncode == 0
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    refused = run_here(*command)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("Error: run already holds a run")
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before
    assert run_here(*command, "--overwrite", "--seed", "1").returncode == 0
    assert len(read_metrics(tmp_path / "run")) == 3
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() != before


def test_what_is_shown_to_the_learner_is_said_and_written_down(run_here: RunHere, tmp_path: Path) -> None:
    options = ("--demos", "demos.hdf5", "--out", "run", "--trajectories", "2", "--subsample", "10", "--seed", "5")
    done = run_here("train", "CartPole-v1", *options, *TINY)
    assert done.stdout.startswith(
        "trained on 7 pairs of 2 expert episodes: run; 1 held out for evaluate (its verdict takes 10)\n"
    )
    described = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (described["demonstrations"]["stride"], described["demonstrations"]["transitions"]) == (10, 7)
    assert described["config"]["seed"] == 5
    assert described["config"]["policy"]["epochs"] == 2


def test_what_is_larger_than_the_memory_it_may_take_is_learned_from_piece_by_piece(run_here: RunHere) -> None:
    options = ("--demos", "demos.hdf5", "--memory", "0", "--out", "run", "--subsample", "2")
    done = run_here("train", "CartPole-v1", *options, *TINY)
    assert done.returncode == 0, done.stderr
    assert "note: demos.hdf5 is larger than the memory it may take and is read piece by piece" in done.stderr
    assert "pairs of 3 expert episodes" in done.stdout


def test_demonstrations_of_another_version_are_taken_with_a_note_where_they_are_wanted(
    run_here: RunHere, tmp_path: Path
) -> None:
    words = ("train", "CartPole-v0", "--demos", "demos.hdf5", "--out", "run", *TINY)
    refused = run_here(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "Error: the demonstrations come from another form of the environment: recorded in CartPole-v1, used in "
        "CartPole-v0; recorded with a time limit of 500 steps, used with one of 200; --other-environment (in Python, "
        "other_environment=True) learns from them all the same\n"
    )
    assert not (tmp_path / "run").exists()
    done = run_here(*words, "--other-environment")
    assert done.returncode == 0, done.stderr
    assert "note: recorded in CartPole-v1, used in CartPole-v0\n" in done.stderr
    assert "note: recorded with a time limit of 500 steps, used with one of 200\n" in done.stderr
    resumed = run_here("train", "--resume", "run", "--steps", "320")
    assert (resumed.returncode, "recorded" in resumed.stderr) == (0, False), resumed.stderr


def test_an_environment_that_breaks_is_exit_code_4_after_a_checkpoint(run_here: RunHere, tmp_path: Path) -> None:
    words = ("--demos", "demos.hdf5", "--out", "run", "--restarts", "0")
    done = run_here("train", "odd_rooms:Broken-v0", *words, *TINY)
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].endswith("after 128 steps; what was learned is kept")
    assert "failed at step 70 of the episode with seed" in done.stderr
    assert "RuntimeError: a fuse blew" in done.stderr
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors")["iteration"] == 2


def test_a_pipe_gets_a_line_with_all_that_tells_how_it_goes(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("train", "CartPole-v1", "--demos", "demos.hdf5", "--out", "run", *TINY)
    line = next(line for line in done.stderr.splitlines() if line.startswith("step "))
    row = read_metrics(tmp_path / "run")[-1]
    fields = dict(field.split(": ") for field in line.split("; ")[1:])
    assert line.split("; ")[0] == f"step 192 of 192, {row['steps_per_second']:,.0f} steps/s, 0 s left"
    accuracy = f"{row['discriminator/accuracy_expert']:.2f} | {row['discriminator/accuracy_policy']:.2f}"
    logits = f"{row['discriminator/logit_expert']:+.2f} | {row['discriminator/logit_policy']:+.2f}"
    assert fields["discriminator accuracy (0.5 by guessing), expert | policy"] == accuracy
    assert fields["discriminator logit, expert | policy"] == logits
    assert fields["reward, mean | deviation"] == f"{row['reward/mean']:+.3f} | {row['reward/std']:+.3f}"
    assert fields["policy entropy | KL of the update"] == f"{row['policy/entropy']:.4f} | {row['policy/kl']:.4f}"
    assert fields["true return"] == f"{row['episode/true_return']:.1f}"
    assert "\x1b" not in done.stderr


def test_every_metric_is_explained(run_here: RunHere, tmp_path: Path, repository: Path) -> None:
    metrics: set[str] = set()
    for generator in [name for name, kind in GENERATORS.items() if Discrete in kind.acts_in]:
        options = ("--generator", generator, "--out", generator)
        if generator in OFF_POLICY:
            options = (*options, "--policy-warm-up", "16", "--policy-batch-size", "16")
        assert run_here("train", "CartPole-v1", "--demos", "demos.hdf5", *options, *TINY[:-2]).returncode == 0
        own = {name for row in read_metrics(tmp_path / generator) for name in row}
        page = (repository / "docs" / "algorithms" / f"{generator}.md").read_text(encoding="utf-8")
        assert {name for name in own if name.startswith("policy/") and name not in page.split()} == set(), generator
        metrics |= own
    page = (repository / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert {name for name in metrics if f"`{name}`" not in page} == set()
    explained = set(re.findall(r"`((?:discriminator|clone|policy|reward|episode|health)/\w+)`", page))
    assert explained <= metrics  # and nothing is explained that is no longer there


def test_an_interruption_keeps_the_run_and_it_can_be_evaluated(tmp_path: Path, run_here: RunHere) -> None:
    options = ["--demos", "demos.hdf5", "--out", "run", *TINY, "--steps", "100000000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gailkit", "train", "CartPole-v1", *options],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.stat().st_size > 3000) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    rows = read_metrics(tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors")
    assert len(rows) >= 3
    assert (checkpoint["iteration"], checkpoint["steps"]) == (len(rows), rows[-1]["steps"])  # the very last one
    assert (tmp_path / "run" / "learning.svg").is_file()
    assert load_policy(tmp_path / "run").env_id == "CartPole-v1"
    done = run_here("evaluate", "run", "--demos", "demos.hdf5", "--episodes", "2")
    assert done.returncode == 0, done.stderr
