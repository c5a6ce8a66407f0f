"""Runs of several ranks: one folder, which goes on where it stopped, and an end that all come to together."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gailkit.errors import InputError
from gailkit.training.checkpoint import load_checkpoint
from gailkit.training.metrics import read_metrics
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder, load_policy
from tests.ranks import runs
from tests.ranks.runs import demonstrations
from tests.ranks.started import Ranks, command, command_elsewhere
from tests.training.test_resuming import same, timeless

TINY = (
    *("--num-envs", "2", "--rollout-size", "64", "--policy-hidden", "8", "--discriminator-hidden", "8"),
    *("--workers", "1", "--discriminator-updates", "2", "--checkpoint-every", "0"),
)
LONG = ("--steps", "10000000")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``runs.whole_and_in_parts`` leaves of two ranks."""
    made = tmp_path_factory.mktemp("runs")
    ended = Ranks(made).start(runs.whole_and_in_parts, str(made)).ended()
    assert [each.code for each in ended] == [0, 0], ended
    return made


@pytest.fixture
def demos(tmp_path: Path) -> Path:
    path = tmp_path / "demos.hdf5"
    demonstrations().save(path)
    return path


@pytest.mark.parametrize("generator", ["ppo-clip", "sac"])
def test_a_run_that_one_rank_stopped_goes_on_as_if_it_had_not(folder: Path, generator: str) -> None:
    whole, parts = (folder / generator / name for name in ("whole", "parts"))
    rows = read_metrics(whole)
    assert [row["steps"] for row in rows] == [128, 256, 384, 512, 640]  # of both ranks together
    assert timeless(read_metrics(parts)) == timeless(rows)
    for name in ("last", "chosen"):
        same(*(RunFolder(run).load(name) for run in (whole, parts)), name)


def test_ranks_have_environments_random_numbers_and_steps_of_their_own(folder: Path) -> None:
    state = load_checkpoint(folder / "sac" / "whole" / "checkpoints" / "last.safetensors")
    (other,) = state["ranks"]
    assert other["collector"]["seeds"]["state"] != state["collector"]["seeds"]["state"]
    assert not other["random"]["torch"].equal(state["random"]["torch"])
    assert other["replay"]["rows"] == state["replay"]["rows"] == 160
    of_both = [RunFolder(folder / "sac" / "whole").kept_replay(rank) for rank in (0, 1)]
    first, second = (kept.load(state["replay"])["ring"]["obs"] for kept in of_both)
    assert first.shape == second.shape
    assert not first.equal(second)


def test_one_folder_is_left_whose_policy_acts(folder: Path) -> None:
    described = json.loads((folder / "expert" / "config.json").read_text())
    assert described["ranks"] == 2
    assert len(list((folder / "expert" / "tensorboard").iterdir())) == 1
    assert load_policy(folder / "expert").training.steps == 640


def test_a_run_of_two_goes_on_by_two_alone(folder: Path) -> None:
    run = folder / "ppo-clip" / "parts"
    with pytest.raises(InputError, match=r"trained by 2 processes together and goes on by as many.*found 1"):
        resume(run, demonstrations())


def test_what_goes_wrong_on_one_rank_ends_all_and_what_was_learned_is_kept(tmp_path: Path) -> None:
    ended = Ranks(tmp_path).start(runs.in_what_fails).ended()
    assert [each.code for each in ended] == [0, 0], ended
    first, second = (each.out.splitlines() for each in ended)
    assert re.match(r"EnvironmentFailure .*a fuse blew.*what was learned is kept", second[0])
    assert re.match(r"SaidElsewhereError rank 1: .*a fuse blew", first[0])
    assert load_checkpoint(tmp_path / "fails" / "checkpoints" / "last.safetensors")["iteration"] == 2
    drifted = "after 2 iterations the networks of rank 1 are not those of rank 0 any more: a part of the run learns"
    assert sorted([first[1].split()[0], second[1].split()[0]]) == ["RankError", "SaidElsewhereError"]
    assert drifted in first[1]
    assert drifted in second[1]
    kept = load_checkpoint(tmp_path / "alone" / "checkpoints" / "last.safetensors")
    assert kept["iteration"] < 2  # that was before they drifted apart
    assert re.match(r"DivergenceError the rewards became NaN or infinite in iteration 1", second[2])
    assert re.match(r"SaidElsewhereError (rank 1|another process) of this training.* was lost", first[2])


