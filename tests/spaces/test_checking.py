"""What is wrong with values, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.spaces import array_dtype, misfit

CORRIDOR = Box(np.array([-1, 0], np.float32), np.array([1, np.inf], np.float32))
NEST = Dict({"in": Tuple([Discrete(3, start=1)]), "out": CORRIDOR})


def nest(number: int = 1, place: tuple[float, float] = (0, 0)) -> np.ndarray:
    return np.array([((number,), place)] * 2, array_dtype(NEST))


@pytest.mark.parametrize(
    ("space", "values", "said"),
    [
        (CORRIDOR, np.zeros((5, 2)), None),
        (CORRIDOR, np.zeros((5, 3)), "an element is float64 of shape (3,); Box([-1.  0.], [ 1. inf], (2,), float32) has"
         " real numbers of shape (2,)"),
        (CORRIDOR, np.zeros((5, 2), int), "an element is int64 of shape (2,); "),
        (CORRIDOR, np.array([[0, 0], [0.5, 9], [-3, 1]]), "an element ranges from -3.0 to 0.5 in dimension 0, where"),
        (CORRIDOR, np.array([[0, -2], [0.5, 9]]), "an element ranges from -2.0 to 9.0 in dimension 1, where "),
        (CORRIDOR, np.array([[0, np.nan]]), "an element ranges from nan to nan in dimension 1, where "),
        (Box(0, 0.7, ()), np.array([0.7]), None),  # float32 rounds 0.7 down, the bound and the value alike
        (Box(0, 255, (1,), np.uint8), np.array([[0], [255]]), None),
        (Box(0, 255, (1,), np.uint8), np.array([[0], [256]]), "an element ranges from 0 to 256, where "),
        (Box(0, 255, (1,), np.uint8), np.array([[0.0]]), "an element is float64 of shape (1,); "),
        (Discrete(3, start=1), np.array([1, 3]), None),
        (Discrete(3, start=1), np.array([1, 4]), "an element ranges from 1 to 4, where Discrete(3, start=1) allows 1"),
        (Discrete(3, start=1), np.array([0, 3]), "an element ranges from 0 to 3, where Discrete(3, start=1) allows 1"),
        (Discrete(2), np.array([0.0, 1.0]), "an element is float64 of shape (); Discrete(2) has integers of shape ()"),
        (MultiDiscrete([2, 3], start=[0, 7]), np.array([[1, 9], [0, 7]]), None),
        (MultiDiscrete([2, 3], start=[0, 7]), np.array([[1, 10]]), "an element ranges from 10 to 10 in dimension 1, "),
        (MultiBinary(2), np.array([[0, 1]]), None),
        (MultiBinary(2), np.array([[True, False]]), None),
        (MultiBinary(2), np.array([[0, 2]]), "an element ranges from 2 to 2 in dimension 1, "),
        (NEST, nest(), None),
        (NEST, nest()[:0], None),
        (NEST, nest(number=4), "'in/0' ranges from 4 to 4, where Discrete(3, start=1) allows 1 to 3"),
        (NEST, nest(place=(2, 0)), "'out' ranges from 2.0 to 2.0 in dimension 0, where "),
        (NEST, nest()["in"], "an element has the parts 0; "),
        (NEST, np.zeros((2, 3)), "an element has float64 of shape (3,); "),
        (Discrete(3), nest()["in"], "an element is [('0', '<i8')] of shape (); Discrete(3) has integers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(space: Space[Any], values: np.ndarray, said: str | None) -> None:
    found = misfit(space, values)
    if said is None:
        assert found is None
    else:
        assert found is not None and found.startswith(said)
