"""Double Q by hand, how exploration fades, and the policy that is left."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gymnasium.spaces import Discrete

from gailkit.functional.q_learning import Ahead
from gailkit.generator import DQN
from gailkit.generator.off_policy import Batch
from gailkit.networks.heads import EPSILON


@pytest.fixture
def generator(make_actor_critic: Any) -> DQN:
    torch.manual_seed(0)
    return DQN(make_actor_critic(Discrete(3, start=4), Discrete(2)), warm_up=16, batch_size=16, gamma=0.5)


def test_the_network_that_learns_chooses_and_its_copy_judges(generator: DQN) -> None:
    with torch.no_grad():
        generator.target_critic.following.vector.normal_()
    following = torch.eye(2)
    ahead = Ahead(torch.tensor([1.0, 2.0]), torch.zeros(2, dtype=torch.int64), torch.tensor([0.5, 0.0]))
    found = generator.targets(Batch(following, torch.zeros(2, 3), ahead, following))
    best = int(generator.critic(following)[0].argmax())
    expected = 1.0 + 0.5 * float(generator.target_critic(following)[0, best])
    assert found.tolist() == pytest.approx([expected, 2.0])


@pytest.mark.parametrize(
    ("progress", "epsilon"), [(0.0, 1.0), (0.05, 0.5 * (1 + EPSILON)), (0.1, EPSILON), (1.0, EPSILON)]
)
def test_epsilon_falls_in_the_first_tenth_of_the_run(generator: DQN, progress: float, epsilon: float) -> None:
    generator.progress.fill_(progress)
    assert generator.epsilon == pytest.approx(epsilon)
    torch.manual_seed(0)
    acted = generator.explore(torch.zeros(6000, dtype=torch.int64))
    best = generator.actor_critic(torch.zeros(1, dtype=torch.int64)).mode()
    share = float((acted == best).float().mean())
    assert share == pytest.approx(1 - epsilon + epsilon / 3, abs=0.03)


def test_the_policy_that_is_left_takes_the_largest_value_and_rarely_another(generator: DQN) -> None:
    states = torch.tensor([0, 1])
    distribution = generator.actor_critic(states)
    values = generator.critic(torch.eye(2))
    assert torch.equal(distribution.mode(), values.argmax(-1) + 4)
    probabilities = distribution.log_prob(distribution.mode()).exp()
    torch.testing.assert_close(probabilities, torch.full((2,), 1 - EPSILON + EPSILON / 3))
