"""Results of gailkit beside the package ``imitation``: how soon a curve gets how far, and the tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from math import inf, isfinite
from pathlib import Path
from statistics import median
from typing import Any

Curve = Mapping[str, Sequence[float]]  # steps, seconds and true_return, of one length
Rows = Sequence[Mapping[str, Any]]
Runs = list[Mapping[str, Any]]  # rows of one task, which differ by their seeds

SHARES = (0.5, 0.9)  # of the way from the random return to the expert's
POINTS = 100  # kept of each curve
HEAD = """# Beside the package imitation

gailkit with its default settings beside GAIL of `imitation` 1.0.1 with those that its authors publish (their tuning on
Hopper and HalfCheetah, their tutorial for CartPole), from the same demonstrations, in as many environments, for as many
steps, on one thread each. The two runs of a pair took place directly one after the other in the same worker, in turns
which first. Each entry is the median over seeds, with the least and the greatest in brackets; a ratio is that of the
medians, ours to theirs, and below 1 gailkit was sooner. What is reached is a share of the way from the return of random
actions to the mean of the expert's in the demonstrations, by the mean return of the last 50 training episodes, sampled
actions, on the environment's own reward. Where the median did not get there within the steps, a ratio with < or > is a
bound, with the end of training in its place. Seconds are the wall time of training, a warm start included. Where
Hopper and HalfCheetah differ between the two sides, as version 5 and version 4, is said in `benchmarks/peers.py`.
Made by `python -m benchmarks peers`; every command, the versions and the curves stand in `peers.json`.

"""


def reached(curve: Curve, random: float, expert: float, share: float) -> dict[str, float] | None:
    """Steps and seconds when the return first was at least random + share (expert - random); None if it never was."""
    mark = random + share * (expert - random)
    for steps, seconds, earned in zip(curve["steps"], curve["seconds"], curve["true_return"], strict=True):
        if earned >= mark:
            return {"steps": int(steps), "seconds": round(seconds, 2)}
    return None


def thinned(curve: Curve, points: int = POINTS) -> dict[str, list[float]]:
    """At most ``points`` of the curve, evenly spaced, its first and last among them, rounded."""
    last = len(curve["steps"]) - 1
    kept = sorted({round(last * point / (points - 1)) for point in range(points)})
    digits = {"steps": None, "seconds": 2, "true_return": 1}
    return {name: [round(curve[name][place], precision) for place in kept] for name, precision in digits.items()}


def write_table(rows: Rows, path: Path) -> None:
    """Write both tables of ``rows``, which are sorted by task."""
    path.write_text(HEAD + rendered(rows), encoding="utf-8")


def rendered(rows: Rows) -> str:
    """How soon each task was learned to each share, and how far at the end."""
    by_task = [list(runs) for _, runs in groupby(rows, key=lambda row: row["task"])]
    lines = [
        "| task | reached | steps, gailkit | steps, imitation | ratio | seconds, gailkit | seconds, imitation | ratio "
        "| seeds |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(_soon(runs, share) for runs in by_task for share in SHARES),
        "",
        "| task | random | expert | return at the end, gailkit | return at the end, imitation | steps "
        "| seconds, gailkit | seconds, imitation | ratio |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *map(_far, by_task),
        "",
        *_versions(rows),
    ]
    return "\n".join(lines) + "\n"


def _soon(runs: Runs, share: float) -> str:
    entries = []
    for name, form in (("steps", "{:,.0f}"), ("seconds", "{:,.1f}")):
        whens = {side: [_when(run[side], share, name) for run in runs] for side in ("ours", "peer")}
        ends = {side: [run[side][name] for run in runs] for side in ("ours", "peer")}
        entries += [_spread(whens["ours"], form.format), _spread(whens["peer"], form.format)]
        entries += [_ratio(whens["ours"], whens["peer"], ends["ours"], ends["peer"])]
    return f"| {runs[0]['task']} | {share} | {' | '.join(entries)} | {len(runs)} |"


def _when(side: Mapping[str, Any], share: float, name: str) -> float:
    """Steps or seconds until a run reached a share; infinity if it did not."""
    found = side["reached"][str(share)]
    return inf if found is None else float(found[name])


def _spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """The median, and the least and the greatest; infinity is never."""
    middle, least, greatest = (
        form(value) if isfinite(value) else "never" for value in (median(values), min(values), max(values))
    )
    return middle if middle == least == greatest else f"**{middle}** ({least} to {greatest})"


def _ratio(
    ours: Sequence[float], theirs: Sequence[float], our_ends: Sequence[float], their_ends: Sequence[float]
) -> str:
    """Of the medians; a bound where one is infinite, by when training ended."""
    mine, other = median(ours), median(theirs)
    if isfinite(mine) and isfinite(other):
        return f"{mine / other:.2f}"
    if isfinite(mine):
        return f"< {mine / median(their_ends):.2f}"
    return f"> {median(our_ends) / other:.2f}" if isfinite(other) else "-"


def _far(runs: Runs) -> str:
    ends = [_spread([run[side]["return_at_end"] for run in runs], "{:,.1f}".format) for side in ("ours", "peer")]
    seconds = {side: [run[side]["seconds"] for run in runs] for side in ("ours", "peer")}
    spreads = [_spread(values, "{:,.0f}".format) for values in seconds.values()]
    ratio = _ratio(seconds["ours"], seconds["peer"], [], [])
    first = runs[0]
    scale = f"{first['random_return']:,.1f} | {first['expert_return']:,.1f}"
    return f"| {first['task']} | {scale} | {' | '.join(ends)} | {first['steps']:,} | {' | '.join(spreads)} | {ratio} |"


def _versions(rows: Rows) -> list[str]:
    """A sentence for each side, where all its runs had the same versions; otherwise the JSON file has to be asked."""
    sentences = []
    for name, side in (("gailkit", "ours"), ("imitation", "peer")):
        found = {", ".join(f"{package} {number}" for package, number in row[side]["versions"].items()) for row in rows}
        sentences.append(f"Versions, {name}: {found.pop() if len(found) == 1 else 'not the same in all runs'}.\n")
    return sentences
