"""Pictures moved at random, for networks that are to see the same wherever it lies."""

from __future__ import annotations

import torch
from torch import Tensor


def random_shift(pictures: Tensor, most: int) -> Tensor:
    """Pictures (B, C, H, W), each moved by up to ``most`` pixels in both directions, its edge repeated where it left.

    Yarats et al. 2021 (DrQ), section 3.1: a padding by the edge, and a random part of the former size.
    """
    if most < 1:
        return pictures
    count, channels, height, width = pictures.shape
    down, right = torch.randint(-most, most + 1, (2, count, 1), device=pictures.device)
    rows = (torch.arange(height, device=pictures.device) + down).clamp(0, height - 1)
    columns = (torch.arange(width, device=pictures.device) + right).clamp(0, width - 1)
    moved = pictures.gather(2, rows[:, None, :, None].expand(count, channels, height, width))
    return moved.gather(3, columns[:, None, None, :].expand(count, channels, height, width))
