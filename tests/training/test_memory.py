"""Runs with a memory: what is remembered goes on from rollout to rollout, over a stop, and wherever the policy acts."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

import benchmarks.hidden_tasks
from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
from gailkit.evaluation.evaluate import evaluate
from gailkit.exporting import export
from gailkit.generator import TrainedPolicy, clone_behaviour
from gailkit.generator.expert_runs import ExpertRuns
from gailkit.generator.learning import learning_batch, policy_now
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.recurrent import Memory
from gailkit.rollouts.collector import Collector
from gailkit.rollouts.environments import EnvMaker, SeedStream
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.stacked import stacked
from gailkit.rollouts.vector import make_vector_env
from gailkit.training.build import build_trainer
from gailkit.training.config import TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.run import load_policy
from gailkit.training.running import fitted_to_envs
from gailkit.training.train import train
from gailkit.types import Trajectory, Transitions
from tests.training.conftest import demonstrations_of
from tests.training.test_resuming import check_resumed

GRU = PolicyConfig(hidden=(8,), epochs=2, batch_size=32, memory="gru", memory_units=4, memory_length=8)
MAZE = "TMaze-v0"


def with_memory(tiny: TrainConfig, **changes: Any) -> TrainConfig:
    return dataclasses.replace(tiny, policy=dataclasses.replace(GRU, **changes))


@pytest.mark.parametrize(
    ("env_id", "memory", "frames", "generator"),
    [("CartPole-v1", "gru", 1, "ppo-clip"), ("Pendulum-v1", "lstm", 2, "ppo-clip"), ("CartPole-v1", "gru", 1, "trpo")],
)
def test_a_resumed_run_is_the_one_that_was_never_stopped(
    tiny: TrainConfig, tmp_path: Path, env_id: str, memory: str, frames: int, generator: str
) -> None:
    config = dataclasses.replace(with_memory(tiny, memory=memory), frame_stack=frames, generator=generator)
    check_resumed(env_id, demonstrations_of(env_id), config, tmp_path, [1])


def trainer_of(config: TrainConfig, env_id: str, envs: Any) -> Trainer:
    return build_trainer(config, envs, fitted_to_envs(demonstrations_of(env_id), envs, config))


@pytest.mark.parametrize("failing", [False, True])
def test_what_was_collected_is_judged_as_it_was_chosen(tiny: TrainConfig, failing: bool) -> None:
    """Two rollouts, in which episodes go on and end, and steps fail: each action's probability is what it was."""
    env_id, kwargs = ("tests.rollouts.flaky:Flaky-v0", {}) if False else ("CartPole-v1", {})
    config = with_memory(tiny, memory="lstm")
    with closing(stacked(make_vector_env(env_id, 3, kwargs), 1)) as envs:
        trainer = trainer_of(dataclasses.replace(config, num_envs=3), env_id, envs)
        generator = trainer.generator
        actor_critic = generator.actor_critic
        collector = Collector(
            Breaking(envs) if failing else envs, 40, SeedStream(0, "training"), 500, None, Mishaps(99)
        )
        collector.mishaps.tell = lambda sentence: None
        known: list[torch.Tensor] = []

        def follow(obs: torch.Tensor, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            with torch.no_grad():
                policy, _ = actor_critic.follow(actor_critic.encoder(obs), states)
            act, after = type(generator).follow(generator, obs, states)
            known.append(policy.log_prob(act))
            return act, after

        generator.follow = follow  # type: ignore[method-assign]
        for _ in range(2):
            rollout = collector.collect(generator)
            batch, _ = learning_batch(actor_critic, rollout, torch.zeros(rollout.shape), 0.9, 0.9)
            found = policy_now(actor_critic, batch).log_prob(batch.act)
            torch.testing.assert_close(found, batch.log_prob, rtol=0, atol=1e-5)
            if not failing:
                chosen = torch.stack(known[-40:]).T.flatten()
                torch.testing.assert_close(batch.log_prob, chosen, rtol=0, atol=1e-5)
            assert rollout.begins.any()
    assert collector.mishaps.failures > 0 if failing else not collector.mishaps.failures


class Breaking:
    """Environments of which one fails in every seventh step."""

    def __init__(self, envs: Any) -> None:
        self.envs, self.calls = envs, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.envs, name)

    def step(self, actions: np.ndarray, which: np.ndarray | None = None) -> Any:
        from gailkit.rollouts.protocol import FAILURES, Failure

        self.calls += 1
        answer = self.envs.step(actions, which)
        if self.calls % 7 or (which is not None and not which[1]):
            return answer
        return (*answer[:-1], {FAILURES: {1: Failure("failed", "a fuse blew")}})


