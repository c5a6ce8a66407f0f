"""D and the policy that run after each other are told so, and a D that is always right; what only looks like it is not.

``adversarial_runs.json`` holds the curves of three real runs of some 19,000 steps: ``chase`` imitates random actions in
CartPole with few updates of D, fast steps of the policy and no least deviation; in ``saturated`` D learns fast and
without a gradient penalty beside a slow policy, in Pendulum; ``even`` is CartPole with the defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from gailkit.functional.absorbing import penalised_optimal_logit
from gailkit.health.chase import is_chased
from gailkit.health.curves import Curve, Curves
from gailkit.health.plan import Plan
from gailkit.health.thresholds import NEAR_BOUND
from gailkit.report.blocks import Note
from gailkit.report.diagnosis import diagnose

ROWS = 80
ROW = np.arange(ROWS)
BOUND = penalised_optimal_logit(1.0, 0.5)  # 1.69
CHASE = "The discriminator and the policy chase each other"
SATURATED = "The discriminator is saturated"
PERFECT = "The discriminator separates the classes perfectly"
REAL = json.loads((Path(__file__).parent / "adversarial_runs.json").read_text(encoding="utf-8"))

Values = np.ndarray | float


def adversaries(accuracies: tuple[Values, Values], logits: tuple[Values, Values], **more: Values) -> Curves:
    """The curves of a run, of D's accuracies and mean logits on expert and policy, and of more metrics."""
    sides = {
        f"discriminator/{metric}_{side}": value
        for metric, pair in (("accuracy", accuracies), ("logit", logits))
        for side, value in zip(("expert", "policy"), pair, strict=True)
    }
    metrics = sides | {name.replace("__", "/"): value for name, value in more.items()}
    return {name: Curve(1000.0 * ROW, np.broadcast_to(value, ROWS).astype(float)) for name, value in metrics.items()}


def cycle(period: float, lead: float = 0.0, gap: float = 0.3, accuracy: float = 0.25) -> Curves:
    """The policy follows D by a quarter of a period: what D believes of it is what it did then."""
    turn = 2 * np.pi * ROW / period
    recognised = (0.5 + accuracy * np.cos(turn), 0.5 + accuracy * np.sin(turn))
    return adversaries(recognised, (lead + gap * np.cos(turn + 0.1), 0.0))


def titles(curves: Curves, plan: Plan | None = None) -> set[str]:
    return {note.title for note in diagnose(curves, plan or Plan(logit_bound=BOUND))}


def real(name: str) -> Curves:
    metrics: Mapping[str, list[float]] = REAL[name]
    steps = np.array(metrics["steps"], dtype=float)
    return {metric: Curve(steps, np.array(values, dtype=float)) for metric, values in metrics.items()}


@pytest.mark.parametrize("period", [2.5, 4, 8, 15])
def test_a_limit_cycle_is_a_chase(period: float) -> None:
    (note, *others) = diagnose(cycle(period), Plan())
    assert (note.tone, note.title) == ("bad", CHASE)
    assert not {other.tone for other in others} & {"good", "warning", "bad"}  # D is neither even nor in balance


def test_a_chase_that_happens_to_end_on_the_wrong_side_has_one_fault() -> None:
    wrong = ROW >= 0.8 * ROWS
    curves = adversaries(
        tuple(
            np.where(wrong, 0.45, cycle(6)[f"discriminator/accuracy_{side}"].values) for side in ("expert", "policy")
        ),
        (np.where(wrong, -0.2, cycle(6)["discriminator/logit_expert"].values), 0.0),
    )
    assert titles(curves) == {CHASE}


def test_a_chase_says_how_often_and_how_far() -> None:
    """In rows 40 to 79, in blocks of four: ten blocks, between which the lead changes nine times."""
    block = ROW // 4 % 2
    note = diagnose(adversaries((0.8 - 0.6 * block, 0.3 + 0.4 * block), (0.25 - 0.5 * block, 0.0)), Plan())[0]
    assert "changed 9 times between expert and policy, from -0.25 to 0.25" in note.meaning
    assert "as few as 20\u00a0% of the expert's steps and 30\u00a0% of the policy's" in note.meaning
    assert all(option in note.advice for option in ("--discriminator-updates", "--least-deviation", "-learning-rate"))


