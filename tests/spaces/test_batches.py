"""One element or a batch: told apart by shape, and nothing passes that a network could not take."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError
from gailkit.spaces import as_batch

PLANE = Box(-np.inf, np.inf, (2,))
GRID = Box(-1, 1, (2, 3))
NUMBER = Box(-1, 1, ())
LATE = Discrete(3, start=5)
PIXELS = Box(0, 255, (2, 2), np.uint8)


@pytest.mark.parametrize(
    ("space", "one"),
    [
        (PLANE, [0.5, 2]),
        (PLANE, torch.tensor([0.5, 2.0])),
        (GRID, np.arange(6.0).reshape(2, 3)),
        (NUMBER, 0.25),
        (LATE, 6),
        (LATE, np.float64(6.0)),
        (PIXELS, [[0, 1], [2, 255]]),
    ],
)
def test_one_element_is_a_batch_of_one_and_several_are_several(space: Space[Any], one: Any) -> None:
    dtype = np.int64 if space is LATE else np.uint8 if space is PIXELS else np.float32
    alone, three = as_batch(space, one), as_batch(space, np.stack([np.asarray(one)] * 3))
    assert (alone.alone, three.alone) == (True, False)
    assert alone.values.dtype == three.values.dtype == dtype
    np.testing.assert_array_equal(alone.values, np.asarray(one, dtype)[np.newaxis])
    np.testing.assert_array_equal(three.values, np.stack([np.asarray(one, dtype)] * 3))


def test_none_at_all_is_a_batch_too() -> None:
    assert as_batch(PLANE, np.zeros((0, 2))).values.shape == (0, 2)


@pytest.mark.parametrize(
    ("space", "given", "said"),
    [
        (PLANE, np.zeros(3), "shape (2,), and a batch of N has shape (N, 2); found shape (3,)"),
        (PLANE, np.zeros((5, 4, 2)), "shape (2,), and a batch of N has shape (N, 2); found shape (5, 4, 2)"),
        (PLANE, 1.0, "found shape ()"),
        (GRID, np.zeros(6), "shape (2, 3), and a batch of N has shape (N, 2, 3); found shape (6,)"),
        (LATE, [[5, 6]], "shape (), and a batch of N has shape (N,); found shape (1, 2)"),
        (PLANE, [[0.0, 1.0], [2.0]], "found list, which is no array: "),
        (PLANE, {"a": 0.0}, "found dict of object; gymnasium.wrappers.FlattenObservation makes one"),
        (PLANE, ["a", "b"], "found list of <U1"),
        (PLANE, None, "found NoneType of object"),
    ],
)
def test_another_shape_is_answered_with_both_that_are_accepted(space: Space[Any], given: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        as_batch(space, given)


@pytest.mark.parametrize(
    ("space", "given", "said"),
    [
        (PLANE, [0, np.nan], "element 1 of the observation is nan; every number must be finite"),
        (PLANE, [[0, 0], [-np.inf, 0]], "element 0 of observation 1 of 2 is -inf; every number must be finite"),
        (PLANE, [1e300, 0], "element 0 of the observation is 1e+300, too large for float32; every number"),
        (GRID, np.full((2, 3), np.inf), "element (0, 0) of the observation is inf"),
        (NUMBER, np.nan, "the observation is nan"),
        (LATE, np.nan, "the observation is nan; Discrete(3, start=5) has no such element"),
        (LATE, [5, 8], "observation 1 of 2 is 8; Discrete(3, start=5) has no such element"),
        (LATE, [5.0, 5.5], "observation 1 of 2 is 5.5; Discrete"),
        (PIXELS, [[0, 0], [0, 256]], "element (1, 1) of the observation is 256; a space of uint8 has no such element"),
        (PIXELS, [[0, 0], [0.5, 0]], "element (1, 0) of the observation is 0.5; a space of uint8"),
    ],
)
def test_the_first_number_that_is_not_of_the_space_is_named(space: Space[Any], given: Any, said: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(said)):
        as_batch(space, given)
