"""Observations that are images: which are, and what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gailkit.demonstrations.picture.marginals import Sample, even_rows

SMALLEST = 16  # pixels of a side


class Frame(NamedTuple):
    """One observation as an image."""

    episode: int
    step: int
    image: np.ndarray  # (H, W) grey or (H, W, 3), in [0, 1]


def is_image(shape: Sequence[int]) -> bool:
    """Whether an observation of ``shape`` is seen as an image: two sides, and perhaps channels, fewer than a side."""
    channels = [size for size in shape if size < SMALLEST]
    return len(shape) in (2, 3) and len(shape) - len(channels) == 2


def frames_of(sample: Sample, values: np.ndarray, count: int) -> list[Frame]:
    """At most ``count`` of the images (K, H, W), (K, H, W, C) or (K, C, H, W) in the rows of a sample.

    Of images without three channels, such as a stack of grey ones, the last channel is shown.
    """
    return [
        Frame(int(sample.episodes[row]), int(sample.steps[row]), _visible(values[row]))
        for row in even_rows(len(values), count).tolist()
    ]


def _visible(observation: np.ndarray) -> np.ndarray:
    image = observation
    if image.ndim == 3:
        image = np.moveaxis(image, int(np.argmin(image.shape)), -1)
        image = image if image.shape[-1] == 3 else image[..., -1]
    if image.dtype == np.uint8:
        return image / 255
    low, high = float(image.min()), float(image.max())
    return (image.astype(np.float64) - low) / (high - low or 1.0)
