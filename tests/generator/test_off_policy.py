"""What all that learn from a replay share: when they learn, from what, at which rewards; and they find the best."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.errors import InputError
from gailkit.generator import DDPG, DQN, SAC, TD3, Generator
from gailkit.generator.off_policy import OffPolicyGenerator
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Replayed, Rollout

GAMMA = 0.9
LENGTH = 5  # states of the chain
SMALL = {"warm_up": 64, "batch_size": 64, "learning_rate": 3e-3, "target_rate": 0.02, "gamma": GAMMA}
CRITIC = {"critic_hidden": (32,)}
MAKERS: dict[str, Callable[..., OffPolicyGenerator]] = {
    "dqn": partial(DQN, **SMALL, n_step=1),
    "ddpg": partial(DDPG, **SMALL, **CRITIC),
    "td3": partial(TD3, **SMALL, **CRITIC, target_noise=0.05),
    "sac": partial(SAC, **SMALL, **CRITIC),
    "sac discrete": partial(SAC, **SMALL, **CRITIC),
}
HASTE = {"updates_per_step": 0.5, "target_rate": 0.04, "learning_rate": 5e-3}  # for what is learned to the end
every = pytest.mark.parametrize("name", MAKERS)


def actions(name: str) -> Space[Any]:
    return Discrete(3, start=5) if name in ("dqn", "sac discrete") else Box(-1, 1, (1,))


def made(name: str, **settings: Any) -> OffPolicyGenerator:
    torch.manual_seed(0)
    return MAKERS[name](ActorCritic(ObservationEncoder(Discrete(LENGTH)), actions(name), (32,)), **settings)


def wandering(generator: Generator, first: int = 0, steps: int = 8, environments: int = 8) -> Rollout:
    """Random actions in random states of a chain, in which the next state follows and the last one terminates."""
    obs = torch.randint(LENGTH, (steps, environments))
    space = generator.actor_critic.action_space
    if isinstance(space, Discrete):
        act = int(space.start) + torch.randint(int(space.n), obs.shape)
    else:
        act = 2 * torch.rand(*obs.shape, 1) - 1
    terminated = obs == LENGTH - 1
    return Rollout(obs, act, (obs + 1).clamp(max=LENGTH - 1), terminated, torch.zeros_like(terminated), first)


def worth(steps: Rollout | Replayed) -> Tensor:
    """1 for the best action of a state and less for others: a Box action of s / 4 - 1/2, or the action 5 + s mod 3."""
    if steps.act.dtype == torch.int64:
        return (steps.act - 5 == steps.obs % 3).float()
    return 1.0 - (steps.act[..., 0] - best(steps.obs)).square()


def best(obs: Tensor) -> Tensor:
    return obs / (LENGTH - 1) - 0.5


def practised(generator: OffPolicyGenerator, rollouts: int = 25) -> OffPolicyGenerator:
    for k in range(rollouts):
        rollout = wandering(generator, first=64 * k)
        generator.experience(rollout)
        generator.update(rollout, worth)
    return generator


@every
def test_it_finds_the_best_actions_of_a_chain_and_what_they_are_worth(name: str) -> None:
    haste = {**HASTE, "learning_rate": 3e-3} if name == "td3" else HASTE  # 5e-3 leaves its policy off by up to 0.17
    generator = practised(made(name, **haste))
    states = torch.arange(LENGTH)
    with torch.no_grad():
        features = generator.actor_critic.encoder(states)
        mode = generator.actor_critic.distribution(features).mode()
        if mode.dtype == torch.int64:
            assert mode.tolist() == [5, 6, 7, 5, 6]
            found = generator.critic(features).reshape(-1, LENGTH, 3).min(0).values.max(-1).values
        else:
            assert (mode[:, 0] - best(states)).abs().max() < 0.15
            found = generator.critic(torch.cat((features, best(states).unsqueeze(-1)), -1))[..., 0].min(0).values
    # the value of the best: sum of gamma^k for the steps that are left; soft ones lie above by what entropy is worth
    exact = torch.tensor([sum(GAMMA**k for k in range(LENGTH - s)) for s in range(LENGTH)])
    assert (found - exact).abs().max() < 0.35


@every
def test_it_learns_nothing_before_its_warm_up_and_acts_uniformly_until_then(name: str) -> None:
    generator = made(name)
    with torch.no_grad():  # a policy that is certain: whatever varies is drawn by the warm-up
        generator.actor_critic.policy[-1].bias += 100.0 * torch.eye(3)[0] if actions(name) != Box(-1, 1, (1,)) else 0.5
    obs = torch.zeros(3000, dtype=torch.int64)
    acted = generator.act(obs)
    if acted.dtype == torch.int64:
        assert (torch.bincount(acted - 5, minlength=3) / 3000 - 1 / 3).abs().max() < 0.05
    else:
        assert acted.abs().max() <= 1 and abs(float(acted.var()) - 1 / 3) < 0.03
    before = {name: tensor.clone() for name, tensor in generator.named_parameters()}
    rollout = wandering(generator, steps=7)  # 56 of 64 steps
    generator.experience(rollout)
    assert generator.update(rollout, worth) == {"updates": 0.0}
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.named_parameters())
    generator.experience(rollout)
    assert generator.update(rollout, worth)["updates"] == 56.0
    assert any(not torch.equal(tensor, before[name]) for name, tensor in generator.named_parameters())


@pytest.mark.parametrize(("ratio", "expected"), [(0.25, [16, 16, 16]), (0.01, [0, 1, 0, 1, 1]), (2.0, [128])])
def test_updates_keep_to_their_ratio_over_the_whole_run(ratio: float, expected: list[int]) -> None:
    generator = made("dqn", updates_per_step=ratio)
    rollout = wandering(generator)
    found = []
    for _ in expected:
        generator.experience(rollout)
        found.append(generator.update(rollout, worth)["updates"])
    assert found == expected


def test_every_draw_is_rewarded_anew_by_whoever_teaches_now() -> None:
    generator = made("sac")
    asked: list[Replayed] = []

    def reward(steps: Rollout | Replayed) -> Tensor:
        assert isinstance(steps, Replayed)
        asked.append(steps)
        return worth(steps)

    for k in range(3):
        rollout = wandering(generator, first=64 * k)
        generator.experience(rollout)
        generator.update(rollout, reward)
    assert len(asked) == 3  # a draw for all minibatches of an update, in one
    assert all(steps.shape == (1, 64 * 64) for steps in asked)
    assert set(asked[0].numbers.flatten().tolist()) == set(range(64))
    assert int(asked[2].numbers.max()) > 128 and int(asked[2].numbers.min()) < 64


@every
def test_a_discriminator_is_shown_the_newest_quarter_of_the_replay_and_its_share_of_terminations(name: str) -> None:
    generator = made(name)
    rollouts = [wandering(generator, first=64 * k) for k in range(4)]
    for rollout in rollouts:
        experience = generator.experience(rollout)
    assert experience.num_steps == 64
    assert experience.num_terminated == int(rollouts[-1].terminated.sum())
    share = experience.steps.terminated.float().mean()
    assert float(share) == pytest.approx(experience.num_terminated / 64, abs=0.05)


@every
def test_its_state_is_all_of_it(name: str) -> None:
    original = practised(made(name), rollouts=2)
    restored = made(name)
    restored.load_state_dict(copy.deepcopy(original.state_dict()))
    restored.replay.load_state_dict(copy.deepcopy(original.replay.state_dict()))
    for each in (original, restored):
        torch.manual_seed(5)
        rollout = wandering(each, first=128)
        each.experience(rollout)
        each.update(rollout, worth, 0.5)
    for named in ("named_parameters", "named_buffers"):
        mine, its = (dict(getattr(each, named)()) for each in (original, restored))
        assert all(torch.equal(tensor, its[name]) for name, tensor in mine.items())
    torch.manual_seed(6)
    acted = original.act(torch.arange(LENGTH))
    torch.manual_seed(6)
    assert torch.equal(restored.act(torch.arange(LENGTH)), acted)


@pytest.mark.parametrize(("kind", "space"), [(DQN, Box(-1, 1, (1,))), (DDPG, Discrete(2)), (TD3, Discrete(2))])
def test_actions_that_it_cannot_choose_are_refused(kind: type[OffPolicyGenerator], space: Space[Any]) -> None:
    with pytest.raises(InputError, match=rf"{kind.__name__} cannot act in (Box|Discrete)"):
        kind(ActorCritic(ObservationEncoder(Discrete(2)), space))


def test_a_warm_up_that_does_not_fill_a_batch_is_refused() -> None:
    with pytest.raises(InputError, match=r"warm_up must be at least the batch size, 64.*found 63"):
        made("sac", warm_up=63)
    with pytest.raises(InputError, match=r"no more than the replay holds, 100; found 101"):
        made("sac", warm_up=101, replay_size=100)  # it would never begin


def test_what_lies_beyond_the_box_finds_back() -> None:
    generator = made("ddpg", **HASTE)
    with torch.no_grad():
        generator.actor_critic.policy[-1].bias.fill_(3.0)
    practised(generator, rollouts=30)
    with torch.no_grad():
        found = generator.actor_critic(torch.arange(LENGTH)).mode()[:, 0]
    assert (found - best(torch.arange(LENGTH))).abs().max() < 0.3
