"""The section with every number, its interval, and what it tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gailkit.evaluation.closeness import Closeness
from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.statement import occupancy_sentence, score_sentence
from gailkit.functional.resampling import Estimate
from gailkit.report.blocks import Block, Note, Panel, Panels, Paragraph, Table
from gailkit.report.page import Section
from gailkit.report.palette import EXPERT, POLICY, RANDOM, Side
from gailkit.report.panels import Interval, draw_intervals
from gailkit.report.words import MISSING, estimated, number, p_value, percent
from gailkit.wording import counted

HEAD = ("measure", "policy", "expert", "random", "what it tells")
Row = Sequence[str]


def numbers_section(evaluation: Evaluation) -> Section:
    """What the policy earns and where it is, on the scale from random actions to the expert."""
    found = evaluation.closeness
    rows = [
        *_return_rows(evaluation),
        *_occupancy_rows(found),
        *_two_sample_rows(found),
        *_ending_rows(evaluation),
        *_action_rows(evaluation),
    ]
    blocks: list[Block] = [
        *_held_out(evaluation),
        Paragraph(score_sentence(found.returns)),
        Paragraph(occupancy_sentence(found.occupancy)),
        Paragraph(evaluation.acting.sentence),
        Paragraph(_which_episodes(evaluation)),
        Panels(_panels(found)),
        Table("What was measured, with 95 % intervals over episodes", HEAD, rows, frozenset({1, 2, 3})),
    ]
    return Section("The numbers", blocks)


def _which_episodes(evaluation: Evaluation) -> str:
    """What of the expert each number is of."""
    whole, compared = (
        counted(count, "episode") for count in (evaluation.expert_episodes, evaluation.compared_episodes)
    )
    if evaluation.compared_episodes == evaluation.expert_episodes:
        return f"All numbers of the expert are of {whole}."
    said = f"The expert's returns, lengths and ends are of all {whole} in the file"
    floor = "; the floor is how far these lie from others" if evaluation.further else ""
    return f"{said}, everything else compares with {compared} of them{floor}."


def _held_out(evaluation: Evaluation) -> list[Note]:
    """What a reader must know of the expert's episodes before the numbers."""
    if evaluation.actions.action_held_out is None:
        said = "This policy does not say what it was trained on: it may know the episodes that it is compared with."
        return [Note("note", said)]
    if not evaluation.actions.action_held_out:
        said = "A policy that knows its examples by heart looks closer than it is."
        return [Note("warning", "The policy was trained on the very episodes that it is compared with", said)]
    return []


def _panels(found: Closeness) -> list[Panel]:
    occupancy, returns = found.occupancy, found.returns
    closeness = {"closeness": occupancy.closeness, "score": returns.score, "score, IQM": returns.score_iqm}
    intervals = [_interval(name, POLICY, each) for name, each in closeness.items() if each is not None]
    earned = {
        "expert": (EXPERT, returns.expert),
        "policy": (POLICY, returns.policy),
        "random": (RANDOM, returns.random),
    }
    means = [_interval(name, side, each.mean) for name, (side, each) in earned.items() if each is not None]
    panels = [Panel("Mean return", draw_intervals(means, "Mean return of each side with its interval", "return"))]
    if intervals:
        label = "Closeness and score on the scale from random actions, 0, to the expert, 1"
        drawn = draw_intervals(intervals, label, "0 random, 1 expert", {"random": 0.0, "expert": 1.0})
        panels.insert(0, Panel("Closeness and score", drawn))
    return panels


def _interval(name: str, side: Side, found: Estimate) -> Interval:
    return Interval(name, side, *found)


def _return_rows(evaluation: Evaluation) -> Iterator[Row]:
    returns = evaluation.closeness.returns
    expert, random = returns.expert, returns.random
    yield (
        "mean return",
        estimated(returns.policy.mean),
        estimated(None if expert is None else expert.mean),
        estimated(random.mean),
        "the environment's own reward, summed over an episode, undiscounted",
    )
    yield (
        "IQM of returns",
        estimated(returns.policy.iqm),
        estimated(None if expert is None else expert.iqm),
        estimated(random.iqm),
        "mean of the middle half of the episodes, which single outliers do not move",
    )
    yield "normalised score", estimated(returns.score), "1", "0", "the mean return, between random actions and expert"
    if returns.improvement is not None:
        better = "how often an episode of the policy earns more than one of the expert's; 0.5 where they are alike"
        yield "P(better than expert)", estimated(returns.improvement), "0.5", MISSING, better
    if returns.paired_with_expert is not None:
        starts = counted(returns.paired_with_expert.starts, "start")
        paired = f"mean difference of returns over {starts} that both began from"
        yield "paired difference", estimated(returns.paired_with_expert.difference), "0", MISSING, paired


