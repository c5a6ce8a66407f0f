"""``gailkit data check``: its exit codes, what it prints, and that the commands it prints mend what it found."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gymnasium
import h5py
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.spaces import Box

from gailkit.checks.finding import Outcome
from gailkit.checks.run import Check
from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError
from gailkit.types import Trajectory

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
Make = Callable[..., Demonstrations]


def walks(lengths: list[int], terminated: bool = False) -> list[Trajectory]:
    random = np.random.default_rng(0)
    return [
        Trajectory(random.normal(size=(n + 1, 3)), random.uniform(-1, 1, (n, 1)), random.normal(1, 0.1, n), terminated)
        for n in lengths
    ]


def save(path: Path, trajectories: list[Trajectory]) -> None:
    Demonstrations(tuple(trajectories), action_space=Box(-1, 1, (1,), np.float64)).save(path)


def found_in(done: subprocess.CompletedProcess[str]) -> dict[str, str | None]:
    """Names of the findings that are not mere notes, and the commands that mend them."""
    findings = json.loads(done.stdout)["findings"]
    return {each["name"]: each["mend"] for each in findings if each["severity"] != "note"}


def test_all_is_well_with_what_gailkit_recorded(run_here: RunHere, tmp_path: Path) -> None:
    made = run_here("record", "CartPole-v1", "--policy", "random", "--episodes", "6", "--seed", "0", "-o", "d.hdf5")
    assert made.returncode == 0, made.stderr
    done = run_here("data", "check", "d.hdf5", "--env", "CartPole-v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "All is well."
    assert "fine: replayed steps lead where they were recorded to lead" in done.stdout
    unaided = run_here("data", "check", "d.hdf5")
    assert unaided.returncode == 0
    assert "The file names CartPole-v1; with --env CartPole-v1 it is also compared" in unaided.stdout


def test_a_finding_is_told_with_its_episodes_and_its_mend(run_here: RunHere, tmp_path: Path) -> None:
    save(tmp_path / "d.hdf5", walks([8] * 3, terminated=True))
    done = run_here("data", "check", "d.hdf5")
    assert done.returncode == 1
    assert "warning: 3 of 3 episodes are stored as terminated after exactly 8 steps" in done.stdout
    assert "[episodes 0, 1, 2]" in done.stdout
    assert "  to mend it: gailkit data convert d.hdf5 -o d-converted.hdf5 --max-episode-steps 8" in done.stdout
    assert "All is well." not in done.stdout


def spoiled(kind: str) -> list[Trajectory]:
    episodes = walks([9, 8, 9, 8, 9, 8])
    match kind:
        case "time_out_as_termination":
            return walks([8] * 6, terminated=True)
        case "exact_copies":
            episodes.append(episodes[2])
        case "near_copies":
            episodes.append(replace(episodes[2], observations=episodes[2].observations + 1e-7))
        case "failed_episodes":
            episodes[4] = replace(episodes[4], rewards=episodes[4].rewards - 9)
    return episodes


@pytest.mark.parametrize("kind", ["time_out_as_termination", "exact_copies", "near_copies", "failed_episodes"])
def test_the_command_that_is_printed_mends_what_was_found(run_here: RunHere, tmp_path: Path, kind: str) -> None:
    save(tmp_path / "d.hdf5", spoiled(kind))
    done = run_here("data", "check", "d.hdf5", "--json")
    found = found_in(done)
    assert (done.returncode, list(found)) == (1, [kind])
    words = shlex.split(found[kind] or "")
    assert words[0] == "gailkit"
    mended = run_here(*words[1:])
    assert mended.returncode == 0, mended.stderr
    again = run_here("data", "check", words[words.index("-o") + 1], "--json")
    assert (again.returncode, found_in(again)) == (0, {})


def test_a_foreign_file_is_mended_in_two_commands(run_here: RunHere, tmp_path: Path) -> None:
    """Its endings are not known and one of its episodes fails: each command printed works on its own."""
    lengths = [8, 8, 8, 8, 8, 8]
    random = np.random.default_rng(0)
    ends = np.cumsum(lengths) - 1
    with h5py.File(tmp_path / "a file.hdf5", "w") as file:
        file["observations"], file["actions"] = random.normal(size=(48, 3)), random.normal(size=(48, 1))
        file["rewards"] = np.where(np.arange(48) < 8, -5.0, random.normal(1, 0.1, 48))
        file["terminals"] = np.isin(np.arange(48), ends)
    found = found_in(run_here("data", "check", "a file.hdf5", "--json"))
    assert set(found) == {"ambiguous_ending", "no_last_observation", "failed_episodes"}
    for mend in (found["ambiguous_ending"], found["failed_episodes"]):
        assert mend is not None
        done = run_here(*shlex.split(mend)[1:])
        assert done.returncode == 0, done.stderr
        again = found_in(run_here("data", "check", shlex.split(mend)[5], "--json"))
        assert "ambiguous_ending" not in again
    assert "failed_episodes" not in again


@pytest.mark.parametrize("seed", [None, 0])
def test_an_action_that_the_environment_refuses_is_told(run_here: RunHere, tmp_path: Path, seed: int | None) -> None:
    """CartPole raises where it is given action 2, whether it was reset with a seed or put into a state."""
    start = gymnasium.make("CartPole-v1").reset(seed=0)[0]
    episode = Trajectory(np.tile(start, (10, 1)), np.arange(9) % 3, np.ones(9), False, seed)
    Demonstrations((episode,)).save(tmp_path / "d.hdf5")
    done = run_here("data", "check", "d.hdf5", "--env", "CartPole-v1")
    assert done.returncode == 1, done.stderr
    assert "error: the actions of 1 episode are none of the action space" in done.stdout
    assert "the episodes do not fit CartPole-v1, so no step can be replayed" in done.stdout


def test_damage_is_code_3_with_everything_told_that_can_be(
    run_here: RunHere, tmp_path: Path, make_demonstrations: Make
) -> None:
    make_demonstrations([5, 3, 4]).save(tmp_path / "d.hdf5")
    with h5py.File(tmp_path / "d.hdf5", "r+") as file:
        file["digests"][1, 0] ^= 1
    done = run_here("data", "check", "d.hdf5")
    assert done.returncode == 3
    assert "error: 1 of 3 episodes cannot be read; of episode 1: it is damaged" in done.stdout
    assert "to mend it: gailkit data repair d.hdf5 -o d-repaired.hdf5" in done.stdout
    assert "fine: how each episode ended is known" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["none.hdf5"], 2, "no such file: none.hdf5"),
        (["text"], 3, "text"),
        (["d.hdf5", "--env", "CartPol-v1"], 2, "near matches: CartPole-v1"),
        (["d.hdf5", "--format", "nosuch"], 2, "no format is called 'nosuch'"),
    ],
)
def test_a_mistake_is_one_sentence(
    run_here: RunHere, tmp_path: Path, make_demonstrations: Make, words: list[str], code: int, said: str
) -> None:
    make_demonstrations([5]).save(tmp_path / "d.hdf5")
    (tmp_path / "text").write_bytes(b"\0no data")
    done = run_here("data", "check", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert said in done.stderr


def test_json_has_what_people_are_told(run_here: RunHere, tmp_path: Path) -> None:
    save(tmp_path / "d.hdf5", [replace(each, rewards=None) for each in walks([5, 3])])
    found = json.loads(run_here("data", "check", "d.hdf5", "--json").stdout)
    assert (found["path"], found["episodes"], found["steps"], found["all_well"]) == ("d.hdf5", 2, 8, True)
    assert "every episode can be read" in found["fine"]
    assert {each["what"] for each in found["not_checked"]} >= {"no episode is far worse than the others"}
    assert [set(each) for each in found["findings"]] == [{"name", "severity", "found", "episodes", "mend"}]


def test_a_name_in_a_file_does_not_steer_the_terminal(run_here: RunHere, tmp_path: Path) -> None:
    save(tmp_path / "d.hdf5", walks([8, 9]))
    with h5py.File(tmp_path / "evil.hdf5", "w") as file:
        for name, values in {"observations": np.zeros((4, 2)), "actions": np.zeros((4, 1))}.items():
            file[name] = values + np.arange(4)[:, None]
        file["rewards"], file["terminals"] = np.arange(4.0), np.zeros(4)
        file["\x1b[2J"] = np.zeros(3)
    done = run_here("data", "check", "evil.hdf5")
    assert "\x1b" not in done.stdout and r"\x1b[2J" in done.stdout


@pytest.mark.parametrize("damaged", [False, True])
def test_the_environment_is_closed_whatever_happens(
    run_here: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    """Also where the file cannot be read once the environment is there, or a check raises."""
    closed = []
    monkeypatch.setattr(CartPoleEnv, "close", lambda env: closed.append(env))
    save(tmp_path / "d.hdf5", walks([8, 9]))
    if damaged:
        (tmp_path / "d.hdf5").write_bytes(b"\0no data")
    else:
        monkeypatch.setattr("gailkit.checks.run.CHECKS", (Check(refuse, "fine"),) * 2)
    assert run_here("data", "check", "d.hdf5", "--env", "CartPole-v1").returncode == 3
    assert len(closed) == 1


def refuse(*_: object) -> Outcome:
    raise DataError("no check today")