def test_ranks_that_were_started_with_different_settings_or_demonstrations_are_refused_in_one_sentence(
    tmp_path: Path, demos: Path
) -> None:
    words = ("train", "CartPole-v1", "--demos", str(demos), "--out", "run")
    ended = Ranks(tmp_path).start(command, [(*words, "--gamma", "0.9"), (*words, "--gamma", "0.8")]).ended()
    assert [each.code for each in ended] == [2, 2]
    said = "".join(each.err for each in ended)
    assert said.count("Error") == 1
    assert "rank 1 was not: gamma is 0.9 on rank 0 and 0.8 on 1" in said
    assert not (tmp_path / "run").exists()


def test_ranks_that_read_different_demonstrations_are_told_both_digests(tmp_path: Path, demos: Path) -> None:
    words = ("train", "CartPole-v1", "--demos", str(demos), "--out", "run")
    ended = Ranks(tmp_path).start(command, [words, (*words, "--trajectories", "2")]).ended()
    assert [each.code for each in ended] == [2, 2]
    said = "".join(each.err for each in ended)
    assert re.search(r"rank 1 was not: demonstrations is '[0-9a-f]{64}' on rank 0 and '[0-9a-f]{64}' on 1", said)
    assert not (tmp_path / "run").exists()


def test_only_the_first_rank_needs_the_folder(tmp_path: Path, demos: Path) -> None:
    words = ("train", "CartPole-v1", "--demos", str(demos), "--out", "run", "--steps", "300", *TINY)
    ended = Ranks(tmp_path).start(command_elsewhere, *words).ended()
    assert [each.code for each in ended] == [0, 0], ended
    assert "trained on" in ended[0].out
    assert not ended[1].out + ended[1].err
    assert (tmp_path / "machine-0" / "run" / "checkpoints" / "chosen.safetensors").is_file()
    assert not list((tmp_path / "machine-1").iterdir())


def test_a_rank_that_is_killed_ends_the_others_in_one_sentence_and_what_was_saved_stays(
    tmp_path: Path, demos: Path
) -> None:
    words = ("train", "CartPole-v1", "--demos", str(demos), "--out", "run", *LONG, *TINY)
    ranks = Ranks(tmp_path).start(command, *words)
    _wait_for(tmp_path / "run" / "checkpoints" / "previous.safetensors")
    ranks.processes[1].kill()
    ended = ranks.ended()
    assert [each.code for each in ended] == [6, -signal.SIGKILL]
    lost = f"rank 1 of this training (process {ranks.processes[1].pid}) was lost, killed perhaps or with its machine;"
    assert lost in ended[0].err
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors")["iteration"] >= 1


def test_a_signal_to_one_rank_stops_all_after_the_same_iteration(tmp_path: Path, demos: Path) -> None:
    words = ("train", "CartPole-v1", "--demos", str(demos), "--out", "run", *LONG, *TINY)
    ranks = Ranks(tmp_path).start(command, *words)
    _wait_for(tmp_path / "run" / "metrics.jsonl")
    ranks.processes[1].terminate()
    ended = ranks.ended()
    assert [each.code for each in ended] == [143, 143], ended
    assert re.search(r"stopped early, after [\d,]+ of 10,000,000 steps; saved in run; it goes on with: ", ended[0].err)
    assert "torchrun --nproc-per-node=2 -m gailkit train --resume run" in ended[0].err
    assert not ended[1].err
    state = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors")
    assert state["iteration"] == len(read_metrics(tmp_path / "run"))


def test_torchrun_trains_on_two_ranks_and_one_of_them_speaks(tmp_path: Path, repository: Path) -> None:
    words = ("train", "CartPole-v1", "--demos", repository / "datasets" / "cartpole-v1.hdf5", "--out", "run", *TINY)
    short = ("--trajectories", "1", "--subsample", "10", "--steps", "1000")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *("-m", "gailkit", *map(str, words), *short),
        ],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained on") == done.stdout.count("chosen:") == 1
    rows = read_metrics(tmp_path / "run")
    assert [row["steps"] for row in rows] == [128 * (1 + number) for number in range(7)]  # 850 in whole rollouts
    assert (tmp_path / "run" / "learning.svg").is_file()


def _wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not (path.is_file() and path.stat().st_size) and time.monotonic() < until:
        time.sleep(0.05)