def _occupancy_rows(found: Closeness) -> Iterator[Row]:
    occupancy = found.occupancy
    how = "" if occupancy.method == "exact" else f", {occupancy.method}"
    yield (
        "distance",
        number(occupancy.distance),
        number(occupancy.floor),
        number(occupancy.random_distance),
        f"1-Wasserstein distance{how} of steps (s, a) from the expert's, in the expert's standard deviations, between "
        f"{counted(occupancy.episodes, 'episode')} of either side; the expert's is the floor, its distance from itself",
    )
    closeness = "1 - (distance - floor) / (distance of random actions - floor)"
    yield "closeness", estimated(occupancy.closeness), "1", "0", closeness
    states = "the same for observations alone: whether it goes where the expert goes"
    yield "closeness of states", number(occupancy.state_closeness), "1", "0", states
    smallest = "distance above the floor, with its interval; with so many episodes this may go unnoticed: less than "
    yield "excess", estimated(occupancy.excess), "0", MISSING, f"{smallest}{number(occupancy.detectable)}"


def _two_sample_rows(found: Closeness) -> Iterator[Row]:
    test = found.two_sample
    if test is not None:
        told = "how well a classifier tells steps of unseen episodes apart: 0.5 not at all, 1 always; p by permuting "
        yield "classifier AUC", f"{estimated(test.area)}, {p_value(test.p)}", "0.5", MISSING, f"{told}episodes"
        kernel = "squared maximum mean discrepancy of a Gaussian kernel; p by permuting episodes"
        yield "MMD\u00b2", f"{number(test.mmd_squared)}, {p_value(test.mmd_p)}", "0", MISSING, kernel
    cover = found.coverage
    if cover is not None:
        recall = "share of the expert's steps that the policy comes close to; missed habits lower it"
        yield "coverage", percent(cover.recall), percent(cover.expert_recall), MISSING, recall
        precision = "share of the policy's steps that are close to some of the expert's; habits of its own lower it"
        yield "precision", percent(cover.precision), percent(cover.expert_precision), MISSING, precision


def _ending_rows(evaluation: Evaluation) -> Iterator[Row]:
    ends = evaluation.closeness.endings
    lengths = (estimated(each) for each in (ends.length, ends.expert_length, ends.random_length))
    yield ("mean length", *lengths, f"steps of an episode; policy and expert alike: {p_value(ends.length_p)}")
    each_side = (ends.terminated, ends.expert_terminated, ends.random_terminated)
    yield (
        "terminated",
        *(percent(each.value) for each in each_side),
        f"share of episodes that the task itself ended; alike: {p_value(ends.terminated_p)}",
    )
    succeeded = (evaluation.success_fraction, None, evaluation.random_success_fraction)
    if any(share is not None for share in succeeded):
        called = "share of episodes that the environment calls a success; of demonstrations that is not kept"
        yield ("succeeded", *map(percent, succeeded), called)


def _action_rows(evaluation: Evaluation) -> Iterator[Row]:
    match = evaluation.actions
    where = f"in the expert's states, {counted(match.action_episodes, 'episode')}"
    if match.action_agreement is not None:
        own = percent(match.action_by_expert)
        yield "same action", percent(match.action_agreement), own, MISSING, f"how often it does as the expert, {where}"
    if match.action_mse is not None:
        own = number(match.action_by_expert)
        yield "action error", number(match.action_mse), own, MISSING, f"mean square of the action's difference, {where}"
    if match.action_log_likelihood is not None:
        said = f"mean log-probability of the expert's action, nats, {where}"
        yield "log-likelihood", number(match.action_log_likelihood), MISSING, MISSING, said
