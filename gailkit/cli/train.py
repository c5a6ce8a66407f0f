"""The command ``gailkit train``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import rich_click as click

from gailkit.cli.common import PATH, note_differences, typed_command
from gailkit.cli.options import config_from_options, config_options, run_options
from gailkit.cli.reading import ReadingOptions, load, reading_options
from gailkit.training.config import TrainConfig

EXAMPLES = (
    "Examples:",
    "gailkit train CartPole-v1 --demos demos.hdf5 --steps 100000 --out run",
    "gailkit train Hopper-v5 --demos expert.hdf5 --trajectories 4 --subsample 20 --out run",
    "gailkit train Hopper-v5 --demos expert.hdf5 --loss bce --policy-learning-rate 3e-4 --out run",
    "gailkit train Hopper-v5 --demos expert.hdf5 --generator trpo --warm-start bc --out run",
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
@click.option("--trajectories", metavar="K", type=click.IntRange(1), help="Use only the first K demonstrated episodes.")
@click.option("--subsample", metavar="K", type=click.IntRange(1), help="Use only every K-th pair of each episode.")
@run_options
@reading_options
@config_options(TrainConfig)
def train(
    env_id: str,
    demos: Path,
    out: Path,
    trajectories: int | None,
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
    settings = config_from_options(given, config, TrainConfig)

    import torch

    from gailkit.cli.training_view import watched_training
    from gailkit.rollouts.envs import canonical_id, make_env
    from gailkit.training.train import train as run_training

    torch.set_num_threads(threads)
    demonstrations = load(demos, options, env_id)
    if trajectories is not None:
        demonstrations = demonstrations.choose(trajectories)
    if subsample is not None:
        demonstrations = demonstrations.subsample(subsample, settings.seed)
    env_id = canonical_id(env_id)
    env = make_env(env_id, env_kwargs)
    demonstrations = demonstrations.fitted_to(env.observation_space, env.action_space)
    env.close()
    note_differences(demonstrations, env_id, env_kwargs)
    with watched_training(settings.steps, out) as on_iteration:
        run_training(
            env_id,
            demonstrations,
            settings,
            out=out,
            overwrite=overwrite,
            env_kwargs=env_kwargs,
            on_iteration=on_iteration,
            command=typed_command(),
        )
    named = ["--env", env_id] if ":" in env_id else []
    pairs, episodes = demonstrations.num_kept, len(demonstrations.trajectories)
    click.echo(f"trained on {pairs:,} pairs of {episodes} expert episodes: {out}")
    words = ["gailkit", "evaluate", str(out), "--demos", str(demos), *options.words(), *named]
    click.echo(f"How closely does it match? {shlex.join(words)}")
