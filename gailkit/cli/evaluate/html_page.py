"""The page that ``gailkit evaluate --report`` writes."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import printable, typed_command
from gailkit.cli.evaluate.policies import NOT_SHOWN, Request, said_to_be
from gailkit.errors import GailkitError

if TYPE_CHECKING:
    from gailkit.evaluation.compare import Candidate, Comparison
    from gailkit.evaluation.side_by_side import Animation
    from gailkit.report.record import RunRecord

PACKAGES = ("gymnasium", "numpy", "scipy", "torch")


def report_on(path: Path, comparison: Comparison, request: Request, env_kwargs: dict[str, Any]) -> None:
    """Write a page on one policy, or one that compares several."""
    demos = request.demos
    notes: list[str] = []
    candidates = [candidate for method in comparison.methods for candidate in method.candidates]
    notes += [said for candidate in candidates if (said := _unfinished(candidate))]
    told = len(notes)
    with said_to_be("making the report"):
        if len(candidates) == 1:
            _report_on_one(path, candidates[0], demos, env_kwargs, notes)
        else:
            _report_on_several(path, comparison, demos, notes)
    for note in notes[told:]:
        if note in request.said:
            continue
        click.echo(f"note: {printable(note)}", err=True)
    click.echo(f"wrote {path}: {path.stat().st_size / 1e3:,.0f} kB")


def _report_on_one(path: Path, candidate: Candidate, demos: Path, env_kwargs: dict[str, Any], notes: list[str]) -> None:
    from gailkit.report.report import write_report

    animation = _animation(candidate, env_kwargs, notes)
    write_report(
        path,
        candidate.evaluation,
        spec=candidate.spec,
        demos=str(demos),
        commands=[typed_command()],
        versions=_versions(),
        run=_run(candidate.spec, notes),
        animation=animation,
        notes=notes,
    )


def _report_on_several(path: Path, comparison: Comparison, demos: Path, notes: list[str]) -> None:
    from gailkit.report.comparison import write_comparison

    write_comparison(path, comparison, demos=str(demos), commands=[typed_command()], versions=_versions(), notes=notes)


def _unfinished(candidate: Candidate) -> str | None:
    """A sentence on a run that was stopped before its end."""
    training = candidate.evaluation.training
    if training is None or training.finished:
        return None
    return f"{candidate.spec} is not finished: {training}"


def _animation(candidate: Candidate, env_kwargs: dict[str, Any], notes: list[str]) -> Animation | None:
    from gailkit.evaluation.side_by_side import begins_like, side_by_side, typical

    evaluation = candidate.evaluation
    played = evaluation.played[typical(evaluation.played)]
    shown = evaluation.shown[begins_like(played.observations[0], evaluation.shown)]
    try:
        return side_by_side(evaluation.env_id, env_kwargs, played, shown)
    except GailkitError as error:
        notes.append(NOT_SHOWN.format(error))
        return None


def _run(spec: str, notes: list[str]) -> RunRecord | None:
    """What the run folder ``spec`` tells of its training; None for any other policy."""
    from gailkit.cli.specs import run_environment
    from gailkit.report.record import RunRecord

    if run_environment(spec) is None:
        return None
    try:
        return RunRecord.read(Path(spec))
    except GailkitError as error:
        notes.append(f"how the policy was trained is not shown: {error}")
        return None


def _versions() -> dict[str, str]:
    from gailkit import __version__

    packages = [*PACKAGES, *(["mujoco"] if "mujoco" in sys.modules else [])]
    found = {package: importlib.metadata.version(package) for package in packages}
    return {"gailkit": __version__, "python": platform.python_version(), **found}
