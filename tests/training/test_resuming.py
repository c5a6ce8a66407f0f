"""A run that was stopped and goes on is the run that was never stopped."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.native import windows
from gailkit.errors import DataError, EnvironmentFailure, InputError, InUseError
from gailkit.rollouts.stepping import Stepping
from gailkit.training.build_policy import GENERATORS
from gailkit.training.config import ExpertConfig, RunConfig, TrainConfig
from gailkit.training.expert import train_expert
from gailkit.training.policy_config import OFF_POLICY, PolicyConfig
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder, load_policy
from gailkit.training.running import TrainingResult
from gailkit.training.train import train

CLOCK = {"seconds", "steps_per_second"}
NOT_COMPARED = {"seconds", "envs", "demonstrations", "config"}  # what a clock says, and what is not part of a state


class Stopped(Exception):
    """Raised by a test in the middle of a run."""


class Drifting(CartPoleEnv):
    """Whose carts begin where nobody can know: no seed decides it."""

    begun = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        observation, info = super().reset(seed=seed, options=options)
        Drifting.begun += 1
        self.state = np.asarray(self.state) + 1e-3 * Drifting.begun
        return observation + np.float32(1e-3 * Drifting.begun), info


@pytest.fixture(autouse=True, scope="module")
def drifting(environments: None) -> Iterator[None]:
    gymnasium.register("Drifting-v0", entry_point=Drifting, max_episode_steps=500)
    yield
    gymnasium.registry.pop("Drifting-v0")


def random_demonstrations(env_id: str, episodes: int = 3) -> Demonstrations:
    from gailkit.experts.random import random_policy
    from gailkit.rollouts.environments import make_env
    from gailkit.rollouts.episodes import collect_episodes

    env = make_env(env_id)
    policy = random_policy(env.action_space, 0)
    trajectories = collect_episodes(policy, lambda: make_env(env_id), list(range(episodes)))
    whole = Demonstrations(tuple(trajectories), env.observation_space, env.action_space, env_id)
    return whole.subsample(max(1, whole.num_steps // 60))


def begun(env_id: str, shown: Demonstrations | None, config: RunConfig, out: Path, stop_after: int) -> TrainingResult:
    """A run that is stopped after so many iterations; a number beyond all of them stops none."""
    seen: list[Mapping[str, float]] = []

    def on_iteration(metrics: Mapping[str, float]) -> None:
        seen.append(metrics)
        if len(seen) == stop_after:
            raise Stopped

    if shown is None:
        assert isinstance(config, ExpertConfig)
        return train_expert(env_id, config, out=out, on_iteration=on_iteration)
    assert isinstance(config, TrainConfig)
    return train(env_id, shown, config, out=out, on_iteration=on_iteration)


def timeless(rows: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name not in CLOCK} for row in rows]


def same(one: Any, other: Any, path: str = "") -> None:
    """Raise AssertionError, naming where, unless two trees of state are equal bit for bit; clocks aside."""
    assert type(one) is type(other), path
    if isinstance(one, Mapping):
        assert one.keys() == other.keys(), path
        for key in one.keys() - CLOCK:
            same(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        for index, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{path}/{index}")
    else:
        assert torch.equal(one, other) if isinstance(one, Tensor) else one == other, path


def check_resumed(
    env_id: str, shown: Demonstrations | None, config: RunConfig, folder: Path, stops: Sequence[int], **how: Any
) -> None:
    """Stopped after ``stops[0]`` iterations and resumed is, at the end, never stopped."""
    whole = begun(env_id, shown, config, folder / "whole", stop_after=10**9)
    with pytest.raises(Stopped):
        begun(env_id, shown, config, folder / "parts", stops[0])
    for earlier, later in pairwise(stops):
        left = [later - earlier]

        def stop(metrics: Mapping[str, float], left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise Stopped

        with pytest.raises(Stopped):
            resume(folder / "parts", shown, on_iteration=stop, **how)
    again = resume(folder / "parts", shown, **how)
    assert timeless(again.metrics) == timeless(whole.metrics)
    rows = [json.loads(line) for line in (folder / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert rows == again.metrics
    for name in ("last", "chosen", "best"):
        paths = [RunFolder(folder / run).checkpoint_path(name) for run in ("whole", "parts")]
        assert paths[0].is_file() == paths[1].is_file()
        if paths[0].is_file():
            same(*(RunFolder(folder / run).load(name) for run in ("whole", "parts")), name)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1", "Hopper-v5", "LunarLander-v3"])
@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_resumed_imitation_is_the_one_that_was_never_stopped(
    tiny: TrainConfig, tmp_path: Path, env_id: str, stop_after: int
) -> None:
    if env_id == "LunarLander-v3":
        pytest.importorskip("Box2D", reason="NOT TESTED: resuming in LunarLander, without Box2D")
    if env_id == "Hopper-v5":
        pytest.importorskip("mujoco", reason="NOT TESTED: resuming in Hopper, without MuJoCo")
    check_resumed(env_id, random_demonstrations(env_id), tiny, tmp_path, [stop_after])


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_generator_goes_on_with_either_teacher(
    cartpole: Demonstrations, tiny: TrainConfig, tiny_expert: ExpertConfig, tmp_path: Path, generator: str
) -> None:
    policy = PolicyConfig(hidden=(8,))
    if generator in OFF_POLICY:  # the replay is overwritten before the run ends
        policy = PolicyConfig(hidden=(8,), batch_size=8, warm_up=16, updates_per_step=0.25, replay_size=100)
    own = {"generator": generator, "policy": policy}
    discrete = Discrete in GENERATORS[generator].acts_in
    env_id, shown = ("CartPole-v1", cartpole) if discrete else ("Pendulum-v1", random_demonstrations("Pendulum-v1"))
    check_resumed(env_id, shown, dataclasses.replace(tiny, **own), tmp_path / "imitation", [1, 2])
    check_resumed(env_id, None, dataclasses.replace(tiny_expert, **own), tmp_path / "expert", [1])


def test_a_clone_is_not_made_again_and_goes_on_guiding(
    tiny: TrainConfig, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Demonstrations.load(repository / "datasets" / "cartpole-v1.hdf5").choose(2).subsample(5)
    whole = begun("CartPole-v1", shown, tiny, tmp_path / "whole", 10**9)
    assert whole.metrics[0]["clone/guidance"] > 0
    with pytest.raises(Stopped):
        begun("CartPole-v1", shown, tiny, tmp_path / "parts", 2)

    def no_clone(*_: Any) -> None:
        raise AssertionError("what the run began with is known")

    monkeypatch.setattr("gailkit.training.build.warm_start", no_clone)
    assert timeless(resume(tmp_path / "parts", shown).metrics) == timeless(whole.metrics)


def test_the_place_in_a_file_that_is_read_piece_by_piece(
    tiny: TrainConfig, tmp_path: Path, cartpole: Demonstrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "BLOCK_BYTES", 4 * 24)
    monkeypatch.setattr(windows, "WINDOW_BYTES", 12 * 24)
    cartpole.save(tmp_path / "shown.hdf5")
    stored = Demonstrations.load(tmp_path / "shown.hdf5", memory=0)
    assert not stored.in_memory
    check_resumed("CartPole-v1", stored, tiny, tmp_path, [1, 2])


def test_all_that_an_iteration_changes_is_in_the_state(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    """Every object of a trainer is walked through: after loading, both trainers hold the same in all of them."""
    with pytest.raises(Stopped):
        begun("CartPole-v1", cartpole, tiny, tmp_path / "run", 2)
    trainers = []
    for name in ("one", "other"):
        shutil.copytree(tmp_path / "run", tmp_path / name)
        trainers.append(resume(tmp_path / name, cartpole).trainer)
    whole = begun("CartPole-v1", cartpole, tiny, tmp_path / "whole", 10**9).trainer
    for trainer in trainers:
        assert not list(differences(trainer, whole, "trainer", set()))


def differences(one: Any, other: Any, path: str, seen: set[int]) -> Iterator[str]:
    """Where two graphs of objects differ, in all their attributes; clocks and environments aside."""
    if id(one) in seen or path.rpartition("[")[2].strip("]") in NOT_COMPARED:
        return
    seen.add(id(one))
    if type(one) is not type(other) and not isinstance(one, list | tuple):
        yield path
    elif isinstance(one, Tensor | np.ndarray):
        if not np.array_equal(np.asarray(one.detach() if isinstance(one, Tensor) else one), _array(other)):
            yield path
    elif isinstance(one, Mapping):
        named = all(isinstance(key, str) for key in one)  # else by tensors, as in an optimiser: in the same order
        if len(one) != len(other) or (named and one.keys() != other.keys()):
            yield path
            return
        for key, twin in zip(one, one if named else other, strict=True):
            yield from differences(one[key], other[twin], f"{path}[{key if named else '.'}]", seen)
    elif isinstance(one, list | tuple) or type(one).__name__ == "deque":
        if len(one) != len(other):
            yield path
        for index, (item, twin) in enumerate(zip(one, other, strict=False)):
            yield from differences(item, twin, f"{path}[{index}]", seen)
    elif isinstance(one, str | int | float | bool | type(None)):
        if one != other and not (one != one and other != other):
            yield path
    elif hasattr(one, "__dict__"):
        yield from differences(vars(one), vars(other), path + ".__dict__", seen)


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.detach() if isinstance(value, Tensor) else value)


def test_an_environment_that_its_seed_does_not_bring_back_is_named_and_begins_anew(
    tiny_expert: ExpertConfig, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        begun("Drifting-v0", None, tiny_expert, tmp_path / "run", 1)
    told: list[str] = []
    result = resume(tmp_path / "run", tell=told.append)
    assert len(told) == 1 and told[0].startswith("the environments 0, 1 are not brought back by seed and actions")
    assert [row["steps"] for row in result.metrics] == [64, 128, 192]


@pytest.fixture
def stopped(cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path) -> Path:
    """A run that was stopped after two of its three iterations."""
    with pytest.raises(Stopped):
        begun("CartPole-v1", cartpole, tiny, tmp_path / "run", 2)
    return tmp_path / "run"


def test_a_damaged_checkpoint_falls_back_to_the_one_before_it(stopped: Path, cartpole: Demonstrations) -> None:
    expected = timeless(resume(Path(shutil.copytree(stopped, stopped.with_name("intact"))), cartpole).metrics)
    last = RunFolder(stopped).checkpoint_path("last")
    last.write_bytes(last.read_bytes()[:-100])
    assert load_policy(stopped).checkpoint == RunFolder(stopped).checkpoint_path("previous")
    told: list[str] = []
    assert timeless(resume(stopped, cartpole, tell=told.append).metrics) == expected
    assert told == [f"the last checkpoint of {stopped} is damaged; the run goes on from the one before"]


def test_rows_behind_the_checkpoint_and_a_torn_one_are_taken_out(stopped: Path, cartpole: Demonstrations) -> None:
    path = stopped / "metrics.jsonl"
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows, '{"steps": 192.0}', '{"steps": 2']))
    resume(stopped, cartpole)
    steps = [json.loads(line)["steps"] for line in path.read_text().splitlines()]
    assert steps == [64, 128, 192]


def test_rows_that_are_missing_are_damage(stopped: Path, cartpole: Demonstrations) -> None:
    path = stopped / "metrics.jsonl"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(DataError, match=r"metrics\.jsonl has 1 rows; a run of 2 iterations has as many"):
        resume(stopped, cartpole)


def test_more_steps_go_on_and_what_that_means_is_said(stopped: Path, cartpole: Demonstrations) -> None:
    told: list[str] = []
    result = resume(stopped, cartpole, steps=400, tell=told.append)
    assert len(result.metrics) == 6  # 380 steps to learn in, 64 a rollout
    assert "33% now and was 67%" in told[0]
    assert RunFolder(stopped).description()["config"]["steps"] == 400
    with pytest.raises(InputError, match="has 6 iterations behind it, more than 64 steps take; accepted are 384"):
        resume(stopped, cartpole, steps=64)


def test_what_is_not_the_same_is_refused_before_anything_changes(stopped: Path, cartpole: Demonstrations) -> None:
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    for given, said in (
        (None, "learns from demonstrations, which are needed to go on; found none"),
        (cartpole.choose(3), "learned from 4 episodes, of which 3 are among the 3 found"),
        (cartpole.subsample(2), "learned from other pairs of these episodes"),
    ):
        with pytest.raises(InputError, match=said):
            resume(stopped, given)
    assert {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()} == before


def test_an_environment_with_other_spaces_is_refused(stopped: Path, cartpole: Demonstrations) -> None:
    described = json.loads((stopped / "config.json").read_text())
    (stopped / "config.json").write_text(json.dumps({**described, "env_id": "Pendulum-v1"}))
    with pytest.raises(InputError, match="was trained in the observation_space"):
        resume(stopped, cartpole)


def test_a_folder_in_use_is_refused_and_one_that_was_left_is_not(stopped: Path, cartpole: Demonstrations) -> None:
    holder = RunFolder(stopped)
    holder.claim()
    for attempt in (
        lambda: resume(stopped, cartpole),
        lambda: train("CartPole-v1", cartpole, TrainConfig(steps=64), out=stopped, overwrite=True),
    ):
        with pytest.raises(InUseError, match="is in use by another process"):
            attempt()
    assert load_policy(stopped).action_space == Discrete(2)  # to look at it is not to use it
    holder.close()
    assert len(resume(stopped, cartpole).metrics) == 3


def test_a_run_that_is_done_chooses_again_what_it_chose(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    first = train("CartPole-v1", cartpole, tiny, out=tmp_path / "run")
    again = resume(tmp_path / "run", cartpole)
    assert first.choice is not None and again.choice is not None
    assert again.choice.record == first.choice.record
    assert isinstance(again.policy.observation_space, Box)
    assert len(again.metrics) == 3


def test_a_finished_run_that_goes_on_to_more_steps_is_not_finished_any_more(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    train("CartPole-v1", cartpole, tiny, out=tmp_path / "run")
    assert RunFolder(tmp_path / "run").usual_checkpoint() == "chosen"

    def stop(metrics: Mapping[str, float]) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        resume(tmp_path / "run", cartpole, steps=1000, on_iteration=stop, tell=print)
    policy = load_policy(tmp_path / "run")
    assert policy.checkpoint is not None and policy.checkpoint.stem == "last"
    assert policy.training is not None and not policy.training.finished
    resume(tmp_path / "run", cartpole)
    assert RunFolder(tmp_path / "run").usual_checkpoint() == "chosen"


def test_the_checkpoint_that_served_is_kept_beside_the_next_and_not_the_damaged_one(
    stopped: Path, cartpole: Demonstrations
) -> None:
    folder = RunFolder(stopped)
    last = folder.checkpoint_path("last")
    last.write_bytes(b"no checkpoint")

    def stop(metrics: Mapping[str, float]) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        resume(stopped, cartpole, on_iteration=stop, tell=lambda text: None)
    assert [folder.load(name)["iteration"] for name in ("previous", "last")] == [0, 1]


class Fuse(CartPoleEnv):
    """That blows once, in the middle of a rollout."""

    left = 0

    def step(self, action: Any) -> Any:
        Fuse.left -= 1
        if Fuse.left == 0:
            raise RuntimeError("a fuse blew")
        return super().step(action)


def test_what_fails_in_the_middle_of_a_rollout_goes_on_from_before_it(
    tiny_expert: ExpertConfig, tmp_path: Path
) -> None:
    gymnasium.register("Fuse-v0", entry_point=Fuse, max_episode_steps=500)
    Fuse.left = 10**9
    whole = train_expert("Fuse-v0", tiny_expert, out=tmp_path / "whole")
    Fuse.left = 64 + 31
    with pytest.raises(EnvironmentFailure, match=r"a fuse blew.*after 64 steps; what was learned is kept"):
        train_expert("Fuse-v0", tiny_expert, out=tmp_path / "run", stepping=Stepping(restarts=0))
    assert RunFolder(tmp_path / "run").load("last")["iteration"] == 1
    told: list[str] = []
    again = resume(tmp_path / "run", tell=told.append)
    gymnasium.registry.pop("Fuse-v0")
    assert not told
    assert timeless(again.metrics) == timeless(whole.metrics)


def test_the_description_stays_as_it_was_unless_the_steps_are_others(stopped: Path, cartpole: Demonstrations) -> None:
    before = (stopped / "config.json").read_bytes()
    resume(stopped, cartpole)
    assert (stopped / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"env_kwargs": 3}, "is damaged"),
        ({"config": {"steps": "many"}}, "is damaged"),
        ({"versions": None}, "is damaged"),
        ({"demonstrations": 3}, "is damaged"),
        ({"parts": 3}, "is damaged"),
    ],
)
def test_a_description_with_nonsense_in_it_is_damaged(
    stopped: Path, cartpole: Demonstrations, change: dict[str, Any], said: str
) -> None:
    described = json.loads((stopped / "config.json").read_text())
    (stopped / "config.json").write_text(json.dumps({**described, **change}))
    with pytest.raises(DataError, match=said):
        resume(stopped, cartpole, tell=lambda text: None)


def test_demonstrations_that_are_drawn_from_in_another_way_are_told(
    tiny: TrainConfig, cartpole: Demonstrations, tmp_path: Path
) -> None:
    cartpole.save(tmp_path / "shown.hdf5")
    with pytest.raises(Stopped):
        begun("CartPole-v1", Demonstrations.load(tmp_path / "shown.hdf5"), tiny, tmp_path / "run", 1)
    told: list[str] = []
    resume(tmp_path / "run", Demonstrations.load(tmp_path / "shown.hdf5", memory=0), tell=told.append)
    assert told[0].startswith("the demonstrations were in memory and are in their file now (--memory decides)")
