"""Learning with a memory: as it acted so it is judged, in runs of its episodes, by every optimiser that can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from gailkit.errors import InputError
from gailkit.functional.policy_gradient import importance_weighted
from gailkit.functional.returns import Values, generalized_advantages
from gailkit.generator import ACKTR, SAC, TRPO, Generator, PolicyGradient, PPOClip, PPOPenalty
from gailkit.generator.learning import Batch, learning_batch, policy_now, value_loss
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.recurrent import Memory, alone
from gailkit.types import Replayed, Reward, Rollout

STEPS, ENVIRONMENTS, GAMMA, LAM = 12, 5, 0.9, 0.8
KINDS = pytest.mark.parametrize("kind", ["gru", "lstm"])
Make = Callable[[ActorCritic], Generator]
ABLE: dict[str, Make] = {
    "ppo-clip": partial(PPOClip, batch_size=20, epochs=2, learning_rate=0.01),
    "ppo-penalty": partial(PPOPenalty, batch_size=20, epochs=2, learning_rate=0.01),
    "pg": partial(PolicyGradient, batch_size=20, learning_rate=0.02),
    "trpo": partial(TRPO, epochs=2, batch_size=80, max_kl=0.1),
}


class Still(Generator):
    """Which does not improve."""

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        return {}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def model(kind: str, length: int = 5, actions: Space[Any] | None = None, seen: Space[Any] | None = None) -> ActorCritic:
    encoder = ObservationEncoder(seen or Box(-1, 1, (3,)))
    if seen is None:
        encoder.update(torch.randn(50, 3))
    made = ActorCritic(encoder, actions or Discrete(3), (8,), memory=Memory(kind, 6, length))
    last = list(made.policy.modules())[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(50.0)  # so that it depends on what it sees
    return made


def rolled_out(generator: Generator, seen: Callable[[], Tensor] | None = None) -> tuple[Rollout, Tensor]:
    """Some steps in which episodes end here and there, and ln pi (T, N) of its actions when they were taken."""
    actor_critic = generator.actor_critic
    look = seen or (lambda: torch.randn(ENVIRONMENTS, 3))
    count = len(look())
    states = torch.randn(count, actor_critic.state_size)
    states[2] = 0.0
    first, steps, known = states, [], []
    for _ in range(STEPS):
        obs = look()
        act, after = generator.follow(obs, states)
        with torch.no_grad():
            policy, _ = actor_critic.follow(actor_critic.encoder(obs), states)
        known.append(policy.log_prob(act))
        ended = torch.rand(2, count) < 0.15
        steps.append((obs, act, look(), ended[0], ended[1] & ~ended[0]))
        states = torch.where(ended.any(0)[:, None], 0.0, after)
    return Rollout(*map(torch.stack, zip(*steps, strict=True)), states=first), torch.stack(known)


def batch_of(generator: Generator, rollout: Rollout) -> Batch:
    return learning_batch(generator.actor_critic, rollout, torch.zeros(rollout.shape), GAMMA, LAM)[0]


@KINDS
@pytest.mark.parametrize("actions", [Discrete(3), Box(-1, 1, (2,))], ids=str)
def test_before_any_update_it_is_judged_as_it_acted(kind: str, actions: Space[Any]) -> None:
    generator = Still(model(kind, actions=actions))
    rollout, known = rolled_out(generator)
    assert rollout.begins.any()
    batch = batch_of(generator, rollout)
    found = policy_now(generator.actor_critic, batch).log_prob(batch.act)
    torch.testing.assert_close(batch.log_prob, known.T.flatten(), rtol=0, atol=1e-5)
    torch.testing.assert_close(found, batch.log_prob, rtol=0, atol=1e-5)
    assert known.std() > 0.01


@KINDS
def test_a_rollout_is_the_single_episodes_of_which_it_consists(kind: str) -> None:
    """Values and advantages of every episode by itself, its states from its own first step on."""
    generator = Still(model(kind))
    actor_critic = generator.actor_critic
    rollout, _ = rolled_out(generator)
    rewards = torch.randn(rollout.shape)
    here, after = torch.zeros(rollout.shape), torch.zeros(rollout.shape)
    assert rollout.states is not None
    with torch.no_grad():
        for i in range(ENVIRONMENTS):
            state = rollout.states[i : i + 1]
            for t in range(STEPS):
                obs, successor = rollout.obs[t, i : i + 1], rollout.next_obs[t, i : i + 1]
                here[t, i] = actor_critic.critic(alone(actor_critic.encoder(obs), state))
                state = actor_critic.remembered(actor_critic.encoder(obs), state)
                after[t, i] = actor_critic.critic(alone(actor_critic.encoder(successor), state))
                if rollout.terminated[t, i] or rollout.truncated[t, i]:
                    state = torch.zeros_like(state)
    expected = generalized_advantages(rollout, Values(here, after), rewards, GAMMA, LAM).advantages
    batch, _ = learning_batch(actor_critic, rollout, rewards, GAMMA, LAM)
    expected = (expected - expected.mean()) / expected.std()
    torch.testing.assert_close(batch.advantages, expected.T.flatten(), rtol=0, atol=1e-5)


@KINDS
@pytest.mark.parametrize("length", [1, 5, 100])
def test_runs_are_of_one_episode_and_no_longer_than_a_gradient_goes(kind: str, length: int) -> None:
    generator = Still(model(kind, length))
    rollout, _ = rolled_out(generator)
    runs = batch_of(generator, rollout).runs
    assert runs is not None and rollout.states is not None
    ends = (rollout.terminated | rollout.truncated).T.flatten()
    stops = runs.lengths.cumsum(0).tolist()
    assert int(runs.lengths.max()) <= length and stops[-1] == STEPS * ENVIRONMENTS
    for first, stop, state in zip([0, *stops], stops, runs.states, strict=False):
        assert not ends[first : stop - 1].any() and first // STEPS == (stop - 1) // STEPS
        if first % STEPS == 0:
            assert torch.equal(state, rollout.states[first // STEPS])
        elif ends[first - 1]:
            assert not state.any()
        else:
            assert state.any()
            assert (stop - first == length) or ends[stop - 1] or stop % STEPS == 0


def test_a_pass_of_minibatches_holds_every_run_once_and_as_many_in_all_ranks() -> None:
    generator = Still(model("gru", 4))
    batch = batch_of(generator, rolled_out(generator)[0])
    batch = replace(batch, targets=torch.arange(len(batch)).float())
    passed = list(batch.minibatches(20))
    assert len(passed) == 3  # 60 steps, whatever their runs
    assert sorted(torch.cat([each.targets for each in passed]).tolist()) == list(range(60))
    for each in passed:
        assert each.runs is not None and int(each.runs.lengths.sum()) == len(each)
        found = policy_now(generator.actor_critic, each).log_prob(each.act)
        torch.testing.assert_close(found, each.log_prob, rtol=0, atol=1e-5)
    share = batch.share(4)
    assert batch.runs is not None and share.runs is not None
    assert len(share.runs) == -(-len(batch.runs) // 4) and len(share) < 40


def paid(rewards: Tensor, steps: Rollout | Replayed) -> Tensor:
    return rewards


@KINDS
def test_the_gradient_is_the_full_one_where_runs_are_long_enough(kind: str) -> None:
    """Against one through time step by step, all environments together, from the first step of the rollout on."""
    generator = Still(model(kind, STEPS))
    actor_critic = generator.actor_critic
    rollout, _ = rolled_out(generator)
    batch, _ = learning_batch(actor_critic, rollout, torch.randn(rollout.shape), GAMMA, LAM)
    parameters = [*actor_critic.policy_parameters(), *actor_critic.critic.parameters()]
    loss = value_loss(actor_critic, batch) - importance_weighted(
        actor_critic.distribution(batch.features).log_prob(batch.act), batch.log_prob, batch.advantages
    )
    found = torch.autograd.grad(loss, parameters)
    assert rollout.states is not None
    states, policies, values = rollout.states, [], []
    for t in range(STEPS):
        features = actor_critic.encoder(rollout.obs[t])
        states = torch.where(rollout.begins[t][:, None], 0.0, states)
        policies.append(actor_critic.distribution(alone(features, states)).log_prob(rollout.act[t]))
        values.append(actor_critic.critic.normalized(alone(features, states)))
        states = actor_critic.remembered(features, states)
    log_prob, value = (torch.stack(each).T.flatten() for each in (policies, values))
    surrogate = importance_weighted(log_prob, batch.log_prob, batch.advantages)
    expected = torch.autograd.grad((value - batch.targets).square().mean() / 2 - surrogate, parameters)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
    assert sum(float(each.abs().sum()) for each in found) > 0.1


@pytest.mark.parametrize(("name", "kind"), [*((name, "gru") for name in ABLE), ("ppo-clip", "lstm")])
def test_every_optimiser_that_can_learns_to_answer_what_it_saw_a_step_ago(name: str, kind: str) -> None:
    """Rewarded for doing what the observation before the present one said, of which the present one shows nothing."""
    actor_critic = model(kind, 6, Discrete(2), Discrete(2))
    generator = ABLE[name](actor_critic)
    earned = []
    for _ in range(12):
        rollout, _ = rolled_out(generator, lambda: torch.randint(2, (40,)))
        asked = rollout.obs.roll(1, 0)
        asked[0] = rollout.act[0]
        asked = torch.where(rollout.begins, rollout.act, asked)
        rewards = (rollout.act == asked).float()
        told = generator.update(rollout, partial(paid, rewards))
        earned.append(float(rewards[~rollout.begins].mean()))
        assert all(torch.isfinite(torch.tensor(list(told.values()))))
    assert sum(earned[-3:]) / 3 > 0.65 > 0.6 > sum(earned[:2]) / 2


def test_those_that_cannot_say_who_can() -> None:
    with pytest.raises(InputError, match=r"ACKTR does not learn with a memory.*ppo-clip, ppo-penalty, trpo and pg do"):
        ACKTR(model("gru"))
    with pytest.raises(InputError, match=r"SAC does not learn with a memory.*ppo-clip, ppo-penalty, trpo and pg do"):
        SAC(model("gru"))
