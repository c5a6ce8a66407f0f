"""The verdict follows its rule in every case there is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from gailkit.evaluation.classifier import TwoSample
from gailkit.evaluation.occupancy import Occupancy
from gailkit.evaluation.returns import Earned, Returns
from gailkit.evaluation.verdict import (
    ALPHA,
    DIFFERENT,
    ENOUGH_EPISODES,
    INDISTINGUISHABLE,
    MOVES_DIFFERENTLY,
    NOT_ENOUGH_EXPERT,
    NOT_ENOUGH_POLICY,
    RULE,
    SCORES,
    Verdict,
    judge,
)
from gailkit.functional.resampling import Estimate

AS_EXPERT = Estimate(1.0, 0.9, 1.1)
AROUND_0, ABOVE_0, BELOW_0 = Estimate(0.02, -0.1, 0.3), Estimate(0.5, 0.1, 0.8), Estimate(-0.5, -0.7, -0.1)
EARNED = Earned(20, Estimate(1, 1, 1), Estimate(1, 1, 1))


def occupancy(
    excess: Estimate | None,
    detectable: float | None = 0.28,
    closeness: Estimate | None = AS_EXPERT,
    enough: int | None = None,
) -> Occupancy:
    return Occupancy("exact", 10, 0.5, 0.4, 2.0, excess, None, enough, closeness, detectable, 0.1, None, 0.2, ())


def returns(score: float | None, difference_high: float | None) -> Returns:
    """Of a score, and of a difference to the expert whose interval ends there; None where they are not known."""
    placed = None if score is None else Estimate(score, score, score)
    difference = None if difference_high is None else Estimate(-1.0, -2.0, difference_high)
    return Returns(EARNED, EARNED, EARNED, difference, placed, placed, None, Estimate(1, 1, 1), None, None)


def judged(p: float = 0.5, excess: Estimate = AROUND_0, earned: Returns | None = None, **counts: Any) -> Verdict:
    """A case like the expert in all but what is given."""
    return judge(
        counts.get("policy", 20), counts.get("expert", 20), occupancy(excess),
        TwoSample(0.62, (0.4, 0.8), p, 0.1, 0.3, ()),
        earned or returns(1.0, 1.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("p", "excess", "verdict"),
    [
        (0.5, AROUND_0, INDISTINGUISHABLE),
        (0.051, AROUND_0, INDISTINGUISHABLE),
        (0.05, AROUND_0, DIFFERENT),
        (0.002, AROUND_0, DIFFERENT),
        (0.5, ABOVE_0, DIFFERENT),
        (0.5, BELOW_0, DIFFERENT),
        (0.002, ABOVE_0, DIFFERENT),
        (0.5, Estimate(0.4, 0.0, 0.8), INDISTINGUISHABLE),  # the bounds belong to the interval
        (0.5, Estimate(-0.4, -0.8, 0.0), INDISTINGUISHABLE),
    ],
)
@pytest.mark.parametrize(
    ("earned", "as_much"),
    [
        (returns(0.2, -0.5), False),
        (returns(0.899, -0.5), False),
        (returns(0.9, -0.5), True),
        (returns(1.3, -0.5), True),
        (returns(0.2, 0.0), True),  # the expert's mean may not be above the policy's
        (returns(None, -0.5), False),  # this expert is no better than random actions
        (returns(None, 3.0), False),  # nor is it a feat to earn more than such an expert
        (returns(None, None), False),  # its rewards were not recorded
    ],
)
def test_every_case_of_the_rule(p: float, excess: Estimate, verdict: str, earned: Returns, as_much: bool) -> None:
    expected = MOVES_DIFFERENTLY if verdict == DIFFERENT and as_much else verdict
    assert judged(p, excess, earned).verdict == expected


@pytest.mark.parametrize(("p", "excess"), [(0.5, AROUND_0), (0.002, AROUND_0), (0.5, ABOVE_0)])
def test_nothing_is_indistinguishable_where_random_actions_are(p: float, excess: Estimate) -> None:
    """What does not tell random actions from the expert tells nothing by not telling the policy."""
    sample = TwoSample(0.62, (0.4, 0.8), p, 0.1, 0.3, ())
    found = judge(20, 20, occupancy(excess, closeness=None, enough=90), sample, returns(0.3, -0.5))
    told = p <= ALPHA or excess.low > 0
    assert found.verdict == (DIFFERENT if told else NOT_ENOUGH_EXPERT)
    assert told or "either; with about 90 demonstrations they would." in found.reason
    assert "includes 0, while that of random actions does not" in RULE


@pytest.mark.parametrize(
    ("policy", "expert", "verdict"),
    [
        (10, 10, INDISTINGUISHABLE),
        (9, 10, NOT_ENOUGH_POLICY),
        (10, 9, NOT_ENOUGH_EXPERT),
        (1, 1, NOT_ENOUGH_EXPERT),
        (1, 50, NOT_ENOUGH_POLICY),
        (50, 3, NOT_ENOUGH_EXPERT),
    ],
)
def test_fewer_than_ten_episodes_have_no_verdict(policy: int, expert: int, verdict: str) -> None:
    assert judged(policy=policy, expert=expert).verdict == verdict
    assert judged(0.002, ABOVE_0, policy=policy, expert=expert).verdict != verdict or verdict != INDISTINGUISHABLE


def test_one_episode_of_each_is_judged_by_saying_so() -> None:
    found = judge(1, 1, occupancy(None, None), None, returns(1.0, 1.0))
    assert found == Verdict(
        NOT_ENOUGH_EXPERT,
        "There is not enough expert data to say: 1 episode of the expert, and at least 10 are needed.",
    )


DETECTABLE = (
    " With so many episodes a distance of less than 0.28 above the floor, the expert's distance from itself, may go "
    "unnoticed."
)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            judged(policy=12),
            "Indistinguishable at 12 episodes: a classifier cannot tell the policy's steps from the expert's (AUC "
            "0.62, where chance is 0.5; p = 0.5), and they lie not measurably further from the expert's than the "
            "expert's own do.",
        ),
        (
            judged(0.002, ABOVE_0, returns(0.1, -0.1)),
            "It is different from the expert: a classifier tells its steps from the expert's (AUC 0.62, where chance "
            "is 0.5; p = 0.002) and its steps lie further from the expert's than the expert's own do.",
        ),
        (
            judged(0.5, BELOW_0),
            "It scores like the expert but moves differently: its steps lie less far from the expert's than the "
            "expert's own do.",
        ),
        (
            judged(expert=4),
            "There is not enough expert data to say: 4 episodes of the expert, and at least 10 are needed.",
        ),
        (
            judged(policy=3),
            "Too few episodes of the policy were run to say: 3, and at least 10 are needed.",
        ),
    ],
    ids=lambda value: value.verdict if isinstance(value, Verdict) else "",
)
def test_the_sentence_gives_the_reasons(found: Verdict, sentence: str) -> None:
    assert found.sentence == sentence + DETECTABLE


def earning(difference: Estimate | None) -> Returns:
    return dataclasses.replace(returns(1.0, None), difference=difference)


def test_who_moves_alike_and_earns_otherwise_is_told_why_returns_do_not_count() -> None:
    for low, high, differs in ((1.25, 37.5, "19.4 [1.25, 37.5]"), (-37.5, -1.25, "-19.4 [-37.5, -1.25]")):
        found = judged(earned=earning(Estimate((low + high) / 2, low, high)))
        assert found.verdict == INDISTINGUISHABLE
        assert found.sentence.endswith(
            f"{DETECTABLE} Its mean return differs from the expert's by {differs} all the same: returns do not enter "
            "this verdict, and other starts of the episodes change them too."
        )


@pytest.mark.parametrize(
    "found",
    [
        judged(earned=earning(None)),  # the expert's were not recorded
        judged(earned=earning(Estimate(1.0, 0.0, 2.0))),  # the bounds belong to the interval
        judged(earned=earning(Estimate(-1.0, -2.0, 0.0))),
        judged(earned=earning(Estimate(0.0, 0.0, 0.0))),
        judged(0.002, ABOVE_0, earning(Estimate(-9.0, -12.0, -6.0))),  # what differs was said
        judged(earned=earning(Estimate(-9.0, -12.0, -6.0)), expert=4),  # nor is there a verdict to explain
        judged(earned=earning(Estimate(-9.0, -12.0, -6.0)), policy=4),
    ],
)
def test_of_returns_nothing_is_said_where_they_are_alike_or_the_verdict_is_another(found: Verdict) -> None:
    assert found.sentence.endswith(DETECTABLE)


def test_the_rule_is_short_enough_to_be_read() -> None:
    assert len(RULE.split()) <= 80 and max(len(sentence.split()) for sentence in RULE.split(". ")) <= 40


def test_the_rule_states_the_numbers_it_uses() -> None:
    for number in (f"p is above {ALPHA:g}", f"at least {SCORES:g}", f"fewer than {ENOUGH_EPISODES} episodes"):
        assert number in RULE
    assert RULE.startswith(INDISTINGUISHABLE.capitalize())
    assert MOVES_DIFFERENTLY in RULE and f"where there is no score, it is {DIFFERENT}" in RULE
