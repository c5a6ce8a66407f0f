"""Panels draw the numbers that they are given, whatever those are, and tell the sides apart without colour."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from gailkit.errors import InputError
from gailkit.report import occupancy, panels
from gailkit.report.blocks import MARKS, swatch
from gailkit.report.palette import EXPERT, POLICY, RANDOM, Side
from gailkit.report.panels import (
    MOST_MARKS,
    Interval,
    bin_edges,
    draw_choices,
    draw_cumulative,
    draw_distribution,
    draw_intervals,
    draw_marks,
)
from gailkit.report.svg import new_figure

SIDES = (EXPERT, POLICY, RANDOM)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were made, in their order."""
    figures: list[Figure] = []

    def remember(*arguments: Any) -> Figure:
        figures.append(new_figure(*arguments))
        return figures[-1]

    monkeypatch.setattr(panels, "new_figure", remember)
    monkeypatch.setattr(occupancy, "new_figure", remember)
    return figures


def test_the_sides_differ_in_stroke_and_in_mark() -> None:
    assert len({side.dashes for side in SIDES}) == len({side.mark for side in SIDES}) == len(SIDES)
    assert {side.mark for side in SIDES} == set(MARKS)
    swatches = [re.sub(r"var\(--\w+\)", "", swatch(side)) for side in SIDES]
    assert len({re.sub(r"[^<>]*</span>", "", text) for text in swatches}) == len(SIDES)


def test_a_distribution_is_of_shares_so_that_unequal_numbers_compare(drawn: list[Figure]) -> None:
    few, many = np.array([0.0, 1.0]), np.array([0.0] * 30 + [1.0] * 10)
    draw_distribution([(EXPERT, few), (POLICY, many)], "label")
    stairs = [patch for patch in drawn[0].axes[0].patches if not patch.get_fill()]
    assert [stair.get_data().values.tolist() for stair in stairs] == [[0.5, 0.5], [0.75, 0.25]]
    assert stairs[0].get_hatch() != stairs[1].get_hatch() and stairs[0].get_linestyle() != stairs[1].get_linestyle()


def test_what_lies_beside_a_spike_is_seen_on_a_scale_that_is_named(drawn: list[Figure]) -> None:
    spike = np.array([0.0] * 97 + [0.5, 0.7, 0.9])
    draw_distribution([(EXPERT, spike)], "label")
    draw_distribution([(EXPERT, np.linspace(0, 1, 100))], "label")
    rooted, plain = (figure.axes[0] for figure in drawn)
    assert (rooted.get_ylabel(), plain.get_ylabel()) == ("root scale", "")
    one, spiked = rooted.transData.transform([(0, 0.01), (0, 0.97)])[:, 1] - rooted.transData.transform((0, 0))[1]
    assert one / spiked == pytest.approx((0.01 / 0.97) ** 0.5)
    assert rooted.get_ylim()[0] == 0


def test_choices_stand_side_by_side(drawn: list[Figure]) -> None:
    draw_choices([(EXPERT, np.array([0.2, 0.8])), (POLICY, np.array([0.6, 0.4]))], "label")
    _, expert, _, policy = drawn[0].axes[0].containers
    assert [bar.get_height() for bar in expert] == [0.2, 0.8]
    assert [bar.get_height() for bar in policy] == [0.6, 0.4]
    assert all(one.get_x() + one.get_width() <= other.get_x() for one, other in zip(expert, policy, strict=True))


def test_every_episode_has_a_mark_and_every_side_its_mean(drawn: list[Figure]) -> None:
    draw_marks([(EXPERT, np.array([3.0, 1.0])), (RANDOM, np.array([0.0, 0.0, 6.0]))], "label", "return")
    marks, mean, others, other_mean = drawn[0].axes[0].lines
    assert sorted(marks.get_xdata()) == [1, 3] and list(mean.get_xdata()) == [2, 2]
    assert sorted(others.get_xdata()) == [0, 0, 6] and list(other_mean.get_xdata()) == [2, 2]
    assert len(set(others.get_ydata())) == 3, "equal values lie on top of each other"
    assert [text.get_text() for text in drawn[0].axes[0].get_yticklabels()] == ["expert", "random actions"]


def test_of_very_many_marks_the_outermost_are_among_those_shown(drawn: list[Figure]) -> None:
    draw_marks([(EXPERT, np.random.default_rng(0).permutation(np.arange(5000.0)))], "label", "return")
    shown = drawn[0].axes[0].lines[0].get_xdata()
    assert len(shown) == MOST_MARKS and {0, 4999} <= set(shown)


def test_a_cumulative_stair_is_the_empirical_distribution(drawn: list[Figure]) -> None:
    values = np.array([2.0, 1.0, 2.0, 4.0])
    draw_cumulative([(EXPERT, values), (POLICY, np.array([0.0, 5.0]))], "label", "return")
    x, y = drawn[0].axes[0].lines[0].get_data()
    stair = dict(zip(x, y, strict=True))  # the last height at each place is the one that holds
    assert stair == {0: 0, 1: 0.25, 2: 0.75, 4: 1, 5: 1}


def test_an_interval_has_its_ends_and_references_their_names(drawn: list[Figure]) -> None:
    draw_intervals([Interval("close", POLICY, 0.8, 0.7, 0.95)], "label", "unit", {"random": 0.0, "expert": 1.0})
    axes = drawn[0].axes[0]
    assert list(axes.lines[0].get_xdata()) == [0.7, 0.95]
    assert list(axes.lines[3].get_xdata()) == [0.8]
    assert [text.get_text() for text in axes.texts] == ["random", "expert"]
    assert [set(line.get_xdata()) for line in axes.lines[4:]] == [{0.0}, {1.0}]


