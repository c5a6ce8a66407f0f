"""The command ``gailkit control``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from gailkit.cli.common import (
    PATH,
    EpisodeProgress,
    device_option,
    interruptible,
    note_differences,
    prepare_extra_output,
    show_progress,
    typed_command,
    write_json,
)
from gailkit.cli.demonstrations import ReadingOptions, load, reading_options
from gailkit.cli.examples import examples
from gailkit.cli.specs import trust_option
from gailkit.cli.stepping_options import stepping_options
from gailkit.devices import device_of
from gailkit.errors import InputError
from gailkit.rollouts.stepping import Stepping
from gailkit.training.config import TrainConfig
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.cli.training_progress import ShowTraining
    from gailkit.training.control_result import ControlResult, Played
    from gailkit.types import Trajectory

EXAMPLES = examples(
    "gailkit control run --demos demos.hdf5 --out controls",
    "- makes the run folders controls/constant and controls/random, and says more",
    "gailkit control run --demos demos.hdf5 --steps 50000 --out c --json c.json",
    "- the same in fewer steps, with the numbers in c.json",
)


@click.command("control", epilog=EXAMPLES)
@click.option_panel("Options")
@click.argument("run", type=PATH)
@click.option("--demos", required=True, type=PATH, help="The real expert's demonstrations; they give the scale.")
@click.option("--out", required=True, type=PATH, help="A folder for the two runs, constant and random.")
@click.option("--overwrite", is_flag=True, help="Replace the runs that the folder already holds.")
@click.option("--steps", type=click.IntRange(1), help="Environment steps to train each. [default: those of RUN]")
@click.option("--seed", type=click.IntRange(0), help="Decides every random number. [default: that of RUN]")
@click.option(
    "--episodes",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="How many each teacher and each imitator plays.",
)
@click.option("--json", "json_file", type=PATH, help="Write the numbers to a JSON file.")
@trust_option
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of torch.")
@device_option
@stepping_options
@reading_options
def control(
    run: Path,
    demos: Path,
    out: Path,
    overwrite: bool,
    steps: int | None,
    seed: int | None,
    episodes: int,
    json_file: Path | None,
    trust: tuple[str, ...],
    threads: int,
    device: str,
    stepping: Stepping,
    options: ReadingOptions,
) -> None:
    """Say whether the method of RUN, a run of `gailkit train`, scores without being taught.

    Its configuration is trained on a teacher that always takes the same action and on one that acts at random. An
    imitator fails where it scores more than 0.1 above its teacher, with its likeliest actions and with sampled ones
    alike, 0 being random actions and 1 the expert: then the reward itself pays for something, such as survival,
    whatever the expert does. A failed control exits with 0: it is
    a result. Ctrl-C stops after the iteration in progress and keeps the runs as they are.
    """
    if run.resolve().is_relative_to(out.resolve()):
        raise InputError(f"{run} lies in {out}, where the controls would take its place; choose another --out")
    if json_file is not None:
        prepare_extra_output(json_file)

    import torch

    from gailkit.rollouts.environments import make_env
    from gailkit.rollouts.protocol import About
    from gailkit.training.control import Watching, method_of, run_control

    torch.set_num_threads(threads)
    device_of(device)
    method = method_of(run, trust)
    asked = method.config
    config = replace(asked, steps=asked.steps if steps is None else steps, seed=asked.seed if seed is None else seed)
    demonstrations = load(demos, options, method.env_id)
    with closing(make_env(method.env_id, method.env_kwargs)) as env:
        note_differences(demonstrations, method.env_id, dict(method.env_kwargs), About.of(env))
    watching = Watching(lambda teacher: _watch_training(teacher, config, out / teacher), _watch_playing)
    result = run_control(
        replace(method, config=config),
        demonstrations,
        episodes=episodes,
        out=out,
        overwrite=overwrite,
        watching=watching,
        command=typed_command(),
        stepping=stepping,
        device=device,
    )
    _print(result)
    if config.steps < asked.steps:
        click.echo(
            f"note: {run} was trained for {counted(asked.steps, 'step')}; what takes longer to learn does not show here"
        )
    if json_file is not None:
        write_json(json_file, {"run": str(run), "demonstrations": str(demos), **result.to_dict()})


@contextmanager
def _watch_training(teacher: str, config: TrainConfig, out: Path) -> Iterator[ShowTraining]:
    from gailkit.cli.training_progress import watched_training

    click.echo(f"training the imitator of {teacher} actions: {out}", err=True)
    with watched_training(config.steps_of_rollouts, out, config.steps, None) as shown:
        yield shown


@contextmanager
def _watch_playing(who: str, episodes: int) -> Iterator[tuple[Callable[[Trajectory], None], Callable[[int], None]]]:
    with interruptible() as interruption, show_progress(who, episodes, "episodes") as update:
        progress = EpisodeProgress(update, episodes)

        def on_steps(count: int) -> None:
            progress.on_steps(count)
            interruption.check()

        yield progress.on_episode, on_steps
        progress.show()


def _print(result: ControlResult) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title = Text(
        f"{result.env_id}, {counted(result.steps, 'step')}, taught by {counted(result.taught_episodes, 'episode')}"
    )
    table = Table(title=title, title_justify="left")
    for column in ("", "return", "score", "length", "passes"):
        table.add_column(column, justify="right" if column else "left")
    for found in result.controls:
        table.add_row(found.teacher, *_cells(found.own), "")
        table.add_row("- imitator, likeliest", *_cells(found.imitator), "yes" if found.passes else "no")
        table.add_row("- imitator, sampled", *_cells(found.sampled), "", end_section=True)
    Console().print(table, markup=False)
    click.echo(result.rule())
    click.echo(result.verdict())


def _cells(played: Played) -> tuple[str, str, str]:
    """Return and score with their intervals, and the length."""
    low, high = played.return_ci95
    earned, score = f"{played.return_mean:.1f} [{low:.1f}, {high:.1f}]", "-"
    if played.score is not None and played.score_ci95 is not None:
        score = f"{played.score:.2f} [{played.score_ci95[0]:.2f}, {played.score_ci95[1]:.2f}]"
    return earned, score, f"{played.length_mean:.1f}"
