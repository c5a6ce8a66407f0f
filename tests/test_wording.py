"""One thing and several."""

from __future__ import annotations

import pytest

from gailkit.wording import counted


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("episode",), "0 episodes"),
        (1, ("expert episode",), "1 expert episode"),
        (1200, ("step",), "1,200 steps"),
        (1, ("policy", "policies"), "1 policy"),
        (2, ("policy", "policies"), "2 policies"),
    ],
)
def test_one_is_not_several(number: int, words: tuple[str, ...], said: str) -> None:
    assert counted(number, *words) == said
