"""What a clone knows of actions that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution, Categorical
from gailkit.networks.products import Bits, Choices, Product
from gailkit.spaces import Flat
from gailkit.types import Pairs

DEVIATIONS = (0.01, 1.0)  # of Box actions after cloning, in half-widths: never certain, and no wider than the Box


@torch.no_grad()
def worth_of_clone(
    actor_critic: ActorCritic,
    expert: Pairs,
    shown: Tensor,
    held_out: Tensor,
    policy_on: Callable[[Tensor], Iterable[ActionDistribution]],
) -> tuple[float, Tensor | None]:
    """How much better than actions that are alike in all states a clone knows those of the pairs ``held_out``.

    Args:
        shown: the numbers (S,) int64 of the pairs that it has learned from.
        policy_on: the clone in the states of pairs (B,) int64, some at a time in their order.

    Returns:
        The gain, in nats a component of the action: of a choice by which its log probability exceeds that of its
        frequency, of a number the log of how many times its deviation is less than from the mean. And the root mean
        square (*act) by which numbers differ from its own, in half-widths and within DEVIATIONS; None where there are
        no numbers.
    """
    learned, unseen = expert.actions_at(shown), expert.actions_at(held_out)
    modes, known, done = torch.empty_like(unseen), torch.zeros(len(unseen), device=unseen.device), 0
    for policy in policy_on(held_out):
        likeliest = policy.mode()
        chunk = slice(done, done + len(likeliest))
        modes[chunk], known[chunk] = likeliest, _of_choices(policy, unseen[chunk])
        done = chunk.stop
    sides = [_one_hot(actor_critic, act) for act in (learned, unseen)]
    gained, components = float((known - _by_frequency(actor_critic, *sides)).mean()), _num_choices(actor_critic)
    if not len(actor_critic.numbers):
        return gained / components, None
    learned, unseen, modes = (clipped_numbers(actor_critic, act) for act in (learned, unseen, modes))
    alike = learned.mean(0).expand_as(unseen)
    own, of_all = (deviations(unseen, acted, actor_critic.action_scale) for acted in (modes, alike))
    gains = (of_all / own).log()
    if not components:
        return float(gains.mean()), own
    return (gained + float(gains.sum())) / (components + gains.numel()), own


def deviations(numbers: Tensor, predicted: Tensor, scale: Tensor) -> Tensor:
    """How far numbers (B, *act) lie from the ``predicted`` ones: the root mean square of each, (*act).

    In half-widths ``scale`` of the Box, and within DEVIATIONS.
    """
    return ((numbers - predicted) / scale).square().mean(0).sqrt().clamp(*DEVIATIONS)


def _of_choices(policy: ActionDistribution, act: Tensor) -> Tensor:
    """ln pi of what is chosen in actions (B, *act), (B,); 0 where that is nothing."""
    if isinstance(policy, Product):
        pairs = zip(policy.parts, policy.columns, strict=True)
        return sum(
            (_of_choices(part, act[:, columns]) for part, columns in pairs), torch.zeros(len(act), device=act.device)
        )
    return (
        policy.log_prob(act)
        if isinstance(policy, Categorical | Choices | Bits)
        else torch.zeros(len(act), device=act.device)
    )


def _one_hot(actor_critic: ActorCritic, act: Tensor) -> Tensor:
    """Actions (B, *act) as columns (B, size) that are 0 or 1 where something is chosen; (B, 0) of a Box."""
    space = actor_critic.action_space
    if isinstance(space, Discrete):
        return torch.nn.functional.one_hot(act.long() - int(space.start), int(space.n)).float()
    return act.float() if isinstance(space, Flat) else torch.zeros(len(act), 0, device=act.device)


def _by_frequency(actor_critic: ActorCritic, learned: Tensor, unseen: Tensor) -> Tensor:
    """ln of the frequencies among ``learned`` (S, size) of what is chosen in ``unseen`` (B, size), (B,).

    Every alternative counts as seen once more than it was.
    """
    space = actor_critic.action_space
    sets = space.sets if isinstance(space, Flat) else (slice(0, learned.shape[1]),) if learned.shape[1] else ()
    found = torch.zeros(len(unseen), device=unseen.device)
    for columns in sets:
        counts = learned[:, columns].sum(0) + 1.0
        found += unseen[:, columns] @ (counts / counts.sum()).log()
    for bit in space.bits if isinstance(space, Flat) else ():
        share = (learned[:, bit].sum() + 1.0) / (len(learned) + 2.0)
        found += torch.where(unseen[:, bit] > 0, share, 1.0 - share).log()
    return found


def _num_choices(actor_critic: ActorCritic) -> int:
    space = actor_critic.action_space
    return len(space.sets) + len(space.bits) if isinstance(space, Flat) else int(isinstance(space, Discrete))


def clipped_numbers(actor_critic: ActorCritic, act: Tensor) -> Tensor:
    """The numbers in actions (B, *act), as the environment sees them."""
    space = actor_critic.action_space
    assert isinstance(space, Box)
    low, high = (torch.as_tensor(bound, device=act.device) for bound in (space.low, space.high))
    clipped = act.clamp(low, high)
    return clipped[:, actor_critic.numbers] if isinstance(space, Flat) else clipped
