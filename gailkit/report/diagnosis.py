"""What the metrics of a run say about how it went, in plain words: what was seen, what it means, what to try."""

from __future__ import annotations

from collections.abc import Callable

from gailkit.health.alarms import ALARMS, Alarm, raised
from gailkit.health.curves import Curves
from gailkit.health.plan import Plan
from gailkit.health.thresholds import FEWEST_ROWS
from gailkit.report.beginning import clone
from gailkit.report.blocks import Note
from gailkit.report.discriminator_health import discriminator_accuracy, discriminator_logits
from gailkit.report.policy_health import (
    entropy,
    line_searches,
    step_sizes,
    true_return,
    unfinished,
    value_function,
)
from gailkit.wording import counted

ORDER = ("bad", "warning", "note", "good")

RULES: tuple[Callable[[Curves, Plan], Note | None], ...] = (
    unfinished,
    clone,
    discriminator_accuracy,
    discriminator_logits,
    true_return,
    entropy,
    step_sizes,
    value_function,
    line_searches,
)


def diagnose(curves: Curves, plan: Plan) -> list[Note]:
    """What there is to say about a run, the most urgent first; a healthy one is said to be healthy."""
    rows = max((len(curve.values) for curve in curves.values()), default=0)
    if rows < FEWEST_ROWS:
        said = f"The run has {counted(rows, 'iteration')}; {FEWEST_ROWS} are the fewest that say how it went."
        return [Note("note", "Too short to judge", said)]
    notes = [_as_note(ALARMS[name], seen) for name, seen in raised(curves, plan).items()]
    notes += [note for rule in RULES if (note := rule(curves, plan)) is not None]
    if all(note.tone == "good" for note in notes):
        notes.append(
            Note(
                "good",
                "A healthy run",
                "Nothing in its metrics asks for attention. How close it came is another question.",
            )
        )
    return sorted(notes, key=lambda note: ORDER.index(note.tone))


def _as_note(alarm: Alarm, seen: str) -> Note:
    return Note(alarm.tone, alarm.title, seen, f"{alarm.advice}.")
