"""Without actions, as a user meets it: leaving them out, what is said of such a file, training, evaluating."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Box

from gailkit.demonstrations import Demonstrations
from gailkit.training.metrics import read_metrics
from gailkit.types import Trajectory

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

TINY = (
    "--steps", "192", "--num-envs", "2", "--rollout-size", "64", "--discriminator-batch-size", "32",
    "--discriminator-updates", "2", "--policy-epochs", "2", "--threads", "1",
)  # fmt: skip


@pytest.fixture
def states(run_here: RunHere) -> Path:
    """Six episodes of random actions in CartPole-v1, whole in ``d.hdf5`` and without their actions in this file."""
    recorded = run_here("record", "CartPole-v1", "--policy", "random", "--episodes", "6", "--seed", "0", "-o", "d.hdf5")
    assert recorded.returncode == 0, recorded.stderr
    left = run_here("data", "convert", "d.hdf5", "-o", "s.hdf5", "--without-actions")
    assert left.returncode == 0, left.stderr
    return Path("s.hdf5")


def test_what_is_left_out_is_said_and_nothing_is_made_up_of_it(states: Path, run_here: RunHere) -> None:
    whole, alone = Demonstrations.load("d.hdf5"), Demonstrations.load(states)
    assert alone.digests() == whole.without_actions().digests()
    assert "step_1" in alone.provenance  # the command that was typed
    assert np.array_equal(alone.returns(), whole.returns())
    said = run_here("data", "info", states).stdout
    assert "action space: Discrete(2); no actions are held" in said and "--discriminator-kind next-state" in said
    assert json.loads(run_here("data", "info", "--json", states).stdout)["actions"] is None
    checked = run_here("data", "check", states, "--env", "CartPole-v1", "--json")
    assert checked.returncode == 0, checked.stdout
    unchecked = {each["why"] for each in json.loads(checked.stdout)["not_checked"]}
    assert "the file holds no actions" in unchecked
    assert run_here("data", "plot", states).returncode == 0
    for words in (["select", states, "--episodes", "0-2"], ["repair", states], ["merge", states, states]):
        done = run_here("data", *words, "-o", "new.hdf5", "--overwrite")
        assert done.returncode == 0, done.stderr
        assert not Demonstrations.load("new.hdf5").has_actions


def test_what_takes_actions_says_so_in_a_sentence(states: Path, run_here: RunHere) -> None:
    refused = [
        (["data", "convert", states, "-o", "m", "--to", "minari"], "an action for every step, and trajectory 0 has"),
        (["data", "convert", "d.hdf5", "-o", "n.hdf5", "--clip-actions", "--without-actions"], "give one of them"),
        (["data", "merge", states, "d.hdf5", "-o", "n.hdf5"], "actions: none (data convert --without-actions leaves"),
        (
            ["record", "CartPole-v1", "--policy", "random", "--episodes", "1", "--seed", "1", "-o", states, "--append"],
            "no actions",
        ),
        (
            ["train", "CartPole-v1", "--demos", states, "--out", "r", "--discriminator-kind", "state-action", *TINY],
            "hold no actions, which DiscreteActionDiscriminator looks at: imitate states by --discriminator-kind",
        ),
    ]
    for words, why in refused:
        done = run_here(*words)
        assert (done.returncode, done.stderr.count("\n") <= 6) == (2, True), done.stderr
        assert why in " ".join(done.stderr.replace("│", " ").split()), done.stderr
    Demonstrations((Trajectory(np.zeros((3, 2)), np.zeros((2, 0)), None, False),), action_space=Box(-1, 1, (1,))).save(
        "b.hdf5"
    )
    done = run_here("data", "convert", "b.hdf5", "-o", "n.hdf5", "--clip-actions")
    assert (done.returncode, "holds no actions that could be clipped" in done.stderr) == (2, True)


def test_from_states_to_an_evaluation_with_its_report(states: Path, run_here: RunHere, tmp_path: Path) -> None:
    trained = run_here("train", "CartPole-v1", "--demos", states, "--out", "run", *TINY)
    assert trained.returncode == 0, trained.stderr
    assert "note: the demonstrations hold no actions: what they saw is imitated" in trained.stderr
    assert "states of 5 expert episodes" in trained.stdout and "clone" not in trained.stdout
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert config["discriminator"]["kind"] == "next-state"
    assert not any(name.startswith("clone/") for name in read_metrics(tmp_path / "run")[0])
    again = run_here("train", "--resume", "run", "--steps", "256")
    assert again.returncode == 0, again.stderr
    assert read_metrics(tmp_path / "run")[-1]["steps"] == 256
    judged = run_here("evaluate", "run", "--demos", states, "--episodes", "3", "--json", "e.json", "--report", "r.html")
    assert judged.returncode == 0, judged.stderr
    assert "Its actions are not compared: the demonstrations hold none" in " ".join(judged.stdout.split())
    found = json.loads((tmp_path / "e.json").read_text())
    assert (found["occupancy"]["by_changes"], found["action_episodes"], found["action_held_out"]) == (True, 0, True)
    page = (tmp_path / "r.html").read_text()
    assert "What is seen and changes" in page and "same action" not in page
    # beside the actions that it has not seen: the episode that was held out is known by its states
    beside = run_here("evaluate", "run", "--demos", "d.hdf5", "--episodes", "3", "--json", "e.json")
    assert beside.returncode == 0, beside.stderr
    found = json.loads((tmp_path / "e.json").read_text())
    assert (found["occupancy"]["by_changes"], found["action_episodes"], found["compared_episodes"]) == (False, 1, 1)
    assert found["action_held_out"] and 0 <= found["action_agreement"] <= 1
