"""The network of a policy leaves gailkit whole: exported or traced for one batch, it acts the same on any other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from gailkit.generator import TrainedPolicy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ActionEncoder, ObservationEncoder
from gailkit.spaces import clip_to_space

Leave = Callable[[nn.Module, Tensor], nn.Module]
PIXELS, ARM = Box(0, 255, (4, 4, 3), np.uint8), Box(-1, 1, (2,))
KINDS = [
    (Box(-1, 1, (3,)), Discrete(3, start=2), {}),
    (Discrete(5, start=2), ARM, {}),
    (Box(-1, 1, ()), Box(-0.01, 0.01, (2, 2)), {"std": "state", "initial_log_std": -1}),
    (PIXELS, ARM, {"bounds": "tanh"}),
]


class Everything(nn.Module):
    """What a policy and its critic say of observations, as tensors; with it the encoding of the actions."""

    def __init__(self, actor_critic: ActorCritic) -> None:
        super().__init__()
        self.actor_critic = actor_critic
        self.actions = ActionEncoder(actor_critic.action_space)

    def forward(self, obs: Tensor) -> tuple[Tensor, ...]:
        features = self.actor_critic.encoder(obs)
        distribution = self.actor_critic.distribution(features)
        act = distribution.mode()
        return act, distribution.log_prob(act), self.actor_critic.critic(features), self.actions(act)


class Sampling(nn.Module):
    def __init__(self, actor_critic: ActorCritic) -> None:
        super().__init__()
        self.actor_critic = actor_critic

    def forward(self, obs: Tensor) -> Tensor:
        drawn: Tensor = self.actor_critic(obs).sample()
        return drawn


def made(observed: Space[object], acted: Space[object], head: dict[str, object]) -> tuple[TrainedPolicy, np.ndarray]:
    """A policy that has seen seven observations, and these."""
    torch.manual_seed(0)
    observed.seed(0)
    seen = np.stack([np.asarray(observed.sample()) for _ in range(7)])
    encoder = ObservationEncoder(observed)
    encoder.update(torch.from_numpy(seen))
    actor_critic = ActorCritic(encoder, acted, (8,), **head)
    for parameter in actor_critic.policy_parameters():
        parameter.data *= 30  # so that some actions lie outside the Box
    return TrainedPolicy(actor_critic, observed, acted, "Any-v0"), seen


def exported(module: nn.Module, obs: Tensor) -> nn.Module:
    free = ({0: torch.export.Dim("batch")},)
    return torch.export.export(module, (obs,), dynamic_shapes=free).module()


def traced(module: nn.Module, obs: Tensor) -> nn.Module:
    found = torch.jit.trace(module, (obs,))
    assert isinstance(found, nn.Module)
    return found


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own, of the whole of torch.jit
@pytest.mark.parametrize("leave", [exported, traced])
@pytest.mark.parametrize(("observed", "acted", "head"), KINDS, ids=str)
def test_for_batches_of_any_size_what_left_is_what_stayed(
    leave: Leave, observed: Space[object], acted: Space[object], head: dict[str, object]
) -> None:
    policy, seen = made(observed, acted, head)
    whole = Everything(policy.actor_critic)
    obs = torch.from_numpy(seen)
    network, everything = leave(policy.network, obs[:4]), leave(whole, obs[:4])
    for size in (1, 2, 7):
        actions = network(obs[:size]).detach().numpy()
        np.testing.assert_array_equal(actions, policy.predict(seen[:size])[0])
        np.testing.assert_array_equal(actions, clip_to_space(acted, policy(seen[:size])))
        for found, expected in zip(everything(obs[:size]), whole(obs[:size]), strict=True):
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("observed", "acted", "head"), KINDS, ids=str)
def test_samples_can_be_exported_too(observed: Space[object], acted: Space[object], head: dict[str, object]) -> None:
    policy, seen = made(observed, acted, head)
    obs = torch.from_numpy(seen)
    sampling = Sampling(policy.actor_critic)
    left = exported(sampling, obs[:4])
    torch.manual_seed(1)
    found = left(obs)
    torch.manual_seed(1)
    torch.testing.assert_close(found, sampling(obs))
