"""Targets of the deterministic generators, computed apart, and what moves when."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gymnasium.spaces import Box

from gailkit.functional.q_learning import Ahead
from gailkit.generator import DDPG, TD3
from gailkit.generator.off_policy import Batch

SPACE = Box(-2, 6, (2,))  # centre 2, half-width 4


def batch(size: int = 16) -> Batch:
    ahead = Ahead(torch.randn(size), torch.zeros(size, dtype=torch.int64), 0.9 * (torch.rand(size) > 0.3))
    return Batch(torch.randn(size, 3), 2 * torch.rand(size, 2) - 1, ahead, torch.randn(size, 3))


def made(kind: Any, make_actor_critic: Any, **settings: Any) -> Any:
    torch.manual_seed(0)
    model = make_actor_critic(SPACE, Box(-1, 1, (3,)))
    generator = kind(model, critic_hidden=(8,), warm_up=16, batch_size=16, **settings)
    with torch.no_grad():  # copies that are not what they are copies of
        for copy in (generator.target_critic, generator.target_policy):
            copy.following.vector.add_(0.3 * torch.randn_like(copy.following.vector))
    return generator


def test_ddpg_bootstraps_from_its_copies(make_actor_critic: Any) -> None:
    generator, steps = made(DDPG, make_actor_critic), batch()
    mean = generator.target_policy.network(steps.following)  # in half-widths from the centre, as actions are encoded
    following = generator.target_critic.network(torch.cat((steps.following, mean.clamp(-1, 1)), -1))[0, :, 0]
    torch.testing.assert_close(generator.targets(steps), steps.ahead.rewards + steps.ahead.discount * following)


def test_td3_takes_the_smaller_of_two_estimates(make_actor_critic: Any) -> None:
    generator, steps = made(TD3, make_actor_critic, target_noise=0.0), batch()
    mean = generator.target_policy.network(steps.following).clamp(-1, 1)
    following = generator.target_critic.network(torch.cat((steps.following, mean), -1))[..., 0]
    smaller = torch.minimum(*following)
    assert (following[0] < following[1]).any() and (following[0] > following[1]).any()
    torch.testing.assert_close(generator.targets(steps), steps.ahead.rewards + steps.ahead.discount * smaller)


def test_the_noise_on_the_judged_action_is_clipped_and_stays_in_the_box(
    make_actor_critic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, steps = made(TD3, make_actor_critic, target_noise=10.0, noise_clip=0.25), batch(64)
    seen = []
    judge = generator.target_critic.forward
    monkeypatch.setattr(generator.target_critic, "forward", lambda inputs: seen.append(inputs) or judge(inputs))
    generator.targets(steps)
    mean = generator.target_policy.network(steps.following).clamp(-1, 1)
    away = (seen[0][:, 3:] - mean).abs()
    assert away.max() <= 0.25 + 1e-6 and away.median() > 0.2
    assert seen[0][:, 3:].abs().max() <= 1.0


def test_the_policy_and_the_copies_of_td3_move_every_other_time(make_actor_critic: Any) -> None:
    generator = made(TD3, make_actor_critic)
    moved = []
    for _ in range(4):
        watched = [generator.trained_policy.vector, generator.target_critic.following.vector]
        before = [tensor.detach().clone() for tensor in (*watched, generator.trained_critic.vector)]
        generator.learn(batch(), 0.0)
        after = (*watched, generator.trained_critic.vector)
        moved.append([not torch.equal(old, new) for old, new in zip(before, after, strict=True)])
    assert moved == [[False, False, True], [True, True, True]] * 2


@pytest.mark.parametrize("kind", [DDPG, TD3])
def test_the_policy_goes_uphill_on_the_value_and_leaves_the_values_alone(make_actor_critic: Any, kind: Any) -> None:
    generator, steps = made(kind, make_actor_critic, learning_rate=3e-3), batch(64)
    before = generator.trained_critic.vector.detach().clone()
    rising = [float(generator.improve_mean(steps, 0.0)) for _ in range(50)]
    assert rising[-1] > rising[0] + 0.01
    assert torch.equal(generator.trained_critic.vector, before)


def test_it_explores_by_noise_in_half_widths_of_the_box(make_actor_critic: Any) -> None:
    generator = made(DDPG, make_actor_critic, exploration_noise=0.25)
    obs = torch.zeros(4000, 3)
    acted = generator.explore(obs) - generator.actor_critic(obs).mode().detach()
    torch.testing.assert_close(acted.std(0), torch.full((2,), 0.25 * 4.0), rtol=0.05, atol=0)
