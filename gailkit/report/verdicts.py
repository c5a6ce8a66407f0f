"""How verdicts look."""

from __future__ import annotations

from collections.abc import Mapping

from gailkit.evaluation.evaluate import Evaluation
from gailkit.evaluation.verdict import DIFFERENT, INDISTINGUISHABLE, MOVES_DIFFERENTLY, RULE
from gailkit.report.blocks import Note, Tone
from gailkit.report.page import Verdict

TONES: Mapping[str, Tone] = {INDISTINGUISHABLE: "good", MOVES_DIFFERENTLY: "warning", DIFFERENT: "bad"}
RULE_SENTENCE = f"The rule, stated before the numbers: {RULE[0].lower()}{RULE[1:]}"


def banner(evaluation: Evaluation) -> Verdict:
    """The verdict on one policy, its rule first."""
    word, sentence = _words(evaluation)
    return Verdict(tone(word), _capital(word), (RULE_SENTENCE, sentence))


def verdict_note(evaluation: Evaluation) -> Note:
    """The verdict on one policy among others."""
    word, sentence = _words(evaluation)
    return Note(tone(word), _capital(word), sentence)


def tone(word: str) -> Tone:
    """Of a verdict; of none that is known it is neither good nor bad."""
    return TONES.get(word, "note")


def _words(evaluation: Evaluation) -> tuple[str, str]:
    found = evaluation.closeness.verdict
    return found.verdict, found.sentence


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]
