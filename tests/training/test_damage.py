"""A run folder is data: whatever stands in it, it is a run or one sentence, never a crash, a hang or a huge array."""

from __future__ import annotations

import copy
import json
import math
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, GailkitError
from gailkit.training.checkpoint import load_checkpoint, save_checkpoint
from gailkit.training.config import TrainConfig
from gailkit.training.metrics import read_metrics
from gailkit.training.resuming import resume
from gailkit.training.run import load_policy
from gailkit.training.train import train

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 3, 2**31, 10**9, 2**63, 10**30, 1e300, math.nan, math.inf, -0.5, "", "a", "x:y", "\x1b[31m",
    [], [1], [[]], {}, {"a": 1},
)  # fmt: skip

Mutate = Callable[[Path, random.Random], object]


class Stopped(Exception):
    """Raised by the test in the middle of a run."""


class Runs(NamedTuple):
    done: Path
    stopped: Path  # after two of three iterations


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, cartpole: Demonstrations, tiny: TrainConfig) -> Runs:
    def stop(metrics: dict[str, float]) -> None:
        if metrics["steps"] == 128:
            raise Stopped

    found = Runs(*(tmp_path_factory.mktemp("runs") / name for name in Runs._fields))
    train("CartPole-v1", cartpole, tiny, out=found.done)
    with pytest.raises(Stopped):
        train("CartPole-v1", cartpole, tiny, out=found.stopped, on_iteration=stop)
    for run in found:
        shutil.rmtree(run / "tensorboard")
    return found


def changed_at_random(tree: Any, dice: random.Random) -> object:
    """Change one place in a tree of plain values and tensors; returns where and into what."""
    place: list[Any] = []
    node = tree
    while isinstance(node, dict | list) and node and (not place or dice.random() < 0.8):
        place.append(dice.choice(list(node)) if isinstance(node, dict) else dice.randrange(len(node)))
        parent, node = node, node[place[-1]]
    if dice.random() < 0.25:
        del parent[place[-1]]
        return place, "deleted"
    parent[place[-1]] = other_than(node, dice)
    return place, parent[place[-1]]


def other_than(value: Any, dice: random.Random) -> Any:
    if dice.random() < 0.5:
        return dice.choice(ODD)
    if isinstance(value, torch.Tensor):
        flat = value.flatten()
        others = (flat, flat[:0], value[None], value.double(), value.bool(), value.new_zeros((3, 3)))
        return dice.choice(others) if value.dim() else value.repeat(2)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return dice.choice((value + 1, -value, value * 10, value * 10**6, str(value)))
    return copy.deepcopy(value * 2) if isinstance(value, list | str) else dice.choice(ODD)


def mutated_bytes(path: Path, dice: random.Random) -> object:
    content = bytearray(path.read_bytes())
    at = dice.randrange(len(content) if dice.random() < 0.5 else min(len(content), 200))
    how = dice.choice(("flip", "cut", "insert", "overwrite"))
    if how == "flip":
        content[at] ^= 1 << dice.randrange(8)
    elif how == "cut":
        del content[at:]
    elif how == "insert":
        content[at:at] = dice.randbytes(dice.randrange(1, 9))
    else:
        content[at : at + 8] = dice.choice((b"\xff" * 8, bytes(8), (10**12).to_bytes(8, "little")))
    path.write_bytes(content)
    return how, at


def mutated_checkpoint(path: Path, dice: random.Random) -> object:
    state = load_checkpoint(path)
    where = changed_at_random(state, dice)
    save_checkpoint(path, state)
    return where


def mutated_description(path: Path, dice: random.Random) -> object:
    described = json.loads(path.read_text())
    where = changed_at_random(described, dice)
    path.write_text(json.dumps(described))
    return where


def mutated_rows(path: Path, dice: random.Random) -> object:
    rows = list(map(json.loads, path.read_text().splitlines()))
    where = changed_at_random(rows, dice)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return where


def accepted(call: Callable[[], object], told: object) -> bool:
    """Whether it went well; False for a refusal in one sentence, and an AssertionError for anything else."""
    try:
        call()
    except GailkitError as error:
        assert str(error).strip() and "Traceback" not in str(error)
        return False
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} after {told}: {error}") from error
    return True


