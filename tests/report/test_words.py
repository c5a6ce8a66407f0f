"""Numbers, commands and directions in words."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import numpy as np
import pytest

from gailkit.functional.resampling import Estimate
from gailkit.report.again import in_lines
from gailkit.report.maps import principal_plane
from gailkit.report.words import estimated, number, p_value, percent
from gailkit.wording import counted

Space = Callable[[str], str]


def test_a_plane_has_the_directions_of_most_variance_and_sides_that_count_alike() -> None:
    random = np.random.default_rng(0)
    wide = random.normal(size=(4000, 3)) * [0.1, 5, 2]
    plane = principal_plane(wide, wide[:40])
    assert np.abs(plane.directions) == pytest.approx(np.array([[0, 1, 0], [0, 0, 1]]), abs=0.05)
    assert plane.directions.max(axis=1) == pytest.approx([1, 1], abs=0.01)
    assert plane.shares.sum() == pytest.approx(1, abs=0.01)
    apart = principal_plane(np.full((9999, 2), [0.0, 1.0]), np.full((3, 2), [0.0, 3.0]))
    assert apart.center.tolist() == [0, 2] and apart.directions[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    "command",
    [
        "gailkit evaluate run",
        f"gailkit evaluate {' '.join(f'run-{n}' for n in range(40))} --demos d",
        f"gailkit evaluate 'a -- b' --demos {'x' * 70} --report 'my file.html'",
    ],
)
def test_a_command_in_lines_is_the_same_command(command: str) -> None:
    assert shlex.split(in_lines(command).replace("\\\n", "")) == shlex.split(command)
    *continued, last = in_lines(command).splitlines()
    assert all(line.endswith(" \\") for line in continued) and not last.endswith("\\")
    assert max(map(len, (*continued, last))) <= 90


def test_what_is_no_command_is_shown_as_it_is() -> None:
    broken = f"it's {'x' * 100}"
    assert in_lines(broken) == broken


def test_numbers_have_four_digits_that_count() -> None:
    written = [number(value) for value in (430.234, 0.87123, 1234567.0, -203.86, 0.0, 1e-5, None, float("nan"), 12.0)]
    assert written == ["430.2", "0.871", "1.23e+06", "-203.9", "0", "1e-05", "\u2013", "\u2013", "12.00"]


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (Estimate(5.0, 4.0, 6.5), "5.000 [4.000, 6.500]"),
        (Estimate(500.0, 500.0, 500.0), "500.0"),  # a second and a third time would say no more
        (Estimate(0.0, 0.0, 0.0), "0"),
        (Estimate(500.0, 499.9, 500.0), "500.0 [499.9, 500.0]"),
        (None, "\u2013"),
    ],
)
def test_an_interval_is_written_where_it_has_a_width(found: Estimate | None, written: str, spaced: Space) -> None:
    assert spaced(estimated(found)) == written


def test_no_rounding_makes_never_or_always(spaced: Space) -> None:
    shares = [spaced(percent(share)) for share in (0.0, 0.001, 0.5, 0.999, 1.0, None)]
    assert shares == ["0 %", "0.1 %", "50 %", "99.9 %", "100 %", "\u2013"]
    assert [spaced(p_value(p)) for p in (0.0004, 0.002, 0.5)] == ["p < 0.001", "p = 0.002", "p = 0.5"]
    assert [counted(count, "episode") for count in (0, 1, 2000)] == ["0 episodes", "1 episode", "2,000 episodes"]
