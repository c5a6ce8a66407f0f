"""An exported policy acts as the policy does, wherever it is run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, Tuple

from gailkit import exporting
from gailkit.errors import DivergenceError, InputError
from gailkit.experts.onnx import onnx_policy
from gailkit.experts.resolve import expert_policy
from gailkit.exporting import export
from gailkit.generator import TrainedPolicy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.recurrent import Memory
from gailkit.spaces import Stacking, clip_to_space, flattened_space, space_from_json, stated_space, storage_dtype
from gailkit.types import RememberingPolicy

PLACE = Box(np.array([-9.0, -np.inf, 0.0], np.float32), np.array([9.0, np.inf, 4.0], np.float32))
WHEEL = Box(np.array([-3.0, 0.0], np.float32), np.array([1.0, 10.0], np.float32))

PARTED = Dict({"place": PLACE, "what": Discrete(3)})


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


@pytest.mark.parametrize(
    ("observations", "frames", "memory"),
    [(PLACE, 3, None), (Discrete(3, start=2), 1, "gru"), (Discrete(3, start=2), 3, None), (PARTED, 2, "lstm")],
)
def test_an_onnx_file_of_a_policy_that_looks_back_acts_along_an_episode_as_the_policy_does(
    observations: Space[Any], frames: int, memory: str | None, tmp_path: Path
) -> None:
    """Two episodes at once, the second of which begins two steps later: each is remembered by itself."""
    pytest.importorskip("onnxscript", reason="NOT TESTED: policies into ONNX files; pip install 'gailkit[onnx]'")
    plain = flattened_space(observations)
    form = {} if memory is None else {"memory": Memory(memory, 4, 3)}
    stacked = policy_in(Stacking(plain, frames).space, WHEEL, **form)
    policy = dataclasses.replace(stacked, observation_space=plain, frames=frames)
    path = tmp_path / "policy.onnx"
    export(policy, path)
    again = expert_policy(str(path), observations, WHEEL, seed=0)
    assert isinstance(again, RememberingPolicy)
    plain.seed(3)
    seen = np.stack([plain.sample() for _ in range(12)]).astype(storage_dtype(plain)).reshape(6, 2, *plain.shape)
    ours: Any = [None, None]
    theirs: Any = [None, None]
    for t, row in enumerate(seen):
        if t == 2:
            ours, theirs = [ours[0], None], [theirs[0], None]
        expected, ours = policy.follow(row, ours)
        acted, theirs = again.follow(row, theirs)
        np.testing.assert_allclose(acted, clip_to_space(WHEEL, expected), atol=1e-4)
    with pytest.raises(InputError, match="acts by what its episode was so far"):
        again(seen[0])


def test_an_onnx_file_that_says_odd_things_of_what_it_looks_back_by_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="NOT TESTED: policies into ONNX files; pip install 'gailkit[onnx]'")
    pytest.importorskip("onnxscript", reason="NOT TESTED: policies into ONNX files; pip install 'gailkit[onnx]'")
    path = tmp_path / "policy.onnx"
    export(policy_in(PLACE, WHEEL, memory=Memory("gru", 4, 3)), path)
    content = path.read_bytes()
    for told, said in [
        ("-1", r"acts by '-1' observations as one \(frame_stack\); accepted are 1 to 1000"),
        ("9" * 5000, "acts by '99999999999999999999' observations"),
        ("3", r"has the inputs observation tensor\(float\) .* shape \['B', 9\]"),
    ]:
        model = onnx.ModelProto.FromString(content)
        model.metadata_props[[each.key for each in model.metadata_props].index("frame_stack")].value = told
        path.write_bytes(model.SerializeToString())
        with pytest.raises(InputError, match=said):
            onnx_policy(path, PLACE, WHEEL)
    model = onnx.ModelProto.FromString(content)
    next(each for each in model.graph.input if each.name == "state").type.tensor_type.shape.dim[1].dim_param = "any"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(
        InputError, match=r"has the input state tensor\(float\) .*'any'.*; accepted is .* of 1 to 65536"
    ):
        onnx_policy(path, PLACE, WHEEL)


class Choosy(torch.nn.Sequential):
    """Another layer where what it sees is positive: what no program of operations can be made of."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        seen = super().forward(features)
        return -seen if float(features.sum()) > 0 else seen


def test_a_network_that_torch_cannot_export_is_one_sentence(tmp_path: Path) -> None:
    policy = policy_in(PLACE, WHEEL)
    policy.actor_critic.policy = Choosy(*policy.actor_critic.policy)
    with pytest.raises(InputError, match=r"^torch .* cannot export the policy's networks: \w+: .*") as refused:
        export(policy, tmp_path / "policy.pt2")
    assert "\n" not in str(refused.value) and not (tmp_path / "policy.pt2").exists()
