"""``--resume`` as a user types it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gailkit.cli import training_progress
from gailkit.cli.common import Interrupted
from gailkit.training.run import RunFolder

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

TINY = (
    "--steps", "192", "--num-envs", "2", "--rollout-size", "64", "--discriminator-batch-size", "32",
    "--discriminator-updates", "2", "--policy-epochs", "2",
)  # fmt: skip
BEGUN = ("train", "CartPole-v1", "--demos", "demos.hdf5", "--trajectories", "2", "--subsample", "100", *TINY)
EXPERT = ("--steps", "192", "--num-envs", "2", "--rollout-size", "64", "--policy-epochs", "2")


@pytest.fixture
def stop_after_two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Training is told to stop, as a signal would, once two iterations are done; only the first time."""
    shown = training_progress.show_training
    seen: list[Mapping[str, float]] = []

    def counting(total: int) -> Any:
        context = shown(total)
        enter = type(context).__enter__

        class Counting:
            def __enter__(self) -> Callable[[Mapping[str, float]], None]:
                show = enter(context)

                def count(metrics: Mapping[str, float]) -> None:
                    show(metrics)
                    seen.append(metrics)
                    if len(seen) == 2:
                        raise Interrupted(2)

                return count

            def __exit__(self, *raised: Any) -> None:
                context.__exit__(*raised)

        return Counting()

    monkeypatch.setattr(training_progress, "show_training", counting)
    return iter(())


@pytest.fixture
def demos(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(repository / "datasets" / "cartpole-v1.hdf5", tmp_path / "demos.hdf5"))


def rows(run: Path) -> list[dict[str, float]]:
    told = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if "second" not in name} for row in told]


def test_a_stopped_training_says_how_it_goes_on_and_does(
    run_here: RunHere, tmp_path: Path, demos: Path, stop_after_two: None
) -> None:
    words = ("train", "CartPole-v1", "--demos", "demos.hdf5", "--trajectories", "2", "--subsample", "100", *TINY)
    stopped = run_here(*words, "--out", "run")
    assert stopped.returncode == 130
    assert "stopped early, after 128 of 192 steps; saved in run; it goes on with: gailkit train --resume run" in (
        stopped.stderr
    )
    assert run_here(*words, "--out", "whole").returncode == 0
    again = run_here("train", "--resume", "run")
    assert again.returncode == 0, again.stderr
    assert "trained on 10 pairs of 2 expert episodes: run; 28 held out for evaluate" in again.stdout
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


def test_demonstrations_that_have_moved_are_named_again_and_others_refused(
    run_here: RunHere, tmp_path: Path, demos: Path, stop_after_two: None
) -> None:
    run_here(*BEGUN, "--out", "run")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(demos, tmp_path / "elsewhere" / "theirs.hdf5")
    lost = run_here("train", "--resume", "run")
    assert lost.returncode == 2
    assert f"the demonstrations of run are not at {demos} any more; say where with --demos" in lost.stderr
    run_here("data", "select", "elsewhere/theirs.hdf5", "--last", "5", "-o", "others.hdf5")
    others = run_here("train", "--resume", "run", "--demos", "others.hdf5") if Path("others.hdf5").exists() else None
    assert others is None or (others.returncode == 2 and "learned from 2 episodes" in others.stderr)
    found = run_here("train", "--resume", "run", "--demos", "elsewhere/theirs.hdf5")
    assert found.returncode == 0, found.stderr


def test_an_expert_goes_on_and_to_more_steps(run_here: RunHere, tmp_path: Path, stop_after_two: None) -> None:
    assert run_here("expert", "CartPole-v1", *EXPERT, "--out", "run").returncode == 130
    again = run_here("expert", "--resume", "run", "--steps", "320")
    assert again.returncode == 0, again.stderr
    assert "note: the run goes on to 320 steps in place of 192" in again.stderr
    assert "trained for 320 steps" in again.stdout
    assert [row["steps"] for row in rows(tmp_path / "run")] == [64, 128, 192, 256, 320]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "--resume", "run", "--seed", "3"), "--seed cannot stand beside --resume"),
        (("train", "Pendulum-v1", "--resume", "run"), "ENV_ID cannot stand beside --resume"),
        (("train", "--resume", "nowhere"), "nowhere holds no run"),
        (("expert", "--resume", "run"), "run was begun by gailkit train; go on with: gailkit train --resume run"),
        (
            ("train", "--resume", "run", "--steps", "64"),
            "run has 2 iterations behind it, more than 64 steps take",
        ),
        (("train",), "Missing argument 'ENV_ID'"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    run_here: RunHere, demos: Path, stop_after_two: None, words: tuple[str, ...], said: str
) -> None:
    run_here(*BEGUN, "--out", "run")
    done = run_here(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_in_use_is_left_alone(run_here: RunHere, demos: Path, stop_after_two: None, tmp_path: Path) -> None:
    run_here(*BEGUN, "--out", "run")
    other = RunFolder(tmp_path / "run")
    other.claim()
    assert "run is in use by another process" in run_here("train", "--resume", "run").stderr
    other.close()
