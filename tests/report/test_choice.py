"""What policy a run began with is said, and which it ended with; nothing is said of a record that is none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.generator.cloning import LEAST_GAIN
from gailkit.health.curves import Curve, curves_of
from gailkit.health.plan import Plan
from gailkit.report.blocks import Note
from gailkit.report.choice import choice_paragraph
from gailkit.report.diagnosis import diagnose
from gailkit.report.page import Section
from gailkit.report.training import training_section
from gailkit.training.config import TrainConfig
from gailkit.training.train import train
from gailkit.types import Trajectory

Say = Callable[[Section], str]


def played(policy: Any = "last", actions: Any = "sampled", distance: Any = 0.5, episodes: Any = 8) -> dict[str, Any]:
    return {"policy": policy, "actions": actions, "episodes": episodes, "distance": distance}


def began(gain: float, components: int | None, guidance: float | None = None) -> list[Note]:
    """All that is said of a run of which nothing is known but what its clone was worth, and how it guided."""
    steps = np.arange(20.0)
    curves = {"clone/gain": Curve(steps, np.full(20, gain))}
    if guidance is not None:
        curves["clone/guidance"] = Curve(steps, guidance * np.linspace(1, 0, 20))
    return diagnose(curves, Plan(action_components=components))


@pytest.mark.parametrize(
    "components, plain",
    [(None, "frequencies do, by 0.68 nats"), (0, "frequencies do, by 0.68 nats"),
     (3, "mean does, by 0.68 nats a component")],
)  # fmt: skip
def test_what_a_clone_was_worth_is_said_whether_it_was_used_or_not(components: int | None, plain: str) -> None:
    used, healthy = began(0.68, components)
    (unused,) = began(-0.68, components)
    assert (used.tone, used.title, healthy.title) == ("good", "The policy began as a clone", "A healthy run")
    assert (unused.tone, unused.title) == ("note", "The policy did not begin as a clone")
    assert f"better than their {plain}" in used.meaning and f"worse than their {plain}" in unused.meaning


def test_a_clone_that_is_hardly_better_is_not_used() -> None:
    (unused,) = began(LEAST_GAIN / 2, 0)
    assert unused.title == "The policy did not begin as a clone"
    assert "hardly better than their frequencies do, by 0.05 nats" in unused.meaning
    assert began(LEAST_GAIN, 0)[0].title == "The policy began as a clone"


@pytest.mark.parametrize(
    "gain, guidance, title",
    [(0.0, 0.1, "The policy began as a clone"), (0.0, 0.0, "The policy did not begin as a clone"),
     (0.68, 0.1, "The policy began as a clone"), (0.68, 0.0, "The policy did not begin as a clone")],
)  # fmt: skip
def test_whether_the_clone_was_used_is_what_the_run_did_not_what_its_gain_would_have_been_worth(
    gain: float, guidance: float, title: str
) -> None:
    note = began(gain, 0, guidance)[0]
    assert note.title == title
    assert ("nearly certain" in note.meaning) is (gain == 0 and guidance > 0)
    assert ("0.1 more" in note.meaning) is (gain == 0 and guidance == 0)


def test_of_an_expert_that_always_does_the_same_the_report_says_that_its_clone_was_used(
    quickly: Callable[[], AbstractContextManager[None]],
) -> None:
    """Its frequencies know its actions as well as any clone, which gains nothing and is nearly certain of them."""
    config = TrainConfig(steps=12 * 64, num_envs=2, rollout_size=64)
    observations = np.random.default_rng(0).normal(0, 0.02, (3, 51, 4)).astype(np.float32)
    shown = [Trajectory(each, np.zeros(50, np.int64), None, terminated=False) for each in observations]
    with quickly():
        result = train("CartPole-v1", Demonstrations(shown), config)
    assert result.metrics[0]["clone/gain"] < LEAST_GAIN
    notes = diagnose(curves_of(result.metrics), Plan(action_components=0))
    (note,) = [each for each in notes if "clone" in each.title]
    assert note.title == "The policy began as a clone" and "nearly certain" in note.meaning


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
