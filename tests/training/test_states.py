"""Imitation of what was seen alone: what a run then does without, and that it learns what actions bring about."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import Discriminator, NextStateDiscriminator
from gailkit.errors import InputError
from gailkit.generator import clone_behaviour
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.training.choosing import distances_to
from gailkit.training.config import DiscriminatorConfig, TrainConfig
from gailkit.training.parts import Parts
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.run import RunFolder
from gailkit.training.running import TrainingResult
from gailkit.training.train import train
from gailkit.types import Trajectory, Transitions
from tests.training.test_resuming import check_resumed, timeless
from tests.training.test_teachers import Counting

CLONE = {"clone/gain", "clone/guidance"}


@pytest.fixture(autouse=True, scope="module")
def counting(environments: None) -> Any:
    gymnasium.register("Counting-v0", entry_point=Counting, max_episode_steps=3)
    yield
    gymnasium.registry.pop("Counting-v0")


def by(config: TrainConfig, kind: str, **changes: Any) -> TrainConfig:
    """``config`` with that kind of discriminator."""
    return dataclasses.replace(config, discriminator=dataclasses.replace(config.discriminator, kind=kind), **changes)


def networks(result: TrainingResult) -> dict[str, Tensor]:
    """Of the policy."""
    return dict(result.trainer.generator.actor_critic.state_dict())


@pytest.mark.parametrize("kind", ["state", "next-state"])
def test_actions_that_are_not_seen_change_nothing(cartpole: Demonstrations, tiny: TrainConfig, kind: str) -> None:
    seen = train("CartPole-v1", cartpole, by(tiny, kind))
    alone = train("CartPole-v1", cartpole.without_actions(), by(tiny, kind))
    assert timeless(seen.metrics) == timeless(alone.metrics)
    assert not CLONE & seen.metrics[0].keys()
    assert seen.choice is not None and alone.choice is not None and seen.choice.record == alone.choice.record
    for name, tensor in networks(seen).items():
        assert torch.equal(tensor, networks(alone)[name]), name


def test_what_a_discriminator_sees_is_what_the_data_holds_where_nobody_says(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    for shown, kind in ((cartpole, "state-action"), (cartpole.without_actions(), "next-state")):
        result = train("CartPole-v1", shown, tiny, out=tmp_path / kind)
        assert RunFolder(tmp_path / kind).description()["config"]["discriminator"]["kind"] == kind
        assert (result.metrics[0].keys() >= CLONE) == (kind == "state-action")
        assert json.loads((tmp_path / kind / "metrics.jsonl").read_text().splitlines()[0]) == result.metrics[0]


class OfStates(NextStateDiscriminator):
    """Somebody's own."""

    def __init__(self, encoder: Any, action_space: Any) -> None:
        super().__init__(encoder, action_space, torch.nn.Linear)


class OfAnything(Discriminator):
    """Somebody's own, who did not say that it sees no actions."""

    def __init__(self, encoder: Any, action_space: Any) -> None:
        super().__init__(encoder, action_space)
        self.network = torch.nn.Linear(encoder.size, 1)

    def logits(self, encoded: Transitions) -> Tensor:
        z: Tensor = self.network(encoded.obs)
        return z.squeeze(-1)


def test_who_looks_at_actions_is_refused_where_there_are_none(cartpole: Demonstrations, tiny: TrainConfig) -> None:
    alone = cartpole.without_actions()
    refused = [(by(tiny, "state-action"), Parts(), "DiscreteActionDiscriminator"), (tiny, Parts(OfAnything), "OfAny")]
    for config, parts, name in refused:
        with pytest.raises(InputError, match=rf"hold no actions, which {name}.* --discriminator-kind next-state"):
            train("CartPole-v1", alone, config, parts=parts)
    assert not CLONE & train("CartPole-v1", alone, tiny, parts=Parts(OfStates)).metrics[0].keys()


@pytest.mark.parametrize("generator", ["ppo-clip", "sac"])
@pytest.mark.parametrize("kind", ["state", "next-state"])
def test_it_goes_on_as_if_it_had_not_been_stopped(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path, generator: str, kind: str
) -> None:
    policy = tiny.policy
    if generator == "sac":
        policy = PolicyConfig(hidden=(8,), batch_size=8, warm_up=16, updates_per_step=0.25, replay_size=100)
    config = by(tiny, kind, generator=generator, policy=policy)
    check_resumed("CartPole-v1", cartpole.without_actions(), config, tmp_path, [1, 2])


def test_the_entropy_of_sac_stays_its_usual_one(tiny: TrainConfig) -> None:
    """-1 a dimension of half-width 1: nobody's actions say what it should become."""
    box = Box(-1.0, 1.0, (1,), np.float32)  # of another body than the Pendulum's, whose actions are twice as large
    random = np.random.default_rng(0)
    episodes = tuple(Trajectory(random.normal(size=(31, 3)).astype(np.float32), np.zeros((30, 0)), None, False)
                     for _ in range(2))  # fmt: skip
    shown = Demonstrations(episodes, Box(-np.inf, np.inf, (3,), np.float32), box)
    policy = PolicyConfig(hidden=(8,), batch_size=8, warm_up=16, updates_per_step=0.25)
    result = train("Pendulum-v1", shown, dataclasses.replace(tiny, generator="sac", policy=policy))
    assert [row["policy/target_entropy"] for row in result.metrics[1:]] == pytest.approx([np.log(2.0) - 1.0] * 2)


