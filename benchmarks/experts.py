"""Experts that teach nothing, for bias controls: a method that scores under them is not imitating."""

import numpy as np


def push_left(observation: np.ndarray) -> int:
    """CartPole: always push the cart to the left."""
    return 0
