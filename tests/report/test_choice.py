"""What policy a run began with is said, and which it ended with; nothing is said of a record that is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gailkit.generator.cloning import LEAST_GAIN
from gailkit.report.blocks import Note
from gailkit.report.choice import choice_paragraph
from gailkit.report.curves import Curve
from gailkit.report.diagnosis import diagnose
from gailkit.report.page import Section
from gailkit.report.thresholds import Plan
from gailkit.report.training import training_section

Say = Callable[[Section], str]


def played(policy: Any = "last", actions: Any = "sampled", distance: Any = 0.5, episodes: Any = 8) -> dict[str, Any]:
    return {"policy": policy, "actions": actions, "episodes": episodes, "distance": distance}


def began(gain: float, components: int | None) -> list[Note]:
    """All that is said of a run of which nothing but the worth of its clone is known."""
    return diagnose({"clone/gain": Curve(np.arange(20.0), np.full(20, gain))}, Plan(action_components=components))


@pytest.mark.parametrize(
    "components, plain",
    [(None, "frequencies, by 0.68 nats"), (0, "frequencies, by 0.68 nats"), (3, "mean, by 0.68 nats a component")],
)
def test_what_a_clone_was_worth_is_said_whether_it_was_used_or_not(components: int | None, plain: str) -> None:
    used, healthy = began(0.68, components)
    (unused,) = began(-0.68, components)
    assert (used.tone, used.title, healthy.title) == ("good", "The policy began as a clone", "A healthy run")
    assert (unused.tone, unused.title) == ("note", "The policy did not begin as a clone")
    assert f"better than their {plain}" in used.meaning and f"worse than their {plain}" in unused.meaning


def test_a_clone_that_is_hardly_better_is_not_used() -> None:
    (unused,) = began(LEAST_GAIN / 2, 0)
    assert unused.title == "The policy did not begin as a clone"
    assert "hardly better than their frequencies, by 0.05 nats" in unused.meaning
    assert began(LEAST_GAIN, 0)[0].title == "The policy began as a clone"


def test_the_chosen_policy_and_the_mean_distance_of_each_are_said(said: Say) -> None:
    choice = {
        "policy": "clone",
        "steps": 9600,
        "played": [
            played("clone", "likeliest", 0.25), played("last", "sampled", 0.5), played("clone", "sampled", 0.75),
            played("averaged", "likeliest", 0.625), played("last", "likeliest", 1.5),
        ],
    }  # fmt: skip
    text = said(training_section([], Plan(), choice))
    assert "the clone that it began with was chosen: in 16 episodes of each, by its likeliest and by sampled" in text
    assert "clone 0.500, averaged 0.625, last 1.000." in text


def test_where_none_was_played_the_run_was_too_short(said: Say) -> None:
    text = said(training_section([], Plan(), {"policy": "averaged", "steps": 0, "played": []}))
    assert "The policy of the run is the average of its last ones; it was too short to play the others" in text


def test_a_policy_of_another_name_is_shown_by_it_and_not_at_length() -> None:
    shown = choice_paragraph({"policy": "a" * 1000, "played": [played("a" * 1000)]})
    assert shown is not None and "aaa...aaa" in shown.text and len(shown.text) < 400


@pytest.mark.parametrize(
    "choice",
    [
        None, 3, [], {}, {"policy": 3, "played": []}, {"policy": "last"}, {"policy": "last", "played": {}},
        {"policy": "clone", "played": [played()]}, {"policy": "last", "played": [3]},
        {"policy": "last", "played": [played(distance="near")]},
        {"policy": "last", "played": [played(distance=float("nan"))]},
        {"policy": "last", "played": [played(actions=["sampled"])]},
        {"policy": "last", "played": [played(episodes=None)]}, {"policy": "last", "played": [played(policy=[])]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_choice_is_left_out(choice: Any) -> None:
    assert choice_paragraph(choice) is None
    assert training_section([], Plan(), choice).blocks == training_section([], Plan()).blocks
