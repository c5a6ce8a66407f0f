"""Terminated, truncated, or to be asked about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gailkit.demonstrations.endings import decide, doubtful
from gailkit.demonstrations.file_contents import ReadOptions


@pytest.mark.parametrize(
    "steps, stated, options, expected",
    [
        (5, True, {}, True),
        (5, False, {}, False),
        (5, None, {}, None),
        (5, None, {"ends": "terminated"}, True),
        (5, True, {"ends": "truncated"}, True),  # what the file says stands
        (5, None, {"max_episode_steps": 5}, False),
        (4, None, {"max_episode_steps": 5}, True),
        (5, True, {"max_episode_steps": 5}, False),  # a time-out stored as a termination
        (4, False, {"max_episode_steps": 5}, False),  # what the file says of a shorter one stands
        (4, False, {"max_episode_steps": 5, "ends": "terminated"}, False),
        (4, None, {"max_episode_steps": 5, "ends": "truncated"}, False),
        (5, None, {"max_episode_steps": 5, "ends": "terminated"}, False),
    ],
)
def test_a_time_limit_goes_before_what_is_stated_and_that_before_what_is_said_of_all(
    steps: int, stated: bool | None, options: dict[str, object], expected: bool | None
) -> None:
    assert decide(steps, stated, ReadOptions(**options)) is expected


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=12))
def test_only_a_termination_at_the_longest_length_that_several_share_is_doubtful(found: list[tuple[int, bool]]) -> None:
    lengths, terminated = map(list, zip(*found, strict=True))
    limit = max(lengths)
    for length, ended, said in zip(lengths, terminated, doubtful(lengths, terminated), strict=True):
        assert said is (None if ended and length == limit and lengths.count(limit) > 1 else ended)
