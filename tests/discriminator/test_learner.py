"""The learner: it recovers density ratios, rewards by what it has learned, and solves the absorbing state."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from functools import partial

import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from gailkit.discriminator import (
    AdversarialLoss,
    BoxActionDiscriminator,
    CrossEntropyLoss,
    DiscreteActionDiscriminator,
    Discriminator,
    DiscriminatorLearner,
    with_gradient_penalty,
)
from gailkit.functional.absorbing import absorbing_mass, penalised_optimal_logit
from gailkit.functional.rewards import log_d, log_odds, neg_log_one_minus_d
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.types import Experience, Replayed, RewardForm, Rollout, Transitions

GAMMA = 0.9


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Identity(Discriminator):
    """z = scale * x for observations that the encoder leaves as they are."""

    def __init__(self, scale: float = 1.0) -> None:
        encoder = ObservationEncoder(Box(-10, 10, (1,)))
        encoder.update(torch.tensor([[-1.0], [1.0]]))  # mean 0, deviation 1
        super().__init__(encoder, Discrete(2))
        self.scale = nn.Parameter(torch.tensor(scale))

    def logits(self, encoded: Transitions) -> Tensor:
        return self.scale * encoded.obs.squeeze(-1)


def rollout(obs: Tensor, act: Tensor | None = None, terminations: int = 0) -> Rollout:
    """A rollout of ``obs`` (T, N, *obs) whose first ``terminations`` steps end an episode."""
    lead = obs.shape[:2]
    truncated = torch.zeros(lead, dtype=torch.bool)
    terminated = (torch.arange(truncated.numel()) < terminations).reshape(lead)
    act = torch.zeros(lead, dtype=torch.int64) if act is None else act
    return Rollout(obs, act, obs, terminated, truncated)


def expert(*observations: float) -> Callable[[int], Transitions]:
    """An expert that shows the same observations in turn."""

    def draw(size: int) -> Transitions:
        obs = torch.tensor(observations).repeat(size)[:size].unsqueeze(-1)
        return Transitions(obs, torch.zeros(size, dtype=torch.int64), obs, torch.zeros(size, dtype=torch.bool))

    return draw


def frozen(
    scale: float = 1.0, form: RewardForm = log_d, expert_mass: float = 0.0, kappa: float = 0.5
) -> DiscriminatorLearner:
    """A learner whose network stays as it is."""
    return DiscriminatorLearner(
        Identity(scale),
        AdversarialLoss(kappa),
        form,
        expert_mass=expert_mass,
        gamma=GAMMA,
        learning_rate=0.0,
        batch_size=8,
        updates=2,
    )


EXPERT_COUNTS = torch.tensor([[9, 1], [2, 8], [5, 5], [8, 2]])  # in 40 expert steps, of two actions in four states
POLICY_COUNTS = torch.tensor([[3, 7], [6, 4], [5, 5], [2, 8]])  # in 40 policy steps


def tabular(expert_mass: float, terminations: int) -> Tensor:
    """Logits (4, 2) learned on these counts, where so many of the policy's steps terminated."""
    pairs = torch.arange(8)
    shown, taken = (pairs.repeat_interleave(counts.flatten()) for counts in (EXPERT_COUNTS, POLICY_COUNTS))

    def draw(size: int) -> Transitions:
        chosen = shown[torch.randint(len(shown), (size,))]
        return Transitions(chosen // 2, chosen % 2, chosen // 2, torch.zeros(size, dtype=torch.bool))

    model = DiscreteActionDiscriminator(ObservationEncoder(Discrete(4)), Discrete(2), nn.Linear)
    learner = DiscriminatorLearner(
        model,
        AdversarialLoss(0.5),
        log_d,
        expert_mass=expert_mass,
        gamma=GAMMA,
        learning_rate=0.03,
        batch_size=4096,
        updates=150,
    )
    learner.update(draw, rollout((taken // 2).reshape(10, 4), (taken % 2).reshape(10, 4), terminations))
    return model.action_logits(torch.arange(4)).detach()


def test_it_recovers_the_experts_share_of_the_density_of_every_state_and_action() -> None:
    z = tabular(expert_mass=0.0, terminations=0)
    share = EXPERT_COUNTS / (EXPERT_COUNTS + POLICY_COUNTS)
    torch.testing.assert_close(0.5 * z + torch.sigmoid(-z), share, rtol=0, atol=0.04)


@pytest.mark.parametrize(
    ("expert_mass", "terminations", "policy_mass"),
    [
        (0.0, 12, 0.75),  # 12 / (1 - 0.9) = 120: the policy's 40 steps are a quarter of its occupancy
        (0.6, 4, 0.5),  # 40 / (40 + 40)
        (0.75, 0, 0.0),
        (0.5, 4, 0.5),  # equal masses: as without any
    ],
)
def test_ordinary_steps_count_by_the_share_of_the_occupancy_that_they_are(
    expert_mass: float, terminations: int, policy_mass: float
) -> None:
    z = tabular(expert_mass, terminations)
    ours, theirs = (1 - expert_mass) * EXPERT_COUNTS, (1 - policy_mass) * POLICY_COUNTS
    torch.testing.assert_close(0.5 * z + torch.sigmoid(-z), ours / (ours + theirs), rtol=0, atol=0.04)


class Plain:
    """A loss of somebody's own, without weights."""

    def __call__(self, discriminator: Discriminator, expert: Transitions, policy: Transitions) -> Tensor:
        return CrossEntropyLoss()(discriminator, expert, policy)

    def optimal_logit(self, share: float) -> float:
        return 0.0


def test_a_loss_that_knows_no_weights_is_descended_all_the_same() -> None:
    learner = DiscriminatorLearner(Identity(0.0), Plain(), log_d, expert_mass=0.7, gamma=GAMMA, learning_rate=0.05)
    steps = rollout(-torch.ones(8, 2, 1), terminations=1)
    losses = [learner.update(expert(1.0), steps)["loss"] for _ in range(2)]
    assert losses[1] < losses[0] < 2 * math.log(2)


class Shifted(Identity):
    """A critic whose logits are known up to a constant only."""

    def __init__(self, constant: float) -> None:
        super().__init__(2.0)
        self.constant = constant

    def logits(self, encoded: Transitions) -> Tensor:
        return super().logits(encoded) + self.constant


def gap(discriminator: Discriminator, expert: Transitions, policy: Transitions) -> Tensor:
    """Wasserstein's: it has no minimum."""
    return discriminator.logits(policy).mean() - discriminator.logits(expert).mean()


@pytest.mark.parametrize("loss", [gap, with_gradient_penalty(gap, 1.0)], ids=["plain", "penalised"])
@pytest.mark.parametrize("constant", [0.0, 100.0])
def test_a_critics_absorbing_state_lies_between_the_sides_wherever_its_constant_is(
    loss: object, constant: float
) -> None:
    """Experts at 1 and the policy at -2, logits 2 x: 2 and -4; with w = 1/2 the middle, and with 1 the expert's."""
    made = partial(DiscriminatorLearner, loss=loss, reward_form=log_odds, gamma=GAMMA, learning_rate=0.0)
    steps = rollout(torch.full((4, 2, 1), -2.0))
    told = [made(Shifted(constant), expert_mass=mass) for mass in (0.0, 0.5)]
    for learner, logit in zip(told, (-1.0, 2.0), strict=True):
        learner.update(expert(1.0), steps)
        assert learner.absorbing_reward() == pytest.approx(logit + constant, abs=1e-4)
        torch.testing.assert_close(learner.rewards(steps), torch.full((4, 2), -4.0 - logit), atol=1e-4, rtol=0)


def test_learning_tells_expert_from_policy() -> None:
    learner = DiscriminatorLearner(
        Identity(0.0), AdversarialLoss(), log_d, expert_mass=0, gamma=GAMMA, learning_rate=0.05, updates=30
    )
    steps = rollout(-torch.ones(8, 2, 1))
    first = learner.update(expert(1.0), steps)
    later = learner.update(expert(1.0), steps)
    assert later["loss"] < first["loss"]
    assert later["logit_expert"] > 0.5 > -0.5 > later["logit_policy"]
    assert later["accuracy_expert"] == later["accuracy_policy"] == 1.0


@pytest.mark.parametrize("form", [log_d, neg_log_one_minus_d, log_odds])
def test_while_nobody_terminates_a_step_that_cannot_be_told_is_rewarded_with_0(form: RewardForm) -> None:
    obs = torch.tensor([[[-2.0], [0.0]], [[1.0], [3.0]], [[0.5], [-1.0]]])  # (3, 2, 1)
    learner = frozen(form=form)
    learner.update(expert(1.0), rollout(obs))
    rewards = learner.rewards(rollout(obs))
    assert rewards.shape == (3, 2)
    torch.testing.assert_close(rewards, form(obs.squeeze(-1)) - form(torch.zeros(())))
    assert rewards[1, 1] > rewards[0, 1] == pytest.approx(0.0, abs=1e-6)


def test_rewards_come_from_the_updated_discriminator() -> None:
    learner = DiscriminatorLearner(
        Identity(0.0), AdversarialLoss(), log_odds, expert_mass=0, gamma=GAMMA, learning_rate=0.1
    )
    steps = rollout(torch.tensor([[[-1.0], [2.0]]]))
    torch.testing.assert_close(learner.rewards(steps), torch.zeros(1, 2))
    learner.update(expert(1.0), steps)
    scale = learner.discriminator.scale.item()
    assert scale > 0.1
    torch.testing.assert_close(learner.rewards(steps), torch.tensor([[-scale, 2 * scale]]))


@pytest.mark.parametrize(
    ("form", "kappa", "expert_mass", "terminations", "expected"),
    [
        # kappa z = w - sigmoid(-z). Only the expert: w = 1, so kappa z = D and ln D = ln(kappa z).
        (log_d, 0.5, 0.3, 0, math.log(0.5 * penalised_optimal_logit(1.0, 0.5))),
        (log_d, 1.0, 0.3, 0, math.log(1.0 * penalised_optimal_logit(1.0, 1.0))),
        # Only the policy: w = 0, so kappa z = -(1 - D) and -ln(1 - D) = -ln(-kappa z).
        (neg_log_one_minus_d, 0.5, 0.0, 2, -math.log(-0.5 * penalised_optimal_logit(0.0, 0.5))),
        # ... whatever the mass.
        (neg_log_one_minus_d, 0.5, 0.0, 1, -math.log(-0.5 * penalised_optimal_logit(0.0, 0.5))),
        # Both alike: z = 0. One termination in 10 steps at gamma 0.9: 10 / (10 + 10).
        (log_d, 0.5, 0.5, 1, -math.log(2)),
        (log_odds, 0.5, 0.5, 1, 0.0),
    ],
)
def test_the_absorbing_reward_in_closed_form(
    form: RewardForm, kappa: float, expert_mass: float, terminations: int, expected: float
) -> None:
    learner = frozen(form=form, expert_mass=expert_mass, kappa=kappa)
    obs = torch.linspace(-2, 2, 10).reshape(5, 2, 1)
    health = learner.update(expert(1.0), rollout(obs, terminations=terminations))
    assert learner.absorbing_reward() == pytest.approx(expected, abs=1e-6)
    assert health["absorbing_reward"] == learner.absorbing_reward()
    torch.testing.assert_close(learner.rewards(rollout(obs)), form(obs.squeeze(-1)) - expected)


def test_the_absorbing_logit_is_that_of_the_loss() -> None:
    learner = DiscriminatorLearner(
        Identity(), with_gradient_penalty(CrossEntropyLoss(), 1.0), log_odds, expert_mass=0.75, gamma=GAMMA
    )
    learner.policy_mass = 0.25
    assert learner.absorbing_reward() == pytest.approx(math.log(3))  # ln(w / (1 - w)) at w = 3/4


def test_before_the_first_rollout_only_the_expert_has_mass() -> None:
    assert frozen().absorbing_reward() == pytest.approx(math.log(0.5))
    assert frozen(expert_mass=0.3).absorbing_reward() > math.log(0.8)


def test_the_policys_mass_is_a_running_mean_that_begins_at_the_first_rollout() -> None:
    learner = frozen()
    obs = torch.zeros(5, 2, 1)
    learner.update(expert(1.0), rollout(obs, terminations=1))
    assert learner.policy_mass == pytest.approx(0.5)  # 10 / (10 + 10)
    learner.update(expert(1.0), rollout(obs))
    assert learner.policy_mass == pytest.approx(0.45)
    learner.update(expert(1.0), rollout(obs, terminations=3))
    assert learner.policy_mass == pytest.approx(0.9 * 0.45 + 0.1 * 0.75)  # 30 / (10 + 30)


def test_accuracy_is_the_share_of_each_side_that_is_told_1_being_the_expert() -> None:
    obs = torch.full((4, 2, 1), -1.0)
    learner = frozen()
    health = learner.update(expert(2.0, 1.0, -1.0, 4.0), rollout(obs))
    assert health["accuracy_expert"] == 0.75
    assert health["accuracy_policy"] == 1.0
    assert health["logit_expert"] == 1.5
    assert health["logit_policy"] == -1.0
    swapped = frozen(scale=-1.0).update(expert(2.0, 1.0, -1.0, 4.0), rollout(obs))
    assert swapped["accuracy_expert"] == 0.25
    assert swapped["accuracy_policy"] == 0.0


def test_the_loss_reported_is_that_of_the_updates() -> None:
    # all logits 0: F = -2 ln 2
    health = frozen(scale=0.0).update(expert(1.0), rollout(torch.zeros(4, 2, 1)))
    assert health["loss"] == pytest.approx(-2 * math.log(2))


def test_every_update_asks_the_expert_for_one_batch() -> None:
    asked = []

    def draw(size: int) -> Transitions:
        asked.append(size)
        return expert(1.0)(size)

    frozen().update(draw, rollout(torch.zeros(4, 2, 1)))
    assert asked == [8, 8]


def box_learner() -> DiscriminatorLearner:
    encoder = ObservationEncoder(Box(-10, 10, (1,)))
    model = BoxActionDiscriminator(encoder, Box(-1, 1, (1,)), partial(mlp, hidden=(8,)))
    return DiscriminatorLearner(
        model, with_gradient_penalty(AdversarialLoss(), 1.0), log_d, expert_mass=0.4, gamma=GAMMA, batch_size=16
    )


def test_a_stored_learner_goes_on_as_if_it_had_never_stopped() -> None:
    original, restored = box_learner(), box_learner()
    obs, act = torch.randn(10, 2, 1), torch.randn(10, 2, 1)
    steps = rollout(obs, act, terminations=2)
    original.discriminator.encoder.update(obs.flatten(0, 1))

    def draw(size: int) -> Transitions:
        o = 1 + torch.randn(size, 1)
        return Transitions(o, o / 2, o, torch.zeros(size, dtype=torch.bool))

    original.update(draw, steps)
    restored.load_state_dict(deepcopy(original.state_dict()))  # as a file would hold it: state_dict is a live view
    following = rollout(obs, act, terminations=1)
    outcomes = []
    for learner in (original, restored):
        torch.manual_seed(1)
        outcomes.append((learner.update(draw, following), learner.rewards(following), learner.policy_mass))
    assert outcomes[0][0] == outcomes[1][0]
    assert torch.equal(outcomes[0][1], outcomes[1][1])
    assert outcomes[0][2] == outcomes[1][2]


def test_rewards_carry_no_gradient() -> None:
    assert not box_learner().rewards(rollout(torch.randn(3, 2, 1), torch.randn(3, 2, 1))).requires_grad


def replayed(steps: Rollout, index: Tensor) -> Replayed:
    """The steps at ``index`` (...), of a rollout's in the order of their numbers."""
    flat = (steps.obs, steps.act, steps.next_obs, steps.terminated, steps.truncated)
    return Replayed(*(part.flatten(0, 1)[index] for part in flat), numbers=steps.numbers.flatten()[index])


@pytest.mark.parametrize("form", [log_d, log_odds])
def test_while_d_stays_as_it_is_a_replayed_step_earns_what_it_earned_when_it_was_fresh(form: RewardForm) -> None:
    learner = DiscriminatorLearner(Identity(), AdversarialLoss(), form, expert_mass=0.3, gamma=GAMMA, learning_rate=0.0)
    steps = rollout(torch.randn(6, 2, 1), terminations=3)
    learner.update(expert(1.0), steps)
    fresh, index = learner.rewards(steps).flatten(), torch.randint(12, (3, 50))
    torch.testing.assert_close(learner.rewards(replayed(steps, index)), fresh[index])


def test_what_stands_for_the_policy_is_what_it_is_shown_and_its_mass_that_of_all_it_was_drawn_from() -> None:
    """The density ratio is that to the replay, and w of the absorbing state is that of its terminations."""
    model = DiscreteActionDiscriminator(ObservationEncoder(Discrete(3)), Discrete(2), nn.Linear)
    settings = {"expert_mass": 0.5, "gamma": GAMMA, "learning_rate": 0.03, "batch_size": 4096, "updates": 150}
    learner = DiscriminatorLearner(model, AdversarialLoss(0.5), log_d, **settings)
    last = rollout(torch.zeros(1, 2, dtype=torch.int64), terminations=2)  # which alone says that every step terminates
    shares = torch.tensor([0.6, 0.2, 0.2])  # of the places in the replay; the expert is in each of three alike
    places = torch.multinomial(shares, 3000, replacement=True)
    never = torch.zeros(3000, dtype=torch.bool)
    shown = Transitions(places, torch.zeros(3000, dtype=torch.int64), places, never)
    learner.update(even, last, Experience(shown, num_steps=1000, num_terminated=10))
    assert learner.policy_mass == pytest.approx(absorbing_mass(10, 1000, GAMMA))
    where = torch.arange(3)
    with torch.no_grad():
        z = learner.discriminator(Transitions(where, where * 0, where, where > 5))
    weights = learner.weights()
    expected = weights.expert / 3 / (weights.expert / 3 + weights.policy * shares)
    torch.testing.assert_close(0.5 * z + torch.sigmoid(-z), expected, atol=0.04, rtol=0)
    assert learner.absorbing_reward() == pytest.approx(
        reward_at_the_end(0.5, absorbing_mass(10, 1000, GAMMA)), abs=1e-5
    )


def reward_at_the_end(expert_mass: float, policy_mass: float) -> float:
    """ln D of the absorbing state."""
    logit = penalised_optimal_logit(expert_mass / (expert_mass + policy_mass), 0.5)
    return -math.log1p(math.exp(-logit))


def even(size: int) -> Transitions:
    """An expert who is in each of three places alike, and does one thing."""
    places = torch.arange(size) % 3
    return Transitions(places, places * 0, places, places > 5)
