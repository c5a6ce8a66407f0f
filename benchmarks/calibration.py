"""Whether the evaluation keeps its promises: what it says where the truth is known, in hundreds of draws."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean, median, stdev

import click

from benchmarks.draws import EPISODES, NOISES, REFERENCE, SETTINGS, Row, Setting, drawn, work_alone
from benchmarks.tasks import EXPERTS, REPOSITORY, WORK
from gailkit.evaluation.verdict import INDISTINGUISHABLE

RESULTS = Path("benchmarks") / "results" / "calibration.txt"
KEPT = WORK / "calibration.jsonl"

Rows = Sequence[Row]


@click.command()
@click.option("--jobs", default=2, show_default=True, help="Draws at a time.")
@click.option("--only", default="", help="Settings whose name contains this.")
@click.option("--again", is_flag=True, help="Also what was drawn before, which takes half an hour in all.")
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def calibration(jobs: int, only: str, again: bool, keep: bool) -> None:
    """Draw episodes whose difference is known, and hold what the evaluation says of them to it."""
    os.chdir(REPOSITORY)
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    if again:
        KEPT.unlink(missing_ok=True)
    known = {(row["setting"], row["number"]) for row in _rows()}
    wanted = [
        (setting, number)
        for setting in SETTINGS
        for number in range(setting.draws)
        if only in setting.name and (setting.name, number) not in known
    ]
    wanted.sort(key=lambda draw: draw[1] / draw[0].draws)  # of all a part, so that it can be stopped at any time
    for path in sorted({EXPERTS / setting.null.expert for setting, _ in wanted}):
        if not path.is_file():
            raise click.ClickException(f"{path} is not there; GAILKIT_EXPERTS names the folder of foreign experts")
    work_alone()
    started = multiprocessing.get_context("spawn")  # a fork would keep the threads of this process
    with ProcessPoolExecutor(jobs, mp_context=started) as pool:
        for row in pool.map(drawn, *zip(*wanted, strict=True)) if wanted else ():
            with KEPT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            click.echo(f"{row['setting']}, draw {row['number']}: {row['verdict']}", err=True)
    said = "\n".join(report(_rows()))
    click.echo(said)
    if keep:
        RESULTS.write_text(said + "\n", encoding="utf-8")


def _rows() -> Rows:
    return [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()] if KEPT.exists() else []


def report(rows: Rows) -> Iterator[str]:
    """The results in lines, what is asked for in brackets."""
    by_name = {setting.name: [row for row in rows if row["setting"] == setting.name] for setting in SETTINGS}
    yield f"Draws of {EPISODES} + {EPISODES} episodes, and {EPISODES} of random actions; each draw plays its own."
    yield "told apart: any verdict but indistinguishable; by interval: that of the excess does not hold 0."
    for setting in SETTINGS:
        if setting.noise == 0:
            yield from _null_lines(setting, by_name[setting.name])
    noisy = {noise: by_name[f"noise {noise:g}"] for noise in NOISES}
    known = {noise: own for noise, own in noisy.items() if own}
    yield ""
    yield "The expert of Pendulum against itself with noise of so many half widths of the action:"
    yield "  noise  draws  told apart  by interval  excess  closeness   AUC  recall  detectable"
    yield from (_noise_line(noise, own) for noise, own in known.items())
    yield "  asked: at 0.2 told apart in at least 0.90; excess, closeness and AUC monotone in the noise"
    yield from _detectable_lines(known.values())
    yield from _reference_lines(by_name[REFERENCE.name], noisy[REFERENCE.noise])


def _null_lines(setting: Setting, rows: Rows) -> Iterator[str]:
    """What is said of an expert beside itself."""
    if not rows:
        return
    from scipy.stats import kstest

    yield ""
    yield f"{setting.name}: the expert beside itself, {len(rows)} draws:"
    if setting.further:
        counts = f"{setting.episodes} episodes beside {setting.shown} of the expert"
        yield f"  {counts}; the floor is how far these lie from {setting.further} others"
    for test, key in (("classifier", "p"), ("MMD", "mmd_p")):
        values = [row[key] for row in rows]
        uniform, small = kstest(values, "uniform").pvalue, mean(value <= 0.05 for value in values)
        yield f"  p of the {test}: Kolmogorov-Smirnov p {uniform:.3f} (above 0.01), at most 0.05 in {small:.3f} (0.05)"
    yield f"  verdict indistinguishable in {share(rows, _indistinguishable):.3f} (at least 0.90)"
    yield f"  the 95 % interval of the excess holds 0 in {share(rows, lambda row: holds(row['excess'], 0)):.3f}"
    yield f"  AUC {_spread(rows, 'auc')} (0.5)"
    if all("auc_ci95" in row for row in rows):
        yield f"    its 95 % interval holds 0.5 in {share(rows, _auc_holds_a_half):.3f}"
    by_steps = [row for row in rows if "auc_by_steps" in row]
    if by_steps:
        leaked = share(by_steps, lambda row: row["p_by_steps"] <= 0.05)
        spread = _spread(by_steps, "auc_by_steps")
        yield f"    of {len(by_steps)} draws with folds of steps instead of episodes {spread};"
        yield f"    and p, of permuted steps, at most 0.05 in {leaked:.2f}"
    yield f"  recall {_spread(rows, 'recall')}, the expert's own {_spread(rows, 'expert_recall')}"


def _noise_line(noise: float, rows: Rows) -> str:
    middle = {key: median(row[key][0] for row in rows) for key in ("excess", "closeness")}
    middle |= {key: median(row[key] for row in rows) for key in ("auc", "recall", "detectable")}
    told, by_interval = 1 - share(rows, _indistinguishable), 1 - share(rows, lambda row: holds(row["excess"], 0))
    return (
        f"  {noise:5g}  {len(rows):5}  {told:10.2f}  {by_interval:11.2f}  {middle['excess']:6.3f}  "
        f"{middle['closeness']:9.3f}  {middle['auc']:4.2f}  {middle['recall']:6.2f}  {middle['detectable']:10.2f}"
    )


def _detectable_lines(noisy: Iterable[Rows]) -> Iterator[str]:
    """Whether a true excess as large as what is called detectable is told apart; the median over draws is the truth."""
    large = [
        row for rows in noisy for row in rows if median(other["excess"][0] for other in rows) >= row["detectable"] > 0
    ]
    if large:
        by_interval = 1 - share(large, lambda row: holds(row["excess"], 0))
        yield f"  of the {len(large)} draws whose true excess is at least what they call detectable,"
        yield f"  {1 - share(large, _indistinguishable):.2f} are told apart (at least 0.80),"
        yield f"  {by_interval:.2f} by the interval of the excess alone"


def _reference_lines(many: Rows, few: Rows) -> Iterator[str]:
    """How often the interval of the closeness holds what many episodes give."""
    if many and few:
        truth = mean(row["closeness"][0] for row in many)
        held = share(few, lambda row: holds(row["closeness"], truth))
        yield f"  closeness of {REFERENCE.episodes} + {REFERENCE.episodes} episodes at noise {REFERENCE.noise:g}:"
        yield f"  {truth:.3f}, which the 95 % intervals of {EPISODES} + {EPISODES} hold in {held:.2f}"


def share(rows: Rows, said: Callable[[Row], bool]) -> float:
    """The share of ``rows`` of which ``said`` is true."""
    return mean(map(said, rows))


def holds(estimate: Sequence[float], value: float) -> bool:
    """Whether the interval of (value, low, high) holds ``value``."""
    _, low, high = estimate
    return low <= value <= high


def _auc_holds_a_half(row: Row) -> bool:
    return holds([row["auc"], *row["auc_ci95"]], 0.5)


def _indistinguishable(row: Row) -> bool:
    return bool(row["verdict"] == INDISTINGUISHABLE)


def _spread(rows: Rows, key: str) -> str:
    values = [row[key] for row in rows]
    return f"{mean(values):.3f} +- {stdev(values):.3f}" if len(values) > 1 else f"{values[0]:.3f}"
