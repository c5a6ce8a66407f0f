"""Keeping numbers within bounds where something is to be learned of them."""

from torch import Tensor


def clamp_inward(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """``values`` within [low, high], to rounding; beyond a bound only a gradient that leads back gets through.

    The gradient is that of a loss to be descended. A plain clamp has none beyond its bounds, and what once came there
    would stay for good. Hausknecht & Stone 2016, section 3 (inverting gradients), without the shrinking inside.
    """
    kept = values + (values.clamp(low, high) - values).detach()
    if kept.requires_grad:
        above, below = values > high, values < low
        kept.register_hook(lambda slope: slope.masked_fill((above & (slope < 0)) | (below & (slope > 0)), 0.0))
    return kept
