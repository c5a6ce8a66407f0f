"""Which kind of actions a policy took, its likeliest or sampled ones, and which the expert took, as far as it is known.

The rule: the kind that was asked for; else the expert's; where that is not known the likeliest, and sampled ones beside
them in a few episodes, so that it is said what the choice is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gailkit.devices import AUTO, device_of
from gailkit.errors import InputError
from gailkit.evaluation.returns import Paired, paired, side_of
from gailkit.functional.statistics import normalised_score
from gailkit.generator import TrainedPolicy
from gailkit.recording.acted import KINDS, LIKELIEST, SAMPLED
from gailkit.types import Policy, Trajectory

OTHER_EPISODES = 20  # at most, of the kind that is run beside
TOLD = {LIKELIEST: "its likeliest actions", SAMPLED: "sampled actions"}


@dataclass(frozen=True)
class OtherActions:
    """What the same policy earns by the other kind of actions, over the first of the same starts."""

    actions: str  # one of KINDS
    episodes: int
    return_mean: float
    normalised_score: float | None  # on the scale of the whole evaluation
    same_starts_score: float | None  # of the kind that is evaluated, over these starts
    difference: Paired | None  # of returns, from the kind that is evaluated; None for one episode


@dataclass(frozen=True)
class Acting:
    """The kinds of actions, each one of KINDS."""

    policy_actions: str | None  # None for a policy that is not gailkit's: it has but one kind
    expert_actions: str | None  # None where nothing says
    other_actions: OtherActions | None  # None where a kind was asked for, or the expert's is known

    @property
    def heading(self) -> str:
        """``, by sampled actions``, to follow what the policy is called; nothing for one that is not gailkit's."""
        return "" if self.policy_actions is None else f", by {TOLD[self.policy_actions]}"

    @property
    def sentence(self) -> str:
        """What both acted by, and what the choice is worth where it was not made for a reason."""
        kind = "the actions that it returns" if self.policy_actions is None else TOLD[self.policy_actions]
        own = f"It acted by {kind}"
        if self.expert_actions is None:
            return f"{own}; which kind of actions the expert took is not recorded.{self._other_sentence()}"
        if self.policy_actions == self.expert_actions:
            return f"{own}, as the expert did."
        return f"{own}, the expert by {TOLD[self.expert_actions]}."

    def _other_sentence(self) -> str:
        other = self.other_actions
        if other is None:
            return ""
        said = f" By {other.actions} ones it returns {other.return_mean:.1f} in {other.episodes} episodes"
        if other.difference is not None:
            value, low, high = other.difference.difference
            said += f", {abs(value):.3g} {'less' if value < 0 else 'more'} from equal starts (95 % interval of the "
            said += f"difference {low:.3g} to {high:.3g})"
        if other.normalised_score is not None and other.same_starts_score is not None:
            said += f": a score of {other.normalised_score:.2f}, not {other.same_starts_score:.2f}"
        return f"{said}. The verdict is on {TOLD[str(self.policy_actions)]}."


def acting_as(policy: Policy, actions: str | None, expert: str | None, seed: int) -> Policy:
    """``policy`` by the kind of ``actions`` that is asked for, or where that is None by the rule.

    A ``TrainedPolicy`` that samples already was told to, and goes on so unless its likeliest actions are asked for.

    Raises:
        InputError: if ``actions`` is no kind, or a policy that is not gailkit's is to sample.
    """
    if actions not in (None, *KINDS):
        raise InputError(f"actions are {' or '.join(KINDS)}, or None for the expert's kind; found {actions!r}")
    if not isinstance(policy, TrainedPolicy):
        if actions == SAMPLED:
            raise InputError("only a policy of gailkit's own samples its actions; any other takes those it returns")
        return policy
    kind = actions or (SAMPLED if policy.seed is not None else expert)
    if kind == SAMPLED:
        return policy if policy.seed is not None else policy.sampling(seed)
    return policy.deterministic()


def acting_on(policy: Any, device: str) -> Any:
    """``policy`` on the device of that name, if it is gailkit's; "auto" leaves it where it is."""
    found = device_of(device)
    return policy.to(found) if isinstance(policy, TrainedPolicy) and device != AUTO else policy


def kind_of(policy: Policy) -> str | None:
    """What ``policy`` acts by; None where it is not gailkit's."""
    if not isinstance(policy, TrainedPolicy):
        return None
    return LIKELIEST if policy.seed is None else SAMPLED


def other_actions(
    actions: str, own: Sequence[Trajectory], other: Sequence[Trajectory], random: float, expert: float | None, seed: int
) -> OtherActions:
    """Compare ``other`` episodes with the policy's ``own`` from the same starts, on the scale from the mean return of
    ``random`` actions to the ``expert``'s."""
    alike = {trajectory.seed for trajectory in other}
    sides = side_of(own), side_of(other)
    assert sides[0] is not None and sides[1] is not None  # what was run here has its rewards
    same = side_of([trajectory for trajectory in own if trajectory.seed in alike])
    assert same is not None
    means = [float(side.all.mean()) for side in (same, sides[1])]
    scores = [None if expert is None else normalised_score(value, random, expert) for value in means]
    return OtherActions(actions, len(other), means[1], scores[1], scores[0], paired(sides[1], same, seed))
