"""The section on what gives the policy away."""

from __future__ import annotations

from gailkit.evaluation.classifier import ALPHA
from gailkit.evaluation.closeness import Closeness
from gailkit.report.blocks import Block, Paragraph, Table, bar
from gailkit.report.page import Section
from gailkit.report.words import number, p_value

TITLE = "What gives the policy away"


def telltales_section(found: Closeness) -> Section:
    """The features by which a classifier tells steps of the policy from the expert's, the most telling first."""
    test = found.two_sample
    if test is None:
        said = "To tell policy and expert apart takes two episodes of each; there are fewer."
        return Section(TITLE, [Paragraph(said)])
    how = (
        f"A classifier that has seen some of the episodes is asked whose steps those of the others are: AUC "
        f"{number(test.auc)}, {p_value(test.p)}."
    )
    if test.p > ALPHA:
        return Section(TITLE, [Paragraph(f"{how} So many episodes do not show that it is better than chance.")])
    if not found.give_aways:
        return Section(TITLE, [Paragraph(f"{how} It tells them apart, by no single feature in particular.")])
    largest = max(each.loss for each in found.give_aways)
    rows = [
        (each.feature, bar(each.loss / largest), number(each.loss), each.words.removeprefix(each.feature).lstrip(": "))
        for each in found.give_aways
    ]
    caption = "By how much the AUC falls when a feature is shuffled among the steps"
    blocks: list[Block] = [
        Paragraph(f"{how} These features it leans on most:"),
        Table(caption, ("feature", "", "fall of the AUC", "how it differs"), rows, frozenset({2})),
    ]
    return Section(TITLE, blocks)
