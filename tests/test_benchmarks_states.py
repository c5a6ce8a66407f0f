"""The table of what is imitated without actions, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.states import KINDS, runs, write_table
from benchmarks.tasks import WORK


def row(task: str, method: str, seed: int, score: float, sampled: float) -> dict[str, Any]:
    likeness = {"closeness": score, "auc": 0.6}
    return {
        "task": task, "method": method, "seed": seed, "score": score, "score_sampled": sampled, **likeness,
        "sampled": {"closeness": sampled, "auc": 0.7}, "steps_to_90": 1000 * (seed + 1), "seconds": 60,
    }  # fmt: skip


def test_scores_stand_beside_what_the_actions_would_have_given(tmp_path: Path) -> None:
    """0.9 of 1.0 by likeliest actions where the expert took those; 0.45 of 0.5 by sampled ones."""
    rows = [
        *(row("Pendulum-v1", "state-action", seed, 1.0, 0.1) for seed in range(3)),
        *(row("Pendulum-v1 without actions", "next-state", seed, 0.9 + (seed - 1) / 10, 0.1) for seed in range(3)),
        row("Hopper-v5", "state-action", 0, 0.1, 0.5),
        row("Hopper-v5 without actions", "state", 0, 0.1, 0.45),
    ]
    write_table(rows, tmp_path / "states.md")
    text = (tmp_path / "states.md").read_text()
    assert "| Pendulum-v1 | 10 episodes | 200,000 | state-action | 1.000 [1.000, 1.000] | 1.00 |" in text
    entry = "| 0.900 [0.800, 1.000] | 0.90 | 0.900 [0.800, 1.000] | 0.60 [0.60, 0.60] | 2,000 | 60 | 3 |"
    assert f"| Pendulum-v1 | 10 episodes | 200,000 | next-state {entry}" in text
    assert "| Hopper-v5 | 4 episodes | 500,000 | state | 0.450 [0.450, 0.450] | 0.90 | 0.450" in text
    assert "| Pendulum-v1 | 10 episodes | 200,000 | state |" not in text


def test_only_who_sees_actions_learns_from_files_that_hold_some() -> None:
    for task, method in runs():
        assert task.without_actions == (method.name != "state-action")
        assert (task.taught_path == task.demos_path) == (not task.without_actions)
        assert not task.without_actions or task.taught_path == WORK / f"{task.env_id}-without-actions.hdf5"
    assert len(list(runs())) == 2 * len(KINDS)
