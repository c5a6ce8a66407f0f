"""The discriminators that see no actions: what they look at, by whatever route it came, and what they learn of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete
from torch import Tensor, nn

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import (
    AdversarialLoss,
    Discriminator,
    DiscriminatorLearner,
    EndingJudge,
    NextStateDiscriminator,
    StateDiscriminator,
    with_gradient_penalty,
)
from gailkit.functional.absorbing import penalised_optimal_logit
from gailkit.functional.rewards import log_d
from gailkit.networks.changes import ChangeEncoder
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium
from gailkit.training.form import require_form
from gailkit.types import Replayed, Rollout, Trajectory, Transitions

OBSERVATIONS = Box(-np.inf, np.inf, (3,))
ACTIONS: list[Space[object]] = [Box(-1, 1, (2,)), Discrete(3)]
KINDS = [StateDiscriminator, NextStateDiscriminator]
STEPS, GAMMA = 40, 0.9


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def made(
    kind: type[Discriminator], space: Space[object], action_space: Space[object], steps: Transitions
) -> Discriminator:
    """An untrained one that has taken ``steps`` into its statistics."""
    encoder = ObservationEncoder(space)
    encoder.update(steps.obs)
    model = kind(encoder, action_space, partial(mlp, hidden=(16,)))
    model.observe(steps)
    return model


def walk(action_space: Space[object]) -> tuple[np.ndarray, np.ndarray]:
    """Observations (B + 1, 3) that go a little further each step, and actions."""
    random = np.random.default_rng(0)
    obs = 5 + np.cumsum(random.normal(0, 0.1, size=(STEPS + 1, 3)), axis=0)
    discrete = isinstance(action_space, Discrete)
    return obs, random.integers(3, size=STEPS) if discrete else random.normal(0, 3, (STEPS, 2)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action_space", ACTIONS, ids=str)
def test_equal_content_has_equal_logits_whatever_route_it_took(
    kind: type[Discriminator], action_space: Space[object]
) -> None:
    obs, act = walk(action_space)
    # the policy: float32 from the collector, two environments side by side; from a replay in runs of so many steps
    o, a = torch.from_numpy(obs.astype(np.float32)), torch.from_numpy(act)
    lead = (STEPS // 2, 2)
    flags, numbers = torch.zeros(lead, dtype=torch.bool), torch.arange(STEPS).reshape(lead)
    parts = (o[:-1].unflatten(0, lead), a.unflatten(0, lead), o[1:].unflatten(0, lead), flags, flags)
    rollout, replayed = Rollout(*parts), Replayed(*parts, numbers)
    # the expert: float64 as recorded, with its actions and without
    trajectory = Trajectory(obs, act, None, terminated=False)
    expert = Demonstrations((trajectory,), OBSERVATIONS, action_space)

    model = made(kind, OBSERVATIONS, action_space, rollout.transitions())
    logits = model(rollout.transitions())
    assert logits.shape == (STEPS,) and logits.std() > 0
    routes = (replayed.transitions(), expert.transitions(), expert.without_actions().transitions())
    for steps in routes:
        assert torch.equal(model(steps), logits)
        assert torch.equal(model.logits(model.encode(steps)), logits)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_done_and_how_it_ended_is_not_looked_at_and_what_was_seen_is(kind: type[Discriminator]) -> None:
    obs, act = (torch.from_numpy(values) for values in walk(ACTIONS[0]))
    steps = Transitions(obs[:-1], act, obs[1:], torch.zeros(STEPS, dtype=torch.bool))
    model = made(kind, OBSERVATIONS, ACTIONS[0], steps)
    logits = model(steps)
    assert torch.equal(model(Transitions(steps.obs, -act, steps.next_obs, ~steps.terminated)), logits)
    assert not torch.allclose(model(Transitions(steps.obs + 0.1, act, steps.next_obs + 0.1, steps.terminated)), logits)
    ahead = model(Transitions(steps.obs, act, steps.next_obs + 0.1, steps.terminated))
    assert torch.equal(ahead, logits) == (kind is StateDiscriminator)


def test_a_change_is_told_in_the_deviations_of_changes_not_of_places() -> None:
    """Changes of 1 and 3 have the mean 2 and the deviation 1; the places lie hundreds apart. The second number never
    changes, which is dropped, and the choice behind it is the next one."""
    space = flattened_space(Dict({"a": Box(-999, 999, (2,)), "b": Discrete(3)}))
    obs = torch.tensor([[100.0, 7.0, 1.0, 0.0, 0.0], [-500.0, 8.0, 0.0, 1.0, 0.0]])
    following = torch.tensor([[101.0, 7.0, 0.0, 0.0, 1.0], [-497.0, 8.0, 0.0, 1.0, 0.0]])
    encoder = ObservationEncoder(space)
    encoder.update(obs)
    changes = ChangeEncoder(encoder)
    changes.update(encoder, obs, following)
    expected = torch.tensor([[-1.0, 0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0, 0.0]])
    torch.testing.assert_close(changes(encoder, obs, following), expected)


def test_numbers_are_told_alike_in_whatever_units_they_are() -> None:
    obs = torch.from_numpy(walk(ACTIONS[0])[0])
    features = []
    for unit in (1.0, 1000.0):
        encoder = ObservationEncoder(OBSERVATIONS)
        changes = ChangeEncoder(encoder)
        changes.update(encoder, unit * obs[:-1], unit * obs[1:])
        features.append(changes(encoder, unit * obs[:-1], unit * obs[1:]))
    torch.testing.assert_close(features[0], features[1], rtol=1e-3, atol=1e-3)
    assert features[0].mean(0).abs().max() < 1e-4 and (features[0].std(0, correction=0) - 1).abs().max() < 1e-3


def pictures() -> tuple[Space[object], Transitions]:
    """Steps of pictures and a number beside them."""
    space = Dict({"eye": Box(0, 255, (20, 20, 3), np.uint8), "speed": Box(-1, 1, (1,), np.float32)})
    space.seed(0)
    flat = flattened_space(space)
    seen = torch.from_numpy(flatten_values(space, from_gymnasium(space, [space.sample() for _ in range(9)])))
    return flat, Transitions(seen[:-1], torch.zeros(8, 0), seen[1:], torch.zeros(8, dtype=torch.bool))


def test_of_pictures_both_are_seen_and_move_alike() -> None:
    space, steps = pictures()
    model = made(NextStateDiscriminator, space, ACTIONS[0], steps)
    logits = model(steps)
    numbers_apart = Transitions(steps.obs, steps.act, steps.next_obs[[1, 0, 2, 3, 4, 5, 6, 7]], steps.terminated)
    differs = (model(numbers_apart) - logits).abs()
    assert (differs[:2] > 1e-4).all() and not differs[2:].any()
    # where both pictures are one, they stay one, however they move
    encoder, same = model.encoder, model.encoder(steps.obs)
    here, there = encoder.shifted(0.2, same, same)
    assert torch.equal(here, there) and not torch.equal(here, same)
    assert torch.equal(here[:, -1], same[:, -1])  # the speed is no picture
    beside = encoder.side_by_side(same, same + 1)
    assert torch.equal(beside[:, :1200], same[:, :1200]) and torch.equal(beside[:, 1200:2400], same[:, :1200] + 1)


def test_a_learner_moves_pictures_of_successors_with_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    space, steps = pictures()
    still = Transitions(steps.obs, steps.act, steps.obs, steps.terminated)
    model = made(NextStateDiscriminator, space, ACTIONS[0], still)
    seen: list[Transitions] = []
    judged = model.logits

    def logits(encoded: Transitions) -> Tensor:
        seen.append(encoded)
        return judged(encoded)

    monkeypatch.setattr(model, "logits", logits)
    learner = DiscriminatorLearner(
        model, AdversarialLoss(), log_d, expert_mass=0, gamma=GAMMA, updates=1, batch_size=8, image_shift=0.2
    )
    lead = (8, 1)
    rollout = Rollout(
        still.obs.unflatten(0, lead),
        torch.zeros(8, 1, 2),
        still.obs.unflatten(0, lead),
        *[torch.zeros(lead).bool()] * 2,
    )
    learner.update(lambda size: still, rollout)
    for side in seen[:2]:
        assert torch.equal(side.obs[:, :1200], side.next_obs[:, :1200])


# Counts of steps (s, s') among 40 of the expert's and of the policy's, in four places.
EXPERT = torch.tensor([[0, 9, 1, 0], [2, 0, 8, 0], [0, 2, 0, 8], [5, 0, 0, 5]])
POLICY = torch.tensor([[0, 3, 7, 0], [6, 0, 4, 0], [0, 6, 0, 4], [2, 0, 0, 8]])


def tabular(kind: Callable[..., Discriminator], expert_mass: float, terminations: int) -> Discriminator:
    """One that has learned on these counts, where so many of the policy's steps terminated."""

    def steps(counts: Tensor) -> Tensor:
        return torch.arange(16).repeat_interleave(counts.flatten())

    shown, taken = steps(EXPERT), steps(POLICY)

    def draw(size: int) -> Transitions:
        chosen = shown[torch.randint(len(shown), (size,))]
        return Transitions(chosen // 4, torch.zeros(size, 0), chosen % 4, torch.zeros(size, dtype=torch.bool))

    model = kind(ObservationEncoder(Discrete(4)), Discrete(2), lambda inputs, outputs: mlp(inputs, outputs, (32,)))
    learner = DiscriminatorLearner(
        model, AdversarialLoss(0.5), log_d, expert_mass=expert_mass, gamma=GAMMA, learning_rate=0.02, batch_size=4096,
        updates=200,
    )  # fmt: skip
    ended = (torch.arange(40) < terminations).reshape(10, 4)
    lead = (10, 4)
    rollout = Rollout(
        (taken // 4).reshape(lead),
        torch.zeros(lead, dtype=torch.int64),
        (taken % 4).reshape(lead),
        ended,
        torch.zeros_like(ended),
    )
    learner.update(draw, rollout)
    return model


@pytest.mark.parametrize(
    ("expert_mass", "terminations", "policy_mass"),
    [
        (0.0, 0, 0.0),
        (0.0, 12, 0.75),  # 12 / (1 - 0.9) = 120: the policy's 40 steps are a quarter of its occupancy
        (0.6, 4, 0.5),  # 40 / (40 + 40)
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_it_recovers_the_experts_share_of_the_occupancy_of_what_it_sees(
    kind: type[Discriminator], expert_mass: float, terminations: int, policy_mass: float
) -> None:
    """kappa z + sigmoid(-z) is (1 - m_E) p_E of the sum of both sides, of every state, or of every two."""
    model = tabular(kind, expert_mass, terminations)
    ours, theirs = (1 - expert_mass) * EXPERT, (1 - policy_mass) * POLICY
    pairs = torch.arange(16)
    steps = Transitions(pairs // 4, torch.zeros(16, 0), pairs % 4, torch.zeros(16, dtype=torch.bool))
    z = model(steps).detach()
    if kind is StateDiscriminator:
        ours, theirs = (counts.sum(1, keepdim=True).expand(4, 4) for counts in (ours, theirs))
    found, share, known = (
        0.5 * z + torch.sigmoid(-z),
        (ours / (ours + theirs)).flatten(),
        (EXPERT + POLICY).flatten() > 0,
    )
    torch.testing.assert_close(found[known], share[known], rtol=0, atol=0.05)


class Further(Discriminator):
    """z = s' - s, of observations that the encoder leaves as they are."""

    sees_actions = False

    def __init__(self) -> None:
        encoder = ObservationEncoder(Box(-10, 10, (1,)))
        encoder.update(torch.tensor([[-1.0], [1.0]]))  # mean 0, deviation 1
        super().__init__(encoder, Discrete(2))
        self.scale = nn.Parameter(torch.ones(()))

    def logits(self, encoded: Transitions) -> Tensor:
        return self.scale * (encoded.next_obs - encoded.obs).squeeze(-1)


def test_rewards_are_counted_from_the_absorbing_states_also_where_an_episode_ends() -> None:
    """Two steps that go 1 and 3 further, the second into a terminal state; then one that a time limit cut off. Masses
    are 1/2, the expert's, and 10 / (10 + 3): one of three steps terminated, and counts for 1 / (1 - 0.9)."""
    obs, following = torch.tensor([[0.0], [1.0], [-2.0]]), torch.tensor([[1.0], [4.0], [-4.0]])
    terminated, truncated = (
        torch.tensor(flags).unsqueeze(-1) for flags in ([False, True, False], [False, False, True])
    )
    rollout = Rollout(obs[:, None], torch.zeros(3, 1, dtype=torch.int64), following[:, None], terminated, truncated)
    learner = DiscriminatorLearner(
        Further(), AdversarialLoss(0.5), log_d, expert_mass=0.5, gamma=GAMMA, learning_rate=0.0, updates=1, batch_size=4
    )
    learner.update(lambda size: rollout.transitions()[torch.zeros(size, dtype=torch.int64)], rollout)
    mass = 10 / 13 if learner.policy_mass is None else learner.policy_mass
    assert mass == pytest.approx(10 / (10 + 3))
    u_abs = float(log_d(torch.tensor(penalised_optimal_logit(0.5 / (0.5 + mass), 0.5))))
    expected = log_d(torch.tensor([[1.0], [3.0], [-2.0]])) - u_abs
    torch.testing.assert_close(learner.rewards(rollout), expected)


def test_endings_are_judged_where_the_expert_did_nothing_that_is_known() -> None:
    """And runs that kept what the policy did there, as they once did, go on."""
    expert = Transitions(torch.zeros(3, 1), torch.zeros(3, 0), torch.ones(3, 1), torch.ones(3, dtype=torch.bool))
    like = Further()
    judge = EndingJudge.of(like, AdversarialLoss(), expert, updates=2, worth=5.0)
    lead = (4, 1)
    rollout = Rollout(
        torch.zeros(*lead, 1), torch.zeros(lead, dtype=torch.int64), -torch.ones(*lead, 1), torch.ones(lead).bool(),
        torch.zeros(lead).bool(),
    )  # fmt: skip
    judge.update(rollout, 0.5, 0.5)
    rewards = judge.rewards(rollout.transitions(), log_d, -1.0)
    z = judge.discriminator(Transitions(*[-torch.ones(4, 1)] * 3, torch.ones(4).bool()))
    torch.testing.assert_close(rewards, 5.0 * (log_d(z.detach()) + 1.0))
    state = judge.state_dict()
    state["policy"] = {**state["policy"], "act": torch.zeros(4, dtype=torch.int64), "next_obs": -torch.ones(4, 1)}
    require_form(state, judge.state_dict())
    judge.load_state_dict(state)
    judge.update(rollout, 0.5, 0.5)
    assert len(judge.policy) == 8


def test_the_gradient_penalty_is_on_the_slope_along_both_states() -> None:
    """z = 2 (s' - s) has the slope sqrt(2^2 + 2^2), 1.83 above 1."""
    model = Further()
    model.scale.data.fill_(2.0)
    steps = Transitions(torch.zeros(5, 1), torch.zeros(5, 0), torch.ones(5, 1), torch.zeros(5, dtype=torch.bool))
    encoded = model.encode(steps)
    plain, penalised = AdversarialLoss(), with_gradient_penalty(AdversarialLoss(), 3.0)
    added = penalised(model, encoded, encoded) - plain(model, encoded, encoded)
    assert added.item() == pytest.approx(3.0 * (8**0.5 - 1) ** 2, rel=1e-4)
