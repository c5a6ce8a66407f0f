"""What it all comes to, by a rule that is stated before the numbers."""

from __future__ import annotations

from dataclasses import dataclass

from gailkit.evaluation.classifier import ALPHA, TwoSample
from gailkit.evaluation.occupancy import Occupancy
from gailkit.evaluation.returns import Returns

ENOUGH_EPISODES = 10
SCORES = 0.9

INDISTINGUISHABLE = "indistinguishable"
MOVES_DIFFERENTLY = "scores but moves differently"
DIFFERENT = "different"
NOT_ENOUGH_EXPERT = "not enough expert data"
NOT_ENOUGH_POLICY = "not enough episodes"

RULE = (
    f"The policy is called indistinguishable from the expert at n episodes only if the two-sample classifier's p is "
    f"above {ALPHA:g} and the 95 % interval of distance - floor includes 0. If it is told apart, it is called one that "
    f"{MOVES_DIFFERENTLY} where its normalised score is at least {SCORES:g} or its mean return not below the "
    "expert's (95 %), else different; without a score, because the expert's returns are not known or no better than "
    f"those of random actions, it is called different too. With fewer than {ENOUGH_EPISODES} episodes of the expert, "
    "or of the policy, there is no verdict."
)


@dataclass(frozen=True)
class Verdict:
    """The verdict in one of the words above, and in a sentence."""

    verdict: str
    sentence: str


def judge(
    policy_episodes: int, expert_episodes: int, occupancy: Occupancy, two_sample: TwoSample | None, returns: Returns
) -> Verdict:
    """Apply ``RULE``."""
    if expert_episodes < ENOUGH_EPISODES:
        return Verdict(
            NOT_ENOUGH_EXPERT,
            f"There is not enough expert data to say: {_episodes(expert_episodes)} of the expert, and at least "
            f"{ENOUGH_EPISODES} are needed.{_detectable(occupancy)}",
        )
    if policy_episodes < ENOUGH_EPISODES:
        return Verdict(
            NOT_ENOUGH_POLICY,
            f"Too few episodes of the policy were run to say: {policy_episodes}, and at least {ENOUGH_EPISODES} are "
            f"needed.{_detectable(occupancy)}",
        )
    assert two_sample is not None and occupancy.excess is not None  # there are enough episodes for both
    include_0 = occupancy.excess.low <= 0 <= occupancy.excess.high
    if two_sample.p > ALPHA and include_0:
        return Verdict(
            INDISTINGUISHABLE,
            f"Indistinguishable at {policy_episodes} episodes: a classifier cannot tell the policy's steps from the "
            f"expert's (AUC {two_sample.auc:.2f}, p = {two_sample.p:.2g}), and its occupancy is no further from the "
            f"expert's than the expert's own.{_detectable(occupancy)}",
        )
    reasons = []
    if two_sample.p <= ALPHA:
        reasons.append(
            f"a classifier tells its steps from the expert's (AUC {two_sample.auc:.2f}, p = {two_sample.p:.2g})"
        )
    if not include_0:
        further = "further" if occupancy.excess.value > 0 else "less far"
        reasons.append(f"its occupancy lies {further} from the expert's than the expert's own")
    told = f"{' and '.join(reasons)}.{_detectable(occupancy)}"
    if _scores(returns):
        return Verdict(MOVES_DIFFERENTLY, f"It scores like the expert but moves differently: {told}")
    return Verdict(DIFFERENT, f"It is different from the expert: {told}")


def _scores(returns: Returns) -> bool:
    """Without a scale from random actions to the expert nobody does."""
    if returns.difference is None or returns.score is None:
        return False
    return returns.score.value >= SCORES or returns.difference.high >= 0


def _detectable(occupancy: Occupancy) -> str:
    if occupancy.detectable is None:
        return ""
    return (
        f" The smallest distance above the floor that so many episodes would show is about {occupancy.detectable:.2g}."
    )


def _episodes(count: int) -> str:
    return f"{count} episode{'s' * (count != 1)}"
