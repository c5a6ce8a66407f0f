"""``gailkit evaluate`` of several policies: what counts as one method, what all share, and what cannot be compared."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gailkit.cli.evaluate.method_names import method_names, short_names
from gailkit.demonstrations import Demonstrations
from gailkit.training.config import TrainConfig
from gailkit.training.train import train

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
SHORT = ("--demos", "demos.hdf5", "--episodes", "3")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluated(run_here: RunHere, folder: Path, *specs: str) -> tuple[dict[str, Any], str]:
    done = run_here("evaluate", *specs, *SHORT, "--json", "result.json")
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result.json").read_text()), done.stdout


def test_runs_that_differ_only_in_their_seed_are_one_method(run_here: RunHere, tmp_path: Path) -> None:
    result, said = evaluated(run_here, tmp_path, "run", "gamma", "run-1", "random")
    assert [each["policy"] for each in result["policies"]] == ["run", "gamma", "run-1", "random"]
    methods = {method["name"]: method["policies"] for method in result["methods"]}
    assert methods == {"run*": ["run", "run-1"], "gamma": ["gamma"], "random": ["random"]}
    assert [(each["first"], each["second"]) for each in result["contrasts"]] == [
        ("run*", "gamma"), ("run*", "random"), ("gamma", "random"),
    ]  # fmt: skip
    run, _, other, _ = result["policies"]
    of_both = result["methods"][0]["returns"]["policy"]
    assert of_both["episodes"] == 6
    assert of_both["mean"]["value"] == pytest.approx((run["return_mean"] + other["return_mean"]) / 2)
    assert f"run* earns more than gamma with probability {result['contrasts'][0]['improvement']['value']:.2f}" in said
    assert "2 runs" in said


def test_the_file_of_several_has_each_ones_numbers_and_what_all_share(run_here: RunHere, tmp_path: Path) -> None:
    several, _ = evaluated(run_here, tmp_path, "teacher:left", "random")
    alone, _ = evaluated(run_here, tmp_path, "teacher:left")
    assert several["policies"][0] == alone
    assert set(several) == {"env_id", "episodes", "seed", "demonstrations", "policies", "methods", "contrasts"}
    assert (several["env_id"], several["episodes"], several["seed"]) == ("CartPole-v1", 3, 0)
    assert sum(several["methods"][0]["verdicts"].values()) == 1


def test_all_are_compared_with_the_episodes_that_none_has_seen(run_here: RunHere, tmp_path: Path) -> None:
    """run learned from 3 of 14, late from 2 others: 9 are left for both, and for whoever stands beside them."""
    result, _ = evaluated(run_here, tmp_path, "run", "late", "teacher:left")
    assert [each["compared_episodes"] for each in result["policies"]] == [9, 9, 9]
    assert [each["action_held_out"] for each in result["policies"]] == [True, True, None]
    alone, _ = evaluated(run_here, tmp_path, "late")
    assert alone["compared_episodes"] == 12


def test_all_begin_in_the_same_states(run_here: RunHere, tmp_path: Path) -> None:
    result, said = evaluated(run_here, tmp_path, "teacher:balance", "teacher:same", "teacher:left")
    same, worse, _ = result["contrasts"]
    assert same["improvement"]["value"] == 0.5
    assert same["paired"] == {"starts": 3, "difference": {"value": 0.0, "low": 0.0, "high": 0.0}}
    assert ", and the same from 3 equal starts." in said
    assert worse["improvement"]["value"] == 1.0
    better, _, left = result["policies"]
    difference = better["return_mean"] - left["return_mean"]
    assert worse["paired"]["difference"]["value"] == pytest.approx(difference)
    assert f"teacher:left with probability 1.00, and {difference:.0f} [" in said
    swapped, said = evaluated(run_here, tmp_path, "teacher:left", "teacher:balance")
    assert swapped["contrasts"][0]["improvement"]["value"] == 0.0
    assert f"teacher:balance with probability 0.00, and {difference:.0f} [" in said
    assert "] less from 3 equal starts." in said


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        (["random", "run", "random"], "random is named twice; each policy is evaluated once"),
        (["run", "run/"], "run and run/ are the same; each policy is evaluated once"),
        (["./run", "gamma/../run"], "./run and gamma/../run are the same; each policy is evaluated once"),
        (["run", "empty"], "empty holds no run: it has no config.json"),
        (["run", "bare"], "bare has no checkpoint 'last'; it has none"),
        (["run", "harsh"], "policies are compared in one environment; run is for CartPole-v1, harsh for CartPole-v1 {"),
        (["random", "run", "--checkpoint", "best"], "random is not a run folder: it has neither sampled"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_before_anything_runs(
    run_here: RunHere, tmp_path: Path, demonstrations: Demonstrations, specs: list[str], said: str
) -> None:
    if "bare" in specs:
        shutil.copytree(tmp_path / "run", tmp_path / "bare")
        for checkpoint in (tmp_path / "bare" / "checkpoints").iterdir():
            checkpoint.unlink()
    if "harsh" in specs:
        config, kwargs = TrainConfig(steps=64, num_envs=2, rollout_size=64), {"sutton_barto_reward": True}
        train("CartPole-v1", demonstrations.choose(3), config, out=tmp_path / "harsh", env_kwargs=kwargs)
    done = run_here("evaluate", *SHORT, *specs, "--json", "result.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {said}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "result.json").exists()


def test_what_was_learned_from_and_how_makes_another_method(here: Path) -> None:
    assert method_names(["run", "run-1"]) == ["run*", "run*"]
    assert len(set(method_names(["run", "gamma", "late"]))) == 3
    described = json.loads((here / "run-1" / "config.json").read_text())
    described["demonstrations"]["stride"] = 20
    (here / "run-1" / "config.json").write_text(json.dumps(described))
    assert method_names(["run", "run-1"]) == ["run", "run-1"]


def test_a_name_of_many_takes_in_no_other(here: Path) -> None:
    shutil.copytree("late", "runner")
    assert method_names(["run", "runner", "run-1"]) == ["run and 1 more", "runner", "run and 1 more"]
    for name, source in (("gail-10", "run"), ("gail-11", "run-1")):
        shutil.copytree(source, name)
    assert method_names(["gail-10", "gail-11"]) == ["gail-*"] * 2


def test_names_are_the_last_parts_of_paths_that_tell_them_apart(here: Path) -> None:
    for name, place in (("run", "a/one"), ("late", "a/two"), ("gamma", "b/one")):
        shutil.copytree(name, f"{place}/run")
    specs = ["a/two/run", str(here / "late"), "random", "teacher:left"]
    assert short_names(specs) == ["run", "late", "random", "teacher:left"]
    assert short_names(["a/one/run", "a/two/run/", "gamma"]) == ["one/run", "two/run", f"{here.name}/gamma"]
    assert short_names(["a/one/run", "a/two/run", "b/one/run"]) == ["a/one/run", "a/two/run", "b/one/run"]
    shutil.move("late", "b/random")
    assert short_names(["b/random", "random"]) == ["b/random", "random"]


def test_policies_of_strangers_are_told_apart_by_their_folders(run_here: RunHere, experts_folder: Path) -> None:
    zoo = [experts_folder / "zoo" / name / "CartPole-v1.zip" for name in ("ppo", "dqn")]
    shown = experts_folder / "paper" / "CartPole-v1.hdf5"
    done = run_here("evaluate", *zoo, "--demos", shown, "--env", "CartPole-v1", "--episodes", "3")
    assert done.returncode == 0, done.stderr
    assert "ppo/CartPole-v1.zip earns more than dqn/CartPole-v1.zip with probability 0.50, and the same" in done.stdout
    assert all(re.search(rf"^{path} in CartPole-v1$", done.stdout, re.MULTILINE) for path in zoo)
