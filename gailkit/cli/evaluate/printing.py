"""What ``gailkit evaluate`` prints: a table of each policy, a few sentences, and a table of all beside each other.

Everything fits a terminal of 80 columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gailkit.cli.common import printable
from gailkit.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

    from gailkit.evaluation.closeness import Closeness
    from gailkit.evaluation.compare import Comparison, Contrast
    from gailkit.evaluation.evaluation import Evaluation
    from gailkit.functional.resampling import Estimate

EXPLAINED = {  # rows of the table, in a few words each; docs/glossary.md has them at length
    "closeness": "of its steps to the expert's; 1 as the expert's own, 0 as random",
    "score": "its mean return where the expert's is 1 and that of random actions 0",
    "IQM of returns": "interquartile mean, that of the middle half of the episodes",
    "terminated": "share of the episodes that the task ended, not a time limit",
    "succeeded": "share of the episodes that the environment calls a success",
    "distance": "of its steps from the expert's; the expert's from itself: the floor",
    "coverage": "share of the expert's steps that it comes close to",
    "classifier AUC": "how well its steps are told from the expert's; 0.5 is chance",
}


def show_rule() -> None:
    """What a verdict means, before there is one."""
    from gailkit.evaluation.verdict import RULE

    _say(f"rule: {RULE}")
    _say("")


def show_evaluation(spec: str, evaluation: Evaluation, found: Closeness, explained: bool = True) -> None:
    """The verdict on one policy, its numbers beside those of the expert and of random actions, and what they say.

    The numbers are ``explained`` in a few words each, where they are the first of their kind.
    """
    from gailkit.evaluation.statement import statement_lines

    run = "" if evaluation.training is None else f", {evaluation.training}"
    _say(f"{spec} in {evaluation.env_id}{run}{evaluation.acting.heading}")
    _say(f"verdict: {found.verdict.verdict}")
    _say(found.verdict.sentence)
    _say("")
    table = _table("", "policy", "expert", "random")
    _add_scales(table, found)
    _add_endings(table, found)
    succeeded = (evaluation.success_fraction, None, evaluation.random_success_fraction)
    if any(share is not None for share in succeeded):
        table.add_row("succeeded", *("" if share is None else f"{share:.0%}" for share in succeeded))
    counts = (len(evaluation.played), evaluation.expert_episodes, len(evaluation.at_random))
    table.add_row("episodes", *map(str, counts))
    if len(evaluation.shown) < evaluation.expert_episodes:
        table.add_row("compared with", "", f"{len(evaluation.shown)} of them", "")
    _add_distances(table, found)
    _print(table)
    if explained:
        named = set(table.columns[0].cells)
        for name, words in EXPLAINED.items():
            if name in named:
                _say(f"  {name}: {words}")
    for line in statement_lines(found, evaluation.acting, evaluation.actions):
        _say(line)
    _say("")


def show_comparison(comparison: Comparison) -> None:
    """All methods beside each other, and every two of them."""
    table = _table("", "verdict", "closeness", "score", "mean return")
    table.leading = 1
    table.columns[0].overflow = "fold"
    words = " ".join(word for method in comparison.methods for word in method.verdicts).split()
    table.columns[1].justify, table.columns[1].min_width = "left", max(map(len, words))
    for method in comparison.methods:
        count = len(method.candidates)
        table.add_row(
            printable(method.name) + (f"\n{count} runs" if count > 1 else ""),
            "\n".join(word if count == 1 else f"{times} {word}" for word, times in method.verdicts.items()),
            *("" if found is None else _interval(found, 2, "\n") for found in (method.closeness, method.returns.score)),
            _interval(method.returns.policy.mean, between="\n"),
        )
    _print(table)
    _say("")
    for contrast in comparison.contrasts:
        _say(contrast_sentence(contrast))


def contrast_sentence(contrast: Contrast) -> str:
    """Which of two methods earns more, and how much from the same starts."""
    said = f"{contrast.first} earns more than {contrast.second} with probability {_interval(contrast.improvement, 2)}"
    if contrast.paired is None:
        return f"{said}."
    from gailkit.functional.resampling import Estimate

    value, low, high = contrast.paired.difference
    starts = f"from {counted(contrast.paired.starts, 'equal start')}"
    if value == low == high == 0:
        return f"{said}, and the same {starts}."
    if value < 0:
        return f"{said}, and {_interval(Estimate(-value, -high, -low))} less {starts}."
    return f"{said}, and {_interval(contrast.paired.difference)} more {starts}."


def _add_scales(table: Table, found: Closeness) -> None:
    """How close it comes and what it earns, where random actions are 0 and the expert is 1."""
    scales = {"closeness": found.occupancy.closeness, "score": found.returns.score}
    for name, estimate in scales.items():
        if estimate is not None:
            table.add_row(name, _interval(estimate, 2), "1", "0")


def _add_endings(table: Table, found: Closeness) -> None:
    """What is earned, and how episodes end."""
    returns, endings = found.returns, found.endings
    sides = (returns.policy, returns.expert, returns.random)
    table.add_row("mean return", *("not recorded" if side is None else _interval(side.mean) for side in sides))
    table.add_row("IQM of returns", *("" if side is None else _interval(side.iqm) for side in sides))
    lengths = (endings.length, endings.expert_length, endings.random_length)
    table.add_row("mean length", *map(_interval, lengths))
    ended = (endings.terminated, endings.expert_terminated, endings.random_terminated)
    table.add_row("terminated", *(f"{share.value:.0%}" for share in ended))


def _add_distances(table: Table, found: Closeness) -> None:
    """How far its steps lie from the expert's, how many of the expert's it reaches, and whether a classifier tells."""
    occupancy, coverage, tested = found.occupancy, found.coverage, found.two_sample
    floor = "" if occupancy.floor is None else f"{occupancy.floor:.3g}"
    table.add_row("distance", f"{occupancy.distance:.3g}", floor, f"{occupancy.random_distance:.3g}")
    if coverage is not None:
        table.add_row("coverage", f"{coverage.recall:.0%}", f"{coverage.expert_recall:.0%}", "")
    if tested is not None:
        table.add_row("classifier AUC", _interval(tested.area, 2), "0.5", "")
        table.add_row("p of that AUC", f"{tested.p:.2g}", "", "")


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    return table


def _print(table: Table) -> None:
    from rich.console import Console

    Console().print(table, markup=False)


def _say(line: str) -> None:
    """In a terminal no word is torn apart at the edge; elsewhere a sentence stays one line."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    console.print(Text(printable(line)), soft_wrap=not console.is_terminal)


def _interval(estimate: Estimate, digits: int | None = None, between: str = " ") -> str:
    value, low, high = (_number(number, digits) for number in estimate)
    return value if value == low == high else f"{value}{between}[{low}, {high}]"


def _number(value: float, digits: int | None) -> str:
    """With ``digits`` after the point; without, one, or none where the number is long: three intervals fit a line."""
    if digits is None:
        digits = 1 if abs(value) < 100 else 0
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no number is -0
