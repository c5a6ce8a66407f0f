"""A run with one thing wrong is told that thing, a healthy one that it is healthy; advice names options that exist."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from gailkit.cli.train import train
from gailkit.health.curves import Curve, curves_of
from gailkit.health.plan import Plan
from gailkit.report.blocks import Note, Panels
from gailkit.report.curves import draw_curves
from gailkit.report.diagnosis import diagnose
from gailkit.report.palette import POLICY
from gailkit.report.training import training_section
from gailkit.report.words import percent

ROWS = 60
RISE = np.linspace(0, 1, ROWS)


def run(**changed: Any) -> list[dict[str, float]]:
    """The rows of a run that goes as it should, except for some metrics, whose slashes are written as two underscores.

    A metric is a number or an array (ROWS,); None leaves it out.
    """
    metrics = {
        "steps": 2048 * np.arange(1, ROWS + 1),
        "reward/std": 0.2,
        "discriminator/accuracy_expert": 0.95 - 0.2 * RISE,
        "discriminator/accuracy_policy": 0.9 - 0.2 * RISE,
        "discriminator/logit_expert": 0.5 - 0.3 * RISE,
        "discriminator/logit_policy": -0.5 + 0.3 * RISE,
        "policy/kl": 0.01,
        "policy/entropy": 1.1 - 0.8 * RISE,
        "policy/explained_variance": 0.8,
        "policy/clip_fraction": 0.1,
        "policy/line_search_failures": 0.0,
        "episode/true_return": 500 * np.minimum(2 * RISE, 1),
        "episode/length": 500 * np.minimum(2 * RISE, 1),
    } | {name.replace("__", "/"): value for name, value in changed.items()}
    columns = {name: np.broadcast_to(value, ROWS) for name, value in metrics.items() if value is not None}
    return [{name: float(column[row]) for name, column in columns.items()} for row in range(ROWS)]


DISCRETE = Plan(action_components=0)


def found(rows: list[Any], plan: Plan = DISCRETE) -> list[Note]:
    return diagnose(curves_of(rows), plan)


ACCURACIES = ("discriminator__accuracy_expert", "discriminator__accuracy_policy")
LOGITS = ("discriminator__logit_expert", "discriminator__logit_policy")
GAUSSIAN = Plan(action_components=3)
DECIDED = np.maximum(1 - 2 * RISE, 0.01)
PERFECT = dict.fromkeys(ACCURACIES, np.minimum(0.5 + RISE, 0.97))
TOSSING = dict.fromkeys(ACCURACIES, 0.5)
APART = dict.fromkeys(ACCURACIES, 0.85)

SATURATED = PERFECT | {LOGITS[0]: 1.68, LOGITS[1]: -1.68} | dict.fromkeys(ACCURACIES, 0.99)
ROUND = 2 * np.pi * np.arange(ROWS) / 10
CYCLE = {
    ACCURACIES[0]: 0.5 + 0.3 * np.cos(ROUND), ACCURACIES[1]: 0.5 + 0.3 * np.sin(ROUND),
    LOGITS[0]: 0.2 * np.cos(ROUND), LOGITS[1]: -0.2 * np.sin(ROUND),
}  # fmt: skip

TROUBLE: dict[str, tuple[str, dict[str, Any], Plan]] = {
    "The discriminator separates the classes perfectly": ("bad", PERFECT, Plan()),
    "The discriminator is saturated": ("bad", SATURATED, Plan(action_components=3, logit_bound=1.69)),
    "The discriminator and the policy chase each other": ("bad", CYCLE, Plan()),
    "The discriminator's logits drift away": ("bad", {LOGITS[0]: 6 * RISE, LOGITS[1]: 5 * RISE}, Plan()),
    "The policy became worse again": ("bad", {"episode__true_return": 400 * np.sin(3 * RISE)}, Plan()),
    "The discriminator never told policy and expert apart": ("warning", TOSSING, Plan()),
    "The policy is still far from the expert": ("warning", {**APART, LOGITS[0]: 0.7, LOGITS[1]: -0.7}, Plan()),
    "The discriminator takes the policy for the expert": ("warning", {LOGITS[1]: 0.6}, Plan()),
    "All steps are rewarded alike": ("warning", {"reward__std": 0.01}, Plan()),
    "The policy does one thing only": (
        "bad",
        {**APART, "policy__same_action": np.minimum(0.5 + RISE, 0.995), "policy__entropy": 0.01},
        Plan(action_components=0),
    ),
    "No episode ends": ("warning", {"episode__ended": 0.0}, Plan(time_limit=1000, num_envs=8)),
    "The policy stopped exploring before it was done": (
        "warning", {**APART, "policy__entropy": DECIDED}, Plan(action_components=0)
    ),
    "Updates moved the policy far": ("warning", {"policy__kl": np.where(np.arange(ROWS) % 5, 1.5, 0.01)}, Plan()),
    "Updates hardly moved the policy": ("warning", {"policy__kl": 1e-6}, Plan()),
    "The value function is worse than a constant": ("warning", {"policy__explained_variance": -0.3}, Plan()),
    "Line searches fail": ("warning", {"policy__line_search_failures": np.arange(ROWS) / 4}, Plan()),
    "The run was not finished": ("warning", {}, Plan(steps=1_000_000)),
}  # fmt: skip

NOTED: list[tuple[str, dict[str, Any], Plan]] = [
    (
        "The discriminator still tells policy and expert apart",
        dict(zip(ACCURACIES, (0.99, 0.65), strict=True)),
        Plan(),
    ),
    ("The discriminator still tells policy and expert apart", APART, Plan()),
    ("The policy has made up its mind", {"policy__entropy": DECIDED}, Plan(action_components=0)),
    ("The policy has made up its mind", {"policy__entropy": 4.2 - 13 * RISE}, GAUSSIAN),
    ("The policy was still getting better", {"episode__true_return": 500 * RISE}, Plan()),
]


@pytest.mark.parametrize("title", TROUBLE)
def test_one_thing_that_is_wrong_is_the_first_thing_that_is_said(title: str) -> None:
    tone, changed, plan = TROUBLE[title]
    notes = found(run(**changed), plan)
    assert (notes[0].title, notes[0].tone) == (title, tone)
    assert [note.tone for note in notes if note.tone in ("bad", "warning")] == [tone]
    assert notes[0].advice and "A healthy run" not in {note.title for note in notes}


@pytest.mark.parametrize("title", TROUBLE)
def test_advice_names_options_that_there_are(title: str) -> None:
    _, changed, plan = TROUBLE[title]
    known = {name for parameter in train.params for name in parameter.opts}
    known.add("--checkpoint")  # of evaluate, where the report is written
    advice = found(run(**changed), plan)[0].advice
    assert set(re.findall(r"--[a-z-]*[a-z]", advice)) <= known


def test_a_healthy_run_is_said_to_be_healthy() -> None:
    assert [(note.tone, note.title) for note in found(run())] == [
        ("good", "The discriminator is in balance"), ("good", "A healthy run"),
    ]  # fmt: skip


@pytest.mark.parametrize(("title", "changed", "plan"), NOTED)
def test_what_is_worth_knowing_is_no_alarm(title: str, changed: dict[str, Any], plan: Plan) -> None:
    notes = found(run(**changed), plan)
    assert [note.title for note in notes if note.tone == "note"] == [title]
    assert {note.tone for note in notes} <= {"note", "good"}


@pytest.mark.parametrize(("changed", "plan"), [(changed, plan) for _, changed, plan in (*NOTED, *TROUBLE.values())])
def test_a_run_is_healthy_only_where_there_is_nothing_but_good_to_say(changed: dict[str, Any], plan: Plan) -> None:
    notes = found(run(**changed), plan)
    assert {note.tone for note in notes} - {"good"}
    assert "A healthy run" not in {note.title for note in notes}


def test_a_discriminator_that_can_no_longer_tell_is_no_flaw_of_the_run() -> None:
    notes = found(run(**dict.fromkeys(ACCURACIES, 0.9 - 0.4 * RISE)))
    assert [(note.tone, note.title) for note in notes] == [
        ("good", "The discriminator can no longer tell policy and expert apart"), ("good", "A healthy run"),
    ]  # fmt: skip


def test_accuracies_are_said_to_be_those_of_the_last_fifth() -> None:
    """Of 60 rows the last 12, in which both were otherwise than before and than at the very end."""
    late = np.r_[np.full(48, 0.9), np.full(6, 0.75), np.full(6, 0.65)]
    (note, *_) = found(run(**dict.fromkeys(ACCURACIES, late)))
    share = percent(0.7)
    assert note.meaning.startswith(
        f"Over its last fifth it recognised {share} of the expert's steps and {share} of the policy's"
    )


def test_a_gaussian_policy_of_negative_entropy_still_explores() -> None:
    assert not [note for note in found(run(policy__entropy=-2.0), GAUSSIAN) if "mind" in note.title]
    assert not [note for note in found(run(policy__entropy=-99.0), Plan()) if "mind" in note.title]


def test_a_fall_says_when_and_how_far_and_that_episodes_became_shorter() -> None:
    fall = np.where(RISE < 0.5, 2 * RISE, 2 - 2 * RISE)
    (note, *_) = found(run(episode__true_return=500 * fall, episode__length=300 * fall))
    assert re.search(r"its best, around step 6\d,\d{3}, and .* at the end; episodes became shorter, from", note.meaning)


def test_noise_around_an_even_return_is_no_fall() -> None:
    noise = np.random.default_rng(0).normal(500, 5, ROWS)
    assert not [note for note in found(run(episode__true_return=noise)) if note.tone == "bad"]


def test_learning_rates_that_run_out_at_the_end_are_no_standstill() -> None:
    assert found(run(policy__kl=0.01 * (1 - RISE) ** 4))[0].tone == "good"


def test_a_policy_that_came_to_rest_as_the_expert_is_no_standstill() -> None:
    assert {note.tone for note in found(run(policy__kl=1e-6, **dict.fromkeys(ACCURACIES, 0.9 - 0.4 * RISE)))} == {
        "good"
    }


def test_an_expert_of_reinforcement_learning_has_no_discriminator_to_judge() -> None:
    changed = dict.fromkeys((*ACCURACIES, *LOGITS))
    assert [note.title for note in found(run(**changed))] == ["A healthy run"]


@pytest.mark.parametrize("rows", [[], run()[:9]])
def test_a_short_run_is_not_judged(rows: list[Any]) -> None:
    (note,) = found(rows)
    assert note.title == "Too short to judge" and f"{len(rows)} iterations" in note.meaning


@pytest.mark.parametrize(
    "row",
    [
        3, "steps", None, [1], {}, {"policy/kl": 5.0}, {"steps": "1", "policy/kl": 5.0},
        {"steps": 1, "policy/kl": True},
        {"steps": 1, "policy/kl": math.nan}, {"steps": math.inf, "policy/kl": 5.0}, {"steps": 1, "policy/kl": 10**400},
        {"steps": 1, "policy/kl": {"$": 1}}, {"steps": 1, "policy/kl": None},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_measurement_is_left_out(row: Any) -> None:
    whole = [{"steps": 1, "policy/kl": 0.25}]
    assert curves_of([row, *whole])["policy/kl"].values.tolist() == [0.25]


def test_the_end_is_the_last_fifth_and_the_middle_the_inner_half() -> None:
    curve = Curve(np.arange(20.0), np.arange(20.0))
    assert curve.end() == 17.5  # of 16, 17, 18, 19
    assert curve.middle().tolist() == list(range(5, 15))


def test_a_smooth_curve_is_the_mean_of_what_there_is() -> None:
    values = np.zeros(90)
    values[[0, 45]] = 6
    smooth = Curve(np.arange(90.0), values).smooth()  # 90 / 30 = 3 wide
    assert smooth[[0, 1, 2]].tolist() == [3, 2, 0]
    assert smooth[[43, 44, 45, 46, 47]].tolist() == [0, 2, 2, 2, 0]
    level = Curve(np.arange(100.0), np.full(100, 7.0)).smooth()
    assert level == pytest.approx(np.full(100, 7.0))


def test_a_section_has_the_diagnosis_and_a_panel_for_each_kind_of_curve() -> None:
    section = training_section(run(), Plan())
    (panels,) = [block for block in section.blocks if isinstance(block, Panels)]
    captions = {panel.title: panel.caption for panel in panels.panels}
    assert captions["Discriminator accuracy"] == "Over its last fifth: expert 0.769, policy 0.719."
    assert captions["True return"] == "Over its last fifth: 500 (mean of the last 50 episodes)."
    assert len(captions) == 6 and [block for block in section.blocks if isinstance(block, Note)]


def test_where_there_was_no_run_the_section_says_so() -> None:
    (note,) = training_section(None, Plan()).blocks
    assert isinstance(note, Note) and note.title == "There is no record of its training"


def test_a_panel_of_very_many_rows_stays_small() -> None:
    steps = np.arange(100_000.0)
    curve = Curve(steps, np.sin(steps))
    assert len(draw_curves([(POLICY, curve), (None, curve)], "two").source) < 25_000


def test_of_a_clone_it_is_no_trouble_that_the_discriminator_never_told_it_apart() -> None:
    clone = {"clone__gain": 0.5, "clone__guidance": 0.05}
    notes = found(run(**TOSSING, **clone))
    assert ("good", "The discriminator never told policy and expert apart") in [
        (note.tone, note.title) for note in notes
    ]
    assert not [note for note in notes if note.tone in ("bad", "warning")]
