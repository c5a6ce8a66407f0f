"""Objectives of the policy: functions of log-probabilities and advantages, each (B,), to a scalar to be maximised."""

import torch
from torch import Tensor

from gailkit.ranks.merging import deviation, moments


def importance_weighted(log_prob: Tensor, old_log_prob: Tensor, advantages: Tensor) -> Tensor:
    """J(theta) = mean r A with r = p / p_old, an estimate from actions of the old policy.

    At theta = theta_old its gradient is the policy gradient, mean A grad ln p, as grad p = p grad ln p.
    Kakade & Langford 2002; Schulman et al. 2015 (TRPO), equation 14.
    """
    return ((log_prob - old_log_prob).exp() * advantages).mean()


def clipped_surrogate(log_prob: Tensor, old_log_prob: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """mean min(r A, clip(r, 1 - eps, 1 + eps) A) with r = p / p_old. Schulman et al. 2017 (PPO), equation 7."""
    ratio = (log_prob - old_log_prob).exp()
    return torch.minimum(ratio * advantages, ratio.clamp(1.0 - clip, 1.0 + clip) * advantages).mean()


def clip_fraction(log_prob: Tensor, old_log_prob: Tensor, clip: float) -> Tensor:
    """Share in [0, 1] of the actions whose probability ratio lies beyond the clip."""
    return (((log_prob - old_log_prob).exp() - 1.0).abs() > clip).float().mean()


def standardized(advantages: Tensor, least_deviation: float = 0.0) -> Tensor:
    """Advantages with mean 0, divided by their standard deviation or by ``least_deviation`` where that is more.

    Without a least deviation small differences are blown up to the size of large ones, noise included. All zero where
    the advantages do not differ. Mean and deviation are of the advantages of all ranks.
    """
    wide = advantages.double()  # in float32 the mean of equal numbers differs from them
    centered = wide - moments(wide)[1]
    return (centered / (deviation(centered) + 1e-8).clamp(min=least_deviation)).to(advantages.dtype)
