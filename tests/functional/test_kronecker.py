"""K-FAC: against the exact Fisher information and dense solves, where the Kronecker product is exact."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gailkit.errors import DivergenceError
from gailkit.functional.kronecker import (
    KroneckerFactors,
    averaging_weight,
    damped_inverses,
    homogeneous,
    kronecker_factors,
    natural_gradient,
    quadratic_form,
    trust_region_step,
)

SEEDS = st.integers(0, 2**31)
PROBABILITIES = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
TARGETS = torch.tensor([0, 0, 1, 2])  # each as often as PROBABILITIES say


def positive_definite(size: int, random: torch.Generator, least: float = 0.1) -> Tensor:
    root = torch.randn(size, size, generator=random, dtype=torch.float64)
    return root @ root.T / size + least * torch.eye(size, dtype=torch.float64)


def layer(seed: int, outputs: int = 3, columns: int = 4) -> tuple[KroneckerFactors, Tensor]:
    """Factors and a gradient of a layer."""
    random = torch.Generator().manual_seed(seed)
    factors = KroneckerFactors(positive_definite(columns, random), positive_definite(outputs, random))
    return factors, torch.randn(outputs, columns, generator=random, dtype=torch.float64)


def dense(factors: KroneckerFactors) -> Tensor:
    """The Fisher information of W flattened row by row."""
    return torch.kron(factors.outputs, factors.inputs)


def identity(factor: Tensor) -> Tensor:
    return torch.eye(len(factor), dtype=factor.dtype)


def softmax_layer() -> tuple[Tensor, Tensor]:
    """Inputs (3,) with the 1 of the bias, and a W (3, 3) that gives them PROBABILITIES."""
    inputs = torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64)
    return inputs, torch.outer(PROBABILITIES.log(), inputs) / inputs.dot(inputs)


def kl_of_moving(weight: Tensor) -> Tensor:
    inputs, _ = softmax_layer()
    return (PROBABILITIES * (PROBABILITIES.log() - (weight @ inputs).log_softmax(0))).sum()


def softmax_factors() -> KroneckerFactors:
    """From gradients of ln p(y) in the layer's outputs, onehot(y) - p, at targets as frequent as the model has them."""
    inputs, _ = softmax_layer()
    gradients = torch.eye(3, dtype=torch.float64)[TARGETS] - PROBABILITIES
    return kronecker_factors(inputs.expand(len(TARGETS), 3), gradients)


def test_the_bias_is_the_weight_of_a_last_input_of_one() -> None:
    linear = torch.nn.Linear(4, 2)
    inputs = torch.randn(5, 4)
    weight = torch.cat((linear.weight, linear.bias.unsqueeze(1)), dim=1)
    torch.testing.assert_close(homogeneous(inputs) @ weight.T, linear(inputs))


def test_for_one_input_the_product_is_the_exact_fisher_information_of_a_softmax_layer() -> None:
    # which is the Hessian of KL(old, new), by double differentiation
    _, weight = softmax_layer()
    hessian = torch.autograd.functional.hessian(kl_of_moving, weight).reshape(9, 9)
    torch.testing.assert_close(dense(softmax_factors()), hessian)


def test_for_independent_inputs_and_gradients_the_product_is_exact_and_for_dependent_ones_it_is_not() -> None:
    torch.manual_seed(0)
    inputs, gradients = torch.randn(6, 4, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)

    def exact(inputs: Tensor, gradients: Tensor) -> Tensor:
        rows = torch.einsum("bo,bj->boj", gradients, inputs).flatten(1)
        return rows.T @ rows / len(rows)

    every = inputs.repeat_interleave(5, 0), gradients.repeat(6, 1)  # every input with every gradient
    torch.testing.assert_close(dense(kronecker_factors(*every)), exact(*every))
    paired = inputs[:5], gradients
    assert not torch.allclose(dense(kronecker_factors(*paired)), exact(*paired), rtol=0.1)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20), st.floats(0, 0.999))
def test_an_exponential_average_weighs_the_past_by_powers_of_its_decay(values: list[float], decay: float) -> None:
    average = 123.0  # what it was before the first observation must not matter
    for count, value in enumerate(values, start=1):
        average += averaging_weight(decay, count) * (value - average)
    weights = [decay**age for age in reversed(range(len(values)))]
    expected = sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)
    assert average == pytest.approx(expected, abs=1e-9)


