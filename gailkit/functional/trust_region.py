"""How far a policy may move, measured by mean KL(old, new) between action distributions, and steps that keep to it."""

from collections.abc import Callable

import torch
from torch import Tensor

SMALLEST_PENALTY, GREATEST_PENALTY = 1e-4, 1e4


def adapted_penalty(beta: float, kl: float, kl_min: float, kl_max: float) -> float:
    """2 beta above the band [kl_min, kl_max], beta / 2 below it, beta within, kept inside [1e-4, 1e4].

    Schulman et al. 2017 (PPO), section 4. The bounds let beta come back soon after a time of tiny or huge steps.
    """
    factor = 2.0 if kl > kl_max else 0.5 if kl < kl_min else 1.0
    return min(max(beta * factor, SMALLEST_PENALTY), GREATEST_PENALTY)


def conjugate_gradient(
    product: Callable[[Tensor], Tensor], target: Tensor, iterations: int, tolerance: float = 1e-10
) -> Tensor:
    """x with F x = target, (P,), for a symmetric positive definite F that is only given as ``product``: v to F v.

    Stops after ``iterations`` products, once the squared residual is below ``tolerance`` times the target's, or where
    F shows no curvature.
    Hestenes & Stiefel 1952.
    """
    solution = torch.zeros_like(target)
    residual, direction = target.clone(), target.clone()
    squared = residual.dot(residual)
    enough = tolerance * float(squared)
    for _ in range(iterations):
        if float(squared) <= enough:
            break
        image = product(direction)
        curvature = direction.dot(image)
        if float(curvature) <= 0.0:  # rounding: F is singular as far as its numbers can tell
            break
        step = squared / curvature
        solution += step * direction
        residual -= step * image
        previous, squared = squared, residual.dot(residual)
        direction = residual + (squared / previous) * direction
    return solution


def longest_step(direction: Tensor, image: Tensor, max_kl: float) -> Tensor:
    """The multiple of ``direction`` (P,) at which 1/2 d^T F d, the KL to second order, is ``max_kl``.

    Schulman et al. 2015 (TRPO), appendix C: beta = sqrt(2 delta / s^T F s); ``image`` is F s.
    """
    return direction * (2.0 * max_kl / direction.dot(image)).sqrt()


def backtracking(acceptable: Callable[[float], bool], attempts: int, shrink: float = 0.5) -> float:
    """The first of 1, shrink, shrink^2, ... that is ``acceptable``, 0 if none of ``attempts`` is."""
    return next((share for share in (shrink**k for k in range(attempts)) if acceptable(share)), 0.0)
