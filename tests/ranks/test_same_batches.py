"""Ranks learn what one process learns from their batches together, whatever improves the policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gailkit.training.build_policy import GENERATORS
from gailkit.training.checkpoint import load_checkpoint, packed, unpacked
from tests.ranks import same_batches
from tests.ranks.same_batches import CASES, state_of, trained
from tests.ranks.started import Ranks

TOLERANCE = 1e-9  # in double precision; a merge that is left out is off by 1e-4 and more
OF_A_RANK = ("seconds", "steps_per_second", "policy/same_action", "policy/explained_variance", "discriminator/acc")


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks came to, case by case."""
    folder = tmp_path_factory.mktemp("ranks")
    ended = Ranks(folder).start(same_batches.train_all, str(folder), CASES).ended()
    assert [each.code for each in ended] == [0, 0], ended
    return folder


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from leaves(child, f"{name}/{key}")
    elif isinstance(value, list | tuple):
        for number, child in enumerate(value):
            yield from leaves(child, f"{name}/{number}")
    else:
        yield name, value


def apart(one: Any, other: Any) -> dict[str, float]:
    """How far each number lies from what it should be, by the names that lead to it; clocks aside."""
    found = {}
    wanted = dict(leaves(one))
    assert wanted.keys() == dict(leaves(other)).keys()
    for name, value in leaves(other):
        if any(each in name for each in OF_A_RANK):
            continue
        if isinstance(value, Tensor | float | int):
            if value == wanted[name] if not isinstance(value, Tensor) else False:
                continue
            difference = torch.as_tensor(value).double() - torch.as_tensor(wanted[name]).double()
            found[name] = float(difference.abs().max()) if difference.numel() else 0.0
        else:
            assert value == wanted[name], name
    return found


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_two_ranks_come_to_what_one_process_comes_to(by_two: Path, case: tuple[str, str, str]) -> None:
    whole = unpacked(packed(state_of(*trained(*case, [0, 1], 2))))
    for rank in (0, 1):
        distances = apart(whole, load_checkpoint(by_two / f"{'-'.join(case)}.{rank}"))
        assert not {name: distance for name, distance in distances.items() if not distance <= TOLERANCE}
    cloned = case[1] == "adversarial" and case[0] != "dqn" and case[2] != "unseen"
    assert (whole["candidates"]["clone"] is not None) == cloned


def test_so_do_four(tmp_path: Path) -> None:
    cases = [("ppo-penalty", "adversarial", "box"), ("sac", "bce", "discrete")]
    ended = Ranks(tmp_path).start(same_batches.train_all, str(tmp_path), cases, size=4).ended()
    assert [each.code for each in ended] == [0] * 4, ended
    for case in cases:
        whole = unpacked(packed(state_of(*trained(*case, [0, 1, 2, 3], 4))))
        distances = apart(whole, load_checkpoint(tmp_path / f"{'-'.join(case)}.3"))
        assert not {name: distance for name, distance in distances.items() if not distance <= TOLERANCE}


def test_every_generator_is_among_the_cases() -> None:
    assert {generator for generator, _, _ in CASES} == set(GENERATORS)
