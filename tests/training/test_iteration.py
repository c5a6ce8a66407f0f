"""A function that looks on at a training: what it may ask for, and that it changes nothing it did not ask for."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
from gailkit.generator import TrainedPolicy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.training.changing import CHANGEABLE
from gailkit.training.config import ExpertConfig, TrainConfig
from gailkit.training.expert import train_expert
from gailkit.training.iteration import Iteration
from gailkit.training.places import LAST
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder, load_policy
from gailkit.training.train import train

CLOCK = {"seconds", "steps_per_second"}


class StoppedByTest(Exception):
    """Raised by the tests."""


def timeless(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name not in CLOCK} for row in rows]


def parameters(policy: TrainedPolicy) -> torch.Tensor:
    return torch.cat([each.flatten() for each in policy.actor_critic.state_dict().values()])


def at(number: int, do: Callable[[Iteration], None]) -> Callable[[Iteration], None]:
    """What does something in one iteration alone."""
    return lambda iteration: do(iteration) if iteration.number == number else None


def test_a_function_of_the_numbers_alone_gets_a_dict(cartpole: Demonstrations, tiny: TrainConfig) -> None:
    rows: list[dict[str, float]] = []
    result = train("CartPole-v1", cartpole, tiny, on_iteration=rows.append)
    assert rows == result.metrics
    assert json.loads(json.dumps(rows)) == rows


def test_a_training_that_is_asked_to_stop_has_chosen_and_goes_on_to_the_end_of_one_that_was_not(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    whole = train("CartPole-v1", cartpole, tiny)
    stopped = train("CartPole-v1", cartpole, tiny, out=tmp_path / "run", on_iteration=at(2, Iteration.stop))
    assert timeless(stopped.metrics) == timeless(whole.metrics)[:2]
    assert stopped.choice is not None
    kept = load_policy(tmp_path / "run")
    assert torch.equal(parameters(kept), parameters(stopped.policy))
    assert kept.training is not None and not kept.training.finished
    assert str(kept.training) == "checkpoint chosen, at 128 of 192 steps"
    again = resume(tmp_path / "run", cartpole)
    assert timeless(again.metrics) == timeless(whole.metrics)
    assert torch.equal(parameters(again.policy), parameters(whole.policy))
    finished = load_policy(tmp_path / "run").training
    assert finished is not None and finished.finished


def test_an_expert_can_be_stopped_too(tiny_expert: ExpertConfig, tmp_path: Path) -> None:
    result = train_expert("CartPole-v1", tiny_expert, out=tmp_path / "run", on_iteration=at(1, Iteration.stop))
    assert [row["steps"] for row in result.metrics] == [64]
    assert len(resume(tmp_path / "run").metrics) == 3


def test_a_checkpoint_is_written_when_it_is_asked_for(tiny_expert: ExpertConfig, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_expert, checkpoint_every=1e6)
    kept = []

    def look(iteration: Iteration) -> None:
        kept.append(RunFolder(tmp_path / "run").load(LAST)["iteration"])
        if iteration.number == 1:
            iteration.save()

    train_expert("CartPole-v1", config, out=tmp_path / "run", on_iteration=look)
    assert kept == [0, 1, 1]


def test_the_policy_that_is_looked_at_is_that_of_its_iteration_and_stays_so(
    tiny_expert: ExpertConfig, tmp_path: Path
) -> None:
    seen: list[TrainedPolicy] = []

    def look(iteration: Iteration) -> None:
        seen.append(iteration.policy)
        collect_episodes(iteration.policy.sampling(0), lambda: make_env("CartPole-v1"), [0])

    config = dataclasses.replace(tiny_expert, checkpoint_every=0.0)
    result = train_expert("CartPole-v1", config, out=tmp_path / "run", on_iteration=look)
    assert torch.equal(parameters(seen[-1]), parameters(result.policy))
    assert torch.equal(parameters(seen[-2]), parameters(load_policy(tmp_path / "run", LAST))) is False
    assert not torch.equal(parameters(seen[0]), parameters(seen[1]))
    assert timeless(result.metrics) == timeless(train_expert("CartPole-v1", tiny_expert).metrics)


def test_what_it_draws_makes_no_difference(cartpole: Demonstrations, tiny: TrainConfig) -> None:
    def draw(iteration: Iteration) -> None:
        torch.randn(3)
        np.random.rand(3)
        random.random()

    drawn = train("CartPole-v1", cartpole, tiny, on_iteration=draw)
    alone = train("CartPole-v1", cartpole, tiny)
    assert timeless(drawn.metrics) == timeless(alone.metrics)


def test_a_learning_rate_of_nothing_leaves_the_networks_as_they_are(
    cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    seen: list[torch.Tensor] = []
    judged: list[torch.Tensor] = []

    def look(iteration: Iteration) -> None:
        if iteration.number == 2:
            iteration.change("policy.learning_rate", 0)
            iteration.change("discriminator.learning_rate", 0)
        learner = iteration.trainer.teacher.learner
        judged.append(learner.trained.vector.detach().clone())
        seen.append(torch.cat([each.detach().flatten() for each in iteration.policy.actor_critic.policy_parameters()]))

    train("CartPole-v1", cartpole, tiny, on_iteration=look)
    for each in (seen, judged):
        assert not torch.equal(each[0], each[1])
        assert torch.equal(each[1], each[2])


@pytest.mark.parametrize("generator", ["ppo-clip", "sac"])
def test_what_was_changed_is_so_in_a_run_that_goes_on(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path, generator: str
) -> None:
    policy = dataclasses.replace(tiny.policy, epochs=None) if generator == "sac" else tiny.policy
    config = dataclasses.replace(tiny, generator=generator, policy=policy, steps=256)

    def change(iteration: Iteration) -> None:
        iteration.change("policy.learning_rate", 1e-4)
        iteration.change("discriminator.updates", 1)

    def change_and_fail(iteration: Iteration) -> None:
        at(1, change)(iteration)
        if iteration.number == 2:
            raise StoppedByTest

    whole = train("CartPole-v1", cartpole, config, on_iteration=at(1, change))
    untouched = train("CartPole-v1", cartpole, config)
    with pytest.raises(StoppedByTest):
        train("CartPole-v1", cartpole, config, out=tmp_path / "run", on_iteration=change_and_fail)
    again = resume(tmp_path / "run", cartpole)
    assert timeless(again.metrics) == timeless(whole.metrics) != timeless(untouched.metrics)
    assert again.trainer.changed == {"policy.learning_rate": 1e-4, "discriminator.updates": 1.0}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("gamma", 0.5, rf"^'gamma' cannot change while a run goes on; those that can are {', '.join(CHANGEABLE)}$"),
        ("policy.clip", -1, r"^policy.clip must be above 0; found -1"),
        ("policy.max_kl", 1.0, r"^policy.max_kl is a setting of trpo, acktr; the generator is ppo-clip$"),
        ("discriminator.updates", 1.5, r"^discriminator.updates must be a whole number; found 1.5$"),
    ],
)
def test_what_may_not_change_is_refused(
    cartpole: Demonstrations, tiny: TrainConfig, name: str, value: float, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        train("CartPole-v1", cartpole, tiny, on_iteration=lambda iteration: iteration.change(name, value))


def test_a_run_without_a_discriminator_has_none_to_change(tiny_expert: ExpertConfig) -> None:
    with pytest.raises(InputError, match=r"^discriminator.updates is a setting of imitation; this run learns from"):
        train_expert(
            "CartPole-v1", tiny_expert, on_iteration=lambda iteration: iteration.change("discriminator.updates", 1)
        )


def test_a_checkpoint_of_a_stranger_cannot_change_what_may_not(tiny_expert: ExpertConfig, tmp_path: Path) -> None:
    train_expert("CartPole-v1", tiny_expert, out=tmp_path / "run", on_iteration=at(1, Iteration.stop))
    folder = RunFolder(tmp_path / "run")
    for found in ({"policy.hidden": 3.0}, {"policy.clip": "a"}, {"policy.clip": -1.0}, [1]):
        state: Mapping[str, Any] = {**folder.load(LAST), "changed": found}
        folder.save(LAST, state)
        folder.save("previous", state)
        with pytest.raises(Exception, match="is damaged"):
            resume(tmp_path / "run")
