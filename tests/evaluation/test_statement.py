"""The sentences hold the numbers they are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from gailkit.evaluation.acting import Acting
from gailkit.evaluation.actions import ActionMatch
from gailkit.evaluation.closeness import Closeness, Steps
from gailkit.evaluation.endings import Endings
from gailkit.evaluation.giveaways import GiveAway
from gailkit.evaluation.occupancy import Occupancy
from gailkit.evaluation.returns import Earned, Returns
from gailkit.evaluation.statement import occupancy_sentence, score_sentence, statement, statement_lines
from gailkit.evaluation.verdict import Verdict
from gailkit.functional.resampling import Estimate

UNSAID = Estimate(7.0, 7.0, 7.0)


def earned(value: float, low: float, high: float) -> Earned:
    return Earned(6, Estimate(value, low, high), UNSAID)


RETURNS = Returns(
    earned(60.25, 55.5, 65.0), earned(100.0, 90.0, 110.0), earned(20.0, 10.0, 30.0), UNSAID,
    Estimate(0.5031, 0.4, 0.6), UNSAID, UNSAID, UNSAID, None, None,
)  # fmt: skip
OCCUPANCY = Occupancy(
    "exact", 6, 0.754, 0.5, 2.0, UNSAID, UNSAID, None, Estimate(0.8307, 0.75, 0.9), 0.1, 0.1, 0.9, 0.3, ()
)
ACTING = Acting("likeliest", "sampled", None)
ACTIONS = ActionMatch(7, True, 0.8765, None, -0.3)


def found(*give_aways: str) -> Closeness:
    verdict = Verdict("different", "It is different.")
    told = tuple(GiveAway("it", 0.1, words) for words in give_aways)
    endings, steps = cast(Endings, None), cast(Steps, None)  # of which nothing is said
    return Closeness(RETURNS, OCCUPANCY, None, told, None, endings, verdict, steps)


SENTENCES = [
    "It is different.",
    "The policy's mean return is 60.2 (95 % interval 55.5 to 65.0), the expert's 100.0, random actions' 20.0: "
    "a score of 0.503, where 0 is random and 1 is the expert.",
    "Its steps lie 0.75 from the expert's, the expert's own 0.50 (the floor) and those of random actions 2.00: "
    "a closeness of 0.831 (95 % interval 0.750 to 0.900), where 0 is random and 1 is the expert.",
    "It acted by its likeliest actions, the expert by sampled actions.",
    "On 7 expert episodes it has not seen it takes the expert's action in 87.6% of the states.",
]


def test_the_statement_is_made_of_the_numbers() -> None:
    assert statement(found(), ACTING, ACTIONS) == " ".join(SENTENCES)
    assert statement_lines(found(), ACTING, ACTIONS) == SENTENCES[1:]


def test_three_of_what_gives_it_away_are_said() -> None:
    told = found("one", "two", "three", "four")
    first, last = SENTENCES[:3], SENTENCES[3:]
    assert statement(told, ACTING, ACTIONS) == " ".join([*first, "What gives it away: one; two; three.", *last])
    lines = [*first[1:], "What gives it away:", "- one", "- two", "- three", *last]
    assert statement_lines(told, ACTING, ACTIONS) == lines


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"expert": None, "score": None}, "to 65.0), random actions' 20.0; the expert's was not recorded."),
        ({"score": None}, "random actions' 20.0: this expert is no better than random actions, so there is no score."),
    ],
)
def test_a_score_that_there_is_not_is_explained(changed: dict[str, None], said: str) -> None:
    assert score_sentence(replace(RETURNS, **changed)).endswith(said)


def test_a_closeness_that_there_is_not_is_explained() -> None:
    assert occupancy_sentence(replace(OCCUPANCY, closeness=None)).endswith(
        "and those of random actions 2.00, which is not surely further than the floor: these demonstrations "
        "give no scale for a closeness."
    )
    assert occupancy_sentence(replace(OCCUPANCY, closeness=None, demonstrations_for_scale=40)).endswith(
        "floor: these demonstrations are too few to give a scale for a closeness; about 40 in all would."
    )
    assert occupancy_sentence(replace(OCCUPANCY, floor=None, closeness=None)) == (
        "How far it moves from the expert is not known: one episode of the expert has no distance to another."
    )
