"""ACKTR: natural gradients by Kronecker factors of sampled gradients, in steps that their trust regions allow."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gailkit.errors import InputError
from gailkit.functional.kronecker import KroneckerFactors
from gailkit.functional.schedules import constant
from gailkit.generator.acktr import ACKTR
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.kronecker import KroneckerFisher
from gailkit.networks.mlp import spectral_mlp

WHOLE = {"batch_size": 128, "damping": 1e-2}  # the rollout of 16 steps in 8 environments: one step of each network
every_action_space = pytest.mark.parametrize("action_space", [Discrete(3), Box(-1, 1, (2,))], ids=str)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def values_of(module: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def identity(factor: Tensor) -> Tensor:
    return torch.eye(len(factor), dtype=factor.dtype)


def damped(factors: KroneckerFactors, damping: float) -> Tensor:
    """The Fisher information of a layer's W, row by row, with factored damping, (O J, O J), in float64."""
    inputs, outputs = factors.inputs.double(), factors.outputs.double()
    pi = (inputs.diagonal().mean() / outputs.diagonal().mean()).sqrt()
    root = damping**0.5
    return torch.kron(outputs + root / pi * identity(outputs), inputs + root * pi * identity(inputs))


def solved(fisher: KroneckerFisher, gradient: Tensor, damping: float) -> Tensor:
    """(F + damping I)^-1 g for a gradient (P,) in the order of the parameters, layer by layer with a dense solve."""
    parts = list(gradient.double().split([parameter.numel() for parameter in fisher.trained]))
    direction = []
    for layer, factors in zip(fisher.layers, fisher.factors, strict=True):
        weight, bias = parts.pop(0).view(layer.out_features, -1), parts.pop(0).view(-1, 1)
        block = torch.linalg.solve(damped(factors, damping), torch.cat((weight, bias), 1).flatten())
        block = block.view(layer.out_features, -1)
        direction += [block[:, :-1].flatten(), block[:, -1]]
    return torch.cat(direction + [part / (2.0 + damping) for part in parts])


@every_action_space
def test_an_update_of_one_minibatch_is_the_natural_gradient_of_a_dense_solve(
    action_space: Space[Any], make_actor_critic: Any, roll_out: Any, gradient_of: Any, vector_of: Any
) -> None:
    model = make_actor_critic(action_space, hidden=4)
    model.policy[-1].weight.data.normal_()
    generator = ACKTR(model, **WHOLE)
    steps = roll_out(generator)
    rewards = torch.randn(steps.shape)
    gradient, before = gradient_of(generator, steps, rewards), vector_of(generator)
    size = generator.update(steps, lambda _: rewards)["step_size"]
    expected = solved(generator.policy_fisher, gradient, WHOLE["damping"])
    moved = (vector_of(generator) - before).double()
    torch.testing.assert_close(moved, size * expected, rtol=1e-3, atol=1e-6)
    assert moved.abs().max() > 1e-3


def test_the_critic_takes_the_natural_gradient_of_its_squared_error(make_actor_critic: Any, roll_out: Any) -> None:
    generator = ACKTR(make_actor_critic(hidden=4), **WHOLE)
    critic = generator.actor_critic.critic
    steps = roll_out(generator)
    rewards = torch.randn(steps.shape)
    features = generator.actor_critic.encoder(steps.obs.flatten())
    twin = copy.deepcopy(critic)
    targets = twin.normalize_targets(rewards).flatten()  # of episodes of one step; corrects the last layer too
    loss = (twin.normalized(features) - targets).square().mean() / 2
    slopes = torch.autograd.grad(-loss, list(twin.parameters()))
    size = generator.update(steps, lambda _: rewards)["value_step_size"]
    expected = solved(generator.critic_fisher, torch.cat([slope.flatten() for slope in slopes]), WHOLE["damping"])
    moved = (values_of(critic) - values_of(twin)).double()
    torch.testing.assert_close(moved, size * expected, rtol=1e-3, atol=1e-6)
    assert moved.abs().max() > 1e-3


@every_action_space
def test_with_much_damping_the_direction_is_the_plain_policy_gradient(
    action_space: Space[Any], make_actor_critic: Any, roll_out: Any, gradient_of: Any, vector_of: Any
) -> None:
    generator = ACKTR(make_actor_critic(action_space), batch_size=128, damping=1e8, max_step=1e8)
    steps = roll_out(generator)
    rewards = torch.randn(steps.shape)
    gradient, before = gradient_of(generator, steps, rewards), vector_of(generator)
    generator.update(steps, lambda _: rewards)
    moved = vector_of(generator) - before
    torch.testing.assert_close(moved / moved.norm(), gradient / gradient.norm(), rtol=1e-2, atol=1e-3)


def test_the_factors_come_from_sampled_targets_and_not_from_the_rewards(make_actor_critic: Any, roll_out: Any) -> None:
    observed = []
    original = ACKTR(make_actor_critic())
    steps = roll_out(original)
    for scale, seed in ((1.0, 1), (-30.0, 1), (1.0, 2)):
        generator = copy.deepcopy(original)
        torch.manual_seed(seed)
        generator.update(steps, lambda steps, scale=scale: scale * (steps.act == steps.obs).float())
        observed.append(torch.cat([outputs.flatten() for _, outputs in generator.policy_fisher.factors]))
    assert torch.equal(observed[0], observed[1])
    assert not torch.equal(observed[0], observed[2])  # drawn from torch's global random generator


