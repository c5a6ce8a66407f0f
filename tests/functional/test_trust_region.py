"""Trust regions: conjugate gradient against a dense solve, steps of a known length, searches that may fail."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gailkit.functional.trust_region import adapted_penalty, backtracking, conjugate_gradient, longest_step

SEEDS = st.integers(0, 2**31)
KL_MIN, KL_MAX = 0.1, 0.3


def system(seed: int, size: int) -> tuple[Tensor, Tensor]:
    """A positive definite matrix with eigenvalues of 0.1 and more, and a vector."""
    random = torch.Generator().manual_seed(seed)
    factor = torch.randn(size, size, generator=random, dtype=torch.float64)
    vector = torch.randn(size, generator=random, dtype=torch.float64)
    return factor @ factor.T / size + 0.1 * torch.eye(size, dtype=torch.float64), vector


@given(SEEDS, st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_conjugate_gradient_finds_the_solution_of_the_dense_system(seed: int, size: int) -> None:
    matrix, target = system(seed, size)
    given_target = target.clone()
    solution = conjugate_gradient(matrix.mv, target, 3 * size, tolerance=1e-24)
    torch.testing.assert_close(solution, torch.linalg.solve(matrix, target), rtol=1e-7, atol=1e-7)
    assert torch.equal(target, given_target)


def test_every_iteration_of_conjugate_gradient_comes_closer() -> None:
    # in the norm of F; the k-th iterate is the closest point of its Krylov space
    matrix, target = system(0, 12)
    exact = torch.linalg.solve(matrix, target)
    errors = [conjugate_gradient(matrix.mv, target, k) - exact for k in range(12)]
    lengths = [float(error.dot(matrix @ error)) for error in errors]
    assert all(later < earlier for earlier, later in pairwise(lengths))


@pytest.mark.parametrize("distinct", [1, 2, 5])
def test_conjugate_gradient_needs_a_product_for_each_distinct_eigenvalue_and_no_more(distinct: int) -> None:
    products = []
    eigenvalues = 1.0 + torch.arange(30, dtype=torch.float64) % distinct

    def product(vector: Tensor) -> Tensor:
        products.append(vector)
        return eigenvalues * vector

    target = torch.ones(30, dtype=torch.float64)
    torch.testing.assert_close(conjugate_gradient(product, target, 30), target / eigenvalues)
    assert len(products) == distinct


def test_nothing_to_solve_needs_no_product() -> None:
    def product(vector: Tensor) -> Tensor:
        raise AssertionError("nobody needed this")

    assert torch.equal(conjugate_gradient(product, torch.zeros(4), 10), torch.zeros(4))
    assert torch.equal(conjugate_gradient(product, torch.ones(4), 0), torch.zeros(4))


@given(SEEDS, st.floats(1e-6, 10.0))
@settings(max_examples=30, deadline=None)
def test_the_longest_step_goes_as_far_as_is_allowed_in_its_direction(seed: int, max_kl: float) -> None:
    matrix, direction = system(seed, 6)
    step = longest_step(direction, matrix @ direction, max_kl)
    assert float(step.dot(matrix @ step)) / 2 == pytest.approx(max_kl)
    assert float(torch.cosine_similarity(step, direction, 0)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("limit", "attempts", "expected", "tried"),
    [
        (2.0, 5, 1.0, [1.0]),
        (0.3, 5, 0.25, [1.0, 0.5, 0.25]),
        (0.3, 3, 0.25, [1.0, 0.5, 0.25]),
        (0.3, 2, 0.0, [1.0, 0.5]),
        (2.0, 0, 0.0, []),
    ],
)
def test_backtracking_takes_the_first_share_that_will_do(
    limit: float, attempts: int, expected: float, tried: list[float]
) -> None:
    asked: list[float] = []

    def acceptable(share: float) -> bool:
        asked.append(share)
        return share <= limit

    assert backtracking(acceptable, attempts) == expected
    assert asked == tried


def test_backtracking_shrinks_by_as_much_as_it_is_told() -> None:
    assert backtracking(lambda share: share < 0.05, 10, shrink=0.1) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("kl", "expected"), [(0.05, 1.5), (KL_MIN, 3.0), (0.2, 3.0), (KL_MAX, 3.0), (0.31, 6.0), (float("inf"), 6.0)]
)
def test_a_penalty_doubles_above_its_band_and_halves_below(kl: float, expected: float) -> None:
    assert adapted_penalty(3.0, kl, KL_MIN, KL_MAX) == expected


@given(st.floats(1e-4, 1e4), st.lists(st.sampled_from([0.0, 0.2, 1.0])))
def test_a_penalty_stays_between_its_bounds_and_comes_back_at_once(beta: float, kls: list[float]) -> None:
    for kl in kls + [1.0] * 30:
        beta = adapted_penalty(beta, kl, KL_MIN, KL_MAX)
        assert 1e-4 <= beta <= 1e4
    assert adapted_penalty(beta, 0.0, KL_MIN, KL_MAX) == 5e3
    for _ in range(30):
        beta = adapted_penalty(beta, 0.0, KL_MIN, KL_MAX)
    assert adapted_penalty(beta, 1.0, KL_MIN, KL_MAX) == 2e-4
