"""The report on an evaluation, its first screen and section by section, and its file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from gailkit import __version__
from gailkit.errors import GailkitError
from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.side_by_side import Animation
from gailkit.health.plan import Plan
from gailkit.report.again import again_section
from gailkit.report.blocks import Film, Note
from gailkit.report.episodes import episodes_section
from gailkit.report.maps import maps_section
from gailkit.report.marginals import marginals_section
from gailkit.report.markup import shortened
from gailkit.report.numbers import numbers_section
from gailkit.report.page import Page, Section
from gailkit.report.record import RunRecord
from gailkit.report.telltales import telltales_section
from gailkit.report.training import training_section
from gailkit.report.verdicts import banner
from gailkit.storage import write_atomically
from gailkit.wording import counted

LONGEST_SPEC = 60  # in the title


@dataclass(frozen=True)
class About:
    """What a report says besides the evaluation. All of it may come from anywhere."""

    spec: str  # of the policy, as it was asked for
    demos: str  # the file of the expert's
    commands: Sequence[str] = ()  # that make this report again
    versions: Mapping[str, str] = field(default_factory=dict)
    run: RunRecord | None = None  # that the policy comes from
    animation: Animation | None = None
    notes: Sequence[str] = ()  # what a reader should know, a sentence each


def write_report(
    path: str | os.PathLike[str],
    evaluation: Evaluation,
    *,
    spec: str = "the policy",
    demos: str = "the demonstrations",
    commands: Sequence[str] = (),
    versions: Mapping[str, str] | None = None,
    run: RunRecord | None = None,
    animation: Animation | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write the report on ``evaluation`` as one HTML file, of which ``gailkit evaluate --report`` fills every part.

    Args:
        spec: what the policy is called.
        demos: what the demonstrations are called.
        commands: that make this report again.
        versions: of packages, by their names.
        run: that the policy comes from.
        animation: of the policy and the expert at work.
        notes: what a reader should know, a sentence each.

    Raises:
        StorageError: if the disk refuses.
    """
    about = About(spec, demos, commands, versions or {}, run, animation, notes)
    write_atomically(Path(path), report_page(evaluation, about).render().encode())


def report_page(evaluation: Evaluation, about: About) -> Page:
    """The page; a section that cannot be made becomes the sentence that says why."""
    found = evaluation.closeness
    makers: dict[str, Callable[[], Section]] = {
        "The numbers": partial(numbers_section, evaluation),
        "Episodes": partial(episodes_section, evaluation),
        "What is seen and done": partial(marginals_section, found),
        "Where they spend their time": partial(maps_section, found.steps),
        "What gives the policy away": partial(telltales_section, found),
        "How it was trained": partial(_training_section, about.run),
        "To do it again": partial(_again_section, evaluation.seed, about),
    }
    sections = [_made(title, maker) for title, maker in makers.items()]
    if about.notes:
        sections.insert(0, Section("To know first", [Note("note", sentence) for sentence in about.notes]))
    return Page(
        title=f"How closely does {_name(about.spec)} match the expert?",
        summary=(
            f"{evaluation.env_id}: {counted(evaluation.episodes, 'episode')} of {about.spec}"
            f"{evaluation.acting.heading}, seed {evaluation.seed}, "
            f"beside {counted(evaluation.compared_episodes, 'episode')} of the expert from {about.demos}"
        ),
        verdict=banner(evaluation, None if about.animation is None else _film(about.animation)),
        sections=sections,
        footer=f"Made by gailkit {__version__}. This page holds no script and fetches nothing.",
    )


def _made(title: str, maker: Callable[[], Section]) -> Section:
    try:
        return maker()
    except GailkitError as error:
        return Section(title, [Note("warning", "This part could not be drawn", f"{error}.")])


def _training_section(run: RunRecord | None) -> Section:
    return training_section(None, Plan()) if run is None else training_section(run.rows, run.plan, run.choice)


def _film(animation: Animation) -> Film:
    caption = f"The policy's episode of median return, and the expert's that begins most like it. {animation.note}"
    return Film(
        animation.media_type, animation.content, _still(animation.content), "Policy and expert at work", caption
    )


def _still(content: bytes) -> bytes:
    """A frame from the middle of an animated picture, as PNG."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(content)) as film:
        film.seek(getattr(film, "n_frames", 1) // 2)
        film.convert("RGB").save(file, "PNG", optimize=True)
    return file.getvalue()


def _again_section(seed: int, about: About) -> Section:
    began = about.run.command if about.run else None
    commands = {"This evaluation": about.commands, "The training of the policy": () if began is None else (began,)}
    return again_section(seed, commands, about.versions)


def _name(spec: str) -> str:
    """The last part of a path, of anything else the whole."""
    return shortened(spec.rstrip("/").rpartition("/")[2] or spec, LONGEST_SPEC)
