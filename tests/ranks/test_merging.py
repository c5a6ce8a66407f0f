"""Numbers of several ranks, merged, are those of all the values; and how ranks find each other or do not."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import torch

from gailkit.errors import InputError, RankError, SaidElsewhereError
from gailkit.functional.policy_gradient import standardized
from gailkit.networks.normalizer import RunningNormalizer
from gailkit.ranks.group import agreed, alone, collected, from_first, gathered, joined, rank, size, together
from gailkit.ranks.joining import speaks
from gailkit.ranks.merging import averaged, averaged_each, deviation, moments, rows, total
from gailkit.training.compared import require_same
from tests.ranks.started import Ranks

COUNTS = (7, 2, 4)  # rows of each of three ranks


def values_of(number: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(number)
    return 10 * number + torch.randn(COUNTS[number], 3, generator=random, dtype=torch.float64)


EVERYTHING = torch.cat([values_of(number) for number in range(3)])


def on_three_ranks() -> None:
    """Each rank asserts what it is told of all."""
    with joined():
        assert (rank(), size()) == (rank(), 3)
        own, close = values_of(rank()), torch.testing.assert_close
        count, mean, variance = moments(own, 0)
        assert count == len(EVERYTHING)
        close(mean, EVERYTHING.mean(0))
        close(variance, EVERYTHING.var(0, correction=0))
        close(moments(own)[2], EVERYTHING.var(correction=0))
        close(deviation(own), EVERYTHING.std())
        close(rows(own), EVERYTHING)
        close(rows(own[: 2 * rank()]), torch.cat([values_of(1)[:2], values_of(2)[:4]]))
        assert rows(torch.zeros(len(own), 0, dtype=torch.int64)).shape == (sum(COUNTS), 0)
        assert total(rank(), 0.5) == [3.0, 1.5]
        close(averaged(torch.full((2,), float(rank()))), torch.ones(2))
        close(averaged_each([torch.tensor(3.0 * rank()), torch.eye(2)])[0], torch.tensor(3.0))
        advantages = standardized(own)
        close(rows(advantages), standardized_alone(EVERYTHING))
        normalizer, whole = RunningNormalizer(3), RunningNormalizer(3)
        for _ in range(2):
            normalizer.update(own)
            with alone():
                whole.update(EVERYTHING)
        for name, value in whole.named_buffers():
            close(normalizer.get_buffer(name), value)
        assert gathered(b"x" * rank()) == [b"", b"x", b"xx"]
        assert from_first(lambda: f"from {rank()}".encode()) == b"from 0"
        assert agreed(rank() == 0)
        assert not agreed(rank() == 1)
        assert collected(f"of {rank()}".encode()) == ([] if rank() else [b"of 1", b"of 2"])
        ends_together()


def standardized_alone(values: torch.Tensor) -> torch.Tensor:
    with alone():
        return standardized(values)


def ends_together() -> None:
    with together():
        assert size() == 3
    try:
        with together():
            if rank() == 1:
                raise InputError("one is wrong")
    except InputError as error:
        assert (rank(), str(error)) == (1, "one is wrong")
    except SaidElsewhereError as error:
        assert (rank() != 1, str(error), error.exit_code) == (True, "rank 1: one is wrong", 2)
    else:
        raise AssertionError("it was to end on all ranks")
    try:
        with together():
            if rank() == 2:
                raise SystemExit(143)
    except SystemExit as leaving:
        assert leaving.code == 143
    assert gathered(b"!") == [b"!"] * 3  # they are in step


def test_what_is_merged_is_what_all_values_give(tmp_path: Path) -> None:
    ended = Ranks(tmp_path).start(on_three_ranks, size=3).ended()
    assert [each.code for each in ended] == [0, 0, 0], ended


def test_a_process_that_is_alone_gets_back_what_it_gave() -> None:
    value = torch.randn(5)
    assert averaged(value) is value
    assert averaged_each([value])[0] is value
    assert rows(value) is value
    assert total(1, 2) == (1, 2)
    assert torch.equal(moments(value)[1], value.mean())
    assert torch.equal(moments(value)[2], value.var(correction=0))
    assert torch.equal(deviation(value), value.std())
    assert (rank(), size(), agreed(True), gathered(b"a"), from_first(lambda: b"b")) == (0, 1, True, [b"a"], b"b")
    with joined(), together():
        assert size() == 1
    require_same(lambda: json.loads("not asked for"))


def test_a_rank_that_cannot_reach_the_first_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.ranks.joining._speaks", None)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}.items():
        monkeypatch.setenv(name, value)
    expected = rf"rank 1 of 2 cannot reach rank 0 at 127\.0\.0\.1:{port} within 1 s"
    with pytest.raises(RankError, match=expected), joined(timedelta(seconds=1)):
        pass
    assert speaks()


def test_a_port_that_another_program_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.ranks.joining._speaks", None)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
            monkeypatch.setenv(name, str(value))
        expected = rf"rank 0 cannot listen at 127\.0\.0\.1:{port}, where another program does"
        with pytest.raises(RankError, match=expected), joined(timedelta(seconds=1)):
            pass


def test_what_torchrun_would_have_set_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.ranks.joining._speaks", None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    expected = "one of 2 processes, and torchrun would have set, too, RANK, MASTER_ADDR, MASTER_PORT"
    with pytest.raises(InputError, match=expected), joined():
        pass


@pytest.mark.parametrize(("number", "said"), [("0", True), ("1", False)])
def test_before_they_have_met_one_process_a_machine_speaks(
    monkeypatch: pytest.MonkeyPatch, number: str, said: bool
) -> None:
    monkeypatch.setattr("gailkit.ranks.joining._speaks", None)
    monkeypatch.setenv("LOCAL_RANK", number)
    assert speaks() == said
