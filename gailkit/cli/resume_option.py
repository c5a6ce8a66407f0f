"""``--resume RUN`` of the commands that train: going on with a run that was stopped."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from gailkit.cli.common import PATH
from gailkit.cli.demonstrations import ReadingOptions
from gailkit.cli.learned_from import LearnedFrom
from gailkit.cli.many_ranks import launched_by
from gailkit.cli.specs import trust_option
from gailkit.cli.stepping_options import NAMES, note
from gailkit.devices import device_of
from gailkit.errors import InputError
from gailkit.rollouts.stepping import Stepping

if TYPE_CHECKING:
    from gailkit.training.running import TrainingResult

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

BESIDE = ("resume", "steps", "threads", "device", "trust", "track", "demos", *NAMES)
"""What may stand beside ``--resume``, and so may the options of reading."""
MOST_THREADS = 1024  # that a run is taken at its word for


class Resumable(click.RichCommand):
    """A command of which nothing is required beside ``--resume``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As usual, or with nothing required."""
        resumes = any(word == "--resume" or word.startswith("--resume=") for word in args)
        required = [parameter for parameter in self.params if parameter.required]
        for parameter in required:
            parameter.required = not resumes
        try:
            return super().parse_args(ctx, args)
        finally:
            for parameter in required:
                parameter.required = True


def resume_options(command: Decorated) -> Decorated:
    """``--resume RUN``, and ``--trust`` for a run of somebody else's."""
    option = click.option(
        "--resume",
        type=PATH,
        metavar="RUN",
        help="Go on with a run that was stopped, from its last checkpoint, as if it had not been. --steps may ask for "
        "more of them, --demos say where the demonstrations are now; every other setting is the run's.",
    )
    return option(trust_option(command))


def go_on(
    run: Path,
    command: str,
    *,
    steps: int | None,
    threads: int,
    device: str,
    trust: Collection[str],
    stepping: Stepping,
    track: Sequence[str] | None = None,
    demos: Path | None = None,
    options: ReadingOptions | None = None,
) -> tuple[TrainingResult, LearnedFrom | None]:
    """Go on with ``run``, watched, by the ``command`` that began it: train or expert.

    Returns:
        How it ended, and what it learned from.

    Raises:
        UsageError: if something stands beside ``--resume`` that a run cannot change.
        InputError, DataError: as ``training.resuming.resume``.
    """
    context = get_current_context()
    _refuse_beside(context)
    import torch

    from gailkit.cli.training_progress import watched_training
    from gailkit.training.own_runs import check_all_trusted
    from gailkit.training.resuming import resume
    from gailkit.training.run import CONFIG_FILE, RunFolder, damaged
    from gailkit.training.stopped import config_of

    described = RunFolder.open(run).description()
    check_all_trusted(run / CONFIG_FILE, trust)
    config = config_of(run, described, steps)
    with damaged(run):
        env_id, env_kwargs, shown = str(described["env_id"]), dict(described["env_kwargs"]), described["demonstrations"]
    asked = context.get_parameter_source("threads") == ParameterSource.COMMANDLINE
    begun_with = described.get("threads")
    usual = begun_with if isinstance(begun_with, int) and 1 <= begun_with <= MOST_THREADS else threads
    torch.set_num_threads(threads if asked else usual)
    device_of(device)
    source = _source(run, command, shown, demos, options)
    taught_by = None if source is None else source.load(env_id, env_kwargs)[0]
    watched = watched_training(config.steps_of_rollouts, run, config.steps, to_resume(command, run), _reached(run))
    with watched as watch:
        result = resume(
            run,
            taught_by,
            steps=steps,
            on_iteration=watch.iteration,
            trust=trust,
            tell=note,
            stepping=stepping,
            track=track,
            device=device,
        )
        return result, source


def to_resume(command: str, run: Path) -> str:
    """What to type to go on with a run."""
    return shlex.join([*launched_by(), command, "--resume", str(run)])


def _refuse_beside(context: click.Context) -> None:
    for parameter in context.command.params:
        typed = context.get_parameter_source(parameter.name or "") == ParameterSource.COMMANDLINE
        allowed = parameter.name in BESIDE or (parameter.name or "").startswith("read_")
        if typed and not allowed:
            name = parameter.human_readable_name if isinstance(parameter, click.Argument) else parameter.opts[0]
            raise click.UsageError(f"{name} cannot stand beside --resume: the run goes on with what it was begun with.")


def _reached(run: Path) -> float:
    """The steps that the run has behind it, as far as its metrics tell."""
    from gailkit.training.metrics import read_metrics

    rows = read_metrics(run)
    return float(rows[-1]["steps"]) if rows else 0.0


def _source(
    run: Path, command: str, shown: Any, demos: Path | None, options: ReadingOptions | None
) -> LearnedFrom | None:
    """What the run learned from, as it has ``shown`` it; None for one that learned from rewards."""
    if (shown is None) != (command == "expert"):
        other = "expert" if shown is None else "train"
        raise InputError(f"{run} was begun by gailkit {other}; go on with: {to_resume(other, run)}")
    if shown is None:
        return None
    recorded = shown.get("source") if isinstance(shown, Mapping) else None
    source = None if recorded is None else LearnedFrom.recorded(recorded)
    options = options or ReadingOptions()
    if source is None and demos is None:
        raise InputError(f"{run} does not say where its demonstrations are; say it with --demos")
    source = source or LearnedFrom(Path(), options, hold_out=0.0)
    source = replace(source, demos=demos or source.demos, options=options.over(source.options))
    if not source.demos.exists():
        raise InputError(f"the demonstrations of {run} are not at {source.demos} any more; say where with --demos")
    return source
