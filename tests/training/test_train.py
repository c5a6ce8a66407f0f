"""Training in one call: what the run folder holds, also when training ends before its time."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import gailkit
from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import CrossEntropyLoss
from gailkit.functional.rewards import log_d
from gailkit.rollouts.environments import make_env
from gailkit.training.checkpoint import load_checkpoint
from gailkit.training.config import TrainConfig
from gailkit.training.parts import Parts
from gailkit.training.picture import PANELS
from gailkit.training.run import load_policy
from gailkit.training.train import TrainingResult, train


class Run(NamedTuple):
    folder: Path
    result: TrainingResult


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cartpole: Demonstrations, tiny: TrainConfig) -> Run:
    """A finished run of three iterations in CartPole-v1, with all of its picture."""
    folder = tmp_path_factory.mktemp("training") / "parent" / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gailkit.training.picture.PANELS", PANELS)
        return Run(folder, train("CartPole-v1", cartpole, tiny, out=folder))


def files(folder: Path) -> set[str]:
    """Files below ``folder``, those of TensorBoard by their kind."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {"tensorboard/events" if name.startswith("tensorboard/events.out.tfevents.") else name for name in names}


def equal_states(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two modules have the same parameters and statistics."""
    first, second = (
        {name: value for name, value in state.items() if isinstance(value, torch.Tensor)} for state in (one, other)
    )
    return bool(first) and list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_folder_holds_settings_metrics_events_a_checkpoint_and_a_picture(run: Run) -> None:
    checkpoints = {f"checkpoints/{name}.safetensors" for name in ("last", "previous", "chosen")}
    expected = {"config.json", "metrics.jsonl", "tensorboard/events", "learning.svg", ".in-use", *checkpoints}
    assert files(run.folder) == expected  # no best checkpoint: fewer than 50 episodes ended
    assert run.result.folder == run.folder


def test_every_iteration_is_a_row_of_metrics(run: Run, tiny: TrainConfig) -> None:
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert rows == run.result.metrics
    assert [row["steps"] for row in rows] == [64, 128, 192]
    assert all(math.isfinite(value) for row in rows for value in row.values())


def test_tensorboard_shows_the_same_numbers(run: Run) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of protobuf and numpy, old habits
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == set(run.result.metrics[-1])
    for name in ("discriminator/loss", "policy/kl"):
        written = [(event.step, event.value) for event in events.Scalars(name)]
        assert written == [(row["steps"], pytest.approx(row[name], rel=1e-6)) for row in run.result.metrics]


def test_the_description_says_what_was_trained_on_what(run: Run, cartpole: Demonstrations, tiny: TrainConfig) -> None:
    described = json.loads((run.folder / "config.json").read_text())
    assert (described["format"], described["format_version"]) == ("gailkit-run", 1)
    assert (described["env_id"], described["env_kwargs"]) == ("CartPole-v1", {})
    assert described["config"] == json.loads(json.dumps(tiny.with_actions(True).to_dict()))
    shown = described["demonstrations"]
    assert (shown["episodes"], shown["transitions"], shown["stride"]) == (4, cartpole.num_steps, 1)
    assert shown["digests"] == cartpole.digests()
    assert described["versions"]["torch"] == torch.__version__
    assert described["versions"]["gailkit"] == gailkit.__version__


def test_the_last_checkpoint_is_the_state_at_the_end(run: Run) -> None:
    state = load_checkpoint(run.folder / "checkpoints" / "last.safetensors")
    assert (state["iteration"], state["steps"]) == (3, 192)
    assert equal_states(state["generator"], run.result.trainer.generator.state_dict())
    discriminator = run.result.trainer.teacher.learner.discriminator.state_dict()
    assert equal_states(state["teacher"]["learner"]["discriminator"], discriminator)


def test_the_picture_is_an_svg_with_a_panel_for_all_that_an_imitation_has(run: Run) -> None:
    root = ElementTree.parse(run.folder / "learning.svg").getroot()
    assert root.tag.endswith("svg")
    panels = [element for element in root.iter() if element.get("id", "").startswith("axes_")]
    assert len(panels) == 6


def test_the_best_checkpoint_is_of_the_iteration_with_the_highest_return(
    moody: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    policies: list[dict[str, torch.Tensor]] = []

    class Watched(gailkit.PPOClip):
        def update(self, *arguments: Any, **options: Any) -> dict[str, float]:
            metrics = super().update(*arguments, **options)
            policies.append({name: tensor.clone() for name, tensor in self.actor_critic.policy.state_dict().items()})
            return metrics

    parts = Parts(generator=lambda actor_critic: Watched(actor_critic, epochs=1))
    config = dataclasses.replace(tiny, steps=256)
    train("Moody-v0", moody, config, parts=parts, out=tmp_path / "run", env_kwargs={"moods": [1.0, 5.0, 3.0, 4.0]})
    best = load_checkpoint(tmp_path / "run" / "checkpoints" / "best.safetensors")
    assert best["true_return"] == 5.0
    assert not any(torch.equal(policies[1]["0.weight"], policies[i]["0.weight"]) for i in (0, 2, 3))
    for name, tensor in policies[1].items():
        assert torch.equal(best["generator"][f"actor_critic.policy.{name}"], tensor)
    loaded = load_policy(tmp_path / "run", "best").actor_critic.policy.state_dict()
    assert equal_states(loaded, policies[1])
    assert equal_states(load_policy(tmp_path / "run", "last").actor_critic.policy.state_dict(), policies[3])


def test_training_takes_its_random_numbers_from_the_seed_and_leaves_the_callers_alone(
    run: Run, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    torch.manual_seed(12345)
    np.random.seed(5)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tolist()
    again = train("CartPole-v1", cartpole, tiny)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.random.get_state()[1].tolist() == numpy_state
    losses = [row["discriminator/loss"] for row in again.metrics]
    assert losses == [row["discriminator/loss"] for row in run.result.metrics]


def test_without_a_folder_nothing_is_written(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = train("CartPole-v1", cartpole, tiny)
    assert result.folder is None
    assert len(result.metrics) == 3
    assert list(tmp_path.iterdir()) == []


def test_the_policy_in_memory_is_the_chosen_one_and_knows_what_it_has_seen(run: Run, cartpole: Demonstrations) -> None:
    assert run.result.choice is not None
    assert equal_states(run.result.policy.actor_critic.state_dict(), run.result.choice.state)
    assert run.result.policy.trained_on == frozenset(cartpole.digests())


def test_a_task_with_discrete_observations_can_be_trained_and_loaded(tiny: TrainConfig, tmp_path: Path) -> None:
    env = make_env("FrozenLake-v1")
    path = [2, 2, 1, 1, 1, 2]  # right, right, down, down, down, right
    states = [0, 1, 2, 6, 10, 14, 15]
    episode = gailkit.Trajectory(np.array(states), np.array(path), None, terminated=True)
    demonstrations = Demonstrations((episode,), env.observation_space, env.action_space)
    kwargs = {"is_slippery": False}
    result = train("FrozenLake-v1", demonstrations, tiny, out=tmp_path / "run", env_kwargs=kwargs)
    loaded = load_policy(tmp_path / "run")
    assert loaded.env_kwargs == kwargs
    np.testing.assert_array_equal(loaded(np.arange(16)), result.policy(np.arange(16)))


def test_the_record_of_a_run_names_the_parts_that_were_swapped(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    train("CartPole-v1", cartpole, tiny, parts=Parts(reward=log_d, loss=CrossEntropyLoss()), out=tmp_path)
    recorded = json.loads((tmp_path / "config.json").read_text())["parts"]
    assert recorded == {
        "discriminator": None,
        "loss": "gailkit.discriminator.losses:CrossEntropyLoss",
        "reward": "gailkit.functional.rewards:log_d",
        "generator": None,
        "policy_network": None,
        "image_encoder": None,
    }
