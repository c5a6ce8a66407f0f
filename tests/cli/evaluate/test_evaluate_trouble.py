"""``gailkit evaluate`` where something is missing, does not fit, fails or is interrupted."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
SHORT = ("--demos", "demos.hdf5", "--episodes", "2")
WALK = ("--demos", "walk.hdf5", "--episodes", "12", "--json", "result.json")
SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


def failed(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one sentence that it failed with."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert sentence.startswith("Error: ")
    return sentence


def resaved(path: Path, demonstrations: Demonstrations, **changed: Any) -> None:
    """All episodes with something else in them."""
    episodes = tuple(dataclasses.replace(each, **changed) for each in demonstrations.trajectories)
    dataclasses.replace(demonstrations, trajectories=episodes).save(path)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("teacher:torque", "teacher:torque returned array([nan]) of shape (1,)"),
        ("teacher:torques", "teacher:torques returned array([0., 0.]) of shape (2,)"),
        ("teacher:left", "teacher:left returned 0 "),
    ],
)
def test_a_policy_that_returns_no_action_is_refused(run_here: RunHere, policy: str, said: str) -> None:
    run_here("record", "Pendulum-v1", "--policy", "random", "--episodes", "2", "--seed", "0", "-o", "p.hdf5")
    assert said in failed(run_here("evaluate", policy, "--demos", "p.hdf5", "--episodes", "1"), 2)


@pytest.mark.usefixtures("walk")
def test_demonstrations_of_another_task(run_here: RunHere, tmp_path: Path) -> None:
    """Of other shapes they are refused; what only goes by another name, or was recorded otherwise, is a note."""
    assert re.search(r"\(1,\).*\(4,\)", failed(run_here("evaluate", "run", "--demos", "walk.hdf5"), 2))
    gymnasium.register("Hill-v0", entry_point=gymnasium.registry["Walk-v0"].entry_point, max_episode_steps=9)
    done = run_here("evaluate", "random", *WALK, "--env", "Hill-v0")
    del gymnasium.registry["Hill-v0"]
    assert done.returncode == 0, done.stderr
    assert "note: recorded in Walk-v0, used in Hill-v0\n" in done.stderr
    assert json.loads((tmp_path / "result.json").read_text())["env_id"] == "Hill-v0"


def test_one_episode_of_the_expert_is_too_few_to_judge_by(
    run_here: RunHere, tmp_path: Path, demonstrations: Demonstrations
) -> None:
    demonstrations.choose(1).save(tmp_path / "one.hdf5")
    done = run_here("evaluate", "random", "--demos", "one.hdf5", "--episodes", "2", "--json", "result.json")
    assert done.returncode == 0, done.stderr
    assert "There is not enough expert data to say: 1 episode of the expert, and at least 10 are needed." in done.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["verdict"], result["closeness"]) == ("not enough expert data", None)


def test_an_expert_whose_rewards_are_not_known_still_has_an_occupancy(
    run_here: RunHere, tmp_path: Path, demonstrations: Demonstrations
) -> None:
    resaved(tmp_path / "blind.hdf5", demonstrations, rewards=None)
    words = ("--demos", "blind.hdf5", "--episodes", "10", "--json", "result.json", "--report", "page.html")
    done = run_here("evaluate", "random", "teacher:left", *words)
    assert done.returncode == 0, done.stderr
    assert "not recorded" in done.stdout
    assert "the expert's was not recorded." in done.stdout
    for result in json.loads((tmp_path / "result.json").read_text())["policies"]:
        assert (result["expert_return_mean"], result["normalised_score"]) == (None, None)
        assert result["closeness"] is not None
        assert result["verdict"] == "different"


@pytest.mark.usefixtures("walk")
def test_an_expert_that_acts_at_random_gives_no_scale(run_here: RunHere, tmp_path: Path) -> None:
    """It earns about what random actions do, or less, and moves as they do: nothing is divided by that."""
    words = ("--policy", "random", "--episodes", "12", "--seed", "5", "-o", "aimless.hdf5")
    assert run_here("record", "Walk-v0", *words).returncode == 0
    words = ("--demos", "aimless.hdf5", "--episodes", "12", "--seed", "1", "--json", "result.json")
    done = run_here("evaluate", "teacher:left", "teacher:right", *words, "--report", "page.html")
    assert done.returncode == 0, done.stderr
    assert "these demonstrations give no scale for a closeness." in done.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert [each["closeness"] for each in result["policies"]] == [None, None]
    assert [each["closeness"] for each in result["methods"]] == [None, None]


@pytest.mark.usefixtures("walk")
def test_an_expert_that_earns_no_more_than_random_actions_gives_no_score(
    run_here: RunHere, tmp_path: Path, demonstrations: Demonstrations
) -> None:
    upwards = Demonstrations.load(tmp_path / "walk.hdf5")
    resaved(tmp_path / "poor.hdf5", upwards, rewards=np.zeros(9))
    words = ("--demos", "poor.hdf5", "--episodes", "12", "--json", "result.json", "--report", "page.html")
    done = run_here("evaluate", "teacher:left", "random", *words)
    assert done.returncode == 0, done.stderr
    assert "this expert is no better than random actions, so there is no score." in done.stdout
    for result in json.loads((tmp_path / "result.json").read_text())["policies"]:
        assert result["normalised_score"] is None
        assert result["closeness"] is not None


@pytest.mark.usefixtures("walk")
def test_a_task_that_fails_on_its_way_is_its_own_failure(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("evaluate", "random", *WALK, "--env-kwargs", '{"slips_at": 4}')
    assert re.search("failed at step 4 .*RuntimeError: slipped", failed(done, 4))
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("path", "content", "code", "said"),
    [
        ("config.json", "[]", 3, "run/config.json is damaged or not the description of a run"),
        ("config.json", '{"format": "gailkit-run", "format_version": 9}', 3, "is of format"),
        ("config.json", '{"format": "gailkit-run", "format_version": 1}', 3, "does not say what it was trained in"),
        ("checkpoints/chosen.safetensors", "", 3, "chosen.safetensors is damaged"),
    ],
)
def test_a_damaged_run_is_a_sentence(
    run_here: RunHere, tmp_path: Path, path: str, content: str, code: int, said: str
) -> None:
    (tmp_path / "run" / path).write_text(content)
    assert said in failed(run_here("evaluate", "run", *SHORT), code)
    assert said in failed(run_here("evaluate", "random", "run", *SHORT), code)


@SIGNALS
def test_a_signal_stops_it_between_two_steps(run_here: RunHere, tmp_path: Path, number: int, code: int) -> None:
    """A second signal would stop it wherever it is; this policy sends one, in its first step."""
    (tmp_path / "impatient.py").write_text(
        "import os\n\nsent = []\n\n"
        "def act(observation):\n"
        f"    if not sent:\n        sent.append(os.kill(os.getpid(), {number:d}))\n"
        "    return 0\n"
    )
    done = run_here("evaluate", "impatient:act", *SHORT, "--json", "result.json")
    assert (done.returncode, done.stdout) == (code, "")
    assert not (tmp_path / "result.json").exists()


@SIGNALS
@pytest.mark.parametrize(
    "where",
    [
        "gailkit.evaluation.closeness.tell_apart",
        "gailkit.evaluation.compare.compare",
        "gailkit.evaluation.side_by_side.side_by_side",
        "os.replace",
    ],
)
def test_a_signal_during_what_follows_stops_it_at_once_and_leaves_no_file(
    run_here: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, number: int, code: int
) -> None:
    before, handlers = sorted(tmp_path.iterdir()), [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]

    def stop(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)
        raise AssertionError("it went on")

    monkeypatch.setattr(where, stop)
    done = run_here("evaluate", "teacher:left", *SHORT, "--report", "page.html")
    assert done.returncode == code, done.stderr
    assert "Error" not in done.stderr
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "__pycache__"] == before
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
