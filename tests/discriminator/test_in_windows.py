"""Discriminators of several steps in a row: what a window holds, by whatever route, and what D learns of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete
from torch import Tensor, nn

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.on_device import MovedSteps, SentSteps
from gailkit.discriminator import (
    AdversarialLoss,
    BoxActionDiscriminator,
    DiscreteActionDiscriminator,
    Discriminator,
    DiscriminatorLearner,
    NextStateDiscriminator,
    StateDiscriminator,
    with_gradient_penalty,
)
from gailkit.errors import InputError
from gailkit.functional.absorbing import penalised_optimal_logit
from gailkit.functional.rewards import log_d
from gailkit.generator.replay import Replay
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.rollouts.recent import RecentSteps
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium
from gailkit.types import Rollout, Trajectory, Transitions
from gailkit.windows import Before

SEEN, BOX, DISCRETE = Box(-np.inf, np.inf, (3,)), Box(-1, 1, (2,)), Discrete(3, start=2)
KINDS = [
    (BoxActionDiscriminator, BOX), (DiscreteActionDiscriminator, DISCRETE), (StateDiscriminator, BOX),
    (NextStateDiscriminator, DISCRETE),
]  # fmt: skip
LENGTHS, WINDOW = (7, 5, 9, 1, 8), 4


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def made(kind: Callable[..., Discriminator], actions: Space[Any], steps: Transitions, window: int) -> Discriminator:
    encoder = ObservationEncoder(SEEN)
    encoder.update(steps.obs)
    model = kind(encoder, actions, partial(mlp, hidden=(16,)), window)
    model.observe(steps)
    return model


def recorded(actions: Space[Any]) -> Demonstrations:
    """Episodes of some lengths, of which every other one terminates."""
    random, found = np.random.default_rng(0), []
    for number, length in enumerate(LENGTHS):
        discrete = isinstance(actions, Discrete)
        acts = random.integers(2, 5, length) if discrete else random.normal(0, 1, (length, 2)).astype(np.float32)
        seen = 5 + np.cumsum(random.normal(size=(length + 1, 3)), axis=0)
        found.append(Trajectory(seen, acts, None, number % 2 == 0))
    return Demonstrations(tuple(found), SEEN, actions)


def rollouts_of(shown: Demonstrations, steps: int) -> list[Rollout]:
    """The same episodes, one after another, as an environment shows them in rollouts of so many ``steps``."""
    whole, last = shown.transitions(), np.cumsum(LENGTHS) - 1
    ended = torch.from_numpy(np.isin(np.arange(len(whole)), last))
    recent, found, begun = RecentSteps(WINDOW - 1), [], True
    for at in range(0, len(whole), steps):
        part = slice(at, at + steps)
        own = (whole.obs[part], whole.act[part], whole.next_obs[part], whole.terminated[part], ended[part])
        rollout = Rollout(*(values.unsqueeze(1) for values in own), first=at, begun=torch.tensor([begun]))
        found.append(recent.before(rollout))
        begun = bool(ended[part][-1])
    return found


def single(model: Discriminator, trajectory: Trajectory) -> Tensor:
    """Logits (L,) of an episode, whose windows are put together here step by step."""
    obs, act = (torch.from_numpy(np.asarray(each)).float() for each in (trajectory.observations, trajectory.actions))
    act = act.long() if act.dim() == 1 else act
    found = []
    for t in range(len(act)):
        steps = [max(0, s) for s in range(t - WINDOW + 1, t + 1)]
        there = torch.tensor([s >= 0 for s in range(t - WINDOW + 1, t)]).float()
        nowhere = torch.zeros(WINDOW, dtype=torch.bool)
        each = model.encode_steps(Transitions(obs[steps], act[steps], obs[[s + 1 for s in steps]], nowhere))
        earlier = [(part[:-1] * there[:, None]).flatten() for part in (each.obs, each.act, each.next_obs)]
        ahead = earlier[2:] if model.looks_ahead else []
        seen = torch.cat([earlier[0], each.obs[-1], earlier[1], *ahead, there])
        found.append(model.logits(Transitions(seen[None], each.act[-1:], each.next_obs[-1:], nowhere[:1])))
    return torch.cat(found)


@pytest.mark.parametrize(("kind", "actions"), KINDS)
def test_equal_content_has_equal_logits_whatever_route_it_took(
    kind: Callable[..., Discriminator], actions: Space[Any]
) -> None:
    """Alone in a loop, as demonstrations, kept on a device, in rollouts of whatever length, and from a replay."""
    shown = recorded(actions)
    steps = shown.steps()
    model = made(kind, actions, shown.transitions(), WINDOW)
    expected = torch.cat([single(model, trajectory) for trajectory in shown.trajectories])
    every = torch.arange(len(steps))
    assert expected.std() > 0.05
    there = steps.as_tensors()
    rows = map(torch.from_numpy, (*steps.observation_rows(), steps.at_action, steps.terminated, steps.begun))
    for held in (steps, MovedSteps(*there, *rows, steps), SentSteps(steps, torch.device("cpu"))):
        drawn = held.in_windows(every, WINDOW)
        torch.testing.assert_close(model(drawn), expected)
        torch.testing.assert_close(model.judged(drawn), expected)
        torch.testing.assert_close(model(drawn[every.flip(0)]), expected.flip(0))
    for size in (3, 10, 40):
        replay = Replay(100)
        replay.earlier, found = WINDOW - 1, []
        for rollout in rollouts_of(shown, size):
            found.append(model.judged(rollout.transitions()))
            replay.add(rollout)
        torch.testing.assert_close(torch.cat(found), expected)
        again = replay.draw(60, 2)
        torch.testing.assert_close(model.judged(again.transitions()), expected[again.numbers.flatten()])


@pytest.mark.parametrize("stride", [3, 20])
def test_of_subsampled_demonstrations_the_steps_before_are_those_that_truly_were(stride: int) -> None:
    shown = recorded(BOX)
    whole, kept = shown.steps(), shown.subsample(stride, seed=1).steps()
    model = made(BoxActionDiscriminator, BOX, shown.transitions(), WINDOW)
    every = model(whole.in_windows(torch.arange(len(whole)), WINDOW))
    some = model(kept.in_windows(torch.arange(len(kept)), WINDOW))
    torch.testing.assert_close(some, every[torch.from_numpy(kept.at_action)])
    assert len(kept) < len(whole)


def test_stacked_observations_are_stacked_in_every_step_of_a_window() -> None:
    shown = recorded(BOX).stacked(2)
    drawn = shown.steps().in_windows(torch.arange(7), 3)
    obs = torch.from_numpy(shown.trajectories[0].observations).float()
    assert drawn.before is not None
    for t, rows in enumerate(drawn.before.rows.tolist()):
        assert [row >= 0 for row in rows] == [t >= 2, t >= 1]
        for back, row in zip((2, 1), rows, strict=True):
            expected = torch.cat([obs[max(0, t - back - 1)], obs[t - back]])
            assert row < 0 or torch.equal(drawn.before.obs[row], expected)


@pytest.mark.parametrize(("kind", "actions"), KINDS)
def test_a_window_of_one_step_is_a_step(kind: Callable[..., Discriminator], actions: Space[Any]) -> None:
    """The same network by the same random numbers, the same logits, and no step before is looked for."""
    shown = recorded(actions)
    models = []
    for window in ((), (1,)):
        torch.manual_seed(1)
        encoder = ObservationEncoder(SEEN)
        encoder.update(shown.transitions().obs)
        models.append(kind(encoder, actions, partial(mlp, hidden=(16,)), *window))
    drawn = shown.steps().in_windows(torch.arange(5), 1)
    assert drawn.before is None and models[0].obs_size == 3
    assert torch.equal(models[0](drawn), models[1](shown.transitions()[torch.arange(5)]))


@pytest.mark.parametrize(("kind", "actions"), KINDS)
def test_the_order_in_a_window_tells_and_so_does_that_there_was_nothing(
    kind: Callable[..., Discriminator], actions: Space[Any]
) -> None:
    shown = recorded(actions)
    model = made(kind, actions, shown.transitions(), 3)
    steps = shown.steps().in_windows(torch.arange(4, 7), 3)
    assert isinstance(steps.before, Before) and (steps.before.rows >= 0).all()
    logits = model(steps)

    def with_rows(rows: Tensor) -> Tensor:
        assert steps.before is not None
        return model(replace(steps, before=replace(steps.before, rows=rows)))

    assert (with_rows(steps.before.rows.flip(1)) - logits).abs().min() > 1e-5
    nothing = with_rows(torch.full((3, 2), -1))
    assert (nothing - logits).abs().min() > 1e-5
    encoded = model.encode(replace(steps, before=replace(steps.before, rows=torch.full((3, 2), -1))))
    own = model.encode_steps(steps).obs
    assert encoded.obs.shape == (3, model.obs_size) and encoded.obs.count_nonzero() == own.count_nonzero()


def test_what_is_no_window_is_not_judged_as_one() -> None:
    shown = recorded(DISCRETE)
    model = made(DiscreteActionDiscriminator, DISCRETE, shown.transitions(), 3)
    with pytest.raises(InputError, match="judges windows of 3 steps; found single steps"):
        model(shown.transitions())
    with pytest.raises(InputError, match="found windows of 2"):
        model(shown.steps().in_windows(torch.arange(2), 2))
    with pytest.raises(InputError, match="an observation alone is no window of 3 steps"):
        assert isinstance(model, DiscreteActionDiscriminator)
        model.action_logits(shown.transitions().obs)
    with pytest.raises(InputError, match="at least 1 step; found 0"):
        made(StateDiscriminator, DISCRETE, shown.transitions(), 0)


def coins(kind: str, steps: int) -> Trajectory:
    """One long episode of two states: in turn, or each by the toss of a coin."""
    random = np.random.default_rng(0)
    states = np.arange(steps + 1) % 2 if kind == "in turn" else random.integers(0, 2, steps + 1)
    return Trajectory(states, np.zeros(steps, np.int64), None, terminated=False)


@pytest.mark.parametrize("terminations", [0, 12])
@pytest.mark.parametrize("window", [1, 2])
def test_it_recovers_the_experts_share_of_the_windows_where_steps_do_not_tell(window: int, terminations: int) -> None:
    """The expert takes turns between two states, the policy tosses a coin: both are in each half of the time.

    Of the expert's windows half are 01 and half 10, of the policy's a quarter is each. So w is 1/2 of each state, but
    2/3 of 01 and 10 and 0 of 00 and 11. Where 12 of the policy's 4000 steps terminated, which gamma = 0.997 makes
    as many as 4000, only half of its occupancy are ordinary steps: then w is 2/3, and 4/5 and 0.
    """
    shown = Demonstrations((coins("in turn", 400),), Discrete(2), Discrete(2)).steps()
    taken = Demonstrations((coins("tossed", 4000),), Discrete(2), Discrete(2)).steps()
    obs = taken.observations_at(torch.arange(4000))
    ended = (torch.arange(4000) < terminations)[:, None]
    begins = torch.zeros(4000, 1, dtype=torch.bool)
    begins[0] = True
    rollout = Rollout(obs[:, None], obs[:, None] * 0, obs[:, None], ended, begins & False)
    if window > 1:
        rollout = RecentSteps(window - 1).before(replace(rollout, truncated=ended & False, begun=begins[0]))
    network = partial(mlp, hidden=(16,))
    model = StateDiscriminator(ObservationEncoder(Discrete(2)), Discrete(2), network, window)
    learner = DiscriminatorLearner(
        model, AdversarialLoss(0.5), log_d, expert_mass=0.0, gamma=0.997, learning_rate=0.02, batch_size=4096,
        updates=150,
    )  # fmt: skip
    learner.update(lambda size: shown.in_windows(torch.randint(len(shown), (size,)), window), rollout)
    some = taken.in_windows(torch.arange(20, 60), window)
    z = model(some).detach()
    policy = 0.5 if terminations else 1.0
    expert, ours = (0.5, 0.25) if window == 2 else (0.5, 0.5)
    turned = obs[20:60] != obs[19:59]
    known = (
        torch.where(turned, expert / (expert + policy * ours), 0.0)
        if window == 2
        else torch.full((40,), expert / (expert + policy * ours))
    )
    torch.testing.assert_close(0.5 * z + torch.sigmoid(-z), known, rtol=0, atol=0.05)
    # rewards are counted from the absorbing state's, which is a state for itself
    mass = learner.policy_mass or 0.0
    share = 0.0 if terminations else 0.5
    assert (mass > 0) == bool(terminations)
    u_abs = float(log_d(torch.tensor(penalised_optimal_logit(share, 0.5))))
    torch.testing.assert_close(learner.rewards(rollout)[20:60, 0], log_d(z) - u_abs)


class Earlier(Discriminator):
    """z = the only number that was seen in the step before, as far as there was one."""

    looks_ahead = False

    def __init__(self) -> None:
        encoder = ObservationEncoder(Box(-10, 10, (1,)))
        encoder.update(torch.tensor([[-1.0], [1.0]]))  # mean 0, deviation 1
        super().__init__(encoder, Discrete(2), window=2)
        self.scale = nn.Parameter(torch.ones(()))

    def logits(self, encoded: Transitions) -> Tensor:
        return self.scale * encoded.obs[:, 0]


def test_the_gradient_penalty_is_on_the_slope_along_all_of_a_window() -> None:
    """z = 3 times what was seen before has the slope 3, 2 above 1."""
    model = Earlier()
    model.scale.data.fill_(3.0)
    obs = torch.arange(5.0).unsqueeze(-1)
    before = Before(obs, torch.zeros(5, dtype=torch.int64), obs, torch.arange(5).unsqueeze(-1))
    steps = Transitions(obs, torch.zeros(5, dtype=torch.int64), obs, torch.zeros(5, dtype=torch.bool), before)
    encoded = model.encode(steps)
    plain, penalised = AdversarialLoss(), with_gradient_penalty(AdversarialLoss(), 1.0)
    added = penalised(model, encoded, encoded) - plain(model, encoded, encoded)
    assert added.item() == pytest.approx(4.0, rel=1e-4)


@pytest.mark.parametrize("kind", [DiscreteActionDiscriminator, StateDiscriminator, NextStateDiscriminator])
def test_pictures_of_all_times_come_first_and_move_alike(kind: Callable[..., Discriminator]) -> None:
    """Three times of a picture of 20 x 20 x 3 and a number beside it; of successors there is a picture more."""
    space = Dict({"eye": Box(0, 255, (20, 20, 3), np.uint8), "speed": Box(-1, 1, (1,), np.float32)})
    space.seed(0)
    flat = flattened_space(space)
    seen = flatten_values(space, from_gymnasium(space, [space.sample() for _ in range(9)]))
    shown = Demonstrations((Trajectory(seen, np.arange(8) % 2, None, True),), flat, Discrete(2))
    steps = shown.steps().in_windows(torch.arange(8), 3)
    encoder = ObservationEncoder(flat)
    encoder.update(steps.obs)
    model = kind(encoder, Discrete(2), partial(mlp, hidden=(8,)), 3)
    model.observe(steps)
    encoded, alone = model.encode(steps), encoder(steps.obs)
    pictures = encoded.obs[:, : 3 * 1200].reshape(8, 3, 1200)
    assert torch.equal(pictures[2:, 0], alone[:-2, :1200]) and torch.equal(pictures[:, 2], alone[:, :1200])
    assert not pictures[1, 0].any() and encoded.obs.shape[1] == model.obs_size
    assert torch.equal(encoded.obs[:, 3600:3603][2:, 1], alone[1:-1, -1])
    logits = model(steps)
    torch.testing.assert_close(model.judged(steps), logits)
    still = replace(encoded, obs=torch.cat([alone[:, :1200].repeat(1, 3), encoded.obs[:, 3600:]], 1))
    if model.looks_ahead:
        still = replace(still, next_obs=torch.cat([alone[:, :1200], encoded.next_obs[:, 1200:]], 1))
    moved = model.moved(still, 0.2)
    frames = moved.obs[:, :3600].reshape(8, 3, 1200)
    assert torch.equal(frames[:, 0], frames[:, 2]) and not torch.equal(frames[:, 0], alone[:, :1200])
    assert torch.equal(moved.obs[:, 3600:], still.obs[:, 3600:])
    assert not model.looks_ahead or torch.equal(moved.next_obs[:, :1200], frames[:, 0])
