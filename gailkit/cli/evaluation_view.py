"""What ``gailkit evaluate`` prints: a table of each policy, a few sentences, and a table of all beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from rich.table import Table

    from gailkit.evaluation.compare import Comparison
    from gailkit.evaluation.evaluate import Evaluation
    from gailkit.functional.resampling import Estimate


def show_evaluation(spec: str, evaluation: Evaluation) -> None:
    """The numbers of one policy beside those of the expert and of random actions, and what they say."""
    returns, found = evaluation.returns, evaluation.closeness
    occupancy, tested, coverage, endings = found.occupancy, found.two_sample, found.coverage, found.endings
    table = _table(f"{spec} in {evaluation.env_id}", "", "policy", "expert", "random")
    expert = returns.expert
    table.add_row(
        "mean return",
        _interval(returns.policy.mean),
        "not recorded" if expert is None else _interval(expert.mean),
        _interval(returns.random.mean),
    )
    table.add_row(
        "middle half (IQM)",
        _interval(returns.policy.iqm),
        "" if expert is None else _interval(expert.iqm),
        _interval(returns.random.iqm),
    )
    table.add_row(
        "mean length", _interval(endings.length), _interval(endings.expert_length), _interval(endings.random_length)
    )
    ended = (endings.terminated, endings.expert_terminated, endings.random_terminated)
    table.add_row("terminated", *(f"{share.value:.0%}" for share in ended))
    floor = "" if occupancy.floor is None else f"{occupancy.floor:.3g}"
    table.add_row("distance", f"{occupancy.distance:.3g}", floor, f"{occupancy.random_distance:.3g}")
    if occupancy.closeness is not None:
        table.add_row("closeness", _interval(occupancy.closeness, 2), "1", "0")
    if coverage is not None:
        table.add_row("steps reached", f"{coverage.recall:.0%}", f"{coverage.expert_recall:.0%}", "")
    if tested is not None:
        table.add_row("told apart", f"AUC {tested.auc:.2f}, p {tested.p:.2g}", "0.5", "")
    episodes = (len(evaluation.played), evaluation.compared_episodes, len(evaluation.at_random))
    table.add_row("episodes", *map(str, episodes))
    _print(table)
    click.echo(evaluation.statement() + "\n")


def show_comparison(comparison: Comparison) -> None:
    """All methods beside each other, and every two of them."""
    table = _table("compared", "", "runs", "mean return", "score", "closeness", "verdict")
    for method in comparison.methods:
        score, closeness = method.returns.score, method.closeness
        count = len(method.candidates)
        table.add_row(
            method.name,
            str(count),
            _interval(method.returns.policy.mean),
            "" if score is None else _interval(score, 2),
            "" if closeness is None else _interval(closeness, 2),
            ", ".join(word if count == 1 else f"{times} {word}" for word, times in method.verdicts.items()),
        )
    _print(table)
    for contrast in comparison.contrasts:
        value, low, high = contrast.improvement
        paired = ""
        if contrast.paired is not None:
            difference = _interval(contrast.paired.difference)
            paired = f"; from {contrast.paired.starts} equal starts it earns {difference} more"
        click.echo(
            f"{contrast.first} earns more than {contrast.second} with probability {value:.2f} "
            f"[{low:.2f}, {high:.2f}]{paired}."
        )


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if not column else "right")
    return table


def _print(table: Table) -> None:
    from rich.console import Console

    Console().print(table, markup=False)


def _interval(estimate: Estimate, digits: int | None = None) -> str:
    value, low, high = (_number(number, digits) for number in estimate)
    return value if value == low == high else f"{value} [{low}, {high}]"


def _number(value: float, digits: int | None) -> str:
    """With ``digits`` after the point; without, one, or none where the number is long: three intervals fit a line."""
    if digits is None:
        digits = 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f}"
