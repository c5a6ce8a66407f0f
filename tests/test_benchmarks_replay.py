"""Tables of what learns from a replay, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import figure3_picture
from benchmarks.figure3 import TASKS as SEVEN
from benchmarks.figure3 import _table
from benchmarks.figure3_picture import drawn
from benchmarks.replay import write_table
from benchmarks.replay_tasks import METHODS, TASKS, acts_in
from gailkit.training.policy_config import OFF_POLICY


def row(task: str, seed: int, score: float, sampled: float, **more: Any) -> dict[str, Any]:
    likeness = {"closeness": score, "auc": 0.6}
    return {
        "task": task, "method": "sac", "seed": seed, "score": score, "score_sampled": sampled, **likeness,
        "sampled": {"closeness": sampled, "auc": 0.7}, "steps_to_90": 1000 * (seed + 1), "seconds": 60, **more,
    }  # fmt: skip


def test_the_actions_that_count_are_those_of_the_expert(tmp_path: Path) -> None:
    rows = [row(name, seed, 0.9 + seed / 100, 0.5) for name in ("Pendulum-v1", "Hopper-v5") for seed in range(3)]
    control = row("Hopper-v5 taught by random", 0, 0.01, 0.02, teacher_score=0.0)
    write_table([*rows, control], tmp_path / "replay.md")
    text = (tmp_path / "replay.md").read_text()
    entry = "| likeliest | 0.910 [0.900, 0.920] | 0.910 [0.900, 0.920] | 0.60 | 2,000 | 60 | 3 |"
    assert f"| Pendulum-v1 | 10 episodes | 20,000 | 0.95 | sac {entry}" in text
    assert "| Hopper-v5 | 4 episodes, every 20th pair | 150,000 | 0.95 | sac | sampled | 0.500" in text
    assert "| 150,000 | sac | sampled | 0.000 | 0.020 [0.020, 0.020] | 0.010 [0.010, 0.010] | 1 |" in text


def test_every_task_has_generators_that_can_act_in_it() -> None:
    assert {method.name for method in METHODS} == set(OFF_POLICY)
    found = {task.env_id: {method.name for method in METHODS if acts_in(method, task)} for task in TASKS}
    assert found["CartPole-v1"] == {"dqn", "sac"}
    assert found["HalfCheetah-v5"] == {"ddpg", "td3", "sac"}


def test_the_figure_and_its_table_show_what_is_there_and_say_what_is_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = {"steps": [0, 10, 20], "true_return": [0.0, 1.0, 2.0]}
    runs = [
        {"task": SEVEN[0], "method": "sac", "seed": seed, "final": 10.0 * seed, "seconds_in_all": 120,
         "steps_in_all": 20, **curve}
        for seed in range(3)
    ]  # fmt: skip
    table = _table(runs)
    assert f"| {SEVEN[0]} | 10 [0, 20]<br>2 min, after 20 steps |" in table
    assert f"| {SEVEN[1]} | - |" in table
    monkeypatch.setattr(figure3_picture, "COLUMNS", 2)
    three = SEVEN[:3]  # which leave a place free in the second line
    picture = drawn(runs, three)
    assert picture == drawn(runs, three)
    assert picture.startswith(b"<?xml")
    assert drawn([], three)
