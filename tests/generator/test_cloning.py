"""Behaviour cloning: it recovers the expert's actions, and knows when to stop."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.generator import clone_behaviour, cloners, cloning, warm_start
from gailkit.generator.cloning import LEAST_GAIN, negative_log_likelihood_of_means
from gailkit.generator.cloning_worth import DEVIATIONS
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Transitions

OBSERVATIONS = Box(-1, 1, (3,))
WEIGHTS = torch.tensor([[0.5, -0.4, 0.1], [-0.2, 0.3, 0.6]])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def states(count: int) -> Tensor:
    return torch.rand(count, 3) * 2 - 1


def pairs(obs: Tensor, act: Tensor) -> Transitions:
    return Transitions(obs, act, obs, torch.zeros(len(obs), dtype=torch.bool))


def novice(action_space: Box | Discrete, obs: Tensor, **head: Any) -> ActorCritic:
    encoder = ObservationEncoder(OBSERVATIONS)
    encoder.update(obs)
    return ActorCritic(encoder, action_space, (32,), **head)


def indifferent(action_space: Box | Discrete, obs: Tensor) -> ActorCritic:
    """It does the middle of the Box in every state, or all actions alike."""
    policy = novice(action_space, obs)
    torch.nn.init.zeros_(policy.policy[-1].weight)
    return policy


def negative_log_likelihood(policy: ActorCritic, expert: Transitions) -> float:
    with torch.no_grad():
        return -float(policy(expert.obs).log_prob(expert.act).mean())


def test_a_linear_expert_is_recovered_in_states_it_never_showed() -> None:
    obs, unseen = states(1000), states(1000)
    policy = novice(Box(-1, 1, (2,)), obs)
    before = (policy(unseen).mode() - unseen @ WEIGHTS.T).square().mean()
    result = clone_behaviour(policy, pairs(obs, obs @ WEIGHTS.T), learning_rate=0.01, patience=10, max_epochs=60)
    error = (policy(unseen).mode() - unseen @ WEIGHTS.T).square().mean()
    assert before > 0.1
    assert error < 1e-3
    assert result.validation_loss < 0  # densities far above 1


def test_a_discrete_expert_is_recovered_also_where_actions_do_not_start_at_0() -> None:
    obs, unseen = states(1000), states(1000)

    def expert(obs: Tensor) -> Tensor:
        return 5 + (obs[:, 0] > obs[:, 1]).long()

    policy = novice(Discrete(2, start=5), obs)
    clone_behaviour(policy, pairs(obs, expert(obs)), patience=10, max_epochs=40)
    assert (policy(unseen).mode() == expert(unseen)).float().mean() > 0.97


def test_noise_is_not_learned_by_heart() -> None:
    obs, unseen = states(60), states(2000)
    policy = novice(Discrete(2), obs)
    result = clone_behaviour(policy, pairs(obs, torch.randint(2, (60,))), learning_rate=0.05, patience=40)
    chance = negative_log_likelihood(policy, pairs(unseen, torch.randint(2, (2000,))))
    assert result.epochs < 2000
    assert result.training_loss < result.validation_loss < math.log(2) + 0.1
    assert result.validation_loss < 1.1 * math.log(2)
    assert chance < 1.2 * math.log(2)  # but what it keeps is from before


def test_a_single_pair_is_shown_and_held_out_alike() -> None:
    expert = pairs(states(1), torch.tensor([1]))
    policy = novice(Discrete(2), states(10))
    result = clone_behaviour(policy, expert, max_epochs=20)
    assert result.epochs == 20
    assert result.training_loss == pytest.approx(negative_log_likelihood(policy, expert), rel=1e-5)
    assert max(result.training_loss, result.validation_loss) < math.log(2)


def test_without_a_pass_nothing_changes_and_the_critic_never_does() -> None:
    obs = states(50)
    policy = novice(Discrete(2), obs)
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    expert = pairs(obs, torch.ones(50, dtype=torch.int64))
    assert clone_behaviour(policy, expert, max_epochs=0).epochs == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in policy.state_dict().items())
    assert clone_behaviour(policy, expert, max_epochs=3).epochs == 3
    changed = {name for name, tensor in policy.state_dict().items() if not torch.equal(before[name], tensor)}
    assert changed
    assert {name.split(".")[0] for name in changed} == {"policy"}


def test_in_the_end_it_learns_from_all_pairs() -> None:
    # Twenty states are shown ten times each and say nothing of the twenty others, each of which is shown once
    often, once = torch.arange(20).repeat(10), torch.arange(20, 40)
    obs, actions = torch.cat((often, once)), torch.randint(2, (40,))
    policy = ActorCritic(ObservationEncoder(Discrete(40)), Discrete(2), (32,))
    clone_behaviour(policy, pairs(obs, actions[obs]), learning_rate=0.02, batch_size=32, max_epochs=40)
    assert torch.equal(policy(torch.arange(40)).mode(), actions)


def test_the_second_part_is_half_as_long_again_as_the_first_was_best(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    one_epoch = cloners.PairCloner.one_epoch
    monkeypatch.setattr(
        cloners.PairCloner, "one_epoch", lambda self, index: (passes.append(len(index)), one_epoch(self, index))
    )
    obs = states(100)
    result = clone_behaviour(novice(Discrete(2), obs), pairs(obs, (obs[:, 0] > 0).long()), max_epochs=8)
    assert result.epochs == 8  # it goes on getting better: the last pass is the best
    assert passes == [70] * 8 + [100] * 12


def test_a_second_part_that_unlearns_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where rectifiers go out: what the first part knew is then more."""

    def go_out(self: cloners.PairCloner, epochs: int) -> None:
        for each in self.actor_critic.parameters():
            torch.nn.init.zeros_(each)

    obs = states(100)
    expert = pairs(obs, (obs[:, 0] > 0).long())
    monkeypatch.setattr(cloners.PairCloner, "learn_from_all", go_out)
    policy = novice(Discrete(2), obs)
    result = clone_behaviour(policy, expert, learning_rate=0.01, max_epochs=20)
    assert result.training_loss == pytest.approx(negative_log_likelihood(policy, expert))
    assert result.training_loss < 0.3 < math.log(2)  # of a policy that does either as often


