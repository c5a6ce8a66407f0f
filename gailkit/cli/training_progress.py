"""What training looks like: a live table in a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import rich_click as click
from rich.table import Table

from gailkit.cli.common import interruptible
from gailkit.cli.time_left import TimeLeft, duration, left_words
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.training.choosing import Choice

Row = tuple[str, tuple[str, ...], str]
SECONDS_BETWEEN_LINES = 10.0


class ShowTraining(NamedTuple):
    """How a training is shown."""

    iteration: Callable[[Mapping[str, float]], None]  # to be called with the metrics of each
    cloning: Callable[[int, int], None]  # before, with how many pairs a clone has learned from, and how many at most


LOOKED_AT: Row = (
    "looked at: distance | closeness | true return",
    ("eval/distance", "eval/closeness", "eval/true_return"),
    "{:.3g}",
)
ROWS: tuple[Row, ...] = (  # label, the metrics behind it, how they are written
    (
        "discriminator accuracy (0.5 by guessing), expert | policy",
        ("discriminator/accuracy_expert", "discriminator/accuracy_policy"),
        "{:.2f}",
    ),
    ("discriminator logit, expert | policy", ("discriminator/logit_expert", "discriminator/logit_policy"), "{:+.2f}"),
    ("clone gain, nats | guidance, weight of expert's actions", ("clone/gain", "clone/guidance"), "{:+.3f}"),
    ("reward, mean | deviation", ("reward/mean", "reward/std"), "{:+.3f}"),
    ("policy entropy | KL of the update", ("policy/entropy", "policy/kl"), "{:.4f}"),
    ("action value, mean | half its squared error", ("policy/value", "policy/value_loss"), "{:.3f}"),
    ("weight of the entropy", ("policy/temperature",), "{:.3g}"),
    ("probability of a uniform action", ("policy/epsilon",), "{:.2f}"),
    ("explained variance of the value", ("policy/explained_variance",), "{:.2f}"),
    ("share of the step taken", ("policy/step_share",), "{:.3f}"),
    ("length of the steps, policy | value", ("policy/step_size", "policy/value_step_size"), "{:.3g}"),
    ("line searches that failed, so far", ("policy/line_search_failures",), "{:.0f}"),
    ("weight of the KL penalty", ("policy/kl_penalty",), "{:.3g}"),
    ("episode length", ("episode/length",), "{:.1f}"),
    ("true return", ("episode/true_return",), "{:.1f}"),
    LOOKED_AT,
)


@contextmanager
def watched_training(
    total: int, out: Path, planned: int, to_resume: str | None, reached: float = 0.0
) -> Iterator[ShowTraining]:
    """As ``show_training``, and SIGINT or SIGTERM stops the cloning, or the training after the iteration in progress, a
    second at once.

    What was ``reached`` of the ``planned`` steps is said then, and what goes on ``to_resume`` it.
    """
    with interruptible() as interruption, show_training(total) as show:

        def on_iteration(metrics: Mapping[str, float]) -> None:
            nonlocal reached
            reached = metrics["steps"]
            show.iteration(metrics)
            interruption.check()

        def on_cloning(learned: int, at_most: int) -> None:
            show.cloning(learned, at_most)
            interruption.check()

        try:
            yield ShowTraining(on_iteration, on_cloning)
        except SystemExit:  # of this rank, or of another
            click.echo(_stopped(reached, planned, out, to_resume), err=True)
            raise


def _stopped(reached: float, planned: int, out: Path, to_resume: str | None) -> str:
    if not (out / "checkpoints").is_dir():
        return "stopped before the first step; there is nothing to keep"
    further = "it cannot go on, and begins anew" if to_resume is None else f"it goes on with: {to_resume}"
    return f"stopped early, after {reached:,.0f} of {planned:,} steps; saved in {out}; {further}"


def told_choice(choice: Choice) -> str:
    """Which policy an imitation ended with, and why."""
    if not choice.played:
        return f"chosen: the {choice.policy} policy (the run is too short, or the episodes too long, to play others)"
    episodes = choice.played[0].episodes
    found = "; ".join(f"{each.policy} by {each.actions} actions {each.distance:.3g}" for each in choice.played)
    return (
        f"chosen: the {choice.policy} policy, whose steps lie nearest to the demonstrations\n"
        f"  mean distances over {counted(episodes, 'episode')} each ({counted(choice.steps, 'step')}): {found}"
    )


def show_training(total: int) -> AbstractContextManager[ShowTraining]:
    """A context whose value shows a training of ``total`` steps."""
    return _live_table(total) if sys.stderr.isatty() else _plain_lines(total)


@contextmanager
def _live_table(total: int) -> Iterator[ShowTraining]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    position, console = _Position(total), Console(stderr=True)
    alarms = _Alarms(lambda words: console.print(Text(words)))  # above the table, where it stays
    looked: dict[str, float] = {}  # what was seen last, which is shown until the next look
    with Live("getting ready for the first iteration", console=console, refresh_per_second=4) as live:

        def show(metrics: Mapping[str, float]) -> None:
            alarms.tell(metrics)
            looked.update(_of_look(metrics))
            live.update(_table({**metrics, **looked}, position.words(metrics)))

        clone = _Clone()
        yield ShowTraining(show, lambda learned, at_most: live.update(clone.words(learned, at_most)))


@contextmanager
def _plain_lines(total: int) -> Iterator[ShowTraining]:
    position, printed = _Position(total), time.monotonic()
    alarms = _Alarms(lambda words: click.echo(words, err=True))

    def show(metrics: Mapping[str, float]) -> None:
        nonlocal printed
        alarms.tell(metrics)
        now, words = time.monotonic(), position.words(metrics)
        looked = bool(_of_look(metrics))
        if not looked and now - printed < SECONDS_BETWEEN_LINES and metrics["steps"] < total:
            return
        printed = now
        shown = (f"{label}: {_values(metrics, names, form)}" for label, names, form in _rows(metrics))
        click.echo("; ".join((words, *shown)), err=True)

    clone = _Clone()

    def show_cloning(learned: int, at_most: int) -> None:
        nonlocal printed
        now, words = time.monotonic(), clone.words(learned, at_most)
        if now - printed >= SECONDS_BETWEEN_LINES:
            printed = now
            click.echo(words, err=True)

    yield ShowTraining(show, show_cloning)


class _Alarms:
    """Tells of every alarm once, when it is raised for the first time: a run is on a border for long."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.told: set[str] = set()

    def tell(self, metrics: Mapping[str, float]) -> None:
        """Say what ``metrics`` raise that was not told yet, and what to try."""
        raised = {
            name.removeprefix("health/") for name, value in metrics.items() if name.startswith("health/") and value
        }
        for name in sorted(raised - self.told):
            from gailkit.health.alarms import ALARMS

            alarm = ALARMS[name]
            self.say(f"warning, at step {metrics['steps']:,.0f}: {alarm.title}. Try: {alarm.advice}")
        self.told |= raised


