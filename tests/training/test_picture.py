"""The picture of a run shows the curves that the run has, and no empty ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from gailkit.training import picture

PANELS = picture.PANELS  # all, of which the trainings of other tests draw one


def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows: picture.Rows) -> dict[str, list[float]]:
    """Title of each panel and the values of its first curve."""
    figures: list[Figure] = []

    def remember(*arguments: Any, **options: Any) -> Figure:
        figures.append(Figure(*arguments, **options))
        return figures[-1]

    monkeypatch.setattr(picture, "Figure", remember)
    monkeypatch.setattr(picture, "PANELS", PANELS)
    picture.draw_learning(rows, tmp_path / "learning.svg")
    assert (tmp_path / "learning.svg").exists() == bool(figures)
    panels = (axes for figure in figures for axes in figure.axes)
    return {axes.get_title(): [float(value) for value in axes.lines[0].get_ydata()] for axes in panels}


def test_an_expert_has_no_discriminator_to_draw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = [{"steps": 64.0 * i, "policy/entropy": 1.0 / i, "episode/true_return": 10.0 * i} for i in (1, 2)]
    panels = drawn(monkeypatch, tmp_path, rows)
    assert panels == {"True return": [10.0, 20.0], "Policy entropy": [1.0, 0.5]}


def test_a_curve_begins_where_its_numbers_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = [{"steps": 64.0, "policy/kl": 0.1}, {"steps": 128.0, "policy/kl": 0.2, "episode/true_return": 7.0}]
    panels = drawn(monkeypatch, tmp_path, rows)
    assert panels["True return"] == [7.0]
    assert len(panels["How far an update moved the policy"]) == 2


@pytest.mark.parametrize("rows", [[], [{"steps": 64.0, "seconds": 1.0}]], ids=["no row", "nothing of interest"])
def test_nothing_is_drawn_of_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows: list[dict[str, float]]
) -> None:
    assert drawn(monkeypatch, tmp_path, rows) == {}