@given(SEEDS, st.floats(-4, 2).map(lambda exponent: 10.0**exponent))
@settings(max_examples=30, deadline=None)
def test_the_natural_gradient_is_that_of_a_dense_solve_with_factored_damping(seed: int, damping: float) -> None:
    factors, gradient = layer(seed)
    inputs, outputs = factors
    pi = ((inputs.trace() / 4) / (outputs.trace() / 3)).sqrt()
    shared = torch.kron(
        outputs + math.sqrt(damping) / pi * identity(outputs), inputs + pi * math.sqrt(damping) * identity(inputs)
    )
    expected = torch.linalg.solve(shared, gradient.flatten()).view(3, 4)
    torch.testing.assert_close(natural_gradient(gradient, damped_inverses(factors, damping)), expected)


def test_without_damping_it_solves_the_fisher_information_and_with_much_it_is_the_gradient() -> None:
    factors, gradient = layer(0)
    exact = torch.linalg.solve(dense(factors), gradient.flatten()).view(3, 4)
    torch.testing.assert_close(natural_gradient(gradient, damped_inverses(factors, 0.0)), exact)
    much = natural_gradient(gradient, damped_inverses(factors, 1e12))
    torch.testing.assert_close(1e12 * much, gradient, rtol=1e-4, atol=1e-4)


def test_moving_a_scale_from_one_factor_to_the_other_changes_nothing() -> None:
    # A kron G is the same product; pi follows the traces
    factors, gradient = layer(1)
    scaled = KroneckerFactors(1e4 * factors.inputs, 1e-4 * factors.outputs)
    expected = natural_gradient(gradient, damped_inverses(factors, 0.01))
    torch.testing.assert_close(natural_gradient(gradient, damped_inverses(scaled, 0.01)), expected)


@pytest.mark.parametrize("nothing", [0, 1], ids=["inputs", "outputs"])
def test_where_a_factor_is_zero_the_other_one_is_damped_by_the_root(nothing: int) -> None:
    factors, _ = layer(2)
    factors[nothing].zero_()
    inverses = damped_inverses(factors, 0.04)
    torch.testing.assert_close(inverses[nothing], identity(factors[nothing]) / 0.2)
    other = factors[1 - nothing]
    torch.testing.assert_close(inverses[1 - nothing] @ (other + 0.2 * identity(other)), identity(other))


def test_a_factor_of_few_samples_is_inverted_although_it_is_singular() -> None:
    torch.manual_seed(0)
    factors = kronecker_factors(100 * torch.randn(2, 40), torch.randn(2, 30) / 100)  # float32, rank 2
    for inverse, wide in zip(
        damped_inverses(factors, 1e-4),
        damped_inverses(KroneckerFactors(*(factor.double() for factor in factors)), 1e-4),
        strict=True,
    ):
        assert inverse.dtype == torch.float32
        torch.testing.assert_close(inverse, wide.float())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_factor_that_is_not_finite_is_a_divergence(value: float) -> None:
    factors, _ = layer(3)
    factors.outputs[1, 1] = value
    with pytest.raises(DivergenceError, match="NaN or infinite"):
        damped_inverses(factors, 0.01)


def test_a_factor_in_whose_rounding_the_damping_is_lost_is_a_divergence() -> None:
    factors, _ = layer(3)
    huge = 1e20 * torch.tensor([[1.0, 1 / 3, 0.7]], dtype=torch.float64)
    with pytest.raises(DivergenceError, match="too large"):
        damped_inverses(KroneckerFactors(factors.inputs, huge.T @ huge), 0.01)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_quadratic_form_is_that_of_the_dense_matrix(seed: int) -> None:
    factors, direction = layer(seed)
    expected = direction.flatten() @ dense(factors) @ direction.flatten()
    torch.testing.assert_close(quadratic_form(direction, factors), expected)


@pytest.mark.parametrize("max_kl", [1e-8, 1e-6])
def test_a_step_of_the_trust_region_has_the_kl_that_is_allowed(max_kl: float) -> None:
    # to second order, so nearly so for small ones
    _, weight = softmax_layer()
    direction = torch.tensor([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    step = trust_region_step(float(quadratic_form(direction, softmax_factors())), max_kl, math.inf)
    assert float(kl_of_moving(weight + step * direction)) == pytest.approx(max_kl, rel=0.01)


def test_the_step_by_hand() -> None:
    assert trust_region_step(8.0, 0.01, 1.0) == pytest.approx(0.05)  # 1/2 0.05^2 8 = 0.01
    assert trust_region_step(8.0, 0.01, 0.02) == 0.02
    assert trust_region_step(0.0, 0.01, 0.3) == 0.3
    assert trust_region_step(-1e-12, 0.01, 0.3) == 0.3
