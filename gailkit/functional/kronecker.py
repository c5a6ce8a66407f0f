"""The Fisher information of a linear layer as a Kronecker product, and natural gradients by it (K-FAC).

A layer h = W [a; 1] has inputs a (B, I), outputs h (B, O) and the matrix W (O, J), J = I + 1 with the bias as its last
column. With g = grad_h ln p(y | x) of targets y *sampled from the model*, its block of the Fisher information is
F = E[vec(g [a; 1]^T) vec(g [a; 1]^T)^T], about A kron G with A = E[[a; 1] [a; 1]^T] and G = E[g g^T]: equal where a
and g are independent. A Kronecker product is inverted factor by factor. Martens & Grosse 2015.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gailkit.errors import DivergenceError


class KroneckerFactors(NamedTuple):
    """Two symmetric matrices, the factors of a layer's Fisher information or of its inverse.

    For W row by row, as torch flattens it, the product is G kron A; column by column, as the paper does, A kron G.
    """

    inputs: Tensor  # (J, J), A
    outputs: Tensor  # (O, O), G


def homogeneous(inputs: Tensor) -> Tensor:
    """[a; 1]: inputs (B, I) with a column of ones, (B, I + 1), which multiplies the bias."""
    return torch.cat((inputs, torch.ones_like(inputs[:, :1])), dim=-1)


def kronecker_factors(inputs: Tensor, gradients: Tensor) -> KroneckerFactors:
    """A = mean a a^T of inputs (B, J) and G = mean g g^T of gradients (B, O). Martens & Grosse 2015, equation 1."""
    count = len(inputs)
    return KroneckerFactors(inputs.T @ inputs / count, gradients.T @ gradients / count)


def averaging_weight(decay: float, count: int) -> float:
    """Weight of the newest of ``count`` observations in their exponential average without bias.

    m_k = m_{k-1} + w_k (x_k - m_{k-1}), w_k = (1 - decay) / (1 - decay^k), is (1 - decay) sum_i decay^(k-i) x_i divided
    by the sum of its weights: the bias correction of Kingma & Ba 2015 (Adam), section 3, without a second variable.
    """
    return (1.0 - decay) / (1.0 - decay**count)


def damped_inverses(factors: KroneckerFactors, damping: float) -> KroneckerFactors:
    """(A + pi sqrt(lambda) I)^-1 and (G + sqrt(lambda) / pi I)^-1, whose product approximates (A kron G + lambda I)^-1.

    pi^2 = (tr A / J) / (tr G / O) shares lambda between the factors in proportion to their sizes; 1 where one is 0.
    Martens & Grosse 2015, section 6.3. Computed in double precision, as the factors may be nearly singular.

    Raises:
        DivergenceError: if a factor is not finite, or so large that the damping is lost in its rounding.
    """
    if not all(factor.isfinite().all() for factor in factors):
        raise DivergenceError("the Fisher information of a layer became NaN or infinite")
    sizes = [float(factor.diagonal().double().mean()) for factor in factors]
    pi = math.sqrt(sizes[0] / sizes[1]) if min(sizes) > 0.0 else 1.0
    root = math.sqrt(damping)
    return KroneckerFactors(_inverse(factors.inputs, pi * root), _inverse(factors.outputs, root / pi))


def natural_gradient(gradient: Tensor, inverses: KroneckerFactors) -> Tensor:
    """G^-1 V A^-1 for a gradient V (O, J), which is (A kron G)^-1 vec(V). Martens & Grosse 2015, section 4.2."""
    return inverses.outputs @ gradient @ inverses.inputs


def quadratic_form(direction: Tensor, factors: KroneckerFactors) -> Tensor:
    """vec(V)^T (A kron G) vec(V) = tr(V^T G V A) for V (O, J), a scalar: to second order twice the KL of V."""
    return (direction * (factors.outputs @ direction @ factors.inputs)).sum()


def trust_region_step(curvature: float, max_kl: float, max_step: float) -> float:
    """eta = min(eta_max, sqrt(2 delta / d^T F d)): the KL of the step eta d, to second order, is at most delta.

    ``curvature`` is d^T F d; 0 or what rounding leaves below it gives eta_max. Wu et al. 2017 (ACKTR), section 3.2.
    """
    return min(max_step, math.sqrt(2.0 * max_kl / curvature)) if curvature > 0.0 else max_step


def _inverse(factor: Tensor, damping: float) -> Tensor:
    wide = factor.double()
    triangle, failures = torch.linalg.cholesky_ex(
        wide + damping * torch.eye(len(wide), dtype=wide.dtype, device=wide.device)
    )
    if failures != 0:
        what = "it is singular within its damping, or too large"
        raise DivergenceError(f"the Fisher information of a layer cannot be inverted: {what}")
    return torch.cholesky_inverse(triangle).to(factor.dtype)
