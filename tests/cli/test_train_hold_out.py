"""What ``gailkit train`` holds out of the demonstrations, and what it says and writes down of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.hold_out import hold_out
from gailkit.errors import InputError
from gailkit.rollouts.environments import make_env
from gailkit.training.config import TrainConfig
from gailkit.training.run import load_policy
from gailkit.training.train import train
from gailkit.types import Trajectory

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
WriteD4rl = Callable[[Path, list[int]], Path]
Trained = Callable[..., tuple[str, str, dict[str, Any]]]

TINY = ("--steps", "64", "--num-envs", "2", "--rollout-size", "64", "--discriminator-updates", "1")
NOTE = "note: nothing is held out"


@pytest.fixture(scope="module")
def twelve() -> Demonstrations:
    """Episodes of 20, 21, ..., 31 steps in the spaces of CartPole-v1."""
    env = make_env("CartPole-v1")
    random = np.random.default_rng(0)
    trajectories = (
        Trajectory(
            random.uniform(-0.1, 0.1, (steps + 1, 4)).astype(np.float32),
            random.integers(2, size=steps),
            np.ones(steps),
            terminated=True,
        )
        for steps in range(20, 32)
    )
    return Demonstrations(tuple(trajectories), env.observation_space, env.action_space, "CartPole-v1")


@pytest.fixture(autouse=True)
def demos(tmp_path: Path, twelve: Demonstrations) -> None:
    """demos.hdf5, where the commands run."""
    twelve.save(tmp_path / "demos.hdf5")


@pytest.fixture
def trained(run_here: RunHere) -> Trained:
    """``trained("--seed", "3")``: the first line printed, what was said on stderr, and the run's demonstrations."""

    def trained(*options: str) -> tuple[str, str, dict[str, Any]]:
        taught_by = () if "--demos" in options else ("--demos", "demos.hdf5")
        done = run_here("train", "CartPole-v1", *taught_by, "--out", "run", "--overwrite", *TINY, *options)
        assert done.returncode == 0, done.stderr
        described = json.loads(Path("run/config.json").read_text())
        return done.stdout.splitlines()[0], done.stderr, described["demonstrations"]

    return trained


def steps(demonstrations: Demonstrations) -> str:
    return f"{demonstrations.num_steps:,}"


def test_a_fifth_is_held_out_and_is_new_to_the_policy(trained: Trained, twelve: Demonstrations) -> None:
    learned_from, held_out = hold_out(twelve)
    assert held_out is not None
    said, notes, shown = trained()
    counted = f"trained on {steps(learned_from)} pairs of 10 expert episodes"
    assert said == f"{counted}: run; 2 held out for evaluate (its verdict takes 10)"
    assert NOTE not in notes
    assert (shown["episodes"], shown["held_out"]) == (10, {"episodes": 2, "share": 2 / 12})
    assert shown["digests"] == learned_from.digests()
    assert set(twelve.digests()) - load_policy("run").trained_on == set(held_out.digests())


def test_the_same_episodes_are_held_out_whatever_else_is_drawn(trained: Trained, twelve: Demonstrations) -> None:
    learned_from = hold_out(twelve)[0].digests()
    said, _, shown = trained("--seed", "7", "--subsample", "10")
    assert re.fullmatch(
        r"trained on \d+ pairs of 10 expert episodes: run; 2 held out for evaluate \(its verdict takes 10\)", said
    )
    assert (shown["digests"], shown["stride"], shown["held_out"]["episodes"]) == (learned_from, 10, 2)
    _, notes, shown = trained("--memory", "0")
    assert "read piece by piece" in notes
    assert shown["digests"] == learned_from


def test_a_share_of_ones_own(trained: Trained, twelve: Demonstrations) -> None:
    said, _, shown = trained("--hold-out", "0.5")
    assert said.endswith("pairs of 6 expert episodes: run; 6 held out for evaluate (its verdict takes 10)")
    assert shown["held_out"] == {"episodes": 6, "share": 0.5}
    said, notes, shown = trained("--hold-out", "0")
    assert said == f"trained on {steps(twelve)} pairs of 12 expert episodes: run; none held out for evaluate"
    assert NOTE not in notes  # who asks for it knows
    assert shown["held_out"] == {"episodes": 0, "share": 0.0}


