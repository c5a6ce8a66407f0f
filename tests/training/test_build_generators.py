"""The generators that have a name: what they accept, their defaults and the settings say the same."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
from gailkit.generator import Generator, PPOClip
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.heads import BOUNDS, STDS
from gailkit.networks.recurrent import Memory
from gailkit.training.build_policy import GENERATORS, SCHEDULES, check_acts_in, generator_factory, memory_in
from gailkit.training.config import RunConfig, TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.parts import Parts
from gailkit.training.policy_config import MEMORY, OFF_POLICY, PolicyConfig

Build = Callable[..., Trainer]

OF_SOME = [item for item in dataclasses.fields(PolicyConfig) if "of" in item.metadata and item.name not in MEMORY]
CHANGED = {
    "learning_rate": 0.014, "learning_rate_schedule": "constant", "epochs": 17, "batch_size": 18,
    "max_gradient_norm": 0.21, "entropy_bonus": 0.19, "clip": 0.16, "clip_schedule": "linear", "target_kl": 0.015,
    "kl_penalty": 0.75, "kl_min": 0.002, "kl_max": 0.09, "max_kl": 0.04, "damping": 0.3, "fisher_stride": 5,
    "cg_iterations": 4, "backtracks": 7,
}  # fmt: skip
"""A value other than the default of any generator; for what is not listed, half of it or the next number serves."""


def changed(item: dataclasses.Field[Any], default: Any) -> Any:
    if item.name in CHANGED:
        return CHANGED[item.name]
    if isinstance(default, str):
        return next(word for word in item.metadata["choices"] if word != default)
    if isinstance(default, tuple):
        return (*default, 7)
    return default + 1 if isinstance(default, int) else default / 2 or 0.5


def accepted(generator: str) -> dict[str, Any]:
    """The keyword arguments of a generator's class with their defaults, schedules by name."""
    words = {schedule: word for word, schedule in SCHEDULES.items()}
    parameters = [p for p in inspect.signature(GENERATORS[generator]).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return {p.name: words.get(p.default, p.default) if callable(p.default) else p.default for p in parameters}


def shared(generator: str, config: RunConfig) -> dict[str, float]:
    """What a generator is given beside the settings of the policy: values of a replay are not averaged by lambda."""
    return {"gamma": config.gamma} if generator in OFF_POLICY else {"gamma": config.gamma, "lam": config.lam}


def actor_critic(action_space: Any = None) -> ActorCritic:
    torch.manual_seed(0)
    encoder = ObservationEncoder(Box(-1, 1, (3,)))
    encoder.update(torch.rand(20, 3))
    return ActorCritic(encoder, action_space or Discrete(2), (8,))


def test_the_settings_speak_of_no_generator_that_does_not_exist() -> None:
    assert {name for item in OF_SOME for name in item.metadata["of"]} == set(GENERATORS)


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_accepts_exactly_its_settings_and_has_their_defaults(generator: str) -> None:
    settings = {name: value for name, value in PolicyConfig().of(generator).items() if name not in MEMORY}
    assert accepted(generator) == {**shared(generator, RunConfig()), **settings}


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_setting_of_a_generator_reaches_it(generator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        item.name: changed(item, item.metadata["of"][generator]) for item in OF_SOME if generator in item.metadata["of"]
    }
    assert all(given[item.name] != item.metadata["of"][generator] for item in OF_SOME if item.name in given)
    arrived: dict[str, Any] = {}
    monkeypatch.setitem(GENERATORS, generator, lambda model, **settings: arrived.update(settings))
    generator_factory(RunConfig(generator=generator, gamma=0.9, lam=0.5, policy=PolicyConfig(**given)))(actor_critic())
    schedules = {name: SCHEDULES[word] for name, word in given.items() if name.endswith("_schedule")}
    assert arrived == {**shared(generator, RunConfig(gamma=0.9, lam=0.5)), **given, **schedules}


def test_the_settings_of_a_memory_reach_the_network() -> None:
    assert memory_in(PolicyConfig(memory="gru", memory_units=5, memory_length=7)) == Memory("gru", 5, 7)
    assert memory_in(PolicyConfig()) is None


def test_the_settings_that_reach_ppo_are_what_it_works_with() -> None:
    given = {name: value for name, value in CHANGED.items() if name in PolicyConfig().of("ppo-clip")}
    made = generator_factory(RunConfig(gamma=0.9, lam=0.5, policy=PolicyConfig(**given)))(actor_critic())
    assert isinstance(made, PPOClip)
    assert (made.gamma, made.lam, made.clip, made.epochs) == (0.9, 0.5, 0.16, 17)
    assert (made.batch_size, made.entropy_bonus, made.max_gradient_norm) == (18, 0.19, 0.21)
    assert (made.learning_rate, made.optimizer.param_groups[0]["lr"], made.target_kl) == (0.014, 0.014, 0.015)
    assert made.learning_rate_schedule(0.75) == 1.0  # constant
    assert made.clip_schedule(0.75) == 0.25  # linear


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("action_space", [Discrete(2), Box(-1, 1, (2,))], ids=["discrete", "box"])
def test_a_name_makes_a_generator_of_its_class_for_the_actions_it_is_for_and_is_refused_for_others(
    generator: str, action_space: Any
) -> None:
    if not isinstance(action_space, GENERATORS[generator].acts_in):
        able = "ppo-clip, ppo-penalty, trpo, acktr, pg, " + ("dqn, sac" if generator != "dqn" else "ddpg, td3, sac")
        with pytest.raises(
            InputError, match=rf"the generator {generator} cannot act in .*; those that can are {able}$"
        ):
            check_acts_in(generator, action_space)
        return
    check_acts_in(generator, action_space)
    made = generator_factory(RunConfig(generator=generator))(actor_critic(action_space))
    assert isinstance(made, Generator)
    assert type(made) is GENERATORS[generator]


@pytest.mark.parametrize("generator", [name for name, kind in GENERATORS.items() if Discrete in kind.acts_in])
def test_every_generator_can_improve_an_imitation(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig, generator: str
) -> None:
    policy = PolicyConfig(hidden=(8,), **({"batch_size": 8, "warm_up": 8} if generator in OFF_POLICY else {}))
    config = dataclasses.replace(tiny, generator=generator, policy=policy)
    trainer = build(cartpole, config)
    before = trainer.generator.actor_critic.policy[0].weight.clone()
    metrics = [trainer.iterate() for _ in range(2)][-1]
    assert not torch.equal(trainer.generator.actor_critic.policy[0].weight, before)
    told = {"updates", "value"} if generator in OFF_POLICY else {"surrogate", "kl", "entropy"}
    assert {f"policy/{name}" for name in (*told, "value_loss")} <= set(metrics)
    assert metrics.get("policy/kl", 0.0) >= 0.0


def test_what_is_no_generator_is_refused(build: Build, cartpole: Demonstrations, tiny: TrainConfig) -> None:
    with pytest.raises(InputError, match=r"^a Generator is needed; found Linear$"):
        build(cartpole, tiny, Parts(generator=lambda model: torch.nn.Linear(2, 2)))


@pytest.mark.parametrize(
    ("reported", "said"),
    [
        (RuntimeError("no luck"), r"the generator Own failed when it was to improve the policy: RuntimeError: no luck"),
        ([1.0], r"Own\.update must return a dict of numbers by name; found list"),
        ({"loss": "low"}, r"Own\.update must return a dict of numbers by name; found \{'loss': 'low'\}"),
    ],
    ids=str,
)
def test_a_generator_of_ones_own_that_fails_is_no_bug_of_gailkits(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig, reported: Any, said: str
) -> None:
    class Own(Generator):
        def update(self, rollout: Any, reward: Any, progress: float = 0.0) -> Any:
            if isinstance(reported, Exception):
                raise reported
            return reported

    with pytest.raises(InputError, match=said):
        build(cartpole, tiny, Parts(generator=Own)).iterate()


def test_a_generator_may_report_tensors(build: Build, cartpole: Demonstrations, tiny: TrainConfig) -> None:
    class Own(Generator):
        def update(self, rollout: Any, reward: Any, progress: float = 0.0) -> Any:
            return {"loss": torch.tensor(0.25, requires_grad=True).detach(), "steps": 3}

    metrics = build(cartpole, tiny, Parts(generator=Own)).iterate()
    assert (metrics["policy/loss"], metrics["policy/steps"]) == (0.25, 3.0)


def test_the_words_of_the_settings_are_those_that_are_understood() -> None:
    words = {item.name: item.metadata["choices"] for item in dataclasses.fields(PolicyConfig)}
    assert (words["std"], words["bounds"]) == (STDS, BOUNDS)
    for name in ("learning_rate_schedule", "clip_schedule", "step_schedule"):
        assert set(words[name]) == set(SCHEDULES)
