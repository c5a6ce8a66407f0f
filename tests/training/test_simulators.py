"""Training in simulators of tensors: what rollouts hold, ends and first episodes, resuming, evaluating, mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DivergenceError, EnvironmentFailure, InputError
from gailkit.evaluation.evaluate import evaluate
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.simulated import Simulated
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.tensor_collector import TensorCollector
from gailkit.rollouts.vector import Given, make_vector_env
from gailkit.simulators import CartPole, Pendulum, Simulator, Step
from gailkit.training.config import ExpertConfig, TrainConfig, growth_of
from gailkit.training.expert import train_expert
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder, load_policy
from gailkit.training.settings import config_from_dict
from gailkit.training.train import train
from gailkit.types import Trajectory
from tests.pretended_card import CARD, PretendedCard, pretended_card
from tests.training.conftest import demonstrations_of

CARTPOLE = "gailkit.simulators:CartPole"
PENDULUM = "gailkit.simulators:Pendulum"


class Stopped(Exception):
    """Raised by a test in the middle of a run."""


class Counting:
    """Environment i ends after i + 2 steps, by a termination where i is even; observations are steps and number."""

    single_observation_space = Box(-1e9, 1e9, (2,), np.float32)
    single_action_space = Box(-1.0, 1.0, (1,), np.float32)
    max_episode_steps: int | None = None
    returned: Any = None  # in place of observations, rewards or ends, by its place in a step

    def __init__(self, num_envs: int, device: Any = "cpu", fail_at: int | None = None) -> None:
        self.num_envs, self.device, self.fail_at = num_envs, torch.device(device), fail_at
        self.steps = torch.zeros(num_envs, device=self.device)
        self.acted: list[torch.Tensor] = []
        self.seeded: list[torch.Tensor] = []
        self.closed = 0

    def reset(self, which: torch.Tensor, seeds: torch.Tensor) -> torch.Tensor:
        self.seeded.append(seeds[which])
        self.steps = self.steps * ~which
        return self._seen()

    def step(self, actions: torch.Tensor) -> Step:
        self.acted.append(actions)
        self.steps = self.steps + 1
        if len(self.acted) == self.fail_at:
            raise RuntimeError("a fuse blew")
        over = self.steps >= torch.arange(self.num_envs) + 2
        even = torch.arange(self.num_envs) % 2 == 0
        answer = [self._seen(), self.steps.clone(), over & even, over & ~even]
        if self.returned is not None:
            answer[self.returned[0]] = self.returned[1]
        return Step(*answer)

    def close(self) -> None:
        self.closed += 1

    def _seen(self) -> torch.Tensor:
        return torch.stack((self.steps, torch.arange(self.num_envs).float()), -1)


def config_of(**values: Any) -> TrainConfig:
    small = {
        **{"steps": 192, "num_envs": 4, "rollout_size": 32},
        "discriminator": {"hidden": [8], "batch_size": 16, "updates": 2},
        "policy": {"hidden": [8], "batch_size": 16, "epochs": 2},
    }
    return config_from_dict({**small, **values}, TrainConfig)


def expert_of(simulator: Simulator, **values: Any) -> Any:
    config = ExpertConfig(**{"steps": 24, "num_envs": simulator.num_envs, "rollout_size": 12, **values})
    return train_expert(simulator, config)


def test_a_rollout_holds_true_successors_ends_and_what_first_episodes_are_cut_to() -> None:
    """Three environments, four steps. Of a limit of 9 the first episodes of numbers 1 and 2 end after 3 and 6 steps.

    Number 1 ends by itself then: it counts as cut. Number 0 terminates after 2 steps, twice.
    """
    simulator = Counting(3)
    simulator.max_episode_steps = 9
    seen: list[torch.Tensor] = []
    collector = TensorCollector(Simulated(simulator, "counting"), 4, seen.append)
    rollout = collector.collect(_still(simulator))
    assert rollout.obs[..., 0].tolist() == [[0, 0, 0], [1, 1, 1], [0, 2, 2], [1, 0, 3]]
    assert rollout.next_obs[..., 0].tolist() == [[1, 1, 1], [2, 2, 2], [1, 3, 3], [2, 1, 4]]
    assert rollout.terminated.nonzero().tolist() == [[1, 0], [3, 0], [3, 2]]
    assert rollout.truncated.nonzero().tolist() == [[2, 1]]
    assert torch.stack(seen).tolist() == rollout.next_obs[..., 0].tolist()
    told = [tuple(each) for each in collector.finished]
    assert told == [(2, 3.0, True), (2, 3.0, True), (4, 10.0, True)] and collector.ended == 3
    assert collector.collect(_still(simulator)).first == 12
    assert all(0 <= int(each) < 2**31 for each in torch.cat(simulator.seeded))


def _still(simulator: Simulator) -> Any:
    """A generator whose actions are all 5, beyond the Box."""

    class Networks:
        device, memory = simulator.device, None

    class Still:
        actor_critic = Networks()

        def act(self, obs: torch.Tensor) -> torch.Tensor:
            return torch.full((len(obs), 1), 5.0)

    return Still()


def test_the_simulator_sees_actions_that_lie_in_its_box_and_the_rollout_what_was_sampled() -> None:
    simulator = Counting(2)
    rollout = TensorCollector(Simulated(simulator, "counting"), 2).collect(_still(simulator))
    assert torch.stack(simulator.acted).unique().tolist() == [1.0] and rollout.act.unique().tolist() == [5.0]


def test_what_a_simulator_does_wrong_is_said_in_a_sentence() -> None:
    cases: list[tuple[Any, type[Exception], str]] = [
        (
            (0, torch.zeros(2, 3)),
            InputError,
            r"step of the simulator .*Counting must return observations \(2, 2\); found",
        ),
        ((2, torch.zeros(2)), InputError, r"must return terminated as bool; found torch.float32"),
        ((1, [1.0, 1.0]), InputError, r"must return rewards \(2,\); found list"),
        ((1, torch.tensor([1.0, torch.nan])), EnvironmentFailure, r"returned a reward that is not finite .*number 1\)"),
    ]
    for returned, error, words in cases:
        simulator = Counting(2)
        simulator.returned = returned
        with pytest.raises(error, match=words):
            expert_of(simulator)
    with pytest.raises(
        EnvironmentFailure, match=r"the simulator .*Counting failed while it took a step: RuntimeError: a f"
    ):
        expert_of(Counting(2, fail_at=3))
    with pytest.raises(InputError, match="the simulator has 2 environments; num_envs must be as many, found 5"):
        expert_of(Counting(2), num_envs=5)
    with pytest.raises(DivergenceError, match="the policy chose an action that is not finite"):
        simulator = Counting(2)
        still = _still(simulator)
        still.act = lambda obs: torch.full((len(obs), 1), torch.nan)
        TensorCollector(Simulated(simulator, "counting"), 2).collect(still)


def test_a_name_that_makes_no_simulator_is_refused_and_one_that_does_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import gymnasium\nfrom gailkit.simulators import CartPole\n"
        "def pole(num_envs, device, limit=30):\n    return CartPole(num_envs, device, limit)\n"
        "def nothing(num_envs, device):\n    return num_envs\n"
        "def one(num_envs, device):\n    return CartPole(num_envs + 1, device)\n"
        "class Env(gymnasium.Env):\n    pass\n"
        "def make_env():\n    return Env()\n"
        "def anything(**settings):\n    return Env()\n"
        "gymnasium.register('Registered-v0', Env)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    envs = make_vector_env("mine:pole", 3, {"limit": 7})
    assert envs.about.time_limit == 7 and envs.num_envs == 3
    with pytest.raises(InputError, match=r"mine:pole does not accept .* num_envs, device, speed: TypeError: [^;]*$"):
        make_vector_env("mine:pole", 3, {"speed": 7})
    with pytest.raises(
        InputError, match=r"mine:nothing is no environment and makes no simulator.*int lacks num_envs, dev"
    ):
        make_env("mine:nothing")
    with pytest.raises(InputError, match=r"mine:one was asked for 3 environments and made 4"):
        make_vector_env("mine:one", 3)
    for name, called in (("Env", "Env"), ("make_env", "MakeEnv"), ("anything", "Anything")):  # and how it gets a name
        said = (
            rf'gymnasium.register\("{called}-v0", entry_point="mine:{name}", max_episode_steps=...\) in mine names it'
        )
        with pytest.raises(InputError, match=rf"mine:{name}.*{said} mine:{called}-v0$"):
            make_env(f"mine:{name}")
    with pytest.raises(InputError, match=r"'mine:Env-v0'; mine was imported, and what it registers is Registered-v0$"):
        make_env("mine:Env-v0")
    with pytest.raises(InputError, match=r"'json:Env-v0'; json was imported, and it registers none of its own"):
        make_env("json:Env-v0")
    with pytest.raises(
        InputError, match=r"steps all of its environments itself; found 2 workers, accepted are 1 and auto"
    ):
        make_vector_env("mine:pole", 3, stepping=Stepping(workers=2))


def test_spaces_that_are_not_one_vector_or_picture_are_refused() -> None:
    simulator = Counting(2)
    parts = Dict({"at": Box(-1, 1, (2,)), "what": Discrete(2)})
    monkey: Any = simulator
    monkey.single_observation_space = parts
    with pytest.raises(InputError, match="accepted are a Box of observations, and actions in a Box or Discrete"):
        expert_of(simulator)


REMEMBERS = {"policy": {"memory": "gru", "memory_length": 8, "hidden": [8], "batch_size": 16, "epochs": 2}}


@pytest.mark.parametrize("more", [{}, REMEMBERS], ids=["", "with memory"])
@pytest.mark.parametrize("given", [False, True], ids=["by name", "as an object"])
def test_a_run_in_a_simulator_chooses_is_evaluated_and_goes_on_bit_for_bit(
    given: bool, more: dict[str, Any], tmp_path: Path
) -> None:
    shown = demonstrations_of("CartPole-v1", 2)

    def make() -> Any:
        return CartPole(4) if given else CARTPOLE

    def stop(metrics: dict[str, float]) -> None:
        if metrics["steps"] >= 96:
            raise Stopped

    whole = train(make(), shown, config_of(**more), out=tmp_path / "whole")
    assert whole.choice is not None
    with pytest.raises(Stopped):
        train(make(), shown, config_of(**more), out=tmp_path / "run", on_iteration=stop)
    told: list[str] = []
    result = resume(tmp_path / "run", shown, tell=told.append, env=CartPole(4) if given else None)
    assert not told
    for one, other in zip(whole.trainer.generator.parameters(), result.trainer.generator.parameters(), strict=True):
        assert torch.equal(one, other)
    assert RunFolder.open(tmp_path / "run").description()["env_id"] in (
        CARTPOLE,
        "gailkit.simulators.cartpole:CartPole",
    )
    policy = load_policy(tmp_path / "run")
    found = evaluate(policy, shown, make(), episodes=3)
    assert found.env_id == (CARTPOLE if not given else "gailkit.simulators.cartpole:CartPole")
    np.testing.assert_array_equal([len(each) for each in found.played], [len(each) for each in evaluated_again(policy)])


def evaluated_again(policy: Any) -> list[Trajectory]:
    """The same three episodes, in as many environments as there are otherwise not."""
    starts = [each.seed for each in evaluate(policy, demonstrations_of("CartPole-v1", 2), CARTPOLE, episodes=3).played]
    return collect_episodes(policy, Given(CartPole(7)), [seed for seed in starts if seed is not None])


def test_a_simulator_without_a_state_begins_new_episodes_and_says_so(tmp_path: Path) -> None:
    def stop(metrics: dict[str, float]) -> None:
        raise Stopped

    config = ExpertConfig(steps=64, num_envs=2, rollout_size=16)
    with pytest.raises(Stopped):
        train_expert(Counting(2), config, out=tmp_path / "run", on_iteration=stop)
    told: list[str] = []
    result = resume(tmp_path / "run", tell=told.append, env=Counting(2))
    assert result.trainer.steps == 64
    assert any(
        each.startswith("the environments 0, 1 are not brought back by the state of their simulator to where")
        for each in told
    )


def test_whole_episodes_are_those_of_the_seeds_however_many_environments_run_them() -> None:
    """None is preferred for being short: each seed gives its episode, alone or among many, here or in 40 at once."""
    space = CartPole.single_action_space
    seeds = list(range(40))
    alike = [collect_episodes(_always(1), Given(CartPole(n)), seeds, num_envs=n) for n in (1, 7, 40)]
    lengths = [[len(each) for each in episodes] for episodes in alike]
    assert lengths[0] == lengths[1] == lengths[2] and len(set(lengths[0])) > 1
    assert [each.seed for each in alike[2]] == seeds
    np.testing.assert_array_equal(alike[0][3].observations, alike[2][3].observations)
    by_name = collect_episodes(random_policy(space, 0), lambda: make_env(CARTPOLE), seeds[:3], num_envs=1)
    assert [each.seed for each in by_name] == seeds[:3]


def _always(action: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda observations: np.full(len(observations), action)


def test_a_replay_of_actions_leads_to_where_they_led() -> None:
    envs = make_vector_env(CARTPOLE, 2)
    observations, _ = envs.reset(seed=[3, 4])
    actions = np.array([[1, 0], [1, 1], [0, 1]])
    for each in actions:
        observations, *_ = envs.step(each)
    found = envs.replay([3, 4], [actions[:, 0], actions[:2, 1]])
    assert found[0] is not None and found[1] is not None
    np.testing.assert_array_equal(found[0], observations[0])
    assert not np.array_equal(found[1], observations[1])
    assert envs.replay([3, 4], [np.ones(40, int), np.ones(2, int)])[0] is None


def test_after_a_replay_every_environment_goes_on_from_where_it_stood() -> None:
    """The one whose episode is shorter has not gone on meanwhile: its next step is the first of its episode."""
    envs, alone = make_vector_env(CARTPOLE, 2), make_vector_env(CARTPOLE, 1)
    found = envs.replay([3, 4], [np.array([1, 1, 0]), np.zeros(0, int)])
    begun, _ = alone.reset(seed=4)
    assert found[1] is not None
    np.testing.assert_array_equal(found[1], begun[0])
    np.testing.assert_array_equal(envs.step(np.array([0, 1]))[0][1], alone.step(np.array([1]))[0][0])


def test_frame_stacks_are_refused_in_a_simulator() -> None:
    with pytest.raises(InputError, match="frame_stack is for environments of Gymnasium's; found 3 with a simulator"):
        train(CARTPOLE, demonstrations_of("CartPole-v1", 1), config_of(frame_stack=3))


def test_a_simulator_that_is_given_is_left_open_and_one_that_is_made_is_closed() -> None:
    simulator = Counting(2)
    expert_of(simulator)
    assert simulator.closed == 0
    made = Simulated(simulator, "counting")
    made.close()
    assert simulator.closed == 1


def test_with_many_environments_rollouts_and_minibatches_grow_and_the_number_of_gradient_steps_does_not() -> None:
    for generator, steps in (("ppo-clip", 16), ("sac", 2)):
        few, many = (TrainConfig(num_envs=n, generator=generator) for n in (128, 4096))
        assert growth_of(128) == 1.0 and growth_of(4096) == 32.0 and growth_of(1) == 1.0
        assert many.rollout_steps == few.rollout_steps == steps
        assert many.policy_settings["batch_size"] == 32 * few.policy_settings["batch_size"] == 8192
        assert many.discriminator.batch_size == 32 * few.discriminator.batch_size == 8192
        assert many.discriminator.updates == few.discriminator.updates
        assert config_from_dict(many.to_dict(), TrainConfig).to_dict() == many.to_dict()
    assert TrainConfig(num_envs=4096, generator="sac").policy_settings["updates_per_step"] == 1 / 32
    given = config_from_dict({"num_envs": 4096, "rollout_size": 8192, "policy": {"batch_size": 100}}, TrainConfig)
    assert (given.rollout_steps, given.policy_settings["batch_size"]) == (2, 100)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Any:
    with pretended_card(monkeypatch) as made:
        yield made


@pytest.mark.parametrize(("kind", "env_id"), [(CartPole, "CartPole-v1"), (Pendulum, "Pendulum-v1")])
def test_a_rollout_on_a_card_waits_as_often_however_long_it_is(kind: Any, env_id: str, card: PretendedCard) -> None:
    """And nothing is sent from one place to the other."""
    found = []
    for steps in (3, 12):
        torch.manual_seed(0)
        simulator = kind(4, CARD)
        assert simulator.device == CARD
        trainer = train_expert(simulator, ExpertConfig(steps=8, num_envs=4, rollout_size=8), device="auto").trainer
        assert trainer.device == CARD
        collector = TensorCollector(Simulated(simulator, "on the card"), steps)
        collector.collect(trainer.generator)
        card.waits.clear()
        card.sent.clear()
        rollout = collector.collect(trainer.generator)
        assert card.holds(rollout.obs) and card.holds(rollout.truncated)
        assert not card.sent
        found.append(dict(card.waits))
    assert found[0] == found[1] and sum(found[0].values()) < 8


def test_a_simulator_by_name_is_made_on_the_card_that_auto_takes(card: PretendedCard) -> None:
    told: list[str] = []
    shown: Demonstrations = demonstrations_of("Pendulum-v1", 1)
    result = train(PENDULUM, shown, config_of(steps=64), stepping=Stepping(tell=told.append))
    assert result.trainer.device == CARD and result.trainer.collector.envs.simulator.device == CARD
    assert told == ["runs on cuda:0: pictures and simulators of tensors are faster there (--device)"]