def test_trajectories_hold_out_all_others(trained: Trained, twelve: Demonstrations) -> None:
    said, notes, shown = trained("--trajectories", "4")
    assert (
        said == "trained on 86 pairs of 4 expert episodes: run; 8 held out for evaluate (its verdict takes 10)"
    )  # 20 + 21 + 22 + 23
    assert NOTE not in notes
    assert (shown["digests"], shown["held_out"]["episodes"]) == (twelve.digests()[:4], 8)
    said, notes, shown = trained("--trajectories", "12")
    assert said.endswith("of 12 expert episodes: run; none held out for evaluate")
    assert f"{NOTE}, --trajectories 12 leaves no other episode: gailkit evaluate will compare" in notes


def test_too_few_are_all_learned_from_with_a_note(trained: Trained, twelve: Demonstrations) -> None:
    twelve.pick([0, 1, 2, 3, 0, 1]).save("few.hdf5")
    said, notes, shown = trained("--demos", "few.hdf5")
    assert said.endswith("of 6 expert episodes: run; none held out for evaluate")
    assert f"{NOTE}, it takes at least 5 different episodes; found 4: gailkit evaluate will compare" in notes
    assert shown["held_out"]["episodes"] == 0


def test_twins_are_held_out_together(trained: Trained, twelve: Demonstrations) -> None:
    twins = twelve.pick([*range(12), *range(12)])
    twins.save("twins.hdf5")
    said, _, shown = trained("--demos", "twins.hdf5")
    assert said.endswith("of 20 expert episodes: run; 4 held out for evaluate (its verdict takes 10)")
    assert shown["held_out"]["episodes"] == sum(digest not in shown["digests"] for digest in twins.digests())


def test_other_formats_are_held_out_from_too(trained: Trained, write_d4rl: WriteD4rl, tmp_path: Path) -> None:
    write_d4rl(tmp_path / "d4rl.hdf5", [9] * 10)
    said, _, _ = trained("--demos", "d4rl.hdf5", "--format", "d4rl", "--ends", "terminated")
    assert said.endswith("of 8 expert episodes: run; 2 held out for evaluate (its verdict takes 10)")
    seen = load_policy("run").trained_on
    found = Demonstrations.load("d4rl.hdf5", ReadOptions(ends="terminated")).digests()
    assert sum(digest not in seen for digest in found) == 2


@pytest.mark.parametrize(
    "options, said",
    [
        (("--hold-out", "1"), r"1.0 is not in the range 0<=x<1"),
        (("--hold-out", "-0.1"), r"-0.1 is not in the range 0<=x<1"),
        (("--hold-out", "nan"), r"must be at least 0 and below 1; found nan"),
        (("--hold-out", "few"), r"'few' is not a valid float"),
        (("--hold-out", "0.01"), r"a share of 0.01 of 12 different episodes holds out 0 of them"),
        (("--hold-out", "0.99"), r"a share of 0.99 of 12 different episodes holds out 12 of them"),
        (("--hold-out", "0.2", "--trajectories", "4"), r"--trajectories holds out all other episodes, --hold-out"),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence(run_here: RunHere, options: tuple[str, ...], said: str) -> None:
    done = run_here("train", "CartPole-v1", "--demos", "demos.hdf5", "--out", "run", *TINY, *options)
    assert done.returncode == 2
    assert re.search(rf"^Error: .*{said}", done.stderr, re.MULTILINE), done.stderr
    assert not Path("run").exists()


def test_in_python_every_episode_that_is_given_is_learned_from(twelve: Demonstrations, tmp_path: Path) -> None:
    config = TrainConfig(steps=64, num_envs=2, rollout_size=64)
    result = train("CartPole-v1", twelve, config, out=tmp_path / "run")
    assert result.policy.trained_on == set(twelve.digests())
    described = json.loads((tmp_path / "run" / "config.json").read_text())
    assert described["demonstrations"]["held_out"] == {"episodes": 0, "share": 0.0}
    with pytest.raises(InputError, match="must be a whole number, 0 or more; found -12"):
        train("CartPole-v1", twelve, config, held_out=-12)