def test_a_long_name_has_the_width_of_the_figure_above_its_interval(drawn: list[Figure]) -> None:
    names = ["Pendulum-v1-adversarial-*", "random"]
    draw_intervals([Interval(name, POLICY, 1, 0, 2) for name in names], "label", "unit")
    axes = drawn[0].axes[0]
    assert [text.get_text() for text in axes.texts] == names
    assert [text.get_position()[1] for text in axes.texts] == pytest.approx([-0.24, 0.76])
    assert {text.get_text() for text in axes.get_yticklabels()} == {""}


@pytest.mark.parametrize(
    "values, expected",
    [
        ([0, 1, 1, 3], [-0.5, 0.5, 1.5, 2.5, 3.5]),
        ([2.0, 2.0], [1.0, 5 / 3, 7 / 3, 3.0]),
        ([0.0, 0.5], np.linspace(0, 0.5, 31)),
    ],
    ids=["whole numbers", "one value", "others"],
)
def test_bins_suit_the_values(values: list[float], expected: list[float]) -> None:
    assert bin_edges([np.array(values, float)]) == pytest.approx(np.array(expected))


def test_one_far_value_does_not_squeeze_all_others_into_one_bin() -> None:
    values = np.append(np.random.default_rng(0).normal(size=5000), 1e6)
    edges = bin_edges([values])
    counts = np.histogram(values, edges)[0]
    assert counts.sum() == 5001 and counts.max() < 1000


HARD = {
    "one value": np.array([3.0]),
    "huge": np.array([1e300, -1e300]),
    "tiny": np.array([1e-300, 2e-300]),
    "far off": 1e9 + np.array([0.0, 1.0]),
    "equal": np.full(50, -7.25),
    "many": np.random.default_rng(0).standard_cauchy(20_000),
}


@pytest.mark.parametrize("values", HARD.values(), ids=HARD)
def test_hard_values_are_drawn_and_stay_light(values: np.ndarray) -> None:
    sides = [(EXPERT, values), (POLICY, values[:1]), (RANDOM, values)]
    for drawing in (
        draw_distribution(sides, "label"), draw_marks(sides, "label", "x"), draw_cumulative(sides, "label", "x"),
    ):  # fmt: skip
        assert "nan" not in drawing.source and "inf" not in drawing.source
        assert len(drawing.source) < 100_000


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf, 1.0], [[1.0, 2.0]]], ids=str)
def test_what_is_no_list_of_finite_numbers_is_refused(values: list[Any]) -> None:
    with pytest.raises(InputError, match=r"finite numbers of shape \(K,\); found .* of policy"):
        draw_distribution([(EXPERT, np.ones(3)), (POLICY, np.array(values, float))], "label")


@pytest.mark.parametrize("name", ["$\\frac$", "a\x1b[2J", "日本語", "\ud800", "<b>&", "x" * 99])
def test_names_of_others_cannot_harm_a_figure(name: str) -> None:
    source = draw_intervals([Interval(name, POLICY, 1, 0, 2)], "label", "unit").source
    texts = [text.text or "" for text in ElementTree.fromstring(source).iter("text")]
    assert panels.plain(name, 40) in texts and all(len(text) <= 40 for text in texts)


def test_regions_hold_the_shares_they_are_said_to_hold() -> None:
    density = occupancy.smoothed(np.histogram2d(*np.random.default_rng(0).normal(size=(2, 20_000)), bins=40)[0])
    assert density.sum() == pytest.approx(1)
    outer, inner = occupancy.region_levels(density)
    assert density[density >= outer].sum() == pytest.approx(0.9, abs=0.01)
    assert density[density >= inner].sum() == pytest.approx(0.5, abs=0.02)


def test_a_blur_spreads_a_point_evenly_and_loses_nothing_at_the_border() -> None:
    counts = np.zeros((9, 12))
    counts[4, 6] = 2
    blurred = occupancy.smoothed(counts)
    assert blurred == pytest.approx(blurred[::-1]) and blurred.argmax() == 4 * 12 + 6
    expected = np.exp(-0.5 / occupancy.BLUR**2)
    assert blurred[4, 7] / blurred[4, 6] == pytest.approx(expected) == blurred[5, 6] / blurred[4, 6]
    assert occupancy.smoothed(np.ones((9, 12))) == pytest.approx(np.full((9, 12), 1 / 108))


CLOUDS = {
    "two clouds": (np.random.default_rng(0).normal(size=(4000, 2)), np.random.default_rng(1).normal(5, 1, (9000, 2))),
    "one point": (np.zeros((1, 2)), np.zeros((1, 2))),
    "a line": (np.stack([np.arange(99.0), np.zeros(99)], 1), np.zeros((5, 2))),
    "huge": (np.array([[1e200, 0], [0, 1e200]]), np.zeros((5, 2))),
}


@pytest.mark.parametrize("clouds", CLOUDS.values(), ids=CLOUDS)
def test_a_map_of_any_points_is_light(drawn: list[Figure], clouds: tuple[np.ndarray, np.ndarray]) -> None:
    sides: list[tuple[Side, np.ndarray]] = list(zip(SIDES, clouds, strict=False))
    drawing = occupancy.draw_occupancy(sides, "label", ["component 1", "component 2"])
    assert len(drawing.source) < 80_000
    assert len(drawn[0].axes[0].collections) == 3  # the expert's region, and the outlines of both