def test_how_far_it_is_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 8 passes over 70 pairs and 12 over all; all of these, since it goes on getting better."""
    monkeypatch.setattr(cloners, "TOLD", 100)
    obs, told = states(100), []
    expert = pairs(obs, (obs[:, 0] > 0).long())
    clone_behaviour(
        novice(Discrete(2), obs), expert, max_epochs=8, batch_size=50, on_cloning=lambda *seen: told.append(seen)
    )
    learned, at_most = zip(*told, strict=True)
    assert set(at_most) == {70 * 8 + 100 * 12}
    assert learned == (120, 210, 330, 400, 540, *range(610, 1711, 100))  # minibatches of 50 and 20, then of 50


@pytest.mark.parametrize(("batch_size", "epochs"), [(7, 4), (70, 30), (69, 15), (500, 30)])
def test_large_demonstrations_are_passed_over_less_often(
    monkeypatch: pytest.MonkeyPatch, batch_size: int, epochs: int
) -> None:
    # 70 of 100 pairs are learned from first: 10 updates a pass, 1, 2 and 1
    monkeypatch.setattr(cloning, "MOST_UPDATES", 30 if batch_size != 7 else 49)
    obs = states(100)
    expert = pairs(obs, (obs[:, 0] > 0).long())
    assert clone_behaviour(novice(Discrete(2), obs), expert, batch_size=batch_size).epochs == epochs


def test_the_gain_of_discrete_actions_by_hand() -> None:
    # One pair, shown and held out: the policy gives its action 1/2; seen once beside one of each, it has 2/3
    obs = states(1)
    result = clone_behaviour(indifferent(Discrete(2), obs), pairs(obs, torch.tensor([1])), max_epochs=0)
    assert result.gain == pytest.approx(math.log(1 / 2) - math.log(2 / 3))
    assert result.deviation is None


def test_the_gain_and_the_deviation_of_box_actions_by_hand() -> None:
    # One pair is shown and one held out. In half-widths of 4 around 2 the actions are -1/2 and 1/2 (0 and 4), and -1
    # and 1 (-9 and 6, as they are executed: -2 and 6): off the other one by 1 and 2, and off the middle by 1/2 and 1.
    # Deviations are 1 at most: gains of ln 1 - ln 1/2 and ln 1 - ln 1.
    obs, act = states(2), torch.tensor([[0.0, -9.0], [4.0, 6.0]])
    policy = indifferent(Box(-2, 6, (2,)), obs)
    result = clone_behaviour(policy, pairs(obs, act), validation_share=0.5, max_epochs=0)
    assert result.gain == pytest.approx(math.log(2) / 2)
    assert result.deviation is not None
    torch.testing.assert_close(result.deviation, torch.tensor([0.5, 1.0]))


@pytest.mark.parametrize(
    ("space", "expert"),
    [
        (Discrete(3, start=4), lambda obs: 4 + (obs[:, 0] > 0).long() + (obs[:, 1] > 0).long()),
        (Box(-1, 1, (2,)), lambda obs: obs @ WEIGHTS.T),
        (Box(0, 10, (2,)), lambda obs: 5 + 5 * obs @ WEIGHTS.T),
    ],
    ids=["discrete", "box", "wide box"],
)
def test_a_clone_of_actions_that_follow_from_the_state_gains(
    space: Box | Discrete, expert: Callable[[Tensor], Tensor]
) -> None:
    obs = states(400)
    policy, shown = novice(space, obs), pairs(obs, expert(obs))
    result = clone_behaviour(
        policy, shown, loss=negative_log_likelihood_of_means, learning_rate=0.01, patience=10, max_epochs=60
    )
    assert result.gain > 0.5


@pytest.mark.parametrize("space", [Discrete(2), Box(-1, 1, (2,))], ids=str)
def test_a_clone_of_actions_that_do_not_follow_from_the_state_does_not_gain(space: Box | Discrete) -> None:
    gains = []
    for seed in range(9):
        torch.manual_seed(seed)
        obs = states(60)
        act = torch.randint(2, (60,)) if isinstance(space, Discrete) else 2 * torch.rand(60, 2) - 1
        gains.append(clone_behaviour(novice(space, obs), pairs(obs, act), loss=negative_log_likelihood_of_means).gain)
    assert max(gains) < LEAST_GAIN  # those of actions that do follow exceed 0.5, see above


@pytest.mark.parametrize("half_width", [1.0, 5.0])
def test_the_deviation_is_the_noise_of_the_expert_in_half_widths(half_width: float) -> None:
    obs, noise = states(2000), torch.tensor([0.05, 0.2])
    act = half_width * (0.5 * obs @ WEIGHTS.T + noise * torch.randn(2000, 2))
    policy = novice(Box(-half_width, half_width, (2,)), obs)
    deviation = clone_behaviour(
        policy, pairs(obs, act), loss=negative_log_likelihood_of_means, patience=10, max_epochs=60
    ).deviation
    assert deviation is not None
    torch.testing.assert_close(deviation, noise, rtol=0.15, atol=0)


def test_the_deviation_is_never_certain_and_never_wider_than_the_box() -> None:
    obs = states(200)
    always = clone_behaviour(novice(Box(-1, 1, (1,)), obs), pairs(obs, torch.zeros(200, 1)), max_epochs=60)
    assert always.deviation is not None and always.deviation.item() == pytest.approx(DEVIATIONS[0])
    either = pairs(obs, torch.randint(2, (200, 1)) * 200.0 - 100.0)
    opposite = novice(Box(-1, 1, (1,)), obs)
    torch.nn.init.constant_(opposite.policy[-1].bias, 1.0)  # half of the time it is off by two half-widths
    wide = clone_behaviour(opposite, either, max_epochs=0)
    assert wide.deviation is not None and wide.deviation.item() == DEVIATIONS[1]


@pytest.mark.parametrize("std", ["free", "state"])
@pytest.mark.parametrize("bounds", ["clip", "tanh"])
def test_a_warm_start_begins_with_the_deviation_of_held_out_actions_in_every_state(std: str, bounds: str) -> None:
    obs = states(500)
    act = obs @ (0.5 * WEIGHTS.T) + torch.tensor([0.05, 0.2]) * torch.randn(500, 2)
    policy = novice(Box(-1, 1, (2,)), obs, std=std, bounds=bounds)
    began = warm_start(policy, pairs(obs, act))
    assert began.used and began.cloning.gain > 0
    assert began.cloning.deviation is not None
    log_std = policy(states(50)).parameters()[1].detach()
    torch.testing.assert_close(log_std.exp(), began.cloning.deviation.expand(50, 2), rtol=1e-4, atol=0)
    assert (policy(obs).mode() - obs @ (0.5 * WEIGHTS.T)).abs().mean() < 0.06


def test_a_clone_keeps_the_statistics_that_it_learned_with() -> None:
    obs = states(300)
    policy = novice(Discrete(2), obs)
    began = warm_start(policy, pairs(obs, (obs[:, 0] > 0.5 * torch.randn(300)).long()))
    assert began.used and policy.encoder.frozen
    before = copy.deepcopy(policy.encoder.state_dict())
    policy.encoder.update(7 + states(50))
    assert all(torch.equal(before[name], tensor) for name, tensor in policy.encoder.state_dict().items())


@pytest.mark.parametrize("space", [Discrete(2), Box(-1, 1, (1,))], ids=str)
@pytest.mark.parametrize(("gain", "used"), [(LEAST_GAIN - 1e-6, False), (LEAST_GAIN, True)])
def test_a_clone_that_knows_less_than_the_frequencies_is_not_used_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, space: Box | Discrete, gain: float, used: bool
) -> None:
    obs = states(100)
    act = torch.randint(2, (100,)) if isinstance(space, Discrete) else torch.rand(100, 1)
    policy = novice(space, obs)
    before = copy.deepcopy(policy.state_dict())
    clone = cloning.clone_behaviour

    def judged(*arguments: Any, **options: Any) -> cloning.CloningResult:
        return clone(*arguments, **options, max_epochs=2)._replace(gain=gain)

    monkeypatch.setattr(cloning, "clone_behaviour", judged)
    began = warm_start(policy, pairs(obs, act))
    assert (began.used, began.cloning.gain) == (used, gain)
    assert all(torch.equal(before[name], tensor) for name, tensor in policy.state_dict().items()) is not used
    policy.encoder.update(7 + states(50))
    mean = policy.encoder.state_dict()["normalizer.mean"]
    assert torch.equal(mean, before["encoder.normalizer.mean"]) is used


@pytest.mark.parametrize("space", [Discrete(3), Box(-1, 1, (2,))], ids=["discrete", "box"])
def test_in_chunks_it_is_the_same_clone(space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    obs = states(600)
    act = (obs[:, 0] > 0).long() + (obs[:, 1] > 0) if isinstance(space, Discrete) else obs @ WEIGHTS.T

    def cloned() -> tuple[cloning.CloningResult, ActorCritic]:
        torch.manual_seed(1)
        policy = novice(space, obs)
        return clone_behaviour(policy, pairs(obs, act), batch_size=32, max_epochs=4), policy

    whole, policy = cloned()
    monkeypatch.setattr(cloners, "CHUNK", 2 * 32 * 3)  # two batches of three features
    result, chunked = cloned()
    torch.testing.assert_close(chunked.state_dict(), policy.state_dict())
    assert result.epochs == whole.epochs
    assert result[1:4] == pytest.approx(whole[1:4], rel=1e-4)
    torch.testing.assert_close(result.deviation, whole.deviation)


def test_images_are_encoded_a_chunk_at_a_time(monkeypatch: pytest.MonkeyPatch, largest_tensor: Any) -> None:
    images = torch.randint(256, (2000, 50), dtype=torch.uint8)
    encoder = ObservationEncoder(Box(0, 255, (50,), np.uint8))
    encoder.update(images)
    policy = ActorCritic(encoder, Discrete(2), (4,))
    monkeypatch.setattr(cloners, "CHUNK", 200 * 50)
    expert = Numbered(images.numpy(), (images[:, 0] > 99).long().numpy())
    with largest_tensor() as made:
        clone_behaviour(policy, expert, batch_size=20, max_epochs=2)
    assert made.bytes == 200 * 50 * 4  # of 2000 * 50 * 4 that they are in float32


@dataclass
class Numbered:
    """Pairs whose arrays are looked at in numpy, as those of demonstrations are."""

    obs: np.ndarray
    act: np.ndarray

    def __len__(self) -> int:
        return len(self.act)

    def observations_at(self, index: Tensor) -> Tensor:
        return torch.from_numpy(self.obs[index.numpy()])

    def actions_at(self, index: Tensor) -> Tensor:
        return torch.from_numpy(self.act[index.numpy()])
