"""What goes in comes out, unchanged, alike often, in its order, and what is oldest goes first."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError
from gailkit.generator.replay import Replay, check_fits
from gailkit.types import Rollout

CPU = torch.device("cpu")


def rollout(first: int, steps: int = 4, environments: int = 2, dtype: torch.dtype = torch.float32) -> Rollout:
    """Observations that are the numbers of the steps."""
    numbers = first + torch.arange(steps * environments).reshape(steps, environments)
    obs = numbers.unsqueeze(-1).to(dtype)
    return Rollout(obs, -obs, obs + environments, numbers % 5 == 0, numbers % 7 == 0, first)


def filled(size: int, rollouts: int) -> Replay:
    replay = Replay(size)
    for k in range(rollouts):
        replay.add(rollout(8 * k))
    return replay


def test_every_step_comes_out_with_all_that_belongs_to_it() -> None:
    drawn = filled(100, 3).draw(500)
    assert drawn.shape == (1, 500)
    numbers = drawn.numbers
    assert torch.equal(drawn.obs[..., 0].long(), numbers)
    assert torch.equal(drawn.act[..., 0].long(), -numbers)
    assert torch.equal(drawn.next_obs[..., 0].long(), numbers + 2)
    assert torch.equal(drawn.terminated, numbers % 5 == 0)
    assert torch.equal(drawn.truncated, numbers % 7 == 0)


def test_all_that_it_holds_is_drawn_alike() -> None:
    torch.manual_seed(0)
    counts = torch.bincount(filled(16, 5).draw(16_000).numbers.flatten(), minlength=40)
    assert not counts[:24].any()  # five rollouts of 8 steps: the last 16 are left
    assert (counts[24:] - 1000).abs().max() < 5 * 1000**0.5  # five deviations


def test_what_is_oldest_is_overwritten_and_no_more_is_held_than_was_asked_for() -> None:
    for rollouts, held in ((1, 8), (2, 16), (3, 20), (9, 20)):
        replay = filled(20, rollouts)  # 10 rows of two environments: no multiple of a rollout's 4
        assert len(replay) == held
        assert set(replay.draw(2000).numbers.flatten().tolist()) == set(range(8 * rollouts - held, 8 * rollouts))


def test_runs_are_successive_steps_of_one_environment_across_the_seam_of_the_ring() -> None:
    torch.manual_seed(0)
    numbers = filled(20, 4).draw(300, length=3).numbers
    assert torch.equal(numbers[1:], numbers[:-1] + 2)
    assert int(numbers.min()) == 12 and int(numbers.max()) == 31


def test_terminations_are_those_of_the_steps_that_it_holds() -> None:
    assert filled(100, 5).num_terminated() == 8  # 0, 5, 10, ..., 35
    assert filled(20, 5).num_terminated() == 4  # 20, 25, 30, 35


@pytest.mark.parametrize(("size", "rollouts", "oldest"), [(100, 5, 30), (20, 5, 36), (100, 1, 6)])
def test_a_share_of_it_is_the_newest_steps(size: int, rollouts: int, oldest: int) -> None:
    """A quarter of 40, of 20 and of 8 steps, in rows of two."""
    replay = filled(size, rollouts)
    newest = set(range(oldest, 8 * rollouts))
    assert set(replay.draw(2000, share=0.25).numbers.flatten().tolist()) == newest
    assert replay.num_steps(0.25) == len(newest)
    assert replay.num_terminated(0.25) == sum(number % 5 == 0 for number in newest)


def test_what_comes_in_and_goes_out_is_a_copy() -> None:
    replay, given = Replay(100), rollout(0)
    replay.add(given)
    given.obs.zero_()
    drawn = replay.draw(50)
    drawn.obs.fill_(-1.0)
    assert replay.draw(50).obs.min() >= 0 and replay.draw(50).obs.max() > 0


def test_images_stay_bytes() -> None:
    replay = Replay(100)
    replay.add(rollout(0, dtype=torch.uint8))
    assert replay.draw(3).obs.dtype == torch.uint8


@pytest.mark.parametrize("rollouts", [0, 1, 6])
def test_a_restored_one_goes_on_as_if_nothing_had_happened(rollouts: int) -> None:
    original = filled(20, rollouts)
    restored = Replay(20)
    restored.load_state_dict(copy.deepcopy(original.state_dict()))
    for each in (original, restored):
        each.add(rollout(8 * rollouts))
    found = []
    for each in (original, restored):
        torch.manual_seed(1)
        found.append(each.draw(100, length=2))
    assert torch.equal(found[0].numbers, found[1].numbers)
    assert torch.equal(found[0].obs, found[1].obs)
    assert len(original) == len(restored)


def test_a_replay_that_cannot_fit_into_memory_is_refused_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Observations of three float32, their successors, an action of one and three flags: 31 bytes a step."""
    monkeypatch.setattr("gailkit.generator.replay.free_memory", lambda device: 30_999_999)
    check_fits(999_999, Box(-1, 1, (3,)), Box(-1, 1, (1,)), CPU)
    with pytest.raises(InputError, match=r"1,000,000 steps takes 31 MB of memory, and 31 MB are free"):
        check_fits(1_000_000, Box(-1, 1, (3,)), Box(-1, 1, (1,)), CPU)
    with pytest.raises(InputError, match=r"takes 14,123 MB of memory"):  # bytes stay bytes
        check_fits(1_000_000, Box(0, 255, (84, 84), np.uint8), Discrete(2), CPU)
