"""What the metrics of a run say about how it went, in plain words: what was seen, what it means, what to try."""

from __future__ import annotations

from collections.abc import Callable

from gailkit.report.beginning import clone
from gailkit.report.blocks import Note
from gailkit.report.curves import Curves
from gailkit.report.discriminator_health import discriminator_accuracy, discriminator_logits, rewards
from gailkit.report.policy_health import (
    entropy,
    line_searches,
    step_sizes,
    true_return,
    unfinished,
    value_function,
)
from gailkit.report.thresholds import FEWEST_ROWS, Plan
from gailkit.wording import counted

ORDER = ("bad", "warning", "note", "good")

RULES: tuple[Callable[[Curves, Plan], Note | None], ...] = (
    unfinished,
    clone,
    discriminator_accuracy,
    discriminator_logits,
    rewards,
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
    notes = [note for rule in RULES if (note := rule(curves, plan)) is not None]
    if all(note.tone == "good" for note in notes):
        notes.append(
            Note(
                "good",
                "A healthy run",
                "Nothing in its metrics asks for attention. How close it came is another question.",
            )
        )
    return sorted(notes, key=lambda note: ORDER.index(note.tone))
