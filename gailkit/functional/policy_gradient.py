"""Objectives of the policy: functions of log-probabilities and advantages, each (B,), to a scalar to be maximised."""

from typing import NamedTuple

import torch
from torch import Tensor


class Surrogate(NamedTuple):
    """A surrogate objective and what it says of the step."""

    objective: Tensor  # scalar, to be maximised
    approx_kl: Tensor  # scalar, an estimate of KL(old, new)
    clip_fraction: Tensor  # scalar in [0, 1]


def clipped_surrogate(log_prob: Tensor, old_log_prob: Tensor, advantages: Tensor, clip: float) -> Surrogate:
    """mean min(r A, clip(r, 1 - eps, 1 + eps) A) with r = p / p_old. Schulman et al. 2017 (PPO), equation 7.

    The KL estimate is mean(r - 1 - ln r), never negative (Schulman 2020, "Approximating KL divergence", k3).
    """
    log_ratio = log_prob - old_log_prob
    ratio = log_ratio.exp()
    objective = torch.minimum(ratio * advantages, ratio.clamp(1.0 - clip, 1.0 + clip) * advantages).mean()
    with torch.no_grad():
        approx_kl = (ratio - 1.0 - log_ratio).mean()
        clip_fraction = ((ratio - 1.0).abs() > clip).float().mean()
    return Surrogate(objective, approx_kl, clip_fraction)


def standardized(advantages: Tensor) -> Tensor:
    """Advantages with mean 0 and standard deviation 1; all zero where they do not differ."""
    wide = advantages.double()  # in float32 the mean of equal numbers differs from them
    centered = wide - wide.mean()
    return (centered / (centered.std() + 1e-8)).to(advantages.dtype)
