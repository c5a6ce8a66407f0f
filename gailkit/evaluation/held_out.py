"""Which of the expert's episodes a policy is compared with: those that it has not been trained on."""

from __future__ import annotations

from collections.abc import Collection

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.closeness import MOST_EPISODES
from gailkit.generator import TrainedPolicy
from gailkit.types import Policy


def held_out_from(
    policy: Policy, demonstrations: Demonstrations, trained_on: Collection[str]
) -> tuple[Demonstrations, Demonstrations | None, bool | None]:
    """The episodes that no policy was trained on, equal ones once; where each was, those that this one was not, or all;
    then the others, if any; and whether it has not seen them, None where nobody knows.

    ``trained_on`` holds the digests of what any policy was trained on.
    """
    own = policy.trained_on if isinstance(policy, TrainedPolicy) else frozenset()
    own, others = (_also_by_states(frozenset(seen), demonstrations) for seen in (own, trained_on))
    first = {digest: index for index, digest in reversed(list(enumerate(demonstrations.digests())))}
    of_none = [index for digest, index in first.items() if digest not in others and digest not in own]
    unseen = of_none or [index for digest, index in first.items() if digest not in own]
    chosen = unseen or list(first.values())
    rest = set(first.values()) - set(chosen)
    further = _at_most(demonstrations.pick(sorted(rest)), MOST_EPISODES) if rest else None
    shown = _at_most(demonstrations.pick(sorted(chosen)), MOST_EPISODES)
    return shown, further, bool(unseen) if isinstance(policy, TrainedPolicy) else None


def _also_by_states(seen: frozenset[str], demonstrations: Demonstrations) -> frozenset[str]:
    """The digests that were ``seen``, and those of episodes of which somebody has seen all but the actions."""
    digests = demonstrations.digests()
    unknown = seen.difference(digests)
    if not demonstrations.has_actions or not unknown:
        return seen
    pairs = zip(digests, demonstrations.episodes.digests_of_states(), strict=True)
    return seen.union(digest for digest, of_states in pairs if of_states in unknown)


def _at_most(demonstrations: Demonstrations, most: int) -> Demonstrations:
    """Those with the lowest digests, which are a random choice, where there are more."""
    digests = demonstrations.digests()
    if len(digests) <= most:
        return demonstrations
    return demonstrations.pick(sorted(sorted(range(len(digests)), key=digests.__getitem__)[:most]))
