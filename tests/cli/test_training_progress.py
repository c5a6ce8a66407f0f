"""What training looks like, to a pipe and to a terminal, whatever metrics there are."""

from __future__ import annotations

import io
import re
import sys

import pytest

from gailkit.cli import training_progress
from gailkit.cli.training_progress import show_training, told_choice
from gailkit.training.choosing import Choice, Played


def test_lines_come_every_ten_seconds_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(training_progress.time, "monotonic", lambda: now[0])
    with show_training(1000) as show:
        for steps, seconds in ((50, 8.0), (100, 11.0), (150, 14.0), (200, 22.0)):
            now[0] = seconds
            show.iteration({"steps": float(steps), "seconds": seconds, "steps_per_second": 10.0})
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("; ")[0] for line in lines] == [
        "step 100 of 1,000, 10 steps/s, 54 s left",  # the second iteration took 3 s, and 18 like it are left
        "step 200 of 1,000, 10 steps/s, 1 min 28 s left",  # the third and the fourth 11 s, and 16 are left
    ]
    assert "true return: -" in lines[0]  # no episode has ended


def test_a_clone_that_takes_long_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(training_progress.time, "monotonic", lambda: now[0])
    with show_training(1000) as show:
        for learned, at_most, seconds in ((5000, 30_000, 9.0), (10_000, 30_000, 12.0), (15_000, 20_000, 22.0)):
            now[0] = seconds
            show.cloning(learned, at_most)
    told = capsys.readouterr().err.splitlines()
    assert told == [  # 5000 took 3 s, and 20,000 are left; then 5000 took 10 s, and as many are left
        "cloning the demonstrations: 10,000 of at most 30,000 pairs, at most 12 s left",
        "cloning the demonstrations: 15,000 of at most 20,000 pairs, at most 10 s left",
    ]


def test_after_one_iteration_nobody_knows_how_long_the_others_take(capsys: pytest.CaptureFixture[str]) -> None:
    for total, shown in ((51, "step 50 of 51, 10 steps/s"), (50, "step 50 of 50, 10 steps/s, 0 s left")):
        position = training_progress._Position(total)
        assert position.words({"steps": 50.0, "steps_per_second": 10.0}) == shown


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with show_training(1000) as show:
        show.cloning(128, 640)
        show.iteration(
            {"steps": 250.0, "seconds": 10.0, "steps_per_second": 25.0, "policy/entropy": 0.625, "policy/kl": 0.01}
        )
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "getting ready for the first iteration" in shown and "step 250 of 1,000, 25 steps/s" in shown
    assert re.search(r"policy entropy \| KL of the update\W+0\.6250 \| 0\.0100", shown)


CLOCK = {"steps": 1000.0, "seconds": 10.0, "steps_per_second": 100.0}


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        ({}, ["episode length: -", "true return: -"]),
        (
            {"reward/mean": 1.0, "reward/std": 0.0, "episode/length": 21.5, "episode/true_return": 20.25},
            ["reward, mean | deviation: +1.000 | +0.000", "episode length: 21.5", "true return: 20.2"],
        ),
        (
            {"discriminator/accuracy_expert": 0.5, "discriminator/accuracy_policy": 0.75},
            [
                "discriminator accuracy (0.5 by guessing), expert | policy: 0.50 | 0.75",
                "episode length: -",
                "true return: -",
            ],
        ),
        (
            {"policy/entropy": 0.625},
            ["policy entropy | KL of the update: 0.6250 | -", "episode length: -", "true return: -"],
        ),
        (
            {"policy/step_share": 0.125, "policy/line_search_failures": 3.0},
            [
                "share of the step taken: 0.125",
                "line searches that failed, so far: 3",
                "episode length: -",
                "true return: -",
            ],
        ),
        (
            {"clone/gain": 0.25, "clone/guidance": 0.075},
            [
                "clone gain, nats | guidance, weight of expert's actions: +0.250 | +0.075",
                "episode length: -",
                "true return: -",
            ],
        ),
        ({"policy/kl_penalty": 0.03125}, ["weight of the KL penalty: 0.0312", "episode length: -", "true return: -"]),
    ],
    ids=["nothing", "expert", "adversary", "policy", "trpo", "clone", "ppo-penalty"],
)
def test_what_there_is_is_shown_and_nothing_else(
    capsys: pytest.CaptureFixture[str], metrics: dict[str, float], shown: list[str]
) -> None:
    with show_training(1000) as show:
        show.iteration({**CLOCK, **metrics})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.split("; ") == ["step 1,000 of 1,000, 100 steps/s, 0 s left", *shown]


def test_which_policy_was_chosen_is_told_with_the_distances_it_was_chosen_by() -> None:
    distances = {("last", "likeliest"): 0.5, ("last", "sampled"): 1.25, ("clone", "likeliest"): 0.125}
    played = tuple(Played(policy, actions, 3, distance) for (policy, actions), distance in distances.items())
    told = told_choice(Choice("clone", {}, played, 12_345))
    assert told.startswith("chosen: the clone policy, whose steps lie nearest to the demonstrations")
    assert "over 3 episodes each (12,345 steps)" in told
    for (policy, actions), distance in distances.items():
        assert f"{policy} by {actions} actions {distance:.3g}" in told
    alone = told_choice(Choice("clone", {}, (Played("clone", "likeliest", 1, 0.1),), 20))
    assert "over 1 episode each (20 steps)" in alone


def test_a_run_that_was_too_short_to_choose_says_so() -> None:
    told = told_choice(Choice("last", {}, (), 0))
    assert told == "chosen: the last policy (the run is too short, or the episodes too long, to play others)"


@pytest.mark.parametrize("terminal", [True, False])
def test_an_alarm_is_told_once_with_what_to_try(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    monkeypatch.setattr(training_progress.sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with show_training(1000) as show:
        for step, far, blind in ((100.0, 0.0, 0.0), (200.0, 1.0, 0.0), (300.0, 0.0, 0.0), (400.0, 1.0, 1.0)):
            show.iteration({**CLOCK, "steps": step, "health/updates_far": far, "health/discriminator_blind": blind})
    said = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(said) == 2
    assert "warning, at step 200: Updates moved the policy far. Try: a lower --policy-learning-rate" in said[0]
    assert "warning, at step 400: The discriminator never told policy and expert apart. Try: a higher" in said[1]
