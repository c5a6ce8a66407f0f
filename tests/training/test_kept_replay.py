"""A replay on the disk: what was checkpointed comes back, nothing is written twice, and nothing is kept for ever."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from gailkit.errors import DataError
from gailkit.generator.replay import Replay
from gailkit.training.kept_replay import KeptReplay
from gailkit.types import Rollout

SIZE = 20  # of two environments: ten rows


def rollout(first: int, rows: int) -> Rollout:
    numbers = 2 * first + torch.arange(2 * rows).reshape(rows, 2)
    obs = numbers.unsqueeze(-1).float()
    return Rollout(obs, -obs, obs + 2, numbers % 5 == 0, numbers % 7 == 0)


def restored(state: dict[str, Any]) -> Replay:
    replay = Replay(SIZE)
    replay.load_state_dict(state)
    return replay


def equal(one: Replay, other: Replay) -> bool:
    drawn = []
    for each in (one, other):
        torch.manual_seed(0)
        drawn.append(each.draw(200, length=2))
    return torch.equal(drawn[0].numbers, drawn[1].numbers) and torch.equal(drawn[0].obs, drawn[1].obs)


@pytest.mark.parametrize("rows", [[3, 3, 3, 3, 3, 3], [10, 10], [4, 25, 1], [7, 0, 7]])
def test_every_checkpoint_comes_back_whatever_was_written_after_it(tmp_path: Path, rows: list[int]) -> None:
    """Rows that come in between two checkpoints: fewer than the replay holds, as many, more, and none."""
    kept, replay, reached, before = KeptReplay(tmp_path), Replay(SIZE), 0, None
    for count in rows:
        if count:
            for start in range(reached, reached + count, 5):
                replay.add(rollout(start, min(5, reached + count - start)))
        reached += count
        was = copy.deepcopy(replay.state_dict())
        now = kept.save(replay.state_dict())
        assert equal(restored(kept.load(now)), restored(was))
        if before is not None:  # the checkpoint before the last one serves where that is damaged
            assert equal(restored(kept.load(before[0])), restored(before[1]))
            kept.forget(before[0])
            assert equal(restored(kept.load(now)), restored(was))
        before = now, was


def test_no_row_is_written_twice_and_none_stays_for_ever(tmp_path: Path) -> None:
    kept, replay, before = KeptReplay(tmp_path), Replay(SIZE), None
    for k in range(20):
        replay.add(rollout(3 * k, 3))
        now = kept.save(replay.state_dict())
        kept.forget(before)
        before = now
        names = sorted(path.name for path in kept.folder.iterdir())
        spans = [tuple(map(int, name.removesuffix(".safetensors").split("-"))) for name in names]
        assert all(one[1] == other[0] for one, other in pairwise(spans))
        assert spans[-1] == (3 * k, 3 * k + 3)
        assert len(spans) <= 6


def test_what_a_killed_run_wrote_behind_its_checkpoint_is_taken_out(tmp_path: Path) -> None:
    kept, replay = KeptReplay(tmp_path), Replay(SIZE)
    replay.add(rollout(0, 4))
    checkpoint = kept.save(replay.state_dict())
    replay.add(rollout(4, 4))
    kept.save(replay.state_dict())  # the checkpoint that should have followed never came
    kept.forget_behind(checkpoint)
    again = restored(kept.load(checkpoint))
    for rows in (2, 3):  # other checkpoints than before
        again.add(rollout(again.rows, rows))
        assert equal(restored(kept.load(kept.save(again.state_dict()))), again)


def test_rows_that_are_missing_or_damaged_are_a_sentence(tmp_path: Path) -> None:
    kept, replay = KeptReplay(tmp_path), Replay(SIZE)
    for k in range(2):
        replay.add(rollout(4 * k, 4))
        checkpoint = kept.save(replay.state_dict())
    first, second = sorted(kept.folder.iterdir())
    content = second.read_bytes()
    second.write_bytes(content[:-3] + b"abc")
    with pytest.raises(DataError, match="is damaged"):
        kept.load(checkpoint)
    second.write_bytes(content)
    first.unlink()
    with pytest.raises(DataError, match="lacks rows 0 to 8 of the replay"):
        kept.load(checkpoint)


def test_a_generator_without_a_replay_keeps_none(tmp_path: Path) -> None:
    kept = KeptReplay(tmp_path)
    assert kept.save(None) is None
    assert kept.load(None) == {"rows": 0, "ring": {}}
    assert not kept.folder.exists()
