"""Several policies on one page."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gailkit.evaluation.compare import Candidate, Comparison, compare
from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.verdict import RULE, Verdict
from gailkit.functional.resampling import Estimate
from gailkit.report.comparison import comparison_page, write_comparison
from gailkit.report.page import Section
from gailkit.report.words import estimated

HOSTILE = "</style></script><script>document.body.id='broken'</script><img src=x onerror=\"x()\">' & $\\frac$\x1b[2J"
Change = Callable[..., Evaluation]
Say = Callable[[Section], str]
Read = Callable[[str], Any]
Space = Callable[[str], str]


def candidates(evaluation: Evaluation, changed: Change) -> list[Candidate]:
    """Two runs of one method, and a policy of which less is known."""
    closeness = {"floor": None, "excess": None, "closeness": None}
    unknown = changed(closeness__occupancy=dataclasses.replace(evaluation.closeness.occupancy, **closeness))
    return [
        Candidate("runs/a-0", "runs/a", evaluation),
        Candidate("runs/a-1", "runs/a", evaluation),
        Candidate(HOSTILE, HOSTILE, unknown),
    ]


def test_several_policies_are_compared_on_one_page(
    evaluation: Evaluation, changed: Change, tmp_path: Path, spaced: Space, read: Read
) -> None:
    path = tmp_path / "comparison.html"
    comparison = compare(candidates(evaluation, changed))
    write_comparison(path, comparison, demos="demos.hdf5", commands=["gailkit evaluate a b"], notes=["Mind the gap."])
    text = read(path.read_text(encoding="utf-8")).text
    method = comparison.methods[0]
    assert method.closeness is not None
    parts = (RULE[1:], "Mind the gap.", "Methods side by side", "Two by two", "gailkit evaluate a b")
    place = [text.rindex(part) for part in parts]  # the last one, for the table of contents has headings too
    assert place == sorted(place)
    assert "How closely do 3 policies match the expert?" in text
    assert f"The closest is runs/a: closeness {spaced(estimated(method.closeness))}" in text
    verdict = evaluation.closeness.verdict
    assert f"runs/a 2 {verdict.verdict} {spaced(estimated(method.returns.policy.mean))}" in text
    assert text.count(verdict.sentence) >= 3 and "runs/a-1: " in text
    (contrast,) = comparison.contrasts
    assert f"runs/a {HOSTILE[:9]}" in text and spaced(estimated(contrast.improvement)) in text


def test_the_closest_is_said_to_be_level_with_those_whose_intervals_overlap(
    evaluation: Evaluation, spaced: Space
) -> None:
    found = compare([Candidate("a", "a", evaluation)]).methods[0]
    estimates = {"near": Estimate(0.9, 0.8, 1.0), "level": Estimate(0.8, 0.7, 0.85), "behind": Estimate(0.5, 0.4, 0.6)}
    methods = tuple(dataclasses.replace(found, name=name, closeness=each) for name, each in estimates.items())
    verdict = comparison_page(Comparison(methods, ()), "demos", [], {}, []).verdict
    assert spaced(verdict.title) == "The closest is near: closeness 0.900 [0.800, 1.000]"
    assert verdict.sentences == ["These episodes do not tell it from level: the intervals overlap."]


def test_verdicts_that_differ_between_runs_are_counted(evaluation: Evaluation, changed: Change, said: Say) -> None:
    other = changed(closeness__verdict=Verdict("odd", "It is odd."))
    runs = [Candidate(f"a-{seed}", "a", each) for seed, each in enumerate((evaluation, other, other))]
    text = said(comparison_page(compare(runs), "demos.hdf5", [], {}, []).sections[0])
    assert f"a 3 {evaluation.closeness.verdict.verdict} (1), odd (2)" in text


def test_methods_without_a_closeness_have_no_closest(evaluation: Evaluation, changed: Change, read: Read) -> None:
    page = comparison_page(compare(candidates(evaluation, changed)[2:]), "demos.hdf5", [], {}, [])
    assert page.verdict.title == "Closeness is not known of these policies"
    assert "Two by two" not in {section.title for section in page.sections}
    assert not set(read(page.render()).tags) & {"script", "img"}
