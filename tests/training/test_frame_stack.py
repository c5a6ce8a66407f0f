"""Several observations seen as one: by expert and policy alike, in a run and wherever its policy acts afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
from gailkit.evaluation.evaluate import evaluate
from gailkit.exporting import export
from gailkit.generator import TrainedPolicy
from gailkit.rollouts.collector import Collector
from gailkit.rollouts.environments import EnvMaker, SeedStream
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.stacked import stacked
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import make_vector_env
from gailkit.training.build import build_trainer
from gailkit.training.config import TrainConfig
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.run import load_policy
from gailkit.training.running import fitted_to_envs
from gailkit.training.train import train
from gailkit.types import Trajectory, Transitions
from tests.training.conftest import demonstrations_of
from tests.training.test_resuming import check_resumed

COUNTING, SIGHT = "Counting-v0", "Sight-v0"


class Counting(gymnasium.Env[Any, Any]):
    """Shows how many steps the episode has had, which is over after seven, and its seed: pictures in ``sight`` too."""

    action_space = Discrete(2)

    def __init__(self, sight: bool = False, breaks_after: int | None = None) -> None:
        self.sight, self.breaks_after, self.taken = sight, breaks_after, 0
        numbers = Box(-1e9, 1e9, (2,), np.float64)
        see = Box(0, 255, (16, 16, 1), np.uint8)
        self.observation_space = Dict({"see": see, "count": numbers, "odd": Discrete(2)}) if sight else numbers

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time, self.mark = 0, float(self.np_random.integers(1000))
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.taken += 1
        if self.taken == self.breaks_after:
            raise RuntimeError("a fuse blew")
        self.time += 1
        return self._observation(), 1.0, self.time == 7, False, {}

    def _observation(self) -> Any:
        numbers = np.array([self.time, self.mark])
        if not self.sight:
            return numbers
        return {"see": np.full((16, 16, 1), self.time, np.uint8), "count": numbers, "odd": self.time % 2}


@pytest.fixture(autouse=True, scope="module")
def counting(environments: None) -> Iterator[None]:
    gymnasium.register(COUNTING, entry_point=Counting)
    gymnasium.register(SIGHT, entry_point=Counting, kwargs={"sight": True})
    yield
    for name in (COUNTING, SIGHT):
        gymnasium.registry.pop(name)


def expected(time: int, frames: int) -> list[int]:
    return [max(time - back, 0) for back in range(frames - 1, -1, -1)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_rollout_shows_the_last_observations_of_each_episode(tiny: TrainConfig, workers: int) -> None:
    make = make_vector_env(COUNTING, 3, stepping=Stepping(workers=workers))
    with closing(stacked(make, 3)) as envs:
        shown = fitted_to_envs(demonstrations_of(COUNTING), envs, dataclasses.replace(tiny, frame_stack=3))
        trainer = build_trainer(dataclasses.replace(tiny, frame_stack=3, num_envs=3), envs, shown)
        rollout = trainer.collector.collect(trainer.generator)
    for seen, later in ((rollout.obs, 0), (rollout.next_obs, 1)):
        counts, marks = seen.reshape(-1, 3, 2).unbind(-1)
        times = rollout.obs.reshape(-1, 3, 2)[:, -1, 0].long() + later
        assert counts.tolist() == [expected(time, 3) for time in times.tolist()]
        assert (marks == marks[:, :1]).all()  # of one episode, whatever ended in between
    assert {0, 1, 6} <= set(rollout.obs[..., 4].flatten().tolist())


@pytest.mark.parametrize("env_id", [COUNTING, SIGHT])
def test_expert_and_policy_see_equal_episodes_alike(tiny: TrainConfig, env_id: str) -> None:
    """The steps of a rollout, recorded as demonstrations, are drawn as the rollout holds them, to the same logits."""
    config = dataclasses.replace(tiny, frame_stack=4, num_envs=1, rollout_size=21)
    plain = demonstrations_of(env_id, 3)
    with closing(stacked(make_vector_env(env_id, 1), 4)) as envs:
        shown = fitted_to_envs(plain, envs, config)
        trainer = build_trainer(config, envs, shown)
        rollout = trainer.collector.collect(trainer.generator)
    seeds = SeedStream(config.seed, "training").take(3)
    acts = iter(rollout.act.flatten().numpy())

    def repeat(observations: np.ndarray) -> np.ndarray:
        return np.array([next(acts)])

    again = collect_episodes(repeat, EnvMaker(env_id), seeds, num_envs=1)
    recorded = Demonstrations(tuple(again), shown.observation_space, shown.action_space).stacked(4)
    found, held = recorded.transitions(), rollout.transitions()
    for name, values in held.to_dict().items():
        assert torch.equal(getattr(found, name), values), name
    judge = trainer.teacher.networks()["discriminator"]
    assert torch.equal(judge(found), judge(held))


def test_a_step_that_subsampling_keeps_has_its_true_predecessors(tiny: TrainConfig) -> None:
    whole = demonstrations_of(COUNTING, 5).stacked(3)
    kept = whole.subsample(5, seed=1)
    steps = kept.transitions()
    counts, following = (each.reshape(-1, 3, 2)[..., 0] for each in (steps.obs, steps.next_obs))
    times = [t for offset in kept.offsets for t in range(offset, 7, 5)]
    assert counts.tolist() == [expected(time, 3) for time in times]
    assert following.tolist() == [expected(time + 1, 3) for time in times]
    endings = kept.endings()
    assert endings is not None and len(endings) == 5
    assert endings.obs.reshape(5, 3, 2)[..., 0].tolist() == [[4, 5, 6]] * 5
    assert endings.next_obs.reshape(5, 3, 2)[..., 0].tolist() == [[5, 6, 7]] * 5
    assert endings.terminated.all()


def test_a_short_episode_ends_before_there_are_as_many_observations() -> None:
    plain = demonstrations_of(COUNTING, 1)
    first = plain.trajectories[0]
    short = Trajectory(first.observations[:3], first.actions[:2], None, True)
    ends = dataclasses.replace(plain, trajectories=(short,)).stacked(6).endings()
    assert ends is not None
    assert ends.obs.reshape(6, 2)[:, 0].tolist() == [0, 0, 0, 0, 0, 1]
    assert ends.next_obs.reshape(6, 2)[:, 0].tolist() == [0, 0, 0, 0, 1, 2]


def test_an_episode_that_fails_takes_nothing_of_itself_into_the_next(tiny: TrainConfig) -> None:
    config = dataclasses.replace(tiny, frame_stack=3)
    told: list[str] = []
    with closing(stacked(make_vector_env(COUNTING, 2, {"breaks_after": 5}), 3)) as envs:
        trainer = build_trainer(config, envs, fitted_to_envs(demonstrations_of(COUNTING), envs, config))
        collector = Collector(envs, 8, SeedStream(0, "training"), mishaps=Mishaps(10, told.append))
        rollout = collector.collect(trainer.generator)
    assert told
    seen = rollout.obs.reshape(-1, 3, 2)
    assert (seen[..., 1] == seen[:, :1, 1]).all()
    assert seen[..., 0].tolist() == [expected(time, 3) for time in seen[:, -1, 0].long().tolist()]


@pytest.mark.parametrize(("env_id", "generator"), [("CartPole-v1", "ppo-clip"), ("CartPole-v1", "sac"), (SIGHT, "pg")])
def test_a_resumed_run_is_the_one_that_was_never_stopped(
    tiny: TrainConfig, tmp_path: Path, env_id: str, generator: str
) -> None:
    policy = PolicyConfig(hidden=(8,), batch_size=32, warm_up=32 if generator == "sac" else None)
    config = dataclasses.replace(tiny, frame_stack=3, generator=generator, policy=policy)
    check_resumed(env_id, demonstrations_of(env_id), config, tmp_path, [1])


@pytest.fixture(scope="module")
def run(tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stacked") / "run"
    train("CartPole-v1", demonstrations_of("CartPole-v1"), dataclasses.replace(tiny, frame_stack=3), out=out)
    return out


def unrolled(policy: TrainedPolicy, trajectory: Trajectory) -> np.ndarray:
    """The actions for an episode by stacks that are made by hand here."""
    seen = trajectory.observations[:-1]
    rows = [np.concatenate([seen[time] for time in expected(now, 3)]) for now in range(len(seen))]
    return np.asarray(policy.of_stacked()(np.array(rows)))


def test_its_policy_stacks_by_itself_wherever_it_acts(run: Path) -> None:
    policy = load_policy(run)
    played = collect_episodes(policy, EnvMaker("CartPole-v1"), [1, 2, 3, 4, 5], num_envs=2)
    for trajectory in played:
        assert np.array_equal(trajectory.actions, unrolled(policy, trajectory))
    alone = collect_episodes(policy, EnvMaker("CartPole-v1"), [1, 2, 3, 4, 5], num_envs=1)
    for one, other in zip(alone, played, strict=True):
        assert np.array_equal(one.actions, other.actions)


def test_whoever_asks_it_hands_on_what_it_remembers(run: Path) -> None:
    policy = load_policy(run)
    episodes = [trajectory for trajectory in demonstrations_of("CartPole-v1", 2).trajectories]
    joined = np.concatenate([trajectory.observations[:-1] for trajectory in episodes])
    begins = np.cumsum([0, len(episodes[0])])
    state, actions = None, []
    for number, observation in enumerate(joined):
        action, state = policy.predict(observation, state, episode_start=number in begins)
        actions.append(action)
    assert actions == np.concatenate([unrolled(policy, each) for each in episodes]).tolist()


def test_asked_about_an_observation_alone_it_says_what_is_missing(run: Path) -> None:
    policy = load_policy(run)
    with pytest.raises(InputError, match=r"by the last 3 observations of an episode, which .*: predict\(obs"):
        policy(np.zeros(4))
    with pytest.raises(InputError, match=r"one state is of one observation; found 1 for 2"):
        policy.predict(np.zeros((2, 4)), policy.predict(np.zeros((1, 4)))[1])


def test_it_is_evaluated_along_the_experts_episodes(run: Path) -> None:
    policy, shown = load_policy(run), demonstrations_of("CartPole-v1", 4)
    found = evaluate(policy, shown, "CartPole-v1", episodes=2).actions
    episodes = shown.trajectories
    chosen = np.concatenate([unrolled(policy, each) for each in episodes])
    taken = np.concatenate([each.actions for each in episodes])
    assert found.action_agreement == np.mean(chosen == taken)
    rows = [torch.tensor(np.concatenate([each.observations[t] for t in expected(now, 3)])) for each in episodes
            for now in range(len(each))]  # fmt: skip
    with torch.no_grad():
        known = policy.actor_critic(torch.stack(rows)).log_prob(torch.from_numpy(taken)).mean()
    assert found.action_log_likelihood == pytest.approx(float(known), abs=1e-5)


def test_the_file_that_it_is_exported_to_takes_the_stacked_observation(run: Path, tmp_path: Path) -> None:
    policy = load_policy(run)
    done = export(policy, tmp_path / "policy.pt2")
    assert done.observation == "(N, 12) float32" and done.difference == 0
    extra = {"frame_stack": "", "observation_space": ""}
    program = torch.export.load(tmp_path / "policy.pt2", extra_files=extra).module()
    assert extra["frame_stack"] == "3"
    trajectory = demonstrations_of("CartPole-v1", 1).trajectories[0]
    rows = [np.concatenate([trajectory.observations[t] for t in expected(now, 3)]) for now in range(len(trajectory))]
    assert np.array_equal(program(torch.tensor(np.array(rows))).numpy(), unrolled(policy, trajectory))


def test_the_rollout_of_stacked_pictures_stays_in_bytes(tiny: TrainConfig) -> None:
    config = dataclasses.replace(tiny, frame_stack=4)
    with closing(stacked(make_vector_env(SIGHT, 2), 4)) as envs:
        trainer = build_trainer(config, envs, fitted_to_envs(demonstrations_of(SIGHT), envs, config))
        rollout = trainer.collector.collect(trainer.generator)
    assert rollout.obs.dtype == torch.uint8
    assert isinstance(rollout.transitions(), Transitions)


@pytest.mark.parametrize("looks_back", [{"frame_stack": 3}, {"policy": PolicyConfig(hidden=(8,), memory="gru")}])
def test_demonstrations_that_stay_in_their_file_are_refused(
    tiny: TrainConfig, tmp_path: Path, looks_back: dict[str, Any]
) -> None:
    demonstrations_of("CartPole-v1").save(tmp_path / "d.hdf5")
    stored = Demonstrations.load(tmp_path / "d.hdf5", memory=1)
    assert not stored.in_memory
    with pytest.raises(InputError, match=r"\(--memory\)$"):
        train("CartPole-v1", stored, dataclasses.replace(tiny, **looks_back))
