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
    known = _as_known_to(own | frozenset(trained_on), demonstrations)
    first = {digest: index for index, digest in reversed(list(enumerate(known)))}
    of_none = [index for digest, index in first.items() if digest not in trained_on and digest not in own]
    unseen = of_none or [index for digest, index in first.items() if digest not in own]
    chosen = unseen or list(first.values())
    others = set(first.values()) - set(chosen)
    further = _at_most(demonstrations.pick(sorted(others)), MOST_EPISODES) if others else None
    shown = _at_most(demonstrations.pick(sorted(chosen)), MOST_EPISODES)
    return shown, further, bool(unseen) if isinstance(policy, TrainedPolicy) else None


def _as_known_to(seen: Collection[str], demonstrations: Demonstrations) -> list[str]:
    """The digests of the episodes; where none of them was ``seen`` those that they have without their actions, by which
    a policy knows them that has learned from states alone, if some of these were."""
    digests = demonstrations.digests()
    if not demonstrations.has_actions or not seen or not set(digests).isdisjoint(seen):
        return digests
    of_states = demonstrations.episodes.digests_of_states()
    return digests if set(of_states).isdisjoint(seen) else of_states


def _at_most(demonstrations: Demonstrations, most: int) -> Demonstrations:
    """Those with the lowest digests, which are a random choice, where there are more."""
    digests = demonstrations.digests()
    if len(digests) <= most:
        return demonstrations
    return demonstrations.pick(sorted(sorted(range(len(digests)), key=digests.__getitem__)[:most]))
