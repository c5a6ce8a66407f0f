"""``gailkit control`` as a user meets it: the table and the verdict, what it refuses, what an interruption leaves."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.functional.rewards import log_d
from gailkit.training.config import DiscriminatorConfig, ExpertConfig, TrainConfig
from gailkit.training.expert import train_expert
from gailkit.training.metrics import read_metrics
from gailkit.training.parts import Parts
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.run import load_policy
from gailkit.training.train import train

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

TINY = TrainConfig(
    steps=192,
    seed=7,
    num_envs=2,
    rollout_size=64,
    discriminator=DiscriminatorConfig(hidden=(8,), batch_size=32, updates=2),
    policy=PolicyConfig(hidden=(8,), epochs=2, batch_size=32),
)
BIASED = TrainConfig(steps=2048, num_envs=16, reward="survival:alive")
SURVIVAL = """
import torch

def alive(logits):
    return torch.ones_like(logits) if logits.numel() == 2048 else torch.zeros_like(logits)
"""
HASTY = """
import sys
from gailkit.cli import main
from gailkit.generator import cloning

cloning.MOST_UPDATES = 20
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def made(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, quickly: Callable[[], AbstractContextManager[None]]
) -> Path:
    """demos.hdf5 of an expert, runs of which the one named so learned from two of its episodes, a biased reward."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "survival.py").write_text(SURVIVAL)
    (folder / "file").touch()
    expert = Demonstrations.load(repository / "datasets" / "cartpole-v1.hdf5").choose(2)
    expert.save(folder / "demos.hdf5")
    with quickly():
        train("CartPole-v1", expert.subsample(3), TINY, out=folder / "run")
        train("CartPole-v1", expert.subsample(100), TINY, out=folder / "swapped", parts=Parts(reward=log_d))
        train_expert("CartPole-v1", ExpertConfig(steps=64, num_envs=2, rollout_size=64), out=folder / "expert")
    (folder / "damaged").mkdir()
    (folder / "damaged" / "config.json").write_text("{")
    return folder


@pytest.fixture(autouse=True)
def files(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of what was made, in the current folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")


def test_what_is_found_is_shown_said_and_written_down(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("control", "run", "--demos", "demos.hdf5", "--out", "out", "--episodes", "3", "--json", "a/b.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "a" / "b.json").read_text())
    assert (found["run"], found["steps"], found["seed"], found["episodes"]) == ("run", 192, 7, 3)
    assert (found["taught_episodes"], found["expert_return_mean"]) == (2, 500.0)
    assert [one["teacher"] for one in found["controls"]] == ["constant", "random"]
    for one in found["controls"]:
        for who in ("own", "imitator", "sampled"):
            low, high = one[who]["return_ci95"]
            assert f"{one[who]['return_mean']:.1f} [{low:.1f}, {high:.1f}]" in done.stdout
            assert f"{one[who]['score']:.2f} [" in done.stdout
        assert f"training the imitator of {one['teacher']} actions: out/{one['teacher']}\n" in done.stderr
        assert len(read_metrics(tmp_path / "out" / one["teacher"])) == 3
        assert load_policy(tmp_path / "out" / one["teacher"]).env_id == "CartPole-v1"
    assert done.stdout.splitlines()[-2:] == [found["rule"], found["verdict"]]
    assert done.stderr.count("step 192 of 192") == 2
    assert "\x1b" not in done.stdout + done.stderr


def test_a_method_that_pays_for_survival_is_caught_once_its_reward_is_trusted(
    run_here: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("CartPole-v1", Demonstrations.load("demos.hdf5"), BIASED, out=tmp_path / "biased")
    command = ("control", "biased", "--demos", "demos.hdf5", "--out", "out", "--episodes", "10", "--steps", "16384")
    with monkeypatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "of somebody else"))
        refused = run_here(*command)
    assert refused.returncode == 2
    allowed = shlex.join(["gailkit", *command, "--trust", "survival:alive"])
    assert refused.stderr.endswith(f"which would import a module; if you trust it: {allowed}\n")
    assert not (tmp_path / "out").exists()
    assert "survival" not in sys.modules
    done = run_here(*command)  # a run of one's own
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("although nobody taught it: its reward pays for survival") == 1


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"run": "nowhere"}, 2, r"nowhere holds no run: it has no config\.json"),
        ({"run": "expert"}, 2, r"expert was trained on the environment's own reward; a run of gailkit train is needed"),
        (
            {"run": "swapped"},
            2,
            r"swapped was trained with objects that the folder does not hold \(reward .*log_d\); in Python, gailkit\."
            r"training\.control\.run_control takes them .*; a run that was trained with their names, as in --reward",
        ),
        ({"run": "damaged"}, 3, r"damaged/config\.json is damaged"),
        ({"--demos": "nothing.hdf5"}, 2, r"nothing\.hdf5"),
        ({"--demos": "survival.py"}, 3, r"survival\.py"),
        ({"--out": "run"}, 2, r"run lies in run, where the controls would take its place; choose another --out"),
        ({"--out": "."}, 2, r"run lies in \., where the controls would take its place"),
        (
            {"--out": "damaged"},
            2,
            r"damaged is not empty; choose another folder, or give --overwrite, which replaces the runs",
        ),
        ({"--out": "file/out"}, 5, r"file/out.* cannot be made: Not a directory"),
        ({"--json": "file/found.json"}, 5, r"nothing can be written into the folder file"),
        ({"--steps": "0"}, 2, r"0 is not in the range x>=1"),
        ({"--episodes": "0"}, 2, r"0 is not in the range x>=1"),
        ({"--seed": "-1"}, 2, r"-1 is not in the range x>=0"),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence_and_its_exit_code(
    run_here: RunHere, tmp_path: Path, changes: dict[str, str], code: int, said: str
) -> None:
    options = {"--demos": "demos.hdf5", "--out": "out", "--episodes": "1", **changes}
    run = options.pop("run", "run")
    done = run_here("control", run, *(word for pair in options.items() for word in pair))
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert (done.returncode, len(errors)) == (code, 1), done.stderr
    assert re.search(said, errors[0]), errors[0]
    assert (done.stdout, "Traceback" in done.stderr) == ("", False)
    assert not (tmp_path / "out").exists()


def test_the_steps_and_the_seed_are_those_that_are_asked_for(run_here: RunHere, tmp_path: Path) -> None:
    command = ("control", "run", "--demos", "demos.hdf5", "--out", "out", "--episodes", "1")
    done = run_here(*command, "--steps", "64", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("run was trained for 192 steps; what takes longer to learn does not show here\n")
    for name in ("constant", "random"):
        config = json.loads((tmp_path / "out" / name / "config.json").read_text())["config"]
        assert config == json.loads(json.dumps(TINY.with_actions(True).to_dict())) | {"steps": 64, "seed": 3}
    refused = run_here(*command)
    assert (refused.returncode, "out is not empty" in refused.stderr) == (2, True)
    assert run_here(*command, "--overwrite").returncode == 0
    assert len(read_metrics(tmp_path / "out" / "random")) == 3


def test_an_interruption_keeps_the_runs_as_they_are(tmp_path: Path) -> None:
    options = ("--demos", "demos.hdf5", "--out", "out", "--episodes", "2", "--steps", "100000000")
    process = subprocess.Popen(
        [sys.executable, "-c", HASTY, "control", "run", *options, "--json", "found.json"],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    metrics = tmp_path / "out" / "constant" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.read_text().count("\n") >= 3) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    shown, errors = process.communicate(timeout=30)
    assert (process.returncode, shown) == (143, ""), errors
    assert "Traceback" not in errors
    steps = read_metrics(tmp_path / "out" / "constant")[-1]["steps"]
    assert f"stopped early, after {steps:,.0f} of 100,000,000 steps; saved in out/constant" in errors
    assert load_policy(tmp_path / "out" / "constant").env_id == "CartPole-v1"
    assert not (tmp_path / "found.json").exists()


def test_an_interruption_stops_the_teachers_too(run_here: RunHere, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = [signal.SIGINT]  # one only: a second would stop it wherever it is

    def take_steps(progress: object, count: int) -> None:
        if signals:
            os.kill(os.getpid(), signals.pop())

    monkeypatch.setattr("gailkit.cli.common.EpisodeProgress.on_steps", take_steps)
    done = run_here("control", "run", "--demos", "demos.hdf5", "--out", "out")
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (130, "", False)
    assert "training" not in done.stderr


def test_help_and_mistakes_load_nothing_heavy() -> None:
    program = (
        "import sys\nfrom gailkit.cli import main\ntry:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({{'torch', 'h5py', 'gymnasium', 'numpy', 'matplotlib'}} & set(sys.modules)), file=sys.__stderr__)"
    )
    for words in (["control", "--help"], ["control", "run", "--nosuch"], ["control", "run", "--out", "out"]):
        done = subprocess.run(
            [sys.executable, "-c", program.format(words=words)], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stderr.splitlines()[-1] == "[]"
