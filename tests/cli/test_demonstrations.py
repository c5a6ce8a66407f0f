"""The options on how a file is read, which all commands share."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gailkit.cli.demonstrations import ReadingOptions, load
from gailkit.demonstrations.endings import AmbiguousEnding
from gailkit.errors import InputError

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
WriteD4rl = Callable[[Path, list[int]], Path]


def test_what_is_typed_is_what_readers_get() -> None:
    typed = ReadingOptions("d4rl", "truncated", 7, "a, b", "train", "observations=x")
    options = typed.read_options()
    assert (options.format, options.ends, options.max_episode_steps) == ("d4rl", "truncated", 7)
    assert (options.obs_keys, options.mask, dict(options.columns)) == (("a", "b"), "train", {"observations": ("x",)})
    assert not options.tolerant
    assert ReadingOptions().read_options().obs_keys == ()


def test_the_words_can_be_typed_again() -> None:
    assert ReadingOptions(ends="truncated", obs_keys="a,b").words() == ["--ends", "truncated", "--obs-keys", "a,b"]
    assert ReadingOptions().words() == []


def test_what_was_decided_and_made_up_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write_d4rl: WriteD4rl
) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", [5, 3, 5])
    load(path, ReadingOptions(ends="truncated"))
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0].startswith(f"note: {path}: there are no last observations: the last step of 2 truncated")
    assert lines[1] == f"note: {path}: endings were read 2 as truncated, by --ends truncated"


def test_where_endings_are_asked_for_the_time_limit_is_told(tmp_path: Path, write_d4rl: WriteD4rl) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", [5, 3, 5])
    with pytest.raises(AmbiguousEnding, match=r"\(CartPole-v1 is registered with a time limit of 500 steps\)$"):
        load(path, ReadingOptions(), "CartPole")
    for env_id in (None, "module:NotImported-v0"):
        with pytest.raises(AmbiguousEnding, match=r"alike$"):
            load(path, ReadingOptions(), env_id)


def test_a_format_that_is_not_known_is_refused(tmp_path: Path, write_d4rl: WriteD4rl) -> None:
    with pytest.raises(InputError, match=r"no format is called 'd5rl'; known are: native, d4rl"):
        load(write_d4rl(tmp_path / "d.hdf5", [5]), ReadingOptions(format="d5rl"))


def test_train_and_evaluate_ask_and_take_the_answer(run_here: RunHere, tmp_path: Path, write_d4rl: WriteD4rl) -> None:
    write_d4rl(tmp_path / "d.hdf5", [5, 3, 5])
    train = ("train", "CartPole-v1", "--demos", "d.hdf5", "--out", "run")
    asked = run_here(*train)
    assert asked.returncode == 2
    assert "CartPole-v1 is registered with a time limit of 500 steps" in asked.stderr
    small = ("--steps", "64", "--num-envs", "2", "--rollout-size", "64")
    told = run_here(*train, *small, "--max-episode-steps", "5")
    assert told.returncode == 0, told.stderr
    assert "endings were read 2 as truncated, by --max-episode-steps 5" in told.stderr
    words = told.stdout.split("How closely does it match? gailkit ")[1].split()
    assert words == ["evaluate", "run", "--demos", "d.hdf5", "--max-episode-steps", "5"]
    again = run_here(*words, "--episodes", "1", "--env", "CartPole-v1")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("words", ["check d.hdf5", "convert d.hdf5 -o n.hdf5", "repair d.hdf5 -o n.hdf5"])
def test_memory_is_refused_where_it_would_change_nothing(
    run_here: RunHere, tmp_path: Path, words: str, write_d4rl: WriteD4rl
) -> None:
    write_d4rl(tmp_path / "d.hdf5", [5, 3])
    refused = run_here("data", *words.split(), "--memory", "1")
    assert refused.returncode == 2 and "No such option '--memory'" in refused.stderr
    assert run_here("data", "info", "d.hdf5", "--memory", "1").returncode == 0


def test_whether_runs_are_several_episodes_is_asked_and_answered(run_here: RunHere, write_d4rl: WriteD4rl) -> None:
    write_d4rl(Path("d.hdf5"), [5, 9])
    asked = run_here("data", "convert", "d.hdf5", "-o", "n.hdf5")
    assert asked.returncode == 2 and "2 runs, the longest of 9 steps" in asked.stderr
    said = run_here("data", "info", "d.hdf5").stdout
    assert "episodes: 2 or more" in said and "endings: open. d.hdf5 does not mark where" in said
    divided = run_here("data", "convert", "d.hdf5", "-o", "n.hdf5", "--max-episode-steps", "4")
    assert divided.returncode == 0, divided.stderr  # 4, 1 | 4, 4, 1, of which those of 4 lose their last
    assert divided.stdout.endswith("into n.hdf5: 5 episodes, 11 steps\n")
    assert "divided 2 runs of up to 9 steps, one behind the other, into 5 episodes of up to 4 steps" in divided.stderr
    whole = run_here("data", "info", "d.hdf5", "--max-episode-steps", "none")
    assert "endings: 2 terminated, 0 truncated" in whole.stdout
    assert run_here("data", "convert", "d.hdf5", "-o", "m.hdf5", "--env", "CartPole-v1").returncode == 0  # 500 steps
    for wrong in ("0", "some", "2.5"):
        refused = run_here("data", "info", "d.hdf5", "--max-episode-steps", wrong)
        assert refused.returncode == 2 and "or none is accepted" in refused.stderr.replace("\n", " ")


def test_no_limit_can_be_typed_again() -> None:
    assert ReadingOptions(max_episode_steps=math.inf).words() == ["--max-episode-steps", "none"]
    assert ReadingOptions(max_episode_steps=7).words() == ["--max-episode-steps", "7"]
