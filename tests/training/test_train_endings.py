"""Training that ends before its time, and folders that hold something already: nothing that counts is lost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, DivergenceError, EnvironmentFailure, InputError, StorageError
from gailkit.functional.rewards import log_d
from gailkit.generator import PPOClip
from gailkit.rollouts.stepping import Stepping
from gailkit.training.checkpoint import load_checkpoint
from gailkit.training.config import TrainConfig
from gailkit.training.metrics import read_metrics
from gailkit.training.parts import Parts
from gailkit.training.run import load_policy
from gailkit.training.train import train
from gailkit.types import Reward, Rollout


def test_a_folder_that_holds_a_run_is_refused_and_left_as_it_is(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    train("CartPole-v1", cartpole, tiny, out=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(
        InputError, match="already holds a run; choose another folder, or give --overwrite, which replaces that run"
    ):
        train("NoSuchThing-v0", cartpole, tiny, out=tmp_path)  # nothing is made before, which may take minutes
    with pytest.raises(InputError, match="reward form"):  # a mistake costs nobody his run, whatever he said
        train("CartPole-v1", cartpole, dataclasses.replace(tiny, reward="nosuch"), out=tmp_path, overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def checkpoints(folder: Path) -> set[str]:
    return {path.name for path in (folder / "checkpoints").iterdir()}


def test_overwriting_replaces_the_run_and_nothing_else(
    moody: Demonstrations, cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    train("Moody-v0", moody, tiny, out=tmp_path, env_kwargs={"moods": [1.0, 1.0, 1.0]})
    assert "best.safetensors" in checkpoints(tmp_path)
    (tmp_path / "notes.txt").write_text("precious")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.csv").write_text("1,2")
    result = train("CartPole-v1", cartpole, tiny, out=tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "precious"
    assert (tmp_path / "results" / "table.csv").read_text() == "1,2"
    assert "best.safetensors" not in checkpoints(tmp_path)  # it was the old run's
    assert read_metrics(tmp_path) == result.metrics
    assert load_policy(tmp_path).env_id == "CartPole-v1"
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_overwriting_does_not_touch_the_folder_of_another_program(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "somebody else\'s"}')
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "weights.bin").write_text("precious")
    with pytest.raises(DataError, match=r"config.json is damaged or not the description of a run"):
        train("CartPole-v1", cartpole, tiny, out=tmp_path, overwrite=True)
    assert (tmp_path / "config.json").exists()
    assert (tmp_path / "checkpoints" / "weights.bin").read_text() == "precious"


@pytest.mark.parametrize("reason", [KeyboardInterrupt, ZeroDivisionError])
def test_what_ends_training_early_leaves_a_run_that_can_be_used(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path, reason: type[BaseException]
) -> None:
    def stop(metrics: Mapping[str, float]) -> None:
        if metrics["steps"] == 128:
            raise reason

    with pytest.raises(reason):
        train("CartPole-v1", cartpole, tiny, out=tmp_path, on_iteration=stop)
    assert load_checkpoint(tmp_path / "checkpoints" / "last.safetensors")["iteration"] == 2
    assert [row["steps"] for row in read_metrics(tmp_path)] == [64, 128]
    assert (tmp_path / "learning.svg").is_file()
    assert load_policy(tmp_path)(np.zeros((5, 4))).shape == (5,)


def test_an_environment_that_breaks_ends_training_after_a_checkpoint(
    moody: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailure, match=r"failed at step 1 of .*: RuntimeError: a fuse blew"):
        kwargs, once = {"moods": [1.0, 2.0, None]}, Stepping(restarts=0)
        train("Moody-v0", moody, tiny, out=tmp_path, env_kwargs=kwargs, stepping=once)
    assert load_checkpoint(tmp_path / "checkpoints" / "last.safetensors")["iteration"] == 2
    assert len(read_metrics(tmp_path)) == 2
    assert load_checkpoint(tmp_path / "checkpoints" / "best.safetensors")["true_return"] == 2.0


def test_a_run_that_diverges_keeps_its_last_good_checkpoint_and_says_where_it_is(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    rollouts = []

    def reward(logits: torch.Tensor) -> torch.Tensor:
        rollouts.extend([1] * (logits.numel() == 64))
        return logits * math.nan if len(rollouts) > 1 else log_d(logits)

    checkpoint = tmp_path / "checkpoints" / "last.safetensors"
    with pytest.raises(DivergenceError, match=r"^the rewards became NaN") as stopped:
        train("CartPole-v1", cartpole, tiny, parts=Parts(reward=reward), out=tmp_path)
    assert str(stopped.value).endswith(f"the last good checkpoint is {checkpoint}")
    assert load_checkpoint(checkpoint)["iteration"] < 2
    assert len(read_metrics(tmp_path)) == 1


def test_demonstrations_of_another_task_are_refused_before_anything_is_written(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"\(4,\).*\(3,\)"):
        train("Pendulum-v1", cartpole, tiny, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_matter_of_storage(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "run", tmp_path / "file"):
        with pytest.raises(StorageError, match=r"the run folder .* cannot be made"):
            train("CartPole-v1", cartpole, tiny, out=out)


def test_an_interruption_amid_an_update_leaves_the_last_whole_checkpoint(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    class Interrupted(PPOClip):
        def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
            if progress > 0:
                raise KeyboardInterrupt
            return super().update(rollout, reward, progress)

    with pytest.raises(KeyboardInterrupt):
        train("CartPole-v1", cartpole, tiny, parts=Parts(generator=Interrupted), out=tmp_path)
    assert load_checkpoint(tmp_path / "checkpoints" / "last.safetensors")["iteration"] == 0
    assert len(read_metrics(tmp_path)) == 1
