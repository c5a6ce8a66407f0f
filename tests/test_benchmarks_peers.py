"""What is said of gailkit beside the package ``imitation``, by hand arithmetic, and that both learn from the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box

from benchmarks import peers_imitation
from benchmarks.commands import shown
from benchmarks.peers import TASKS, Pair, arrays_path, write_demonstrations
from benchmarks.peers_gailkit import ended_at_least
from benchmarks.peers_settings import SETTINGS
from benchmarks.peers_table import reached, rendered, thinned
from gailkit import Demonstrations
from gailkit.types import Trajectory

CARTPOLE, HOPPER, _ = TASKS


def curve_of(*returns: float) -> dict[str, list[float]]:
    """A round of 10 steps, which takes 2 seconds, for each return."""
    rounds = range(1, len(returns) + 1)
    return {"steps": [10 * n for n in rounds], "seconds": [2.0 * n for n in rounds], "true_return": list(returns)}


def test_a_share_of_the_way_is_reached_when_the_return_first_is_there() -> None:
    curve = curve_of(-90.0, 49.9, 50.0, -10.0, 100.0)  # from -100 to 100: half of the way is 0, three quarters is 50
    assert reached(curve, random=-100.0, expert=100.0, share=0.5) == {"steps": 20, "seconds": 4.0}
    assert reached(curve, random=-100.0, expert=100.0, share=0.75) == {"steps": 30, "seconds": 6.0}
    assert reached(curve, random=-100.0, expert=111.2, share=0.95) is None  # the mark is 100.64
    assert reached(curve_of(), random=0.0, expert=1.0, share=0.5) is None


@pytest.mark.parametrize(
    ("lengths", "terminated", "known"),
    [
        ([20, 21, 23, 25, 27], 4, 5),  # 116 / 5 and 4 / 5
        ([10, 20], 2, 1),  # 15 and 1: one episode of 15 steps would look the same
        ([10, 20, 30, 41, 50, 60], 2, 6),  # 211 / 6
        ([500, 500, 500], 0, 32),  # at the time limit, which all 32 environments reach together
    ],
)
def test_means_tell_how_many_episodes_they_are_over_at_least(lengths: list[int], terminated: int, known: int) -> None:
    count = len(lengths)
    means = {"episode/length": sum(lengths) / count, "episode/terminated": terminated / count}
    assert ended_at_least(means, num_envs=32) == known


def test_without_an_ended_episode_none_has() -> None:
    assert ended_at_least({"steps": 2048.0}, num_envs=32) == 0


def test_a_thinned_curve_keeps_its_ends_and_a_short_one_all() -> None:
    kept = thinned(curve_of(*(float(number) for number in range(50))), points=8)
    assert kept["steps"] == [10, 80, 150, 220, 290, 360, 430, 500]  # every seventh
    assert kept["true_return"][-1] == 49.0
    assert thinned(curve_of(1.26, 2.0)) == {"steps": [10, 20], "seconds": [2.0, 4.0], "true_return": [1.3, 2.0]}


def row_of(seed: int, ours: int | None, theirs: int | None) -> dict[str, Any]:
    """A pair of which either side reached half of the way after so many steps, a second for every ten, and no more."""

    def side(steps: int | None, seconds: float) -> dict[str, Any]:
        half = None if steps is None else {"steps": steps, "seconds": steps / 10}
        end = {"steps": 1000, "seconds": seconds, "return_at_end": 7.0, "versions": {"python": "3.11.7"}}
        return {"reached": {"0.5": half, "0.9": None}, **end}

    scale = {"random_return": 0.0, "expert_return": 10.0}
    return {
        "task": "Walk-v1",
        "seed": seed,
        "steps": 1000,
        **scale,
        "ours": side(ours, 40.0),
        "peer": side(theirs, 80.0),
    }


def test_the_table_shows_medians_and_the_ratio_of_ours_to_theirs() -> None:
    lines = rendered([row_of(0, 100, 400), row_of(1, 200, 800), row_of(2, 300, None)]).splitlines()
    steps = "**200** (100 to 300) | **800** (400 to never) | 0.25"
    seconds = "**20.0** (10.0 to 30.0) | **80.0** (40.0 to never) | 0.25"
    assert lines[2] == f"| Walk-v1 | 0.5 | {steps} | {seconds} | 3 |"
    assert lines[3] == "| Walk-v1 | 0.9 | never | never | - | never | never | - | 3 |"
    assert lines[7] == "| Walk-v1 | 0.0 | 10.0 | 7.0 | 7.0 | 1,000 | 40 | 80 | 0.50 |"


@pytest.mark.parametrize(
    ("ours", "theirs", "ratios"),
    [
        (250, None, ("< 0.25", "< 0.31")),  # 250 of 1000 steps, 25 of the peer's 80 seconds
        (None, 500, ("> 2.00", "> 0.80")),  # our 1000 steps to 500, our 40 seconds to 50
    ],
)
def test_where_one_did_not_get_there_the_ratio_is_a_bound(
    ours: int | None, theirs: int | None, ratios: tuple[str, str]
) -> None:
    cells = rendered([row_of(0, ours, theirs)]).splitlines()[2].split(" | ")
    assert (cells[4], cells[7]) == ratios


def test_both_sides_take_the_peers_whole_rollouts_whose_total_is_its_own() -> None:
    assert Pair(CARTPOLE, 0, 32).steps == 114_688  # 7 of 16,384, the first number of them beyond 100,000
    assert Pair(HOPPER, 0, 32).steps == 401_408  # 98 of 4096
    assert Pair(HOPPER, 0, 48).steps == 403_920  # 99 of 4080: 85 steps in each of 48 environments


def test_who_learns_first_alternates_with_the_seed() -> None:
    orders = [Pair(HOPPER, seed, 32).order for seed in range(4)]
    assert orders[0] == orders[2] != orders[1] == orders[3]


def test_every_task_has_settings_of_the_peer() -> None:
    assert {task.peer_env_id for task in TASKS} == set(SETTINGS)


def test_the_peer_learns_from_the_same_episodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    episodes = [
        Trajectory(rng.normal(size=(steps + 1, 3)), rng.normal(size=(steps, 2)), np.ones(steps), terminated=steps == 2)
        for steps in (2, 4, 6)
    ]
    monkeypatch.chdir(tmp_path)
    boxes = Box(-9, 9, (3,), np.float64), Box(-1, 1, (2,), np.float64)
    Demonstrations(episodes, *boxes).save("expert.hdf5")
    task = HOPPER._replace(demos=Path("expert.hdf5"), trajectories=2)
    assert write_demonstrations(task) == 4.0  # the mean of 2, 4 and 6, the third not learned from

    monkeypatch.setattr(peers_imitation, "_named", lambda _: SimpleNamespace)
    read = peers_imitation.demonstrations(arrays_path(task), boxes[1], np.dtype(np.float64))
    assert [episode.terminal for episode in read] == [True, False]
    for episode, original in zip(read, episodes[:2], strict=True):
        np.testing.assert_array_equal(episode.obs, original.observations)
        np.testing.assert_array_equal(episode.acts, np.clip(original.actions, -1, 1))


def test_the_peer_needs_nothing_of_gailkit() -> None:
    asked = "import sys, benchmarks.peers_imitation; print('gailkit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_command_is_shown_without_the_paths_that_have_names() -> None:
    words = [sys.executable, "-m", "x", "/far/away/a b.hdf5", "/far/away", "/far/awayish", 3]
    assert shown(words, {"EXPERTS": Path("/far/away")}) == "python -m x $EXPERTS'/a b.hdf5' $EXPERTS /far/awayish 3"
