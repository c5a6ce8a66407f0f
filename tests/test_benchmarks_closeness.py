"""What the benchmarks say of closeness, by hand, and that draws whose truth is known are what they claim."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibration import holds, report, share
from benchmarks.draws import PENDULUM, SETTINGS, Setting, dealt, episodes
from benchmarks.evaluation import Spent, Stopwatch
from benchmarks.table import likeness
from gailkit.demonstrations.episodes import HeldEpisodes
from gailkit.evaluation.verdict import DIFFERENT, INDISTINGUISHABLE
from gailkit.experts.resolve import expert_policy
from gailkit.rollouts.environments import make_env


def run_of(closeness: float | None, auc: float, verdict: str) -> dict[str, object]:
    """A row of the results whose interval is a tenth to either side."""
    interval = None if closeness is None else [closeness - 0.1, closeness + 0.1]
    return {"closeness": closeness, "closeness_ci95": interval, "auc": auc, "verdict": verdict, "compared_episodes": 15}


def test_the_run_in_the_middle_lends_its_interval() -> None:
    runs = [run_of(0.9, 0.5, INDISTINGUISHABLE), run_of(0.2, 0.9, DIFFERENT), run_of(0.7, 0.8, DIFFERENT)]
    assert likeness(runs) == (
        "15 | **0.700** (0.200 to 0.900) | 0.600 to 0.800 | 0.80 | 2 different, 1 indistinguishable"
    )


def test_runs_without_a_scale_are_left_out_of_closeness_but_not_of_the_rest() -> None:
    runs = [run_of(None, 0.6, DIFFERENT), run_of(0.7, 0.8, DIFFERENT)]
    assert likeness(runs) == "15 | **0.700** (0.700 to 0.700) | 0.600 to 0.800 | 0.70 | 2 different"
    assert likeness(runs[:1]) == "15 | no scale |  | 0.60 | 1 different"


def test_what_was_not_evaluated_is_said_to_be_not_measured() -> None:
    cells = likeness([]).split("|")
    assert cells[0].strip() == "not measured"
    assert len(cells) == len(likeness([run_of(0.7, 0.8, DIFFERENT)]).split("|"))


def test_shares_and_intervals() -> None:
    rows = [{"excess": [0.1, -0.1, 0.3]}, {"excess": [0.4, 0.2, 0.6]}]
    assert share(rows, lambda row: holds(row["excess"], 0)) == 0.5
    assert holds([0.4, 0.2, 0.6], 0.2) and holds([0.4, 0.2, 0.6], 0.6) and not holds([0.4, 0.2, 0.6], 0.61)


def noisy_row(number: int, excess: float, detectable: float, verdict: str) -> dict[str, object]:
    """Draw ``number`` at noise 0.1 whose interval is 0.2 to either side of the excess."""
    return {
        "setting": "noise 0.1",
        "number": number,
        "excess": [excess, excess - 0.2, excess + 0.2],
        "closeness": [0.9, 0.8, 1.0],
        "auc": 0.8,
        "recall": 0.5,
        "detectable": detectable,
        "verdict": verdict,
    }


def test_the_promise_of_detectable_is_held_against_the_median_excess() -> None:
    rows = [
        noisy_row(0, 0.1, 0.4, INDISTINGUISHABLE),
        noisy_row(1, 0.3, 0.3, DIFFERENT),  # the median is 0.3: this draw, the next and the last promise to show it
        noisy_row(2, 0.5, 0.2, INDISTINGUISHABLE),
        noisy_row(3, 0.5, 0.6, DIFFERENT),
        noisy_row(4, 0.1, 0.2, DIFFERENT),
    ]
    said = "\n".join(report(rows))
    assert "of the 3 draws whose true excess is at least what they call detectable" in said
    assert "0.67 are told apart" in said
    assert "0.67 by the interval of the excess alone" in said


def test_the_stopwatch_adds_up() -> None:
    timed = Stopwatch()
    assert timed("sum", lambda: sum(range(10))) == 45
    timed.spent["rest"] = Spent(1.0, 0.5)
    both = timed.total("sum", "rest")
    assert both.wall == timed.spent["sum"].wall + 1.0 and both.computing == timed.spent["sum"].computing + 0.5


def test_settings_have_names_of_their_own() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_every_draw_plays_episodes_of_its_own_and_the_same_again(
    experts_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.draws.EXPERTS", experts_folder)
    with closing(make_env("Pendulum-v1")) as env:
        spaces = env.observation_space, env.action_space
    setting = Setting("a few", PENDULUM, 0.5, 2, 2)
    first, again, other = (episodes(setting, number, spaces) for number in (0, 0, 1))
    digests = [[digest for side in draw for digest in HeldEpisodes(side).digests()] for draw in (first, again, other)]
    assert digests[0] == digests[1]
    assert len({*digests[0], *digests[2]}) == 12
    starts = {trajectory.seed for draw in (first, other) for side in draw for trajectory in side}
    assert len(starts) == 12  # nobody starts where another did


def test_the_policy_of_a_draw_strays_from_the_expert_by_the_noise(
    experts_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.draws.EXPERTS", experts_folder)
    with closing(make_env("Pendulum-v1")) as env:
        spaces = env.observation_space, env.action_space
    network = expert_policy(str(experts_folder / PENDULUM.expert), *spaces, 0)
    policy, expert, random = (side[0] for side in episodes(Setting("one", PENDULUM, 0.1, 1, 1), 0, spaces))
    own = network(expert.observations[:-1])
    np.testing.assert_allclose(expert.actions, own, atol=1e-5)
    strayed = policy.actions - network(policy.observations[:-1])
    inside = np.abs(policy.actions) < 2  # where no action was clipped
    assert strayed[inside].std() == pytest.approx(0.1 * 2, rel=0.2)  # half the width of [-2, 2] is 2
    assert random.actions.std() == pytest.approx(4 / np.sqrt(12), rel=0.2)


def test_steps_dealt_anew_leave_no_episode_to_recognise() -> None:
    points = [np.full((50, 1), float(episode)) for episode in range(4)]
    parts = dealt(points, np.random.default_rng(0))
    assert [len(part) for part in parts] == [50] * 4
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)[:, 0]), np.concatenate(points)[:, 0])
    assert all(len(set(part[:, 0])) == 4 for part in parts)
