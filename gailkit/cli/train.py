"""The command ``gailkit train``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import PATH, note_differences, typed_command
from gailkit.cli.demonstrations import ReadingOptions, load, reading_options
from gailkit.cli.options import config_from_options, config_options, run_options
from gailkit.training.config import TrainConfig

if TYPE_CHECKING:
    from gailkit.demonstrations import Demonstrations

EXAMPLES = (
    "Examples:",
    "gailkit train CartPole-v1 --demos demos.hdf5 --steps 100000 --out run",
    "gailkit train Hopper-v5 --demos expert.hdf5 --trajectories 4 --subsample 20 --out run",
    "gailkit train Hopper-v5 --demos expert.hdf5 --loss bce --policy-learning-rate 3e-4 --out run",
    "gailkit train Hopper-v5 --demos expert.hdf5 --generator trpo --out run",
    "gailkit train my_module:MyEnv-v0 --demos my.hdf5 --reward my_module:my_reward --config my.toml --out run",
)


@click.command("train", epilog="\n\n".join(EXAMPLES))
@click.option_panel("Options")
@click.argument("env_id")
@click.option(
    "--demos",
    required=True,
    type=PATH,
    help="Demonstrations: a native file, or a file or folder of any format that is read.",
)
@click.option(
    "--trajectories",
    metavar="K",
    type=click.IntRange(1),
    help="Use only the first K demonstrated episodes; the others are held out.",
)
@click.option(
    "--hold-out",
    metavar="SHARE",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the episodes that is not learned from, so that gailkit evaluate compares with what is new to the "
    "policy; chosen at random, the same ones for every --seed. 0 for none. [default: a fifth, or up to ten where ten "
    "remain to learn from; none of fewer than five]",
)
@click.option("--subsample", metavar="K", type=click.IntRange(1), help="Use only every K-th pair of each episode.")
@run_options
@reading_options
@config_options(TrainConfig)
def train(
    env_id: str,
    demos: Path,
    out: Path,
    trajectories: int | None,
    hold_out: float | None,
    subsample: int | None,
    overwrite: bool,
    threads: int,
    env_kwargs: dict[str, Any],
    config: Path | None,
    options: ReadingOptions,
    **given: Any,
) -> None:
    """Train a policy in ENV_ID that imitates demonstrations.

    The run folder gets the settings, metrics.jsonl, TensorBoard events, checkpoints and a picture of the learning
    curves. Ctrl-C stops after the iteration in progress and keeps everything.
    """
    if trajectories is not None and hold_out is not None:
        raise click.UsageError("--trajectories holds out all other episodes, --hold-out a share; give one of them.")
    settings = config_from_options(given, config, TrainConfig)

    import torch

    from gailkit.cli.training_progress import told_choice, watched_training
    from gailkit.rollouts.environments import canonical_id, make_env
    from gailkit.training.train import train as run_training

    torch.set_num_threads(threads)
    demonstrations = load(demos, options, env_id)
    env_id = canonical_id(env_id)
    env = make_env(env_id, env_kwargs)
    demonstrations = demonstrations.fitted_to(env.observation_space, env.action_space)
    env.close()
    note_differences(demonstrations, env_id, env_kwargs)
    demonstrations, held_out = _held_out(demonstrations, trajectories, hold_out)
    if subsample is not None:
        demonstrations = demonstrations.subsample(subsample, settings.seed)
    with watched_training(settings.steps_of_rollouts, out, settings.steps) as on_iteration:
        result = run_training(
            env_id,
            demonstrations,
            settings,
            out=out,
            overwrite=overwrite,
            env_kwargs=env_kwargs,
            on_iteration=on_iteration,
            command=typed_command(),
            held_out=held_out,
        )
    pairs, episodes = demonstrations.num_kept, len(demonstrations.trajectories)
    click.echo(f"trained on {pairs:,} pairs of {episodes} expert episodes: {out}; {_told_of(held_out)}")
    assert result.choice is not None
    click.echo(told_choice(result.choice))
    named = ["--env", env_id] if ":" in env_id else []
    words = ["gailkit", "evaluate", str(out), "--demos", str(demos), *options.words(), *named]
    click.echo(f"How closely does it match? {shlex.join(words)}")


def _told_of(held_out: int) -> str:
    """How many episodes an evaluation will find, and whether they suffice."""
    from gailkit.evaluation.verdict import ENOUGH_EPISODES

    if not held_out:
        return "none held out for evaluate"
    enough = "" if held_out >= ENOUGH_EPISODES else f" (its verdict takes {ENOUGH_EPISODES})"
    return f"{held_out} held out for evaluate{enough}"


def _held_out(whole: Demonstrations, trajectories: int | None, share: float | None) -> tuple[Demonstrations, int]:
    """The episodes to learn from, and how many others are new to whom learns from them.

    Only their number is kept, so that the memory they take is free during the training.
    """
    from gailkit.demonstrations.hold_out import FEWEST, hold_out, hold_out_all_but

    sides = hold_out(whole, share) if trajectories is None else hold_out_all_but(whole, trajectories)
    learned_from, held_out = sides
    if held_out is not None:
        return learned_from, len(held_out.trajectories)
    if trajectories is not None:
        _note_nothing_held_out(f"--trajectories {trajectories} leaves no other episode", "choose fewer")
    elif share is None:
        found = f"it takes at least {FEWEST} different episodes; found {len(set(whole.digests()))}"
        _note_nothing_held_out(found, "record more, or name a share with --hold-out")
    return learned_from, 0


def _note_nothing_held_out(why: str, remedy: str) -> None:
    click.echo(
        f"note: nothing is held out, {why}: gailkit evaluate will compare the policy with demonstrations that it has "
        f"learned from; {remedy}, or evaluate with other episodes of this expert",
        err=True,
    )