@pytest.mark.parametrize(
    ("name", "mutate", "count"),
    [
        ("checkpoints/last.safetensors", mutated_bytes, 80),
        ("checkpoints/last.safetensors", mutated_checkpoint, 160),
        ("config.json", mutated_bytes, 60),
        ("config.json", mutated_description, 120),
        ("metrics.jsonl", mutated_bytes, 40),
        ("metrics.jsonl", mutated_rows, 40),
    ],
)
def test_a_mutated_file_of_a_run_is_refused_in_one_sentence_or_read(
    runs: Runs,
    cartpole: Demonstrations,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    mutate: Mutate,
    count: int,
) -> None:
    """500 mutations in all; every fourth time it is tried to go on as well, and every time to act."""
    monkeypatch.setattr("gailkit.training.keeping.draw_learning", lambda rows, path: None)  # slow, and only rows
    kinds: Counter[bool] = Counter()
    for seed in range(count):
        dice = random.Random(seed)
        run = Path(shutil.copytree(runs[seed % 2], tmp_path / str(seed)))
        (run / "checkpoints" / "previous.safetensors").unlink()
        told = (seed, mutate(run / name, dice))
        if name == "metrics.jsonl":
            kinds[accepted(lambda run=run: read_metrics(run), told)] += 1
        else:
            kinds[accepted(lambda run=run: load_policy(run, "last")(np.zeros((2, 4), np.float32)), told)] += 1
        if seed % 4 < 2:
            kinds[accepted(lambda run=run: resume(run, cartpole, tell=lambda text: None), told)] += 1
        shutil.rmtree(run)
    assert kinds[False] > count / 20, kinds  # or the mutations would not reach anything


@pytest.mark.parametrize(
    ("section", "changes", "said"),
    [
        ("policy", {"hidden": [10**9]}, r"layers of \[1000000000\] units have more numbers than are stored"),
        ("policy", {"hidden": [2**17, 2**17]}, "more numbers than are stored"),
        ("discriminator", {"hidden": [2**40]}, "more numbers than are stored"),
        (None, {"num_envs": 10**9}, "holds 2 environments and 128 steps; 2 iterations of its settings take 1000000000"),
        (None, {"rollout_size": 10**12}, "holds 2 environments and 128 steps; 2 iterations of its settings take 2 and"),
    ],
)
def test_sizes_that_nothing_stored_has_are_refused_before_room_is_taken(
    runs: Runs, cartpole: Demonstrations, tmp_path: Path, section: str | None, changes: dict[str, Any], said: str
) -> None:
    run = Path(shutil.copytree(runs.stopped, tmp_path / "run"))
    described = json.loads((run / "config.json").read_text())
    (described["config"] if section is None else described["config"][section]).update(changes)
    (run / "config.json").write_text(json.dumps(described))
    with pytest.raises(DataError, match=said):
        resume(run, cartpole, tell=lambda text: None)
    if section == "policy":
        with pytest.raises(DataError, match=said):
            load_policy(run)


@pytest.mark.parametrize("length", [2**20, 10**12, 2**64 - 1])
def test_a_header_that_says_to_be_longer_than_the_file_is_damage(runs: Runs, tmp_path: Path, length: int) -> None:
    path = tmp_path / "last.safetensors"
    content = (runs.done / "checkpoints" / "last.safetensors").read_bytes()
    path.write_bytes(length.to_bytes(8, "little") + content[8:])
    with pytest.raises(DataError, match="damaged or not a gailkit checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("steps",), "a", "2 iterations of its settings"),
        (("seconds",), None, "its state/seconds is None in the place of 0.0"),
        (("iteration",), -1, "it has -1 iterations behind it"),
        (("collector", "returns"), [1.0, None], "its state/collector/returns/1 is None in the place of 0.0"),
        (("collector", "episodes", "lengths"), [1, 2, 3], "lengths has 3 entries, not 2"),
        (("teacher", "learner", "mean_logits"), [0.0], "mean_logits has 1 entries, not 2"),
        (
            ("generator", "_extra_state", "optimizer", "state", 0, "exp_avg"),
            torch.zeros(3),
            r"the optimiser's exp_avg of a parameter \[\d+\] is torch.float32 \[3\]",
        ),
        (
            ("candidates", "averaged", "mean", "encoder.normalizer.mean"),
            torch.zeros(1, dtype=torch.float64),
            r"mean is torch.float64 \[1\] in the place of torch.float64 \[4\]",
        ),
    ],
    ids=lambda value: "/".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_state_of_another_form_says_where(
    runs: Runs, cartpole: Demonstrations, tmp_path: Path, place: tuple[Any, ...], value: object, said: str
) -> None:
    run = Path(shutil.copytree(runs.stopped, tmp_path / "run"))
    (run / "checkpoints" / "previous.safetensors").unlink()
    path = run / "checkpoints" / "last.safetensors"
    state = node = load_checkpoint(path)
    for step in place[:-1]:
        node = node[step]
    assert place[-1] in node
    node[place[-1]] = value
    save_checkpoint(path, state)
    with pytest.raises(DataError, match=said):
        resume(run, cartpole)


@pytest.mark.parametrize(
    "row", ["{", "[1]", '{"policy/kl": 1.0}', '{"steps": "x"}', '{"steps": 1' + 400 * "0" + "}", "\0"]
)
def test_a_row_amid_others_that_is_none_is_damage_and_not_the_end_of_the_run(tmp_path: Path, row: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(f'{{"steps": 1}}\n{row}\n{{"steps": 3}}\n')
    with pytest.raises(DataError, match=r"the metrics in .* cannot be read"):
        read_metrics(tmp_path)
