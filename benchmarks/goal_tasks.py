"""Experts for two tasks of other packages, which observe Dicts: a door to unlock, and a place to reach.

``gailkit record minigrid:MiniGrid-DoorKey-5x5-v0 --policy benchmarks.goal_tasks:doorkey_expert --episodes 100 --seed 0
-o doorkey.hdf5``, and likewise ``gymnasium_robotics:FetchReach-v4`` by ``benchmarks.goal_tasks:fetch_expert``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

EMPTY, DOOR, KEY, GOAL = 1, 4, 5, 8  # what MiniGrid shows in a cell
OPEN = 0  # the state of a door
LEFT, RIGHT, FORWARD, PICK_UP, TOGGLE = 0, 1, 2, 3, 5
HERE = (3, 6)  # column and row of whoever looks, upwards, in the 7 x 7 cells that it sees
AHEAD = ((0, -1), (1, 0), (0, 1), (-1, 0))  # one step as it looks, and after each turn to the right
GAIN = 10.0  # of the gripper's speed, per metre

Cell = tuple[int, int]


def doorkey_expert(observation: Mapping[str, Any]) -> int:
    """Fetch the key, unlock the door, go through it and to the goal: by the shortest way in what is seen, and where
    nothing of it is seen a turn to the right."""
    kinds, states = observation["image"][..., 0].copy(), observation["image"][..., 2]
    has_key = kinds[HERE] == KEY
    kinds[HERE] = EMPTY  # where it stands, even if that shows what it carries
    is_open = (kinds == DOOR) & (states == OPEN)
    free = (kinds == EMPTY) | (kinds == GOAL) | is_open
    for places in (kinds == GOAL, is_open):
        if places.any():
            return _way(free, places, None)
    if has_key:
        return _way(free, kinds == DOOR, TOGGLE)
    return _way(free, kinds == KEY, PICK_UP)


def fetch_expert(observation: Mapping[str, Any]) -> np.ndarray:
    """Move towards the goal, the slower the nearer; the fingers stay as they are."""
    missing = observation["desired_goal"] - observation["achieved_goal"]
    return np.append(np.clip(GAIN * missing, -1.0, 1.0), 0.0).astype(np.float32)


def _way(free: np.ndarray, wanted: np.ndarray, use: int | None) -> int:
    """The first action on a shortest way over ``free`` cells (7, 7) to ``wanted`` ones, or into their face to ``use``
    them; a turn where there is none."""
    begin = (HERE, 0)
    first: dict[tuple[Cell, int], int] = {begin: RIGHT}
    waiting = deque([begin])
    while waiting:
        cell, turns = waiting.popleft()
        ahead = (cell[0] + AHEAD[turns][0], cell[1] + AHEAD[turns][1])
        if _holds(wanted, cell if use is None else ahead):
            return use if use is not None and (cell, turns) == begin else first[cell, turns]
        for action, place in ((FORWARD, (ahead, turns)), (LEFT, (cell, turns - 1)), (RIGHT, (cell, turns + 1))):
            place = (place[0], place[1] % 4)
            if place not in first and _holds(free, place[0]):
                first[place] = action if (cell, turns) == begin else first[cell, turns]
                waiting.append(place)
    return RIGHT


def _holds(cells: np.ndarray, cell: Cell) -> bool:
    return 0 <= cell[0] < cells.shape[0] and 0 <= cell[1] < cells.shape[1] and bool(cells[cell])
