"""``--resume`` as a user types it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gailkit.cli import main, training_progress
from gailkit.cli.common import Interrupted
from gailkit.cli.training_progress import ShowTraining
from gailkit.training.run import RunFolder

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

TINY = (
    "--steps", "192", "--num-envs", "2", "--rollout-size", "64", "--discriminator-batch-size", "32",
    "--discriminator-updates", "2", "--policy-epochs", "2",
)  # fmt: skip
BEGUN = ("train", "CartPole-v1", "--demos", "demos.hdf5", "--trajectories", "2", "--subsample", "100", *TINY)
EXPERT = ("--steps", "192", "--num-envs", "2", "--rollout-size", "64", "--policy-epochs", "2")


def counting(seen: list[Mapping[str, float]]) -> Callable[[int], Any]:
    """As show_training; a signal comes, as it seems, once ``seen`` has two iterations, and not again."""
    shown = training_progress.show_training

    @contextmanager
    def show_counted(total: int) -> Iterator[ShowTraining]:
        with shown(total) as show:

            def count(metrics: Mapping[str, float]) -> None:
                show.iteration(metrics)
                seen.append(metrics)
                if len(seen) == 2:
                    raise Interrupted(2)

            yield show._replace(iteration=count)

    return show_counted


@pytest.fixture
def stop_after_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is told to stop, as a signal would, once two iterations are done; only the first time."""
    monkeypatch.setattr(training_progress, "show_training", counting([]))


@pytest.fixture(scope="module")
def made(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, quickly: Callable[[], AbstractContextManager[None]]
) -> Path:
    """A folder with demos.hdf5 and a run that learned from it and was stopped after two of its three iterations."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(repository / "datasets" / "cartpole-v1.hdf5", folder / "demos.hdf5")
    with pytest.MonkeyPatch.context() as patch, quickly(), pytest.raises(SystemExit) as leaving:
        patch.chdir(folder)
        patch.syspath_prepend("")
        patch.setattr(training_progress, "show_training", counting([]))
        main([*BEGUN, "--out", "run"])
    assert leaving.value.code == 130
    return folder


@pytest.fixture
def stopped(made: Path, demos: Path, tmp_path: Path) -> Path:
    """A copy of the run beside the demonstrations that it says it learned from."""
    run = Path(shutil.copytree(made / "run", tmp_path / "run"))
    described = (run / "config.json").read_text()
    assert str(made / "demos.hdf5") in described
    (run / "config.json").write_text(described.replace(str(made), str(tmp_path)))
    return run


@pytest.fixture
def demos(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(repository / "datasets" / "cartpole-v1.hdf5", tmp_path / "demos.hdf5"))


def rows(run: Path) -> list[dict[str, float]]:
    told = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if "second" not in name} for row in told]


def test_a_stopped_training_says_how_it_goes_on_and_does(
    run_here: RunHere, tmp_path: Path, demos: Path, stop_after_two: None
) -> None:
    stopped = run_here(*BEGUN, "--out", "run")
    assert stopped.returncode == 130
    assert "stopped early, after 128 of 192 steps; saved in run; it goes on with: gailkit train --resume run" in (
        stopped.stderr
    )
    assert run_here(*BEGUN, "--out", "whole").returncode == 0
    again = run_here("train", "--resume", "run")
    assert again.returncode == 0, again.stderr
    assert "trained on 10 pairs of 2 expert episodes: run; 28 held out for evaluate" in again.stdout
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


def test_demonstrations_that_have_moved_are_named_again_and_others_refused(
    run_here: RunHere, tmp_path: Path, demos: Path, stopped: Path
) -> None:
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
def test_what_cannot_be_is_one_sentence(run_here: RunHere, stopped: Path, words: tuple[str, ...], said: str) -> None:
    done = run_here(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_in_use_is_left_alone(run_here: RunHere, stopped: Path) -> None:
    other = RunFolder(stopped)
    other.claim()
    assert "run is in use by another process" in run_here("train", "--resume", "run").stderr
    other.close()
