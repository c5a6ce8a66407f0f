"""Pictures moved at random, for networks that are to see the same wherever it lies."""

from __future__ import annotations

import torch
from torch import Tensor


def random_shift(pictures: Tensor, most: int, runs: Tensor | None = None) -> Tensor:
    """Pictures (B, C, H, W), each moved by up to ``most`` pixels in both directions, its edge repeated where it left.

    ``runs`` (S,) int64 are the lengths of runs of pictures, one behind the other, of which all move alike.
    Yarats et al. 2021 (DrQ), section 3.1: a padding by the edge, and a random part of the former size.
    """
    if most < 1:
        return pictures
    count, channels, height, width = pictures.shape
    moves = torch.randint(-most, most + 1, (2, count if runs is None else len(runs), 1), device=pictures.device)
    down, right = moves if runs is None else moves.repeat_interleave(runs, 1)
    rows = (torch.arange(height, device=pictures.device) + down).clamp(0, height - 1)
    columns = (torch.arange(width, device=pictures.device) + right).clamp(0, width - 1)
    pixels = (rows[:, :, None] * width + columns[:, None, :]).reshape(count, 1, height * width)
    return pictures.flatten(2).gather(2, pixels.expand(count, channels, height * width)).reshape(pictures.shape)
