"""A run folder read back: the same policy, or a sentence that says what is wrong with it."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, InputError
from gailkit.generator import TrainedPolicy
from gailkit.spaces import space_to_json
from gailkit.training.checkpoint import load_checkpoint, save_checkpoint
from gailkit.training.config import TrainConfig
from gailkit.training.run import RunFolder, load_policy
from gailkit.training.train import train


class Run(NamedTuple):
    folder: Path
    policy: TrainedPolicy


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, cartpole: Demonstrations, tiny: TrainConfig) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return Run(folder, train("CartPole-v1", cartpole, tiny, out=folder).policy)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Path:
    """A copy of a run, to be damaged."""
    return Path(shutil.copytree(trained.folder, tmp_path / "run"))


def redescribe(run: Path, **changes: Any) -> None:
    described = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**described, **changes}))


def test_a_loaded_policy_acts_as_the_one_in_memory(trained: Run, cartpole: Demonstrations) -> None:
    loaded = load_policy(trained.folder)
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(500, 4)) * [1.0, 1.0, 0.1, 1.0]
    actions = rng.integers(2, size=500)
    np.testing.assert_array_equal(loaded(obs), trained.policy(obs))
    np.testing.assert_array_equal(loaded.log_likelihood(obs, actions), trained.policy.log_likelihood(obs, actions))
    np.testing.assert_array_equal(loaded.sampling(1)(obs), trained.policy.sampling(1)(obs))
    assert len(np.unique(loaded.sampling(1)(obs))) == 2
    assert (loaded.env_id, loaded.env_kwargs) == ("CartPole-v1", {})
    assert loaded.trained_on == frozenset(cartpole.digests())
    assert loaded.checkpoint == trained.folder / "checkpoints" / "chosen.safetensors"
    assert loaded.seed is None


def test_a_run_of_before_the_other_generators_came_is_still_a_policy(trained: Run, run: Path) -> None:
    """Its settings were others; only those that the networks are made from matter to who wants to act."""
    described = json.loads((run / "config.json").read_text())
    new = {"least_deviation", "rollout_size"}
    (run / "checkpoints" / "chosen.safetensors").unlink()
    config = {name: value for name, value in described["config"].items() if name not in new} | {"rollout_steps": 32}
    config["policy"] = {
        "hidden": [8], "initial_log_std": 0.0, "learning_rate": 0.002, "lam": 0.98, "clip": 0.2, "epochs": 2,
        "batch_size": 32, "entropy_bonus": 0.0, "max_gradient_norm": 0.5, "forgotten": 1,
    }  # fmt: skip
    redescribe(run, config=config)
    state = load_checkpoint(run / "checkpoints" / "last.safetensors")
    state["learner"] = state.pop("teacher")
    save_checkpoint(run / "checkpoints" / "last.safetensors", state)
    loaded = load_policy(run)
    obs = np.random.default_rng(0).normal(size=(500, 4)) * [1.0, 1.0, 0.1, 1.0]
    np.testing.assert_array_equal(loaded(obs), load_policy(trained.folder, "last")(obs))
    assert loaded.trained_on == trained.policy.trained_on


def test_a_checkpoint_that_the_run_has_not_is_refused_with_those_it_has(run: Path) -> None:
    with pytest.raises(InputError, match=r"has no checkpoint 'best'; it has chosen, last$"):
        load_policy(run, "best")
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(InputError, match=r"has no checkpoint 'last'; it has none$"):
        load_policy(run)


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_without_a_description_holds_no_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"holds no run: it has no config.json$"):
        load_policy(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"3", b'"run"', b"null", b"{}", b"\xff\xfe", b'{"format": "gailkit-run"',
        b'{"format": "gailkit-run"}', b"[" * 100_000,
    ],
    ids=lambda content: content[:30].decode("latin-1"),
)  # fmt: skip
def test_a_description_that_is_none_is_damaged(run: Path, content: bytes) -> None:
    (run / "config.json").write_bytes(content)
    with pytest.raises(DataError, match=r"config.json"):
        load_policy(run)


@pytest.mark.parametrize(
    "changes",
    [
        {"config": []},
        {"config": {"policy": 3}},
        {"config": {"nosuch": 3}},
        {"config": {"policy": {"hidden": "wide"}}},
        {"config": {"policy": {"hidden": [9]}}},
        {"observation_space": "{}"},
        {"observation_space": 3},
        {"demonstrations": []},
        {"demonstrations": {"digests": 4}},
        {"env_kwargs": 3},
        {"env_kwargs": "abc"},
    ],
    ids=str,
)
def test_a_description_with_nonsense_in_it_is_damaged(run: Path, changes: dict[str, Any]) -> None:
    redescribe(run, **changes)
    with pytest.raises(DataError, match=r"the run in .* is damaged"):
        load_policy(run)


def test_a_run_of_another_format_or_a_newer_version_is_not_guessed_at(run: Path) -> None:
    redescribe(run, format_version=99)
    with pytest.raises(DataError, match=r"'gailkit-run', 99.*reads .*'gailkit-run', 1\); a newer gailkit wrote it"):
        load_policy(run)
    for older in (0, -1, "1", 1.5, None):
        redescribe(run, format_version=older)
        with pytest.raises(DataError, match=r"this gailkit reads \('gailkit-run', 1\)$"):
            load_policy(run)
    redescribe(run, format="another", format_version=1)
    with pytest.raises(DataError, match="another"):
        load_policy(run)


def test_networks_of_other_sizes_than_described_are_damaged(run: Path, cartpole: Demonstrations) -> None:
    assert cartpole.observation_space is not None
    redescribe(run, action_space=space_to_json(cartpole.observation_space))
    with pytest.raises(DataError, match="is damaged"):
        load_policy(run)


@pytest.mark.parametrize("name", ["chosen", "last"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "pickle", "empty"])
def test_a_damaged_checkpoint_is_noticed(run: Path, damage: str, name: str) -> None:
    path = run / "checkpoints" / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    damaged = {"cut": content[:-5], "flipped": content, "pickle": pickle.dumps({"generator": {}}), "empty": b""}
    path.write_bytes(damaged[damage])
    (run / "checkpoints" / "previous.safetensors").write_bytes(b"")  # no way back
    with pytest.raises(DataError, match=rf"{name}.safetensors is damaged"):
        load_policy(run, name)


@pytest.mark.parametrize("state", [{}, {"generator": []}, {"generator": {}}, {"generator": 3}], ids=str)
def test_a_checkpoint_without_a_policy_is_damaged(run: Path, state: dict[str, Any]) -> None:
    save_checkpoint(run / "checkpoints" / "chosen.safetensors", state)
    with pytest.raises(DataError, match="is damaged"):
        load_policy(run)


def test_a_policy_is_loaded_without_running_what_the_settings_name(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of the user's own parts are needed to train on, not to act."""
    (tmp_path / "bomb.py").write_text("import os; os.mkdir('crater')")
    monkeypatch.chdir(tmp_path)
    described = json.loads((run / "config.json").read_text())
    config = {**described["config"], "reward": "bomb:r", "generator": "bomb:g", "loss": "bomb:l"}
    redescribe(run, config=config, env_id="bomb:Env-v0")
    assert load_policy(run).env_id == "bomb:Env-v0"
    assert not (tmp_path / "crater").exists()


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(run: Path) -> None:
    folder = RunFolder.open(run)
    assert folder.load("last")["iteration"] == load_checkpoint(folder.checkpoint_path("last"))["iteration"]
    os.remove(run / "config.json")
    with pytest.raises(DataError, match=r"config.json"):
        folder.description()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="is not empty"):
        RunFolder.create(tmp_path, {})
    RunFolder.create(tmp_path, {}, overwrite=True).close()
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
