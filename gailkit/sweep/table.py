"""What came of a sweep as tables in Markdown, which read well in a terminal too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gailkit.functional.resampling import Estimate
from gailkit.sweep.outcomes import ENOUGH_SEEDS, Outcomes
from gailkit.sweep.statement import statement

LEGEND = (
    "Closeness is 1 for the expert's own steps and 0 for those of random actions, and decides; score is the same of "
    "mean returns, and decides nothing. Values are means over seeds, with their 95 % interval by bootstrap over runs "
    "and episodes, which few runs make too narrow. "
    f"Differences are taken seed by seed, their intervals are Student's, from {ENOUGH_SEEDS} seeds on, and hold for "
    "these demonstrations."
)


def results_page(outcomes: Outcomes, failures: Mapping[str, str]) -> str:
    """The tables, the sentences on what won, and the runs that failed."""
    parts = [_task_table(outcomes)]
    if len(outcomes.tasks) > 1:
        parts.append(_overall_table(outcomes))
    parts += [LEGEND, *statement(outcomes)]
    if failures:
        parts.append("\n".join(["Failed:", "", *(f"- {name}: {sentence}" for name, sentence in failures.items())]))
    return "\n\n".join(parts) + "\n"


def _task_table(outcomes: Outcomes) -> str:
    rows = []
    for task in outcomes.tasks:
        for overall in outcomes.methods:
            cell = outcomes.cell(task, overall.method)
            if cell is None:
                continue
            runs = f"{cell.runs}" + (f", {cell.failed} failed" if cell.failed else "")
            verdicts = ", ".join(f"{count} {word}" for word, count in cell.verdicts.items())
            rows.append((task, cell.method, runs, _interval(cell.closeness), _interval(cell.score), verdicts))
    return _markdown(("task", "method", "runs", "closeness", "score", "verdicts"), rows)


def _overall_table(outcomes: Outcomes) -> str:
    rows = [
        (each.method, "-" if each.mean is None else f"{each.mean:.3f}", _interval(each.iqm))
        for each in outcomes.methods
    ]
    return _markdown(("over all tasks", "mean closeness", "interquartile mean over runs"), rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are padded; what would end a cell is escaped."""
    cells = [tuple(cell.replace("|", "\\|") for cell in row) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _interval(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
