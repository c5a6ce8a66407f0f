"""The bias control tells a biased method from one that is not, and controls what a run was really trained with."""

from __future__ import annotations

import json
import shutil
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, InputError
from gailkit.rollouts.environments import make_env
from gailkit.training.config import TrainConfig
from gailkit.training.control import Method, constant_policy, method_of, run_control
from gailkit.training.expert import train_expert
from gailkit.training.parts import Parts
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.settings import settings_of
from gailkit.training.train import train
from gailkit.types import Trajectory


@pytest.mark.parametrize(
    ("space", "action"),
    [
        (Discrete(3), 0),
        (Discrete(3, start=5), 5),
        (Box(np.array([-1, 0], np.float32), np.array([3, 1], np.float32)), [1.0, 0.5]),
        (Box(-np.inf, np.inf, (2,), np.float32), [0.0, 0.0]),
        (Box(2, np.inf, (1,), np.float32), [2.0]),  # no middle, and 0 lies outside
    ],
    ids=str,
)
def test_the_constant_teacher_takes_the_first_action_or_the_middle(space: Any, action: Any) -> None:
    actions = constant_policy(space)(np.zeros((3, 4)))
    np.testing.assert_array_equal(actions, [action] * 3)
    assert all(space.contains(one) for one in actions)


def alive(logits: Tensor) -> Tensor:
    """1 for each step of a rollout and 0 for the absorbing state and for endings, which are asked about alone and few
    at a time: nothing but survival counts."""
    return torch.ones_like(logits) if logits.numel() == SMALL.rollout_size else torch.zeros_like(logits)


SMALL = TrainConfig(
    steps=12_288,
    num_envs=16,
    rollout_size=2048,
    gamma=0.99,
    policy=PolicyConfig(learning_rate=2e-3, epochs=5, batch_size=256),
)


@pytest.fixture(scope="module")
def expert(repository: Path) -> Demonstrations:
    return Demonstrations.load(repository / "datasets" / "cartpole-v1.hdf5").choose(5)


def test_a_reward_that_pays_for_survival_is_caught(expert: Demonstrations) -> None:
    found = run_control(Method("CartPole-v1", SMALL, 20, parts=Parts(reward=alive)), expert, episodes=10)
    constant, at_random = found.controls
    assert not at_random.passes, found
    assert constant.passes, found  # the policy is certain of the one action, and never finds out what others earn
    assert found.verdict().count("its reward pays for survival") == 1
    assert found.scale.expert_return_mean == 500.0
    assert at_random.sampled != at_random.imitator


def test_the_default_method_scores_nothing_that_it_was_not_taught(expert: Demonstrations) -> None:
    found = run_control(Method("CartPole-v1", SMALL, 20), expert, episodes=10)
    assert found.verdict() == "The method does not score without being taught."
    constant, at_random = found.controls
    assert (constant.teacher, at_random.teacher) == ("constant", "random")
    assert at_random.own.score == 0.0
    assert constant.own.length_mean < 12 < at_random.own.length_mean


def test_the_runs_are_shown_as_much_as_the_method_was_and_are_ordinary_ones(
    tiny: TrainConfig, cartpole: Demonstrations, tmp_path: Path
) -> None:
    kwargs = {"sutton_barto_reward": True}  # -1 for falling and 0 before
    method = Method("CartPole-v1", tiny, episodes=6, stride=4, env_kwargs=kwargs)
    found = run_control(method, cartpole, episodes=3, out=tmp_path / "controls", command="as typed")
    for one in found.controls:
        described = json.loads((tmp_path / "controls" / one.teacher / "config.json").read_text())
        shown = described["demonstrations"]
        assert (shown["episodes"], shown["stride"], shown["transitions"]) == (6, 4, one.pairs)
        assert shown["provenance"]["source"] == f"{one.teacher} actions"
        assert (described["command"], described["env_kwargs"], one.own.return_mean) == ("as typed", kwargs, -1.0)
        again = method_of(tmp_path / "controls" / one.teacher)
        assert (again.config.to_dict(), again.episodes, again.stride) == (tiny.with_actions(True).to_dict(), 6, 4)


