"""An evaluation in plain sentences."""

from __future__ import annotations

from gailkit.evaluation.acting import Acting
from gailkit.evaluation.actions import ActionMatch
from gailkit.evaluation.closeness import Closeness
from gailkit.evaluation.occupancy import Occupancy
from gailkit.evaluation.returns import Returns

MOST_GIVE_AWAYS = 3


def statement(found: Closeness, acting: Acting, actions: ActionMatch) -> str:
    """How closely the policy matches the expert: the verdict, what it earns, where it is and what gives it away."""
    given_away = "; ".join(_give_aways(found))
    return " ".join(
        [
            found.verdict.sentence,
            score_sentence(found.returns),
            occupancy_sentence(found.occupancy),
            *([f"What gives it away: {given_away}."] if given_away else []),
            acting.sentence,
            actions.sentence(),
        ]
    )


def statement_lines(found: Closeness, acting: Acting, actions: ActionMatch) -> list[str]:
    """The same, a line each, without the verdict; what gives the policy away as a list."""
    given_away = [f"- {words}" for words in _give_aways(found)]
    return [
        score_sentence(found.returns),
        occupancy_sentence(found.occupancy),
        *(["What gives it away:", *given_away] if given_away else []),
        acting.sentence,
        actions.sentence(),
    ]


def _give_aways(found: Closeness) -> list[str]:
    return [each.words for each in found.give_aways[:MOST_GIVE_AWAYS]]


def score_sentence(returns: Returns) -> str:
    """What the policy earns, on the scale from random actions to the expert where there is one."""
    mean, random = returns.policy.mean, returns.random.mean.value
    earned = f"The policy's mean return is {mean.value:.1f} (95 % interval {mean.low:.1f} to {mean.high:.1f})"
    if returns.expert is None:
        return f"{earned}, random actions' {random:.1f}; the expert's was not recorded."
    scale = f"the expert's {returns.expert.mean.value:.1f}, random actions' {random:.1f}"
    if returns.score is None:
        return f"{earned}, {scale}: this expert is no better than random actions, so there is no score."
    return f"{earned}, {scale}: a score of {returns.score.value:.3f}, where 0 is random and 1 is the expert."


def _no_scale(occupancy: Occupancy) -> str:
    """What would give a scale."""
    needed = occupancy.demonstrations_for_scale
    if needed is None:
        return "these demonstrations give no scale for a closeness"
    return f"these demonstrations are too few to give a scale for a closeness; about {needed} in all would"


def occupancy_sentence(occupancy: Occupancy) -> str:
    """How far the policy's occupancy lies from the expert's."""
    if occupancy.floor is None:
        return "How far it moves from the expert is not known: one episode of the expert has no distance to another."
    steps = "observations, and what its actions change in them," if occupancy.by_changes else "steps"
    distance = (
        f"Its {steps} lie {occupancy.distance:.2f} from the expert's, the expert's own {occupancy.floor:.2f} "
        f"(the floor) and those of random actions {occupancy.random_distance:.2f}"
    )
    if occupancy.closeness is None:
        return f"{distance}, which is not surely further than the floor: {_no_scale(occupancy)}."
    value, low, high = occupancy.closeness
    return (
        f"{distance}: a closeness of {value:.3f} (95 % interval {low:.3f} to {high:.3f}), where 0 is random and 1 is "
        "the expert."
    )
