"""Single elements as environments give them: what is taken, and what is refused rather than changed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, Tuple

from gailkit.errors import InputError
from gailkit.spaces import from_gymnasium, to_gymnasium

PAIR = Dict({"where": Box(-1, 1, (2,)), "what": Discrete(3)})


def test_numbers_of_python_and_other_precisions_are_taken() -> None:
    values = from_gymnasium(PAIR, [{"what": 2, "where": [0.5, 1]}, {"where": np.zeros(2), "what": np.int8(1)}])
    assert values["where"].dtype == np.float32 and values["where"].tolist() == [[0.5, 1], [0, 0]]
    assert values["what"].dtype == np.int64 and values["what"].tolist() == [2, 1]


def test_no_elements_are_an_empty_array() -> None:
    assert from_gymnasium(PAIR, []).shape == (0,)
    assert from_gymnasium(Box(0, 1, (2, 3)), []).shape == (0, 2, 3)


def test_what_an_environment_does_to_its_element_does_not_reach_the_values() -> None:
    values = from_gymnasium(PAIR, [{"what": 2, "where": [0.5, 1]}])
    to_gymnasium(PAIR, values, 0)["where"][:] = 9
    assert values["where"].tolist() == [[0.5, 1]]


@pytest.mark.parametrize(
    ("space", "sample", "said"),
    [
        (PAIR, {"what": 1}, "an element must be a dict of what, where; found {'what': 1}"),
        (PAIR, {"what": 1, "where": [0, 0], "when": 3}, "an element must be a dict of what, where"),
        (PAIR, (1, [0, 0]), "an element must be a dict of what, where; found (1, [0, 0])"),
        (PAIR, {"what": 1, "where": [0, 0, 0]}, "'where' must be of the shape (2,) and float32"),
        (PAIR, {"what": 1, "where": "north"}, "'where' must be of the shape (2,) and float32"),
        (PAIR, {"what": 0.5, "where": [0, 0]}, "'what' holds numbers that int64 cannot"),
        (PAIR, {"what": np.nan, "where": [0, 0]}, "'what' holds numbers that int64 cannot"),
        (Tuple([PAIR]), (), "an element must be a tuple of 0; found ()"),
        (Tuple([PAIR]), ({},), "'0' must be a dict of what, where; found {}"),
        (Box(0, 255, (2,), np.uint8), [0, 256], "an element holds numbers that uint8 cannot"),
        (Box(0, 255, (2,), np.uint8), [0, -1], "an element holds numbers that uint8 cannot"),
    ],
)
def test_an_element_that_would_be_changed_is_refused(space: Space[Any], sample: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        from_gymnasium(space, [sample])