@given(
    st.integers(0, 2**31),
    st.floats(-4, -2).map(lambda exponent: 10.0**exponent),
    st.sampled_from([Discrete(2), Discrete(5), Box(-1, 1, (1,)), Box(0, 5, (2, 2))]),
    st.sampled_from([1, 4]),
)
@settings(max_examples=30, deadline=None)
def test_the_kl_of_an_update_stays_near_the_sum_of_its_steps(
    make_actor_critic: Any, roll_out: Any, kl_of: Any, seed: int, max_kl: float, action_space: Space[Any], pieces: int
) -> None:
    torch.manual_seed(seed)
    model = make_actor_critic(action_space)
    generator = ACKTR(model, max_kl=max_kl, batch_size=128 // pieces, max_step=100.0)
    for _ in range(3):
        steps = roll_out(generator)
        obs = steps.obs.flatten(0, 1)
        old = model(obs).detach()
        report = generator.update(steps, lambda steps: torch.randn(steps.shape))
        exact = float(kl_of(old, model(obs).detach()))
        assert report["kl"] == pytest.approx(exact, rel=1e-2, abs=1e-6)
        # k steps in one direction are k times as long, so k^2 times as far in KL, to second order
        assert exact < 1.5 * pieces**2 * max_kl
        if pieces == 1:  # several may undo each other
            assert exact > 0.3 * max_kl


def test_a_step_is_never_longer_than_the_longest(make_actor_critic: Any, roll_out: Any) -> None:
    generator = ACKTR(make_actor_critic(), max_kl=100.0, max_value_kl=100.0, max_step=0.125)
    steps = roll_out(generator)
    report = generator.update(steps, lambda steps: torch.randn(steps.shape))
    assert report["step_size"] == report["value_step_size"] == 0.125


def test_every_step_is_multiplied_by_the_schedule(make_actor_critic: Any, roll_out: Any, vector_of: Any) -> None:
    original = ACKTR(make_actor_critic(), **WHOLE)
    steps = roll_out(original)
    rewards, start = torch.randn(steps.shape), vector_of(original)
    moved = {}
    for schedule, progress in (("linear", 0.0), ("linear", 0.75), ("linear", 1.0), ("constant", 0.75)):
        generator = copy.deepcopy(original)
        generator.step_schedule = constant if schedule == "constant" else generator.step_schedule
        torch.manual_seed(1)
        generator.update(steps, lambda _: rewards, progress)
        moved[schedule, progress] = vector_of(generator) - start
    torch.testing.assert_close(moved["linear", 0.75], 0.25 * moved["linear", 0.0], rtol=1e-3, atol=1e-6)
    assert not moved["linear", 1.0].any()
    torch.testing.assert_close(moved["constant", 0.75], moved["linear", 0.0])


def test_an_update_leaves_no_hook_and_no_gradient_behind(make_actor_critic: Any, roll_out: Any) -> None:
    generator = ACKTR(make_actor_critic())
    steps = roll_out(generator)
    generator.update(steps, lambda steps: torch.randn(steps.shape))
    assert not any(module._forward_hooks for module in generator.modules())
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_what_it_reports(make_actor_critic: Any, roll_out: Any) -> None:
    generator = ACKTR(make_actor_critic())
    steps = roll_out(generator)
    report = generator.update(steps, lambda steps: torch.randn(steps.shape))
    own = {"step_size", "value_step_size"}
    assert set(report) == {"surrogate", "kl", "entropy", "value_loss", "explained_variance"} | own


def normalised_policy(model: ActorCritic) -> None:
    model.policy.insert(1, nn.LayerNorm(16))


def spectral_policy(model: ActorCritic) -> None:
    model.policy = spectral_mlp(3, 3, (16,))


def convolutional_critic(model: ActorCritic) -> None:
    model.critic.network.insert(0, nn.Conv1d(1, 1, 1))


def policy_with_a_temperature(model: ActorCritic) -> None:
    model.temperature = nn.Parameter(torch.ones(()))
    own = model.policy_parameters()
    model.policy_parameters = lambda: [*own, model.temperature]


def policy_of_nothing(model: ActorCritic) -> None:
    model.policy = nn.Sequential(nn.Tanh())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (normalised_policy, "a policy of Linear layers.*found LayerNorm"),
        (spectral_policy, "a policy of Linear layers.*found ParametrizationList"),
        (convolutional_critic, "a critic of Linear layers.*found Conv1d"),
        (policy_with_a_temperature, "a policy of Linear layers.*found parameters outside"),
        (policy_of_nothing, "a policy of Linear layers.*found no Linear layer"),
    ],
)
def test_other_networks_are_refused(
    change: Callable[[ActorCritic], None], message: str, make_actor_critic: Any
) -> None:
    model = make_actor_critic()
    change(model)
    with pytest.raises(InputError, match=message):
        ACKTR(model)


def test_modules_without_parameters_are_welcome(make_actor_critic: Any, roll_out: Any, vector_of: Any) -> None:
    model = make_actor_critic()
    model.policy.insert(2, nn.Dropout(0.0))
    generator = ACKTR(model)
    steps, before = roll_out(generator), vector_of(generator)
    generator.update(steps, lambda steps: torch.randn(steps.shape))
    assert not torch.equal(vector_of(generator), before)
