"""The value function in moving units, and the policy in the units of the action space."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import nn

from gailkit.errors import InputError
from gailkit.networks.actor_critic import ActorCritic, Critic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.heads import LOG_STD_RANGE, bounded_log_std

OBSERVATIONS = Box(-1, 1, (3,))
UNEVEN = Box(np.array([-2, 0, -np.inf, 0], np.float32), np.array([2, 10, np.inf, np.inf], np.float32))
FLAT = Box(np.zeros(2, np.float32), np.array([0, 1], np.float32))
HEADS = [{"std": std, "bounds": bounds} for std in ("free", "state") for bounds in ("clip", "tanh")]
every_head = pytest.mark.parametrize("head", HEADS, ids=lambda head: "-".join(head.values()))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def actor_critic(action_space: Space[object], initial_log_std: float = 0.0, **head: str) -> ActorCritic:
    """An untrained one whose encoder has seen standard normal observations."""
    encoder = ObservationEncoder(OBSERVATIONS)
    encoder.update(torch.randn(100, 3))
    return ActorCritic(encoder, action_space, (16,), initial_log_std, **head)


@pytest.mark.parametrize(("place", "spread"), [(0.0, 1.0), (-70.0, 5.0), (0.0, 1e-2), (3000.0, 800.0)])
def test_new_targets_of_any_size_leave_every_value_as_it_was(place: float, spread: float) -> None:
    critic = Critic(3, (16,))
    features = torch.randn(50, 3)
    critic.normalize_targets(4 + 3 * torch.randn(100))
    before = critic(features)
    for change in (1.0, -0.5, 2.0):
        critic.normalize_targets(change * (place + spread * torch.randn(8, 16)))
        torch.testing.assert_close(critic(features), before, rtol=1e-4, atol=1e-4 * max(spread, 1.0))
    assert before.std() > 0.1


@pytest.mark.parametrize(("place", "spread"), [(0.0, 1.0), (-70.0, 5.0), (0.0, 1e-2), (3000.0, 800.0)])
def test_the_first_targets_are_normalised_to_mean_0_and_variance_1(place: float, spread: float) -> None:
    normalized = Critic(3, (16,)).normalize_targets(place + spread * torch.randn(32, 16))
    assert normalized.shape == (32, 16)
    assert normalized.mean().item() == pytest.approx(0.0, abs=1e-3)
    assert normalized.std(correction=0).item() == pytest.approx(1.0, abs=1e-3)


def test_the_statistics_of_the_targets_by_hand() -> None:
    critic = Critic(1, (4,), step=0.4)
    assert critic.normalize_targets(torch.tensor([0.0, 2.0])).tolist() == [-1.0, 1.0]  # mean 1, mean square 2
    # the second of two counts 1/2: mean (1 + 4) / 2, mean square (2 + 16) / 2
    critic.normalize_targets(torch.tensor([4.0, 4.0]))
    assert critic.mean.item() == 2.5
    assert critic.deviation.item() == pytest.approx((9 - 2.5**2) ** 0.5)
    # the third counts 0.4, more than 1/3: mean 0.6 * 2.5, mean square 0.6 * 9
    critic.normalize_targets(torch.zeros(3))
    assert critic.mean.item() == pytest.approx(1.5)
    assert critic.deviation.item() == pytest.approx((5.4 - 1.5**2) ** 0.5)


def test_a_value_equals_its_target_exactly_where_both_are_equal_in_normalised_units() -> None:
    critic = Critic(3, (16,))
    critic.normalize_targets(50 + 7 * torch.randn(100))
    features = torch.randn(20, 3)
    as_targets = (critic(features) - critic.mean) / critic.deviation
    torch.testing.assert_close(critic.normalized(features), as_targets, rtol=1e-4, atol=1e-5)


def test_equal_targets_do_not_divide_by_zero() -> None:
    critic = Critic(3, (16,))
    features = torch.randn(5, 3)
    before = critic(features)
    assert torch.isfinite(critic.normalize_targets(torch.zeros(10))).all()
    torch.testing.assert_close(critic(features), before, rtol=1e-3, atol=1e-3)


def test_a_stored_critic_keeps_its_units() -> None:
    original, restored = Critic(3, (16,)), Critic(3, (16,))
    original.normalize_targets(50 + 7 * torch.randn(100))
    restored.load_state_dict(original.state_dict())
    features, targets = torch.randn(5, 3), torch.randn(10)
    assert torch.equal(restored(features), original(features))
    assert torch.equal(restored.normalize_targets(targets), original.normalize_targets(targets))


def silenced(model: ActorCritic) -> ActorCritic:
    """The same with a policy network that puts out 0 everywhere."""
    last = model.policy[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    return model


def test_a_policy_that_puts_out_0_takes_the_center_of_the_box_and_half_its_width_as_deviation() -> None:
    distribution = silenced(actor_critic(UNEVEN))(torch.randn(5, 3))
    assert distribution.mode().tolist() == [[0, 5, 0, 0]] * 5  # [-2, 2], [0, 10]; not bounded on both sides: untouched
    torch.testing.assert_close(distribution.log_std.exp(), torch.tensor([2.0, 5.0, 1.0, 1.0]))


def test_an_output_of_1_is_the_upper_bound_and_of_minus_1_the_lower() -> None:
    model = silenced(actor_critic(UNEVEN))
    for output, expected in ((1.0, [2, 10, 1, 1]), (-1.0, [-2, 0, -1, -1])):
        nn.init.constant_(model.policy[-1].bias, output)
        assert model(torch.randn(1, 3)).mode().tolist() == [expected]


def test_the_initial_deviation_is_a_share_of_half_the_width() -> None:
    distribution = actor_critic(UNEVEN, initial_log_std=-1.0)(torch.randn(1, 3))
    torch.testing.assert_close(distribution.log_std, torch.tensor([2.0, 5.0, 1.0, 1.0]).log() - 1)


@every_head
@pytest.mark.parametrize("shape", [(), (1,), (2, 2)], ids=str)
def test_actions_have_the_shape_of_their_space(shape: tuple[int, ...], head: Mapping[str, str]) -> None:
    distribution = actor_critic(Box(-1, 1, shape), **head)(torch.randn(5, 3))
    assert distribution.sample().shape == distribution.mode().shape == (5, *shape)
    assert distribution.log_prob(distribution.sample()).shape == distribution.entropy().shape == (5,)
    assert [parameter.shape for parameter in distribution.parameters()] == [(5, *shape)] * 2
    assert distribution[torch.tensor([3, 1])].sample().shape == (2, *shape)


def test_discrete_actions_are_numbered_from_the_start_of_their_space() -> None:
    model = actor_critic(Discrete(3, start=-1))
    actions = model(torch.randn(300, 3)).sample()
    assert set(actions.tolist()) == {-1, 0, 1}
    nn.init.constant_(silenced(model).policy[-1].bias[2:], 9.0)
    assert model(torch.randn(4, 3)).mode().tolist() == [1] * 4


def test_an_untrained_policy_is_nearly_uniform() -> None:
    probabilities = actor_critic(Discrete(4))(torch.randn(50, 3)).logits.softmax(-1)
    assert (probabilities - 0.25).abs().max() < 0.02


@pytest.mark.parametrize(
    ("action_space", "head"), [(Discrete(3), {}), *((Box(-1, 1, (2,)), head) for head in HEADS)], ids=str
)
def test_the_policy_depends_on_all_of_its_parameters_and_on_no_others(
    action_space: Space[object], head: Mapping[str, str]
) -> None:
    model = actor_critic(action_space, **head)
    obs = torch.randn(10, 3)
    distribution = model(obs)
    gradients = torch.autograd.grad(
        distribution.log_prob(distribution.sample()).sum(), list(model.parameters()), allow_unused=True
    )
    reached = [parameter for parameter, g in zip(model.parameters(), gradients, strict=True) if g is not None]
    assert {id(p) for p in reached} == {id(p) for p in model.policy_parameters()}
    values = torch.autograd.grad(
        model.critic(model.encoder(obs)).sum(), list(model.policy_parameters()), allow_unused=True
    )
    assert all(g is None for g in values)


def test_the_policy_sees_observations_as_its_encoder_does() -> None:
    model = actor_critic(Discrete(3))
    obs = torch.randn(10, 3)
    assert torch.equal(model(obs).logits, model.distribution(model.encoder(obs)).logits)
    unseen = model(obs).logits
    model.encoder.update(100 + torch.randn(1000, 3))
    assert not torch.allclose(model(obs).logits, unseen)


BOUNDED = Box(np.array([-2, 0], np.float32), np.array([2, 10], np.float32))


@pytest.mark.parametrize("bounds", ["clip", "tanh"])
def test_a_deviation_of_the_state_starts_the_same_in_every_state_and_parts_with_training(bounds: str) -> None:
    model = actor_critic(BOUNDED, -0.7, std="state", bounds=bounds)
    free = actor_critic(BOUNDED, -0.7, bounds=bounds)
    obs = torch.randn(20, 3)
    torch.testing.assert_close(model(obs).parameters()[1], free(obs).parameters()[1])
    optimizer = torch.optim.SGD(model.policy_parameters(), 0.1)
    (-model(obs).log_prob(model(obs).sample()).mean()).backward()
    optimizer.step()
    assert (model(obs).parameters()[1].std(0) > 1e-4).all()


def test_each_half_of_the_outputs_has_its_meaning() -> None:
    model = silenced(actor_critic(BOUNDED, std="state"))
    model.policy[-1].bias.data = torch.tensor([0.5, -0.5, 3.0, -3.0])
    mean, log_std = model(torch.randn(1, 3)).parameters()
    assert mean.tolist() == [[1.0, 2.5]]  # half the way from the center to a bound
    half_widths = torch.tensor([2.0, 5.0])
    torch.testing.assert_close(log_std[0], bounded_log_std(torch.tensor([3.0, -3.0]), 0.0) + half_widths.log())


@pytest.mark.parametrize("initial", [-4.9, -1.5, 0.0, 1.9])
def test_log_deviations_start_where_told_and_stay_in_their_range_without_a_dead_end(initial: float) -> None:
    outputs = torch.linspace(-8, 8, 101, dtype=torch.float64, requires_grad=True)
    log_stds = bounded_log_std(outputs, initial)
    (slopes,) = torch.autograd.grad(log_stds.sum(), outputs)
    assert bounded_log_std(torch.zeros(()), initial).item() == pytest.approx(initial, abs=1e-5)
    assert ((LOG_STD_RANGE[0] < log_stds) & (log_stds < LOG_STD_RANGE[1])).all()
    assert ((slopes > 0) & (slopes <= 1)).all()


def test_a_squashed_policy_keeps_to_the_box_and_puts_0_at_its_center() -> None:
    model = silenced(actor_critic(BOUNDED, 2.0, bounds="tanh"))
    distribution = model(torch.randn(2000, 3))
    assert distribution.mode()[0].tolist() == [0.0, 5.0]
    assert distribution.parameters()[1][0].tolist() == [2.0, 2.0]  # of x, which knows no width
    samples = distribution.sample().numpy()
    assert all(BOUNDED.contains(action) for action in samples)
    assert (samples.min(0) < [-1.9, 0.1]).all() and (samples.max(0) > [1.9, 9.9]).all()


@pytest.mark.parametrize(
    ("action_space", "head", "message"),
    [
        (Discrete(3), {"std": "state"}, r"std 'state' is for Box actions; found Discrete\(3\).*'free'"),
        (Discrete(3), {"bounds": "tanh"}, r"bounds 'tanh' is for Box actions; found Discrete\(3\).*'clip'"),
        (BOUNDED, {"std": "both"}, "std must be free or state; found 'both'"),
        (Discrete(3), {"std": "both"}, "std must be free or state; found 'both'"),
        (BOUNDED, {"bounds": "none"}, "bounds must be clip or tanh; found 'none'"),
        (UNEVEN, {"bounds": "tanh"}, r"bounded on both sides .* in every dimension; found Box.*2 of 4 are not so"),
        (FLAT, {"bounds": "tanh"}, "has a width in every .* 1 of 2 are not .*'clip'"),
    ],
)
def test_a_policy_that_such_actions_cannot_have_is_refused(
    action_space: Space[object], head: Mapping[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        actor_critic(action_space, **head)


@pytest.mark.parametrize("initial", [-5.0, 2.0, 3.0])
def test_a_start_outside_the_range_of_a_deviation_of_the_state_is_refused(initial: float) -> None:
    with pytest.raises(InputError, match=f"between -5 and 2 for std 'state'; found {initial}"):
        actor_critic(BOUNDED, initial, std="state")
    assert actor_critic(BOUNDED, initial).log_std.tolist() == [initial] * 2


def test_the_default_policy_is_stored_under_the_names_of_older_runs() -> None:
    names = {name for name in actor_critic(BOUNDED).state_dict() if not name.startswith(("encoder.", "critic."))}
    assert names == {"log_std", "policy.0.weight", "policy.0.bias", "policy.2.weight", "policy.2.bias"}


@every_head
def test_a_stored_policy_acts_as_before(head: Mapping[str, str]) -> None:
    original, restored = actor_critic(BOUNDED, **head), actor_critic(BOUNDED, **head)
    restored.load_state_dict(original.state_dict())
    obs = torch.randn(5, 3)
    for ours, theirs in zip(restored(obs).parameters(), original(obs).parameters(), strict=True):
        assert torch.equal(ours, theirs)


@every_head
@pytest.mark.parametrize("log_std", [-1.5, 0.3])
def test_the_deviation_can_be_set_in_every_state_without_moving_the_means(
    head: Mapping[str, str], log_std: float
) -> None:
    model, obs = actor_critic(BOUNDED, **head), 3 * torch.randn(5, 3)
    for parameter in model.policy_parameters():
        parameter.data.normal_()
    (mean, _), _ = model(obs).parameters(), model.set_log_std(log_std)
    after, deviations = model(obs).parameters()
    unit = model.action_log_scale if head["bounds"] == "clip" else 0.0  # before a tanh there is none
    torch.testing.assert_close(deviations, (log_std + unit) * torch.ones_like(mean))
    assert torch.equal(after, mean)
