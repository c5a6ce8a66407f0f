"""All checks, one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gailkit.checks import actions, copies, endings, jumps, observations, replay, rewards, values
from gailkit.checks.finding import Finding, Outcome, Unchecked
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings


class Check(NamedTuple):
    """A check, and what is said where it finds nothing."""

    run: Callable[[Subject, Surroundings | None], Outcome]
    fine: str


CHECKS = (  # in the order in which a person would mend what they find
    Check(values.readable_episodes, "every episode can be read"),
    Check(values.sound_numbers, "no number is NaN or infinite"),
    Check(endings.steps_left_out, "every episode has a step"),
    Check(jumps.unmarked_ends, "where each episode ends is known"),
    Check(jumps.jumps, "no step leads where no step could"),
    Check(endings.ambiguous_endings, "how each episode ended is known"),
    Check(endings.time_outs_as_terminations, "no time limit is stored as a termination"),
    Check(endings.within_the_limit, "no episode goes on beyond the time limit"),
    Check(endings.last_observations, "every episode has its last observation"),
    Check(actions.action_kind, "actions are of the action space's kind"),
    Check(actions.actions_in_bounds, "actions lie within their bounds"),
    Check(observations.observation_shape, "observations are of the observation space's kind"),
    Check(observations.observations_in_bounds, "observations lie within their bounds"),
    Check(observations.observation_scale, "episodes begin where those of the environment do"),
    Check(rewards.rewards_present, "rewards were recorded, and can be those of the task"),
    Check(rewards.failed_episodes, "no episode is far worse than the others"),
    Check(copies.exact_copies, "no episode is there twice"),
    Check(copies.near_copies, "no episode is a part of another"),
    Check(replay.replayed_steps, "replayed steps lead where they were recorded to lead"),
    Check(values.notes_of_reader, "nothing had to be decided to read it"),
    Check(values.members_left_behind, "the file holds nothing that is left behind"),
)


class Report(NamedTuple):
    """What all checks said of a file."""

    findings: tuple[Finding, ...]
    fine: tuple[str, ...]
    unchecked: tuple[tuple[str, str], ...]  # what would have been said, and why it cannot be

    @property
    def all_well(self) -> bool:
        """Whether nothing was found that a person has to do something about."""
        return all(finding.severity == "note" for finding in self.findings)


def check_all(subject: Subject, around: Surroundings | None) -> Report:
    """Make every check; where no episode can be used, only those that need none."""
    findings: list[Finding] = []
    fine, unchecked = [], []
    for check in CHECKS if subject.trajectories else CHECKS[:2]:
        outcome = check.run(subject, around)
        if isinstance(outcome, Unchecked):
            unchecked.append((check.fine, outcome.reason))
        elif outcome:
            findings += outcome
        else:
            fine.append(check.fine)
    return Report(tuple(findings), tuple(fine), tuple(unchecked))