class _Clone:
    """How far the clone is that a training begins with."""

    def __init__(self) -> None:
        self.time_left = TimeLeft()

    def words(self, learned: int, at_most: int) -> str:
        left = self.time_left.after(learned, at_most, time.monotonic())
        known = "" if left is None else f", at most {duration(left)} left"
        return f"cloning the demonstrations: {learned:,} of at most {at_most:,} pairs{known}"


class _Position:
    """Where in a training of ``total`` steps one is; to be told of every iteration."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.time_left = TimeLeft()

    def words(self, metrics: Mapping[str, float]) -> str:
        steps = metrics["steps"]
        left = left_words(self.time_left.after(steps, self.total, time.monotonic()))
        return f"step {steps:,.0f} of {self.total:,}, {metrics['steps_per_second']:,.0f} steps/s{left}"


def _table(metrics: Mapping[str, float], position: str) -> Table:
    table = Table(title=position, show_header=False)
    for label, names, form in _rows(metrics):
        table.add_row(label, _values(metrics, names, form))
    return table


def _rows(metrics: Mapping[str, float]) -> list[Row]:
    """What there is to show: not every teacher and generator has every metric, and the first episodes end later."""
    return [row for row in ROWS if row[1][0] in metrics or row[1][0].startswith("episode/")]


def _of_look(metrics: Mapping[str, float]) -> dict[str, float]:
    """What was seen of the policy in this iteration, if it was looked at."""
    return {name: value for name, value in metrics.items() if name.startswith("eval/")}


def _values(metrics: Mapping[str, float], names: tuple[str, ...], form: str) -> str:
    return " | ".join(form.format(metrics[name]) if name in metrics else "-" for name in names)
