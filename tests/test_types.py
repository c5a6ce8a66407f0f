"""The records that flow between the rooms check their shapes and say what they found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gailkit.errors import InputError
from gailkit.types import Rollout, Trajectory, Transitions, all_finite, plain_arrays


def test_a_trajectory_knows_its_length_and_return() -> None:
    trajectory = Trajectory(np.zeros((4, 2)), np.zeros(3, int), np.array([1.0, 2.0, -0.5]), True)
    assert len(trajectory) == 3
    assert trajectory.episode_return == 2.5
    assert Trajectory(np.zeros((2, 2)), np.zeros(1), None, True).episode_return is None


def test_a_return_is_summed_in_double_precision() -> None:
    rewards = np.full(10_000, 0.1, np.float32)
    trajectory = Trajectory(np.zeros((10_001, 1)), np.zeros(10_000), rewards, False)
    assert trajectory.episode_return == pytest.approx(10_000 * float(np.float32(0.1)), rel=1e-12)


@pytest.mark.parametrize(
    "observations, actions, rewards, complaint",
    [
        (np.zeros((3, 2)), np.zeros(3), None, r"\(3, 2\) and actions \(3,\)"),
        (np.zeros((5, 2)), np.zeros(3), None, r"\(5, 2\) and actions \(3,\)"),
        (np.zeros((1, 2)), np.zeros(0), None, "at least one action"),
        (np.zeros((4, 2)), np.zeros(3), np.zeros(2), r"shape \(3,\).*found \(2,\)"),
        (np.zeros((4, 2)), np.zeros(3), np.zeros((3, 1)), r"shape \(3,\).*found \(3, 1\)"),
        (np.full((4, 2), np.nan), np.zeros(3), None, "observations .* not finite"),
        (np.zeros((4, 2)), np.array([0, np.inf, 0]), None, "actions .* not finite"),
        (np.zeros((4, 2)), np.zeros(3), np.array([0, 0, -np.inf]), "rewards .* not finite"),
    ],
)
def test_a_contradictory_trajectory_is_refused(
    observations: np.ndarray, actions: np.ndarray, rewards: np.ndarray | None, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        Trajectory(observations, actions, rewards, False)


INNER = np.dtype([("door", "i8"), ("at", "f4", (2,))])
NESTED = np.dtype([("arm", INNER), ("see", "u1", (2, 2)), ("speed", "f8")])


def test_the_plain_arrays_of_a_structured_one_are_views_of_all_its_numbers() -> None:
    values = np.zeros(3, NESTED)
    found = list(plain_arrays(values))
    assert [array.shape for array in found] == [(3,), (3, 2), (3, 2, 2), (3,)]
    assert all(np.shares_memory(array, values) for array in found)
    alone = np.zeros((3, 2))
    assert [array is alone for array in plain_arrays(alone)] == [True]


@pytest.mark.parametrize("part", [("arm", "at"), ("speed",)])
def test_a_number_that_is_not_finite_is_found_in_whatever_part_it_is(part: tuple[str, ...]) -> None:
    values = np.zeros(3, NESTED)
    actions = np.zeros(2, NESTED)
    assert len(Trajectory(values, actions, None, False)) == 2
    for name, array in (("observations", values), ("actions", actions)):
        place = array
        for field in part:
            place = place[field]
        place[-1] = np.inf
        with pytest.raises(InputError, match=f"{name} of a trajectory hold a number that is not finite"):
            Trajectory(values, actions, None, False)
        place[-1] = 0


def test_transitions_are_picked_in_the_order_asked_for() -> None:
    steps = Transitions(
        torch.arange(4.0)[:, None], torch.arange(4), torch.arange(1.0, 5)[:, None], torch.arange(4) == 3
    )
    picked = steps[torch.tensor([3, 0, 3])]
    assert len(steps) == 4 and len(picked) == 3
    assert picked.act.tolist() == [3, 0, 3]
    assert picked.next_obs.tolist() == [[4], [1], [4]]
    assert picked.terminated.tolist() == [True, False, True]


def test_transitions_of_unequal_lengths_are_refused() -> None:
    with pytest.raises(InputError, match=r"'obs': 3, 'act': 2"):
        Transitions(torch.zeros(3, 1), torch.zeros(2), torch.zeros(3, 1), torch.zeros(3))


def rollout(steps: int, environments: int, act: torch.Tensor | None = None) -> Rollout:
    lead = (steps, environments)
    flat = torch.arange(steps * environments, dtype=torch.float32).reshape(lead)
    flags = torch.zeros(lead, dtype=torch.bool)
    return Rollout(flat[..., None], flat if act is None else act, flat[..., None] + 1, flags, flags)


def test_a_rollout_is_flattened_time_first() -> None:
    steps = rollout(3, 2).transitions()
    assert steps.obs.shape == (6, 1)
    assert steps.act.tolist() == [0, 1, 2, 3, 4, 5]  # both environments of step 0, then of step 1
    assert torch.equal(steps.next_obs, steps.obs + 1)


def test_a_rollout_of_unequal_shapes_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(T, N\).*'act': \(2, 3\)"):
        rollout(3, 2, act=torch.zeros(2, 3))


def test_a_rollout_has_no_reward() -> None:
    assert not [name for name in Rollout.__dataclass_fields__ if "reward" in name]


@pytest.mark.parametrize("value, finite", [(0.0, True), (float("nan"), False), (float("inf"), False)])
def test_all_finite(value: float, finite: bool) -> None:
    assert all_finite(torch.tensor([1.0, value])) is finite
