"""The command ``gailkit demo``."""

from __future__ import annotations

import shutil
from pathlib import Path

import rich_click as click

from gailkit.errors import InputError

SHIPPED = Path(__file__).resolve().parents[2] / "datasets" / "cartpole-v1.hdf5"


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo-run"), show_default=True, help="a folder for what the demo makes")
@click.option("--steps", type=click.IntRange(1), default=100_000, show_default=True, help="environment steps of training")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="of every random number")
@click.pass_context
def demo(context: click.Context, out: Path, steps: int, seed: int) -> None:
    """Imitate a CartPole expert from start to end: record, train, evaluate.

    It first records random actions, to have something to compare with; trains on ten episodes of the expert whose
    demonstrations come with gailkit; and says how closely the policy matches the expert.
    """
    if not SHIPPED.is_file():
        raise InputError(f"the demo needs the demonstrations that a checkout of gailkit holds in datasets/; {SHIPPED} is not there")
    recorded, run = out / "random.hdf5", out / "run"
    _step(context, "data", "info", SHIPPED)
    _step(context, "record", "CartPole-v1", "--policy", "random", "--episodes", 10, "--seed", seed, "-o", recorded, "--overwrite")
    _step(context, "train", "CartPole-v1", "--demos", SHIPPED, "--trajectories", 10, "--steps", steps, "--seed", seed, "--out", run, "--overwrite")
    _step(context, "evaluate", run, "--demos", SHIPPED, "--episodes", 50, "--seed", seed, "--json", out / "evaluation.json")


def _step(context: click.Context, *words: object) -> None:
    """Show a command as one would type it, and run it."""
