"""The command ``gailkit demo``."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import rich_click as click

from gailkit.cli.common import PATH, interruptible
from gailkit.cli.examples import examples
from gailkit.errors import InputError

SHIPPED = Path(__file__).resolve().parents[2] / "datasets" / "cartpole-v1.hdf5"

SECONDS_BETWEEN_LOOKS = 0.05

Word = str | int | Path

EXAMPLES = examples(
    "gailkit demo",
    "- makes the folder demo-run, and in it the page closeness.html",
    "gailkit demo --steps 20000 --out quick",
    "- makes the folder quick, in less time",
)


@click.command("demo", epilog=EXAMPLES)
@click.option(
    "--out",
    type=PATH,
    default=Path("demo-run"),
    show_default=True,
    help="A folder for all that it makes.",
)
@click.option("--steps", type=click.IntRange(1), default=100_000, show_default=True, help="Environment steps to train.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides every random number.")
@click.pass_context
def demo(context: click.Context, out: Path, steps: int, seed: int) -> None:
    """Imitate a CartPole expert from start to end: record, train, evaluate.

    It records random actions, to have something to compare with; trains on ten episodes of the expert whose
    demonstrations come with gailkit; and says how closely the policy matches the expert, also as a page.
    """
    if not SHIPPED.is_file():
        raise InputError(f"the demo needs {SHIPPED}, which a checkout of gailkit holds; here there is none")
    shared: tuple[Word, ...] = ("--seed", seed)
    taught_by: tuple[Word, ...] = ("--demos", SHIPPED, "--trajectories", 10)
    run, recorded, result, report = out / "run", out / "random.hdf5", out / "evaluation.json", out / "closeness.html"
    steps_to_take: tuple[tuple[Word, ...], ...] = (
        ("data", "info", SHIPPED),
        ("record", "CartPole-v1", "--policy", "random", "--episodes", 10, *shared, "-o", recorded, "--overwrite"),
        ("train", "CartPole-v1", *taught_by, "--steps", steps, *shared, "--out", run, "--overwrite"),
        ("evaluate", run, "--demos", SHIPPED, "--episodes", 50, *shared, "--json", result, "--report", report),
    )
    for words in steps_to_take:
        _show_and_run(context, [str(word) for word in words])
    click.echo(f"\nEverything is in {out}. Open {report} in a browser: how closely the policy matches the expert.")


def _show_and_run(context: click.Context, words: list[str]) -> None:
    """Show a command as one would type it, and run it; leave with its exit code if that is not 0."""
    click.secho(f"\n$ gailkit {shlex.join(words)}", bold=True)
    code = _run([sys.executable, "-m", "gailkit", *words])
    if code != 0:
        context.exit(code)


def _run(command: list[str]) -> int:
    """The exit code of ``command``, 128 more than the signal if one killed it.

    A signal leaves it the time to save what it has: Ctrl-C reaches it from the terminal, SIGTERM is passed on.
    """
    with interruptible() as interruption, subprocess.Popen(command) as process:
        try:
            while process.poll() is None and interruption.received != signal.SIGTERM:
                time.sleep(SECONDS_BETWEEN_LOOKS)
        finally:  # also where a second signal asks to stop at once
            process.terminate()
        code = process.wait()
        if code == 0:
            interruption.check()
    return code if code >= 0 else 128 - code