@pytest.fixture(scope="module")
def run(tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("remembering") / "run"
    train("CartPole-v1", demonstrations_of("CartPole-v1"), with_memory(tiny), out=out)
    return out


def step_by_step(policy: TrainedPolicy, trajectory: Trajectory) -> list[int]:
    """The likeliest actions along an episode, by the networks themselves."""
    networks = policy.actor_critic
    state, chosen = torch.zeros(1, networks.policy_state_size), []
    with torch.no_grad():
        for observation in trajectory.observations[:-1]:
            distribution, state = networks.follow(networks.encoder(torch.tensor(observation[np.newaxis])), state)
            chosen.append(int(distribution.mode()))
    return chosen


def test_its_policy_remembers_each_episode_by_itself_wherever_it_acts(run: Path) -> None:
    policy = load_policy(run)
    starts = [1, 2, 3, 4, 5]
    played = collect_episodes(policy, EnvMaker("CartPole-v1"), starts, num_envs=2)
    for trajectory in played:
        assert trajectory.actions.tolist() == step_by_step(policy, trajectory)
    alone = collect_episodes(policy, EnvMaker("CartPole-v1"), starts, num_envs=1)
    assert [len(each) for each in alone] == [len(each) for each in played]


def test_whoever_asks_it_hands_on_what_it_remembers(run: Path) -> None:
    policy = load_policy(run)
    first, second = demonstrations_of("CartPole-v1", 2).trajectories
    count = min(len(first), len(second))
    both = np.stack([each.observations[:count] for each in (first, second)], 1)
    state, actions = None, []
    for seen in both:
        action, state = policy.predict(seen, state)
        actions.append(action)
    for k, trajectory in enumerate((first, second)):
        assert np.array(actions)[:, k].tolist() == step_by_step(policy, trajectory)[:count]
    again, _ = policy.predict(both[0], state, episode_start=np.array([True, True]))
    assert np.array_equal(again, actions[0])
    with pytest.raises(InputError, match=r"by what it has seen of an episode so far, which observations alone do not"):
        policy(both[0])


def test_it_is_evaluated_along_the_experts_episodes(run: Path) -> None:
    policy, shown = load_policy(run), demonstrations_of("CartPole-v1", 4)
    found = evaluate(policy, shown, "CartPole-v1", episodes=2).actions
    chosen = np.concatenate([step_by_step(policy, each) for each in shown.trajectories])
    taken = np.concatenate([each.actions for each in shown.trajectories])
    assert found.action_agreement == np.mean(chosen == taken)
    assert found.action_log_likelihood is not None and found.action_log_likelihood < 0


@pytest.mark.parametrize("generator", ["acktr", "sac", "dqn"])
def test_generators_that_cannot_are_told_by_those_that_can(generator: str) -> None:
    with pytest.raises(InputError, match=rf"memory is a setting of ppo-clip, ppo-penalty, pg, trpo; .* is {generator}"):
        TrainConfig(generator=generator, policy=PolicyConfig(memory="gru"))


def test_runs_are_no_longer_than_a_minibatch() -> None:
    with pytest.raises(InputError, match=r"policy.memory_length must not exceed policy.batch_size; found 64 and 32"):
        TrainConfig(policy=PolicyConfig(memory="gru", memory_length=64, batch_size=32))


def mazes(length: int, episodes: int = 16) -> Demonstrations:
    """The expert in T-mazes, as often with either sign."""
    env = benchmarks.hidden_tasks.TMaze(length)
    shown = []
    for number in range(episodes):
        seen = np.zeros((length + 2, 4), np.float32)
        seen[0, number % 2], seen[1:length, 2], seen[length:, 3] = 1.0, 1.0, 1.0
        shown.append(Trajectory(seen, benchmarks.hidden_tasks.tmaze_expert(seen[:-1]), None, True))
    return Demonstrations(tuple(shown), env.observation_space, env.action_space)


def turned(policy: TrainedPolicy, length: int) -> dict[str, bool]:
    """Whether it succeeds at either sign."""
    found = {}
    for sign in ("up", "down"):
        env = benchmarks.hidden_tasks.TMaze(length)
        env.reset(seed=0)
        env.up = sign == "up"
        seen, state, success, steps = env._observation(), None, False, 0
        ended = False
        while not ended and steps < 3 * length:
            action, state = policy.predict(seen, state)
            seen, _, ended, _, info = env.step(action)
            success, steps = info["success"], steps + 1
        found[sign] = success
    return found


@pytest.mark.parametrize("memory", [Memory("gru", 16, 32), Memory("lstm", 16, 32), None], ids=str)
def test_a_clone_finds_its_way_by_a_sign_if_it_remembers_it(memory: Memory | None, monkeypatch: Any) -> None:
    """Without memory what it does at the end is the same for either sign, so that it is right for one at most."""
    length = 5
    monkeypatch.setattr("gailkit.generator.cloning.MOST_UPDATES", 5000)
    shown = mazes(length)
    torch.manual_seed(0)
    encoder = ObservationEncoder(Box(0, 1, (4,)))
    encoder.update(shown.transitions().obs)
    model = ActorCritic(encoder, benchmarks.hidden_tasks.TMaze().action_space, (16,), memory=memory)
    clone_behaviour(model, shown.steps(), batch_size=16, learning_rate=5e-3, max_epochs=120)
    policy = TrainedPolicy(model, encoder.space, model.action_space, MAZE)
    assert sum(turned(policy, length).values()) == (2 if memory else 1)


@pytest.mark.parametrize("stride", [1, 3])
def test_the_expert_is_shown_from_the_beginning_of_its_episodes_in_runs(stride: int) -> None:
    """Whatever steps subsampling keeps, all observations are seen, and only kept actions are learned."""
    shown = mazes(7, 4).subsample(stride, seed=2)
    torch.manual_seed(0)
    encoder = ObservationEncoder(Box(0, 1, (4,)))
    encoder.update(shown.transitions().obs)
    model = ActorCritic(encoder, benchmarks.hidden_tasks.TMaze().action_space, (8,), memory=Memory("gru", 4, 3))
    steps = shown.steps()
    runs = ExpertRuns(model, steps)
    assert runs.runs.lengths.max() <= 3
    everything = torch.arange(len(steps))
    found = torch.cat([policy.log_prob(act) for policy, act in runs.policies(everything)])
    policy = TrainedPolicy(model, encoder.space, model.action_space, MAZE)
    expected = []
    for trajectory, offset in zip(shown.trajectories, shown.offsets, strict=True):
        along = policy.log_likelihood_along([trajectory.observations[:-1]], trajectory.actions)
        expected.append(torch.from_numpy(along[offset::stride]))
    torch.testing.assert_close(found, torch.cat(expected), rtol=0, atol=1e-5)
    drawn = runs.shown(torch.arange(len(runs.runs)), torch.ones(len(steps), dtype=torch.bool))
    with torch.no_grad():
        by_runs = drawn.policy(model).log_prob(drawn.act)
    torch.testing.assert_close(by_runs, found, rtol=0, atol=1e-5)
    assert len(runs.draw(8)) <= 9


def test_pairs_alone_are_refused() -> None:
    model = ActorCritic(ObservationEncoder(Box(0, 1, (4,))), benchmarks.hidden_tasks.TMaze().action_space, (8,),
                        memory=Memory("gru", 4, 3))  # fmt: skip
    pairs = Transitions(torch.zeros(5, 4), torch.zeros(5).long(), torch.zeros(5, 4), torch.zeros(5).bool())
    with pytest.raises(InputError, match=r"learns from whole episodes; found pairs alone, Transitions"):
        clone_behaviour(model, pairs)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("ending", [".pt2", ".onnx"])
def test_the_file_that_it_is_exported_to_takes_and_gives_what_is_remembered(
    kind: str, ending: str, tmp_path: Path
) -> None:
    if ending == ".onnx":
        pytest.importorskip("onnxscript", reason="NOT TESTED: export to ONNX with a memory, without gailkit[onnx]")
    torch.manual_seed(0)
    encoder = ObservationEncoder(Box(0, 1, (4,)))
    encoder.update(torch.rand(30, 4))
    model = ActorCritic(encoder, Box(-1, 1, (2,)), (8,), memory=Memory(kind, 4, 3))
    policy = TrainedPolicy(model, encoder.space, model.action_space, MAZE)
    done = export(policy, tmp_path / f"policy{ending}")
    assert done.state == f"(N, {model.policy_state_size}) float32" and done.difference < 1e-5
    episode = np.random.default_rng(0).random((6, 4), np.float32)
    remembered: Any = None
    state = np.zeros((1, model.policy_state_size), np.float32)
    act = acting_file(tmp_path / f"policy{ending}")
    for observation in episode:
        expected, remembered = policy.predict(observation[np.newaxis], remembered)
        action, state = act(observation[np.newaxis], state)
        np.testing.assert_allclose(action, expected, atol=1e-5)
    np.testing.assert_allclose(state[0], remembered[0].state, atol=1e-5)


def acting_file(path: Path) -> Any:
    """What it does with an observation and a state, by the names of its inputs and outputs where it has some."""
    if path.suffix == ".pt2":
        program = torch.export.load(path).module()
        return lambda seen, state: [each.detach().numpy() for each in program(torch.tensor(seen), torch.tensor(state))]
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda seen, state: session.run(["action", "next_state"], {"observation": seen, "state": state})
