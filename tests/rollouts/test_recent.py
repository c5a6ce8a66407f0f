"""What was before a rollout: the true steps of the episodes that go on, whatever failed or was stopped in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from gailkit.generator.replay import Replay
from gailkit.rollouts.collector import Collector
from gailkit.rollouts.environments import SeedStream
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.protocol import FAILURES, Environments, Failure
from gailkit.rollouts.recent import RecentSteps
from gailkit.rollouts.vector import make_vector_env
from gailkit.types import Rollout, Transitions
from tests.rollouts.test_collector import COUNTER, NAME, TIME, Counter, generator

STEPS, EARLIER = 5, 3


@pytest.fixture(autouse=True)
def counter() -> Iterator[None]:
    gymnasium.register(COUNTER, entry_point=Counter, max_episode_steps=4, disable_env_checker=True)
    yield
    gymnasium.registry.pop(COUNTER)


class Failing:
    """Environments of which number 1 fails in the first step of the second and of every third further rollout."""

    def __init__(self, envs: Environments) -> None:
        self.envs, self.calls = envs, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.envs, name)

    def step(self, actions: np.ndarray, which: np.ndarray | None = None) -> Any:
        answer = self.envs.step(actions, which)
        self.calls += which is None
        if which is not None or self.calls % (3 * STEPS) != STEPS + 1:
            return answer
        return (*answer[:-1], {FAILURES: {1: Failure("failed", "a fuse blew")}})


def check(steps: Transitions) -> None:
    """Every window holds the steps of its own episode, the oldest first, as many as there were, up to EARLIER."""
    assert steps.before is not None and steps.before.window == EARLIER + 1
    for step, rows in enumerate(steps.before.rows.tolist()):
        time = int(steps.obs[step, TIME])
        there = [row for row in rows if row >= 0]
        assert rows[: len(rows) - len(there)] == [-1] * (len(rows) - len(there))
        expected = list(range(max(0, time - EARLIER), time))
        assert steps.before.obs[there, TIME].tolist() == expected
        assert (steps.before.obs[there, NAME] == steps.obs[step, NAME]).all()
        assert steps.before.next_obs[there, TIME].tolist() == [each + 1 for each in expected]
        told = steps.before.next_obs[there, 2]  # the action that the environment was given
        assert torch.equal(told, steps.before.act[there, 0].clamp(-1, 1))


def collected(failing: bool, rollouts: int) -> Iterator[Rollout]:
    torch.manual_seed(0)
    with closing(make_vector_env(COUNTER, 3)) as envs:
        seen = Failing(envs) if failing else envs
        mishaps = Mishaps(99)
        mishaps.tell = lambda sentence: None
        own = Collector(seen, STEPS, SeedStream(7, "training"), 4, None, mishaps, earlier=EARLIER)
        for _ in range(rollouts):
            yield own.collect(generator())


@pytest.mark.parametrize("failing", [False, True])
def test_windows_go_back_into_earlier_rollouts_and_never_into_another_episode(failing: bool) -> None:
    reached = 0
    for rollout in collected(failing, 8):
        steps = rollout.transitions()
        check(steps)
        assert steps.before is not None
        reached += int(((steps.before.rows >= 0) & (steps.before.rows < 3 * EARLIER)).sum())
    assert reached


@pytest.mark.parametrize("size", [300, 3 * 9])
@pytest.mark.parametrize("failing", [False, True])
def test_a_replay_gives_out_what_was_before_the_steps_that_are_drawn(failing: bool, size: int) -> None:
    """One that holds everything, and one of which the oldest steps are forgotten: no window is shorter for that."""
    replay, drawn = Replay(size), 0
    replay.earlier = EARLIER
    for rollout in collected(failing, 8):
        replay.add(rollout)
        for length, share in ((1, 1.0), (2, 1.0), (1, 0.25)):
            found = replay.draw(40, length, share)
            assert found.shape == (length, 40)
            check(found.transitions())
            drawn += int((found.obs[..., TIME] > 0).sum())
    assert drawn


def test_a_step_that_is_followed_by_another_episode_was_the_last_of_its_own() -> None:
    """Also where the environment failed between two rollouts, so that nothing but what followed says so."""
    replay = Replay(300)
    for rollout in collected(True, 8):
        replay.add(rollout)
    found = replay.draw(3000, 2)
    over = found.terminated[0] | found.truncated[0]
    same = (found.obs[1, :, NAME] == found.obs[0, :, NAME]) & (found.obs[1, :, TIME] == found.obs[0, :, TIME] + 1)
    assert torch.equal(same, ~over) and over.any() and same.any()


def test_nothing_is_kept_where_nobody_asks() -> None:
    recent, flags = RecentSteps(0), torch.zeros(2, 1, dtype=torch.bool)
    rollout = Rollout(*[torch.zeros(2, 1, 1)] * 3, flags, flags)
    assert recent.before(rollout) is rollout and recent.state_dict() is None
    assert rollout.transitions().before is None


def test_what_was_stored_goes_on_and_what_cannot_be_it_is_refused() -> None:
    def rollout(first: int) -> Rollout:
        obs = torch.arange(first, first + 2.0).reshape(2, 1, 1)
        flags: Tensor = torch.zeros(2, 1, dtype=torch.bool)
        return Rollout(obs, obs, obs, flags, flags)

    one, other = RecentSteps(3), RecentSteps(3)
    one.before(rollout(0))
    other.load_state_dict(one.state_dict(), 1)
    found = [each.before(rollout(2)).lead for each in (one, other)]
    assert all(lead is not None and lead.obs.flatten().tolist() == [0, 0, 1] for lead in found)
    with pytest.raises(ValueError, match="not the last 3 steps in each of 2 environments"):
        other.load_state_dict(one.state_dict(), 2)
    with pytest.raises(ValueError, match="not the last 3 steps"):
        other.load_state_dict({"obs": torch.zeros(3, 1)}, 1)
