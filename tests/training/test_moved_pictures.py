"""Whoever learns from pictures sees them moved at random, and whoever judges or acts by them sees them as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from benchmarks.pictures import ENV_ID, seen_demonstrations
from gailkit import Demonstrations, TrainConfig, Trajectory, train
from gailkit.discriminator import (
    AdversarialLoss,
    DiscreteActionDiscriminator,
    DiscriminatorLearner,
    EndingJudge,
    with_gradient_penalty,
)
from gailkit.functional.rewards import log_d
from gailkit.generator import clone_behaviour, cloners, cloning
from gailkit.generator.expert_runs import ExpertRuns
from gailkit.generator.guidance import ShownPairs
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.networks.recurrent import Memory
from gailkit.training.resuming import resume
from gailkit.types import Rollout, Transitions

SIDE, SHIFT, MOST = 16, 0.13, 2  # pixels, the share of them, and what this amounts to
SPACE, ACTIONS = Box(0, 255, (1, SIDE, SIDE), np.uint8), Discrete(2)
PICTURE = torch.arange(SIDE * SIDE, dtype=torch.uint8).reshape(1, SIDE, SIDE)  # in which no two pixels are alike

Seen = list[Tensor]


class Eye(nn.Module):
    """Sees the mean, and remembers what it has ``seen`` with a gradient, and without, apart."""

    seen: ClassVar[dict[bool, Seen]] = {}

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen.setdefault(torch.is_grad_enabled(), []).append(pictures.detach())
        return self.scale * pictures.mean((1, 2, 3))[:, None]


@pytest.fixture(autouse=True)
def nothing_seen() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    Eye.seen.clear()


@pytest.fixture
def encoder() -> ObservationEncoder:
    made = ObservationEncoder(SPACE, Eye)
    made.update(PICTURE[None])
    return made


@pytest.fixture
def expert() -> Demonstrations:
    """Always the one picture."""
    observations = np.broadcast_to(PICTURE.numpy(), (41, 1, SIDE, SIDE)).copy()
    shown = [Trajectory(observations, np.arange(40) % 2, None, terminated=True) for _ in range(12)]
    return Demonstrations(tuple(shown), SPACE, ACTIONS)


def places(encoder: ObservationEncoder, seen: Seen) -> Tensor:
    """(B, 2): by how much each of the pictures has moved down and right."""
    (plain,) = encoder(PICTURE[None]).reshape(1, SIDE, SIDE)
    padded = nn.functional.pad(plain[None, None], (MOST,) * 4, mode="replicate")[0, 0]
    moves = range(-MOST, MOST + 1)
    possible = {(down, right): padded[MOST + down :, MOST + right :][:SIDE, :SIDE] for down in moves for right in moves}
    found = []
    for picture in torch.cat(seen)[:, 0]:
        (place,) = [move for move, moved in possible.items() if torch.equal(picture, moved)]
        found.append(place)
    return torch.tensor(found)


def assert_evenly(moves: Tensor) -> None:
    """Every place comes, about as often as any other: within five deviations of its share."""
    share = 1 / (2 * MOST + 1) ** 2
    _, counts = moves.unique(dim=0, return_counts=True)
    assert len(counts) == (2 * MOST + 1) ** 2
    assert (counts - share * len(moves)).abs().max() < 5 * (share * len(moves)) ** 0.5


def steps_of(expert: Demonstrations) -> Transitions:
    return expert.steps()[torch.arange(400)]


def test_a_clone_learns_from_moved_pictures_and_is_judged_by_those_that_there_are(
    encoder: ObservationEncoder, expert: Demonstrations
) -> None:
    model = ActorCritic(encoder, ACTIONS, (4,))
    Eye.seen.clear()
    clone_behaviour(model, expert.steps(), max_epochs=2, image_shift=SHIFT)
    assert_evenly(places(encoder, Eye.seen[True]))
    assert not places(encoder, Eye.seen[False]).any()


def test_without_a_shift_nothing_moves(encoder: ObservationEncoder, expert: Demonstrations) -> None:
    model = ActorCritic(encoder, ACTIONS, (4,))
    Eye.seen.clear()
    clone_behaviour(model, expert.steps(), max_epochs=1, image_shift=0.0)
    assert not places(encoder, Eye.seen[True]).any()


def test_the_expert_moves_alike_in_the_course_of_a_run_of_steps(
    encoder: ObservationEncoder, expert: Demonstrations
) -> None:
    """A memory learns how things go on: they do not jump between its steps."""
    model = ActorCritic(encoder, ACTIONS, (4,), memory=Memory("gru", 4, 8))
    Eye.seen.clear()
    clone_behaviour(model, expert.steps(), max_epochs=2, image_shift=SHIFT)
    assert not places(encoder, Eye.seen[False]).any()
    runs = ExpertRuns(model, expert.steps(), SHIFT)
    drawn = runs.draw(4000).steps
    moves = places(encoder, [drawn.features.reshape(-1, 1, SIDE, SIDE)]).split(drawn.lengths.tolist())
    assert all((run == run[0]).all() for run in moves)
    assert len(torch.stack([run[0] for run in moves]).unique(dim=0)) == (2 * MOST + 1) ** 2


def test_pairs_that_guide_have_moved(encoder: ObservationEncoder, expert: Demonstrations) -> None:
    shown = ShownPairs.of(steps_of(expert), encoder, SHIFT)
    assert_evenly(places(encoder, [shown.features.reshape(-1, 1, SIDE, SIDE)]))


def learned(encoder: ObservationEncoder, expert: Transitions) -> None:
    """A discriminator has learned from a policy that sees what the expert does."""
    judge = DiscreteActionDiscriminator(encoder, ACTIONS, partial(mlp, hidden=(4,)))
    learner = DiscriminatorLearner(
        judge, AdversarialLoss(), log_d, expert_mass=0, gamma=0.9, updates=4, batch_size=100, image_shift=SHIFT
    )
    Eye.seen.clear()
    learner.update(lambda count: expert[torch.arange(count)], rollout_of(expert))
    learner.rewards(rollout_of(expert))


def ended(encoder: ObservationEncoder, expert: Transitions) -> None:
    """Likewise a judge of endings."""
    like = DiscreteActionDiscriminator(encoder, ACTIONS, partial(mlp, hidden=(4,)))
    judge = EndingJudge.of(like, AdversarialLoss(), expert, updates=8, worth=1.0, image_shift=SHIFT)
    Eye.seen.clear()
    judge.update(rollout_of(expert), 0.5, 0.5)
    judge.rewards(expert, log_d, 0.0)


def rollout_of(steps: Transitions) -> Rollout:
    """Steps of one environment, of which each terminated."""
    every = torch.ones(len(steps), 1, dtype=torch.bool)
    return Rollout(steps.obs[:, None], steps.act[:, None], steps.next_obs[:, None], every, ~every)


@pytest.mark.parametrize("learn", [learned, ended])
def test_both_sides_move_alike_before_they_are_told_apart(
    encoder: ObservationEncoder, expert: Demonstrations, learn: Callable[[ObservationEncoder, Transitions], None]
) -> None:
    learn(encoder, steps_of(expert))
    real, fake = Eye.seen[True][::2], Eye.seen[True][1::2]
    for side in (real, fake):
        assert_evenly(places(encoder, side))


def test_a_run_that_saw_pictures_goes_on_bit_for_bit(
    tiny: TrainConfig, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clone, and at the learning rate of pictures, which its settings have then."""
    monkeypatch.chdir(repository)
    demonstrations = seen_demonstrations(1).subsample(10)
    told: list[tuple[int, int]] = []

    def on_cloning(learned: int, at_most: int) -> None:
        told.append((learned, at_most))
        torch.rand(3)  # which makes no difference

    monkeypatch.setattr(cloners, "TOLD", 32)
    monkeypatch.setattr(cloning, "MOST_PICTURES", 200)
    whole = train(ENV_ID, demonstrations, tiny, out=tmp_path / "whole", on_cloning=on_cloning)
    assert told and all(learned <= at_most for learned, at_most in told)
    assert json.loads((tmp_path / "whole" / "config.json").read_text())["config"]["policy"]["learning_rate"] == 3e-4

    train(ENV_ID, demonstrations, tiny, out=tmp_path / "parts", on_iteration=lambda iteration: iteration.stop())
    again = resume(tmp_path / "parts", demonstrations)
    assert len(whole.metrics) == len(again.metrics) == 3
    states = [run.trainer.generator.actor_critic.state_dict() for run in (whole, again)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_rewards_are_by_pictures_as_they_are(encoder: ObservationEncoder, expert: Demonstrations) -> None:
    judge = DiscreteActionDiscriminator(encoder, ACTIONS, partial(mlp, hidden=(4,)))
    learner = DiscriminatorLearner(
        judge,
        with_gradient_penalty(AdversarialLoss(), 1.0),
        log_d,
        expert_mass=0,
        gamma=0.9,
        image_shift=SHIFT,
    )
    Eye.seen.clear()
    learner.rewards(rollout_of(steps_of(expert)))
    assert not places(encoder, Eye.seen[False]).any()