@pytest.mark.parametrize("seed", range(5))
def test_noise_of_a_discriminator_that_cannot_tell_is_no_chase(seed: int) -> None:
    random = np.random.default_rng(seed)
    accuracies, logits = random.normal(0.5, 0.15, (2, ROWS)), random.normal(0.0, 0.015, (2, ROWS))
    curves = adversaries((accuracies[0], accuracies[1]), (logits[0], logits[1]))
    assert (np.diff(np.sign(logits[0] - logits[1])) != 0).sum() > 20  # the lead does change
    assert CHASE not in titles(curves)


def test_a_discriminator_that_says_the_same_of_everything_is_no_chase() -> None:
    """Its logits are one small number, now above 0 and now below: then one side is recognised whole, in turns."""
    above = np.cos(ROW) > 0
    curves = adversaries(
        (np.where(above, 1.0, 0.0), np.where(above, 0.0, 1.0)), (0.02 * np.cos(ROW), 0.02 * np.cos(ROW + 1))
    )
    assert CHASE not in titles(curves)


@pytest.mark.parametrize(
    "curves",
    [
        cycle(8, lead=0.4),  # the expert leads always
        cycle(8, lead=0.22),  # the policy leads now and then, by less than the expert does on average
        {**cycle(8), "discriminator/accuracy_expert": cycle(8, accuracy=0.1)["discriminator/accuracy_expert"]},
        cycle(8, accuracy=0.1),  # D is right about four in ten at the least
        cycle(60, accuracy=0.45),  # it goes round less than once in half a run
    ],
    ids=["lead", "mostly", "half", "right", "slow"],
)
def test_a_lead_that_swings_is_not_yet_a_chase(curves: Curves) -> None:
    assert not is_chased(curves)


def test_a_chase_that_is_over_is_none() -> None:
    early = ROW < ROWS // 2
    curves = {name: Curve(each.steps, np.where(early, each.values, 0.6)) for name, each in cycle(8).items()}
    assert not is_chased(curves)


def test_curves_of_unequal_length_are_not_compared() -> None:
    curves = {**cycle(8), "discriminator/logit_policy": Curve(1000.0 * ROW[1:], np.zeros(ROWS - 1))}
    assert not is_chased(curves) and CHASE not in titles(curves)


@pytest.mark.parametrize("share, title", [(1.0, SATURATED), (NEAR_BOUND + 0.01, SATURATED), (0.9, PERFECT)])
def test_a_discriminator_that_is_as_sure_as_can_be_is_saturated(share: float, title: str) -> None:
    curves = adversaries((0.99, 1.0), (BOUND * share, -BOUND * share), reward__std=0.001)
    assert titles(curves) == {title}  # and not beside it that all steps are rewarded alike, whose advice is another
    assert titles(curves, Plan()) == {PERFECT}  # where it is not known how sure it can be


@pytest.mark.parametrize("logits", [(BOUND, 0.0), (0.0, -BOUND)])
def test_a_discriminator_that_is_sure_of_one_side_is_not_saturated(logits: tuple[float, float]) -> None:
    assert titles(adversaries((0.99, 0.99), logits)) == {PERFECT}


def test_saturation_is_of_most_of_the_run() -> None:
    late = np.where(ROW < 0.6 * ROWS, 0.8, 0.99)
    assert titles(adversaries((late, late), (BOUND, -BOUND))) == {PERFECT}


@pytest.mark.parametrize(
    "components, gain, advised", [(2, -0.1, True), (2, None, True), (2, 0.5, False), (0, -0.1, False)]
)
def test_a_narrower_policy_is_advised_where_none_was_cloned(components: int, gain: float | None, advised: bool) -> None:
    more: dict[str, Values] = {} if gain is None else {"clone__gain": gain}
    curves = adversaries((0.99, 0.99), (BOUND / 2, -BOUND / 2), **more)
    note: Note = diagnose(curves, Plan(action_components=components, logit_bound=BOUND))[0]
    assert note.title == PERFECT and ("--policy-initial-log-std" in note.advice) is advised


@pytest.mark.parametrize(
    "name, title",
    [
        ("chase", CHASE),
        ("saturated", SATURATED),
        ("even", "The discriminator can no longer tell policy and expert apart"),
    ],
)
def test_real_runs_are_told_what_they_are(name: str, title: str) -> None:
    first, *others = diagnose(real(name), Plan(logit_bound=BOUND))
    assert first.title == title
    assert [note.title for note in others] == (["A healthy run"] if name == "even" else [])