@pytest.mark.parametrize("generator", ["ppo-clip", "dqn"])
def test_what_followed_the_last_step_of_an_episode_is_its_last_observation(tiny: TrainConfig, generator: str) -> None:
    """The n-th step in a copy of Counting shows n, and a reset shows 0: every step ends higher than it began, also
    those that terminate or that the time limit cuts off, in what is judged, in what D learns from, and in a replay."""
    policy = PolicyConfig(hidden=(8,), **({"batch_size": 8, "warm_up": 16} if generator == "dqn" else {}))
    seen: list[Transitions] = []

    class Watched(OfStates):
        def encode(self, transitions: Transitions) -> Transitions:
            seen.append(transitions)
            return super().encode(transitions)

    episodes = [Trajectory(np.arange(4.0, dtype=np.float32)[:, None] + k, np.zeros((3, 0)), None, k % 2 == 0)
                for k in range(6)]  # fmt: skip
    shown = Demonstrations(tuple(episodes), Counting.observation_space, Counting.action_space)
    config = dataclasses.replace(tiny, generator=generator, policy=policy)
    train("Counting-v0", shown, config, parts=Parts(Watched))
    ended = sum(int(steps.terminated.sum()) for steps in seen)
    assert ended > 20 and len(seen) > 10
    for steps in seen:
        assert (steps.next_obs > steps.obs).all()


def of_ring(left: bool) -> Demonstrations:
    """Ten walks round the ring of six places, each from another one."""
    way = -1 if left else 1
    walks = [(start + way * np.arange(21)) % 6 for start in range(10)]
    episodes = tuple(Trajectory(walk, np.zeros((20, 0)), None, False) for walk in walks)
    return Demonstrations(episodes, Discrete(6), Discrete(2))


@pytest.mark.parametrize("left", [True, False])
def test_where_an_expert_goes_is_learned_from_what_follows_and_cannot_be_from_where_it_is(left: bool) -> None:
    """Who walks round a ring is everywhere equally often, whichever way: only two places in turn tell. Left earns 1."""
    config = TrainConfig(
        steps=6144, num_envs=8, rollout_size=256, gamma=0.99,
        discriminator=DiscriminatorConfig(hidden=(32,), learning_rate=3e-3, updates=16),
        policy=PolicyConfig(hidden=(32,), learning_rate=5e-3),
    )  # fmt: skip
    earned = {}
    for kind in ("state", "next-state"):
        result = train("Ring-v0", of_ring(left), by(config, kind))
        earned[kind] = result.metrics[-1]["episode/true_return"]
    assert (earned["next-state"] > 17) if left else (earned["next-state"] < 3)
    assert 4 < earned["state"] < 16


def test_there_is_nothing_to_clone(cartpole: Demonstrations) -> None:
    policy = ActorCritic(ObservationEncoder(cartpole.observation_space), cartpole.action_space, hidden=(8,))
    with pytest.raises(InputError, match=r"no actions to clone; .* --discriminator-kind next-state"):
        clone_behaviour(policy, cartpole.without_actions().transitions())


def test_candidates_are_compared_by_what_their_actions_change() -> None:
    """Of two who are in the same places, the one that comes to them as the expert does is nearer."""
    shown, back = of_ring(left=True), of_ring(left=False)
    along, against = distances_to(shown, [shown.trajectories, back.trajectories])
    assert along < 0.1 < against
    acted = [dataclasses.replace(each, actions=np.zeros(20, np.int64)) for each in shown.trajectories]
    known = Demonstrations(tuple(acted), Discrete(6), Discrete(2))
    assert distances_to(known, [acted], by_actions=False) == pytest.approx([along], abs=0.05)


def test_the_statistics_of_changes_are_those_of_all_demonstrations_and_rollouts(
    cartpole: Demonstrations, tiny: TrainConfig, build: Any
) -> None:
    trainer = build(cartpole.without_actions(), by(tiny, "next-state"))
    discriminator = trainer.teacher.learner.discriminator
    steps = cartpole.transitions()
    change = (steps.next_obs - steps.obs).double()
    statistics = discriminator.changes.normalizer
    torch.testing.assert_close(statistics.mean, change.mean(0), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(statistics.variance, change.var(0, correction=0), rtol=1e-4, atol=1e-9)
    trainer.iterate()
    assert float(statistics.count) == len(steps) + 64


def test_a_file_that_is_read_piece_by_piece_is_imitated_too(
    tmp_path: Path, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    cartpole.without_actions().save(tmp_path / "states.hdf5")
    stored = Demonstrations.load(tmp_path / "states.hdf5", memory=0)
    assert not stored.in_memory and not stored.has_actions
    result = train("CartPole-v1", stored, tiny)
    assert np.isfinite(result.metrics[-1]["discriminator/loss"])
