"""How verdicts look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gailkit.evaluation.closeness import Closeness
from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.verdict import DIFFERENT, INDISTINGUISHABLE, MOVES_DIFFERENTLY, RULE
from gailkit.report.blocks import Block, Details, Note, Paragraph, Tone
from gailkit.report.page import Large, Verdict
from gailkit.report.words import UNBROKEN, short

TONES: Mapping[str, Tone] = {INDISTINGUISHABLE: "good", MOVES_DIFFERENTLY: "warning", DIFFERENT: "bad"}
RULE_TITLE = "The rule, stated before any number was seen"


def banner(evaluation: Evaluation, film: Block | None = None) -> Verdict:
    """The verdict on one policy, its reason, closeness and score; behind it the rule, and what it may have missed."""
    found = evaluation.closeness
    word = found.verdict.verdict
    behind = rule_behind(found.verdict.caveats)
    return Verdict(tone(word), _capital(word), (found.verdict.reason,), _large(found), film, behind)


def rule_behind(caveats: Sequence[str] = ()) -> Details:
    """The rule by which verdicts are given, folded away, and sentences on what so many episodes cannot show."""
    return Details(RULE_TITLE, [Paragraph(sentence) for sentence in (RULE, *caveats)])


def verdict_note(evaluation: Evaluation) -> Note:
    """The verdict on one policy among others."""
    found = evaluation.closeness.verdict
    return Note(tone(found.verdict), _capital(found.verdict), found.sentence)


def tone(word: str) -> Tone:
    """Of a verdict; of none that is known it is neither good nor bad."""
    return TONES.get(word, "note")


def _large(found: Closeness) -> list[Large]:
    """Closeness and score, those that there are."""
    known = {
        "Closeness": (found.occupancy.closeness, "moves: 1 like the expert, 0 like random actions"),
        "Score": (found.returns.score, "earns: 1 like the expert, 0 like random actions"),
    }
    return [
        Large(name, short(each.value), f"[{short(each.low)},{UNBROKEN}{short(each.high)}]", meaning)
        for name, (each, meaning) in known.items()
        if each is not None
    ]


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]
