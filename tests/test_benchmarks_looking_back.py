"""The tasks that hide what matters: what is seen in them, who knows it all the same, and the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv

from benchmarks.hidden_tasks import DOWN, FORWARD, LENGTH, UP, CartPositions, TMaze, record
from benchmarks.looking_back import METHODS, TASKS, write_table
from gailkit import Demonstrations


@pytest.mark.parametrize("turn", [UP, DOWN])
def test_a_maze_shows_its_sign_at_the_beginning_alone(turn: int) -> None:
    """So that nothing but memory tells apart the ends of two mazes, in which the other turn is right."""
    seen = {}
    for up in (True, False):
        env = TMaze(3)
        env.reset(seed=0)
        env.up = up
        steps = [env._observation(), *(env.step(np.int64(FORWARD))[0] for _ in range(3))]
        seen[up] = np.array(steps)
        _, reward, over, _, info = env.step(np.int64(turn))
        assert over and info["success"] == (up == (turn == UP)) and reward == float(info["success"])
    assert not np.array_equal(seen[True][0], seen[False][0])
    assert np.array_equal(seen[True][1:], seen[False][1:])


def test_the_expert_of_the_maze_always_succeeds_at_either_sign(tmp_path: Path) -> None:
    record("TMaze-v0", tmp_path / "d.hdf5", 12)
    shown = Demonstrations.load(tmp_path / "d.hdf5")
    returns = shown.returns()
    assert returns is not None and (returns == 1).all()
    assert {len(each) for each in shown.trajectories} == {LENGTH + 1}
    assert {int(each.actions[-1]) for each in shown.trajectories} == {UP, DOWN}


def test_carts_are_seen_without_their_velocities(tmp_path: Path) -> None:
    record("CartPositions-v0", tmp_path / "d.hdf5", 3)
    shown = Demonstrations.load(tmp_path / "d.hdf5")
    whole = Demonstrations.load("datasets/cartpole-v1.hdf5")
    for mine, theirs in zip(shown.trajectories, whole.trajectories, strict=False):
        assert np.array_equal(mine.observations, theirs.observations[:, [0, 2]])
    env = CartPositions()
    seen, _ = env.reset(seed=0)
    assert isinstance(env.unwrapped, CartPoleEnv)
    assert np.array_equal(seen, np.asarray(env.unwrapped.state)[[0, 2]].astype(np.float32))


def test_the_table_has_a_line_for_each_task_and_method(tmp_path: Path) -> None:
    rows = [
        {"task": TASKS[0].name, "method": METHODS[1].name, "seed": seed, "score": score, "closeness": 0.5, "seconds": 9}
        for seed, score in enumerate((0.25, 0.5, 1.0))
    ]
    write_table(rows, tmp_path / "t.md")
    assert "| CartPositions-v0 | gru | 0.500 [0.250, 1.000] | 0.500 | 9 | 3 |" in (tmp_path / "t.md").read_text()
