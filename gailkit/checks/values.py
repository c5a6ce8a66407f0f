"""Episodes that cannot be read or used, and what a file holds beside its episodes."""

from __future__ import annotations

from collections.abc import Mapping

from gailkit.checks.finding import Finding, Outcome
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.wording import counted

MOST_NAMED = 8
TOLD = ("observed", "actions", "rewards")  # what readers say of in the provenance where they had to decide


def readable_episodes(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether every episode can be read."""
    return _lost(subject, subject.unreadable, "damaged_episodes", "cannot be read")


def sound_numbers(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether every number is finite and every episode whole."""
    return _lost(subject, subject.unusable, "unusable_episodes", "cannot be used")


def members_left_behind(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether the file holds nothing but what gailkit keeps."""
    if not subject.unheld:
        return []
    named = ", ".join(subject.unheld[:MOST_NAMED]) + (", ..." if len(subject.unheld) > MOST_NAMED else "")
    found = f"the file also holds {counted(len(subject.unheld), 'member')} that gailkit leaves behind: {named}"
    return [Finding("left_behind", "note", found)]


def notes_of_reader(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether everything could be read as it is stored."""
    told = [(name, subject.about.provenance[name]) for name in TOLD if name in subject.about.provenance]
    return [Finding(f"{name}_as_read", "note", f"{name}: {text}") for name, text in told]


def _lost(subject: Subject, wrong: Mapping[int, str], name: str, verb: str) -> Outcome:
    if not wrong:
        return []
    number, reason = next(iter(wrong.items()))
    whole = len(subject.trajectories) + len(subject.unreadable) + len(subject.unusable)
    found = f"{len(wrong)} of {counted(whole, 'episode')} {verb}; of episode {number}: {reason}"
    mend = subject.mend("repair") if subject.trajectories else None
    return [Finding(name, "error", found, tuple(wrong), mend)]
