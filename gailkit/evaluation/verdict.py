"""What it all comes to, by a rule that is stated before the numbers."""

from __future__ import annotations

from dataclasses import dataclass

from gailkit.evaluation.classifier import ALPHA, TwoSample
from gailkit.evaluation.occupancy import Occupancy
from gailkit.evaluation.returns import Returns
from gailkit.wording import counted

ENOUGH_EPISODES = 10
SCORES = 0.9

INDISTINGUISHABLE = "indistinguishable"
MOVES_DIFFERENTLY = "scores but moves differently"
DIFFERENT = "different"
NOT_ENOUGH_EXPERT = "not enough expert data"
NOT_ENOUGH_POLICY = "not enough episodes"

RULE = (
    f"Indistinguishable at n episodes: only if the classifier's p is above {ALPHA:g} and the 95 % interval of "
    f"distance - floor includes 0, while that of random actions does not. Told apart, a policy {MOVES_DIFFERENTLY} if "
    f"its normalised score is at least {SCORES:g} or its mean return not below the expert's (95 %); else, and where "
    f"there is no score, it is different. No verdict with fewer than {ENOUGH_EPISODES} episodes of the expert or of "
    "the policy."
)


@dataclass(frozen=True)
class Verdict:
    """The verdict in one of the words above, and why it is so."""

    verdict: str
    reason: str  # a sentence
    caveats: tuple[str, ...] = ()  # sentences on what so many episodes cannot show

    @property
    def sentence(self) -> str:
        """The reason and what there is to know beside it."""
        return " ".join((self.reason, *self.caveats))


def judge(
    policy_episodes: int, expert_episodes: int, occupancy: Occupancy, two_sample: TwoSample | None, returns: Returns
) -> Verdict:
    """Apply ``RULE``."""
    caveats = (*_detectable(occupancy), *_compared_by(occupancy))
    if expert_episodes < ENOUGH_EPISODES:
        return Verdict(
            NOT_ENOUGH_EXPERT,
            f"There is not enough expert data to say: {counted(expert_episodes, 'episode')} of the expert, and at "
            f"least {ENOUGH_EPISODES} are needed.",
            caveats,
        )
    if policy_episodes < ENOUGH_EPISODES:
        return Verdict(
            NOT_ENOUGH_POLICY,
            f"Too few episodes of the policy were run to say: {policy_episodes}, and at least {ENOUGH_EPISODES} are "
            "needed.",
            caveats,
        )
    assert two_sample is not None and occupancy.excess is not None  # there are enough episodes for both
    include_0 = occupancy.excess.low <= 0 <= occupancy.excess.high
    if two_sample.p > ALPHA and include_0 and occupancy.closeness is None:
        return Verdict(
            NOT_ENOUGH_EXPERT,
            "There is not enough expert data to say: the policy's steps are not told from the expert's, but random "
            f"actions do not surely lie further from them than they do from each other either{_enough(occupancy)}.",
            caveats,
        )
    if two_sample.p > ALPHA and include_0:
        return Verdict(
            INDISTINGUISHABLE,
            f"Indistinguishable at {counted(policy_episodes, 'episode')}: a classifier cannot tell the "
            "policy's steps from the "
            f"expert's ({_auc(two_sample)}), and they lie not measurably further from the expert's than the expert's "
            "own do.",
            (*caveats, *_luck(returns)),
        )
    reasons = []
    if two_sample.p <= ALPHA:
        reasons.append(f"a classifier tells its steps from the expert's ({_auc(two_sample)})")
    if not include_0:
        further = "further" if occupancy.excess.value > 0 else "less far"
        reasons.append(f"its steps lie {further} from the expert's than the expert's own do")
    told = f"{' and '.join(reasons)}."
    if _scores(returns):
        return Verdict(MOVES_DIFFERENTLY, f"It scores like the expert but moves differently: {told}", caveats)
    return Verdict(DIFFERENT, f"It is different from the expert: {told}", caveats)


def _enough(occupancy: Occupancy) -> str:
    needed = occupancy.demonstrations_for_scale
    return "" if needed is None else f"; with about {counted(needed, 'demonstration')} they would"


def _scores(returns: Returns) -> bool:
    """Without a scale from random actions to the expert nobody does."""
    if returns.difference is None or returns.score is None:
        return False
    return returns.score.value >= SCORES or returns.difference.high >= 0


def _auc(two_sample: TwoSample) -> str:
    return f"AUC {two_sample.auc:.2f}, where chance is 0.5; p = {two_sample.p:.2g}"


def _luck(returns: Returns) -> tuple[str, ...]:
    """Who moves alike and earns otherwise began elsewhere, or too few episodes tell."""
    if returns.difference is None or returns.difference.low <= 0 <= returns.difference.high:
        return ()
    value, low, high = returns.difference
    return (
        f"Its mean return differs from the expert's by {value:.3g} [{low:.3g}, {high:.3g}] all the same: returns do "
        "not enter this verdict, and other starts of the episodes change them too.",
    )


def _compared_by(occupancy: Occupancy) -> tuple[str, ...]:
    """What it was not compared by: another action that changes nothing else goes unnoticed."""
    if not occupancy.by_changes:
        return ()
    return ("A step is what was seen and what changed, for these demonstrations hold no actions to compare.",)


def _detectable(occupancy: Occupancy) -> tuple[str, ...]:
    if occupancy.detectable is None:
        return ()
    return (
        f"With so many episodes a distance of less than {occupancy.detectable:.2g} above the floor, the expert's "
        "distance from itself, may go unnoticed.",
    )
