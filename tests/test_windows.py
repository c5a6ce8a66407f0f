"""Which steps came before which, against a loop over single episodes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gailkit.windows import Before, Lead, rows_before


def test_windows_at_the_beginning_of_episodes_by_hand() -> None:
    """One environment, seven steps, of which the last five are asked about; the third and the sixth begin episodes."""
    begins = torch.tensor([0, 0, 1, 0, 0, 1, 0]).bool().unsqueeze(-1)
    assert rows_before(begins, 2).tolist() == [[-1, -1], [-1, 2], [2, 3], [-1, -1], [-1, 5]]


def by_a_loop(begins: Tensor, earlier: int) -> list[list[int]]:
    steps, envs = begins.shape
    found = []
    for t in range(earlier, steps):
        for n in range(envs):
            back: list[int] = []
            at = t
            while len(back) < earlier and not begins[at, n]:
                at -= 1
                back.insert(0, at * envs + n)
            found.append([-1] * (earlier - len(back)) + back)
    return found


@pytest.mark.parametrize("earlier", [1, 2, 5])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_windows_are_those_of_a_loop_that_goes_back_to_where_each_episode_began(earlier: int, share: float) -> None:
    begins = torch.rand(earlier + 8, 3, generator=torch.Generator().manual_seed(earlier)) < share
    assert rows_before(begins, earlier).tolist() == by_a_loop(begins, earlier)


def test_what_came_before_is_held_once_and_goes_with_the_steps_that_are_taken() -> None:
    """Five steps of two environments behind three; the observation of a step is its row."""
    begins = torch.zeros(8, 2, dtype=torch.bool)
    begins[4, 1] = True
    rows = torch.arange(16).reshape(8, 2)
    lead = Lead(rows[:3], -rows[:3], rows[:3] + 2, begins)
    before = lead.before(rows[3:], -rows[3:], rows[3:] + 2)
    assert isinstance(before, Before) and before.window == 4
    assert len(before.obs) == 16 and before.rows.shape == (10, 3)
    for some in (before.take(torch.tensor([5, 0])), before.take(torch.tensor([5, 0])).alone()):
        there = some.rows >= 0
        seen = torch.where(there, some.obs[some.rows], -1)
        assert seen.tolist() == [[-1, -1, 9], [0, 2, 4]]
        assert torch.equal(some.act[some.rows][there], -seen[there])
        assert torch.equal(some.next_obs[some.rows][there], seen[there] + 2)
    assert len(some.obs) == 6
