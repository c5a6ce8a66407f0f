"""The report on several policies beside each other, and its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gailkit import __version__
from gailkit.evaluation.compare import Candidate, Comparison, Contrast, Method
from gailkit.functional.resampling import Estimate
from gailkit.report.again import again_section
from gailkit.report.blocks import Block, Details, Note, Panel, Panels, Paragraph, Table
from gailkit.report.markup import shortened
from gailkit.report.page import Page, Section, Verdict
from gailkit.report.palette import EXPERT, POLICY, RANDOM, Side
from gailkit.report.panels import Interval, draw_intervals
from gailkit.report.verdicts import rule_behind, verdict_note
from gailkit.report.words import MISSING, estimated
from gailkit.storage import write_atomically
from gailkit.wording import counted

LONGEST_NAME = 60
HEAD = ("method", "runs", "verdicts", "mean return", "IQM of returns", "normalised score", "closeness")


def write_comparison(
    path: Path,
    comparison: Comparison,
    *,
    demos: str,
    commands: Sequence[str] = (),
    versions: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write the report on ``comparison`` as one HTML file: methods side by side, and what is said of each policy.

    Raises:
        StorageError: if the disk refuses.
    """
    page = comparison_page(comparison, demos, commands, versions or {}, notes)
    write_atomically(path, page.render().encode())


def comparison_page(
    comparison: Comparison, demos: str, commands: Sequence[str], versions: Mapping[str, str], notes: Sequence[str]
) -> Page:
    """The page; ``demos`` is the file of the expert's episodes, ``notes`` are sentences that a reader should know."""
    methods = comparison.methods
    candidates = [candidate for method in methods for candidate in method.candidates]
    one = candidates[0].evaluation
    sections = [
        Section("Methods side by side", [*_plots(methods), _table(methods)]),
        Section("Each policy by itself", [_details(candidate) for candidate in candidates]),
        again_section(one.seed, {"This evaluation": commands}, versions),
    ]
    if comparison.contrasts:
        sections.insert(1, Section("Two by two", _contrasts(comparison.contrasts)))
    if notes:
        sections.insert(0, Section("To know first", [Note("note", sentence) for sentence in notes]))
    return Page(
        title=f"How closely do {counted(len(candidates), 'policy', 'policies')} match the expert?",
        summary=f"{one.env_id}: {counted(one.episodes, 'episode')} of each policy, seed {one.seed}, beside the expert "
        f"from {demos}",
        verdict=_closest(methods),
        sections=sections,
        footer=f"Made by gailkit {__version__}. This page holds no script and fetches nothing.",
    )


def _closest(methods: Sequence[Method]) -> Verdict:
    """Which method is the closest, and whether these episodes tell it from the others."""
    known = [(method.closeness, method.name) for method in methods if method.closeness is not None]
    if not known:
        return Verdict("note", "Closeness is not known of these policies", behind=rule_behind())
    (best, name), *others = sorted(known, key=lambda pair: pair[0].value, reverse=True)
    sentences = []
    level = [shortened(other, LONGEST_NAME) for found, other in others if found.high >= best.low]
    if level:
        sentences.append(f"These episodes do not tell it from {', '.join(level)}: the intervals overlap.")
    title = f"The closest is {shortened(name, LONGEST_NAME)}: closeness {estimated(best)}"
    return Verdict("note", title, sentences, behind=rule_behind())


def _plots(methods: Sequence[Method]) -> list[Block]:
    """Closeness, score and mean return of all methods, those that are known."""
    one = methods[0].returns
    scale = {"random": 0.0, "expert": 1.0}
    kinds = {
        "Closeness": [(method.name, method.closeness) for method in methods],
        "Normalised score": [(method.name, method.returns.score) for method in methods],
    }
    panels = [
        Panel(title, draw_intervals(known, f"{title} of every method", "0 random, 1 expert", scale))
        for title, each in kinds.items()
        if (known := _intervals(POLICY, each))
    ]
    earned = [
        *(_intervals(EXPERT, [("expert", one.expert.mean)]) if one.expert is not None else []),
        *_intervals(POLICY, [(method.name, method.returns.policy.mean) for method in methods]),
        *_intervals(RANDOM, [("random actions", one.random.mean)]),
    ]
    panels.append(Panel("Mean return", draw_intervals(earned, "Mean return of every method", "return")))
    return [Panels(panels, [EXPERT, POLICY, RANDOM])]


def _intervals(side: Side, known: Sequence[tuple[str, Estimate | None]]) -> list[Interval]:
    return [Interval(name, side, *found) for name, found in known if found is not None]


def _table(methods: Sequence[Method]) -> Table:
    rows = [
        (
            method.name,
            str(len(method.candidates)),
            _verdicts(method),
            estimated(method.returns.policy.mean),
            estimated(method.returns.policy.iqm),
            estimated(method.returns.score),
            estimated(method.closeness),
        )
        for method in methods
    ]
    one = methods[0].returns
    references = [("expert", one.expert, "1"), ("random actions", one.random, "0")]
    rows += [
        (name, MISSING, MISSING, estimated(earned.mean), estimated(earned.iqm), place, place)
        for name, earned, place in references
        if earned is not None
    ]
    caption = "With 95 % intervals, over episodes and, where a method has several, over its runs"
    return Table(caption, HEAD, rows, frozenset({1, 3, 4, 5, 6}))


def _verdicts(method: Method) -> str:
    """Of one run its own, of several how many got each."""
    words = method.verdicts
    return next(iter(words)) if len(words) == 1 else ", ".join(f"{word} ({count})" for word, count in words.items())


def _contrasts(contrasts: Sequence[Contrast]) -> list[Block]:
    rows = [
        (
            contrast.first,
            contrast.second,
            estimated(contrast.improvement),
            MISSING if contrast.paired is None else estimated(contrast.paired.difference),
            MISSING if contrast.paired is None else f"{contrast.paired.starts:,}",
        )
        for contrast in contrasts
    ]
    head = ("one", "the other", "P(one earns more)", "difference of returns", "starts")
    said = (
        "How often an episode of the one earns more than one of the other, ties counted half: 0.5 where they are "
        "alike. The difference of returns is over episodes that began alike. Where an interval holds 0.5, or 0, "
        "these episodes do not tell the two apart."
    )
    return [Paragraph(said), Table("Every two methods", head, rows, frozenset({2, 3, 4}))]


def _details(candidate: Candidate) -> Details:
    evaluation = candidate.evaluation
    found = evaluation.closeness
    blocks: list[Block] = [verdict_note(evaluation), Paragraph(evaluation.statement())]
    blocks += [Paragraph(f"Gives it away: {each.words}.") for each in found.give_aways]
    return Details(f"{candidate.spec}: {found.verdict.verdict}", blocks)
