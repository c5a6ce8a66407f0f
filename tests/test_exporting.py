"""An exported policy acts as the policy does, wherever it is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, Tuple

from gailkit import exporting
from gailkit.errors import DivergenceError, InputError
from gailkit.experts.onnx import onnx_policy
from gailkit.exporting import export
from gailkit.generator import TrainedPolicy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.spaces import clip_to_space, flattened_space, space_from_json, stated_space, storage_dtype

PLACE = Box(np.array([-9.0, -np.inf, 0.0], np.float32), np.array([9.0, np.inf, 4.0], np.float32))
WHEEL = Box(np.array([-3.0, 0.0], np.float32), np.array([1.0, 10.0], np.float32))


def policy_in(observations: Space[Any], actions: Space[Any], **form: Any) -> TrainedPolicy:
    """One that acts differently in different states, and whose statistics of observations are not 0 and 1."""
    torch.manual_seed(2)
    encoder = ObservationEncoder(observations)
    actor_critic = ActorCritic(encoder, actions, (8,), **form)
    observations.seed(1)
    seen = torch.from_numpy(np.stack([observations.sample() for _ in range(50)]))
    encoder.update(3.0 * seen + 1.0 if isinstance(observations, Box) else seen)
    with torch.no_grad():
        actor_critic.policy[-1].weight.mul_(40.0)  # some of its actions lie beyond the bounds
    return TrainedPolicy(actor_critic, observations, actions, "Place-v0", {"size": 3})


def through_onnx(path: Path, policy: TrainedPolicy) -> Callable[[np.ndarray], np.ndarray]:
    return onnx_policy(path, stated_space(policy.observation_space), policy.action_space)


def through_torch(path: Path, policy: TrainedPolicy) -> Callable[[np.ndarray], np.ndarray]:
    module = torch.export.load(path).module()
    return lambda observations: module(torch.from_numpy(observations)).detach().numpy()


@pytest.fixture(params=[("policy.onnx", through_onnx), ("policy.pt2", through_torch)], ids=["onnx", "pt2"])
def format_(request: pytest.FixtureRequest) -> tuple[str, Any]:
    if request.param[0].endswith("onnx"):
        for package in ("onnx", "onnxruntime", "onnxscript"):
            pytest.importorskip(package, reason="NOT TESTED: policies into ONNX files; pip install 'gailkit[onnx]'")
    found: tuple[str, Any] = request.param
    return found


@pytest.mark.parametrize(
    ("observations", "actions", "form"),
    [
        (PLACE, WHEEL, {}),
        (PLACE, WHEEL, {"std": "state", "bounds": "tanh"}),
        (PLACE, Discrete(4, start=2), {}),
        (Discrete(6, start=1), Discrete(3), {}),
        (Discrete(2000, start=1), Discrete(3), {}),
        (flattened_space(Tuple([Discrete(2000), PLACE])), Discrete(3), {}),
    ],
    ids=["box", "tanh", "discrete", "discrete observations", "very many", "very many among parts"],
)
def test_the_likeliest_actions_are_the_policys(
    tmp_path: Path, format_: tuple[str, Any], observations: Space[Any], actions: Space[Any], form: Any
) -> None:
    name, load = format_
    policy = policy_in(observations, actions, **form)
    told = export(policy, tmp_path / name)
    assert told.difference < 1e-5 and list(tmp_path.iterdir()) == [tmp_path / name]
    acting = load(tmp_path / name, policy)
    for count in (1, 7, 200):
        seen = np.stack([observations.sample() for _ in range(count)]).astype(storage_dtype(observations))
        expected = clip_to_space(actions, policy(seen))
        assert len(np.unique(expected, axis=0)) > 1 or count < 200
        assert acting(seen) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("actions", [WHEEL, Discrete(3, start=5)], ids=["box", "discrete"])
def test_sampled_actions_are_distributed_as_the_policys(
    tmp_path: Path, format_: tuple[str, Any], actions: Space[Any]
) -> None:
    name, load = format_
    policy = policy_in(PLACE, actions).sampling(3)
    export(policy, tmp_path / name)
    seen = np.repeat(PLACE.sample()[None], 4000, 0)
    ours = clip_to_space(actions, policy(seen)).astype(float)
    theirs = load(tmp_path / name, policy)(seen).astype(float)
    for moment in (1, 2):
        one, other = ours**moment, theirs**moment
        error = np.sqrt((one.var(0) + other.var(0)) / 4000)
        assert (np.abs(one.mean(0) - other.mean(0)) <= 5 * error + 1e-9).all()


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    extra = dict.fromkeys(("env_id", "env_kwargs", "observation_space", "action_space", "actions"), "")
    export(policy_in(PLACE, WHEEL), tmp_path / "policy.pt2")
    torch.export.load(tmp_path / "policy.pt2", extra_files=extra)
    assert (extra["env_id"], extra["env_kwargs"], extra["actions"]) == ("Place-v0", '{"size": 3}', "likeliest")
    assert space_from_json(extra["observation_space"]) == PLACE and space_from_json(extra["action_space"]) == WHEEL
    onnx = pytest.importorskip("onnx", reason="NOT TESTED: policies into ONNX files; pip install 'gailkit[onnx]'")
    export(policy_in(PLACE, WHEEL).sampling(0), tmp_path / "policy.onnx")
    model = onnx.load(tmp_path / "policy.onnx")
    said = {each.key: each.value for each in model.metadata_props}
    assert (said["env_id"], said["actions"]) == ("Place-v0", "sampled")
    assert [each.name for each in (*model.graph.input, *model.graph.output)] == ["observation", "action"]


@pytest.mark.parametrize("sampled", [False, True])
def test_what_acts_differently_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampled: bool) -> None:
    policy = policy_in(PLACE, WHEEL)
    policy = policy.sampling(0) if sampled else policy

    def wrong(program: Any, described: Any) -> Any:
        content, acting = exporting._pt2(program, described)
        return content, lambda observations: [0.5 * acting(observations)[0]]

    monkeypatch.setitem(exporting.FORMATS, ".pt2", wrong)
    with pytest.raises(DivergenceError, match="acts differently: its actions are up to"):
        export(policy, tmp_path / "policy.pt2")
    assert not list(tmp_path.iterdir())


def test_in_a_narrow_box_a_difference_of_half_a_hundredth_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(program: Any, described: Any) -> Any:
        content, acting = exporting._pt2(program, described)
        return content, lambda observations: [0.995 * acting(observations)[0]]

    policy = policy_in(PLACE, Box(-0.01, 0.01, (2,)))
    export(policy, tmp_path / "policy.pt2")
    monkeypatch.setitem(exporting.FORMATS, ".pt2", wrong)
    with pytest.raises(DivergenceError, match="acts differently"):
        export(policy, tmp_path / "another.pt2")


def test_the_ending_says_which_format(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"policy.pth must end in .onnx or .pt2"):
        export(policy_in(PLACE, WHEEL), tmp_path / "policy.pth")