def test_the_same_seed_finds_the_same_and_nothing_is_written_unless_asked_for(
    tiny: TrainConfig, cartpole: Demonstrations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (run_control(Method("CartPole-v1", tiny, 2), cartpole, episodes=3) for _ in range(2))
    assert first == second
    assert not list(tmp_path.iterdir())


def test_what_is_in_the_folder_is_left_alone_unless_one_says_so(
    tiny: TrainConfig, cartpole: Demonstrations, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    method = Method("CartPole-v1", tiny, 2)
    with pytest.raises(InputError, match=r"is not empty; choose another folder"):
        run_control(method, cartpole, episodes=1, out=tmp_path)
    run_control(method, cartpole, episodes=1, out=tmp_path, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "constant", "random"}


def test_demonstrations_of_another_task_and_no_episodes_are_refused(
    tiny: TrainConfig, cartpole: Demonstrations
) -> None:
    with pytest.raises(InputError, match=r"at least 1; found 0"):
        run_control(Method("CartPole-v1", tiny, 2), cartpole, episodes=0)
    with pytest.raises(InputError, match=r"\(4,\)"):
        run_control(Method("Pendulum-v1", tiny, 2), cartpole)


@pytest.fixture(scope="module")
def trained(tiny: TrainConfig, cartpole: Demonstrations, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    kwargs = {"sutton_barto_reward": True}
    train("CartPole-v1", cartpole.choose(3).subsample(5), tiny, out=folder, env_kwargs=kwargs)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def redescribe(run: Path, **changes: Any) -> None:
    described = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(described | changes))


def test_the_method_of_a_run_is_what_it_was_trained_with(run: Path, tiny: TrainConfig) -> None:
    method = method_of(run)
    assert (method.env_id, method.env_kwargs) == ("CartPole-v1", {"sutton_barto_reward": True})
    assert method.config.to_dict() == tiny.with_actions(True).to_dict()
    assert (method.episodes, method.stride) == (3, 5)


def test_a_run_that_imitated_nobody_has_no_method_to_control(tiny_expert: Any, tmp_path: Path) -> None:
    train_expert("CartPole-v1", tiny_expert, out=tmp_path)
    with pytest.raises(InputError, match=r"trained on the environment's own reward; a run of gailkit train is needed"):
        method_of(tmp_path)


def test_a_run_with_objects_that_the_folder_does_not_hold_is_refused_with_their_names(
    tiny: TrainConfig, cartpole: Demonstrations, tmp_path: Path
) -> None:
    train("CartPole-v1", cartpole, tiny, out=tmp_path, parts=Parts(reward=alive))
    with pytest.raises(InputError, match=r"does not hold \(reward .*test_control:alive\); in .*run_control takes"):
        method_of(tmp_path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("env_id",), "evil:Env-v0"),
        (("config", "reward"), "evil:reward"),
        (("config", "loss"), "evil:loss"),
        (("config", "generator"), "evil:generator"),
        (("config", "discriminator", "kind"), "evil:kind"),
        (("config", "discriminator", "network"), "evil:network"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_name_that_would_import_a_module_has_to_be_trusted(run: Path, path: tuple[str, ...], name: str) -> None:
    described = json.loads((run / "config.json").read_text())
    section = described
    for step in path[:-1]:
        section = section[step]
    section[path[-1]] = name
    described["config"]["policy"] = {}  # whose settings a generator of somebody else does not have
    redescribe(run, **described)
    with pytest.raises(InputError, match=rf"names '{name}', which would import a module; .* --trust {name}$"):
        method_of(run, trusted=["another:name"])
    trusted = method_of(run, trusted=[name])
    values = [trusted.env_id, *(reduce(getattr, setting, trusted.config) for setting, _ in settings_of(trusted.config))]
    assert name in values


@pytest.mark.parametrize(
    "changes",
    [
        {"config": []},
        {"config": {"nosuch": 3}},
        {"config": {"policy": {"hidden": "wide"}}},
        {"demonstrations": []},
        {"demonstrations": {"episodes": 3}},
        {"demonstrations": {"episodes": "many", "stride": 1}},
        {"demonstrations": {"episodes": 3, "stride": 0}},
        {"demonstrations": {"episodes": True, "stride": 1}},
        {"env_id": 3},
        {"env_kwargs": 3},
        {"parts": 3},
    ],
    ids=str,
)
def test_a_description_with_nonsense_in_it_is_damaged(run: Path, changes: dict[str, Any]) -> None:
    redescribe(run, **changes)
    with pytest.raises(DataError, match=r"the run in .* is damaged"):
        method_of(run)


def test_a_task_with_box_actions_can_be_controlled(tiny: TrainConfig) -> None:
    env = make_env("Pendulum-v1")
    swing = Trajectory(np.zeros((4, 3), np.float32), np.zeros((3, 1), np.float32), np.zeros(3), terminated=False)
    demonstrations = Demonstrations((swing,), env.observation_space, env.action_space)
    found = run_control(Method("Pendulum-v1", tiny, 1), demonstrations, episodes=2)
    assert found.controls[0].own.length_mean == 200.0
    assert all(one.own.score is not None for one in found.controls)
