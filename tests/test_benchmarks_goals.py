"""The experts of the tasks with goals reach them, in the tasks themselves where these are installed; and the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.goal_tasks import FORWARD, LEFT, PICK_UP, RIGHT, TOGGLE, doorkey_expert, fetch_expert
from benchmarks.goals import DEFAULT, DOORKEY, FETCH, success, write_table
from gailkit.experts.function import as_policy
from gailkit.rollouts.environments import EnvMaker, make_env
from gailkit.rollouts.episodes import collect_episodes

EMPTY, WALL, DOOR, KEY, GOAL = 1, 2, 4, 5, 8
OPEN, LOCKED = 0, 2


def seen(cells: dict[tuple[int, int], int], state: int = LOCKED, carrying: int = EMPTY) -> dict[str, Any]:
    """What is seen from (3, 6), looking up: ``cells`` by (column, row) and nothing else."""
    image = np.zeros((7, 7, 3), np.uint8)
    for place, kind in {(3, 6): carrying, **cells}.items():
        image[place] = (kind, 0, state if kind == DOOR else 0)
    return {"image": image, "direction": np.int64(0)}


@pytest.mark.parametrize(
    ("shown", "action"),
    [
        (seen({(3, 5): KEY}), PICK_UP),
        (seen({(3, 5): EMPTY, (3, 4): KEY}), FORWARD),
        (seen({(4, 6): KEY}), RIGHT),
        (seen({(2, 6): KEY}), LEFT),
        (seen({(2, 6): EMPTY, (1, 6): KEY}), LEFT),
        (seen({(3, 5): DOOR, (4, 6): KEY}), RIGHT),  # a door is of no use without the key
        (seen({(3, 5): DOOR}, carrying=KEY), TOGGLE),
        (seen({(3, 5): WALL, (2, 6): DOOR}, carrying=KEY), LEFT),
        (seen({(3, 5): DOOR, (3, 4): EMPTY}, OPEN, KEY), FORWARD),
        (seen({(3, 5): DOOR, (3, 4): EMPTY, (4, 4): GOAL}, OPEN, KEY), FORWARD),
        (seen({(3, 5): EMPTY, (2, 5): GOAL, (2, 6): EMPTY}, carrying=KEY), LEFT),  # as short as FORWARD, LEFT, FORWARD
        (seen({}), RIGHT),  # nothing is seen
        (seen({(3, 5): WALL, (3, 4): KEY}), RIGHT),  # there is no way
    ],
)
def test_the_expert_of_the_door_takes_a_first_step_of_a_shortest_way(shown: dict[str, Any], action: int) -> None:
    before = shown["image"].copy()
    assert doorkey_expert(shown) == action or (action == LEFT and doorkey_expert(shown) == FORWARD)
    assert np.array_equal(shown["image"], before)


def test_the_arm_moves_straight_to_its_goal_and_no_faster_than_it_can() -> None:
    goal, grip = np.array([1.0, 2.0, 3.0]), np.array([1.05, 1.0, 2.99])
    assert fetch_expert({"desired_goal": goal, "achieved_goal": grip}) == pytest.approx([-0.5, 1.0, 0.1, 0.0])


def test_the_expert_unlocks_the_door_of_minigrid_every_time() -> None:
    """In 40 mazes, by what one sees there; nobody needs more than 20 of 250 steps."""
    pytest.importorskip("minigrid", reason="NOT TESTED in MiniGrid: it is not installed (pip install minigrid)")
    env = make_env(DOORKEY.env_id)
    policy = as_policy(doorkey_expert, env.observation_space, env.action_space)
    episodes = collect_episodes(policy, EnvMaker(DOORKEY.env_id), list(range(40)))
    assert all(each.terminated for each in episodes) and max(map(len, episodes)) < 20
    assert len({each.observations.tobytes() for each in episodes}) > 20


def test_success_is_told_or_that_the_goal_ended_the_episode(tmp_path: Path) -> None:
    assert success({"success": 0.75, "terminated": 0.0}) == 0.75
    assert success({"success": None, "terminated": 0.5}) == 0.5
    row = {"method": DEFAULT.name, "terminated": 0.0, "score": 0.5, "closeness": 0.25, "auc": 0.5, "seconds": 9}
    rows = [{**row, "task": FETCH.name, "seed": seed, "success": share} for seed, share in enumerate((0.5, 1.0, 0.75))]
    write_table(rows, tmp_path / "t.md")
    text = (tmp_path / "t.md").read_text()
    expected = (
        f"| FetchReach-v4 | {FETCH.trajectories} episodes | {FETCH.steps:,} | 0.75 [0.50, 1.00] | 0.50 [0.50, 0.50]"
    )
    assert expected in text and "DoorKey-5x5-v0 |" not in text
