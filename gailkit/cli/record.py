"""``gailkit record``: episodes of any policy into a file of demonstrations."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import (
    EpisodeProgress,
    env_kwargs_option,
    interruptible,
    prepare_output,
    show_progress,
    typed_command,
    use_one_thread,
)
from gailkit.cli.specs import SPEC_HELP, resolve_policy, spec_files
from gailkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import gymnasium

    from gailkit.rollouts.recording import Recording
    from gailkit.types import Policy


@click.command("record")
@click.argument("env_id")
@click.option("--policy", "spec", required=True, metavar="SPEC", help=SPEC_HELP)
@click.option("--episodes", required=True, type=click.IntRange(min=1), help="How many episodes to record.")
@click.option("--seed", required=True, type=click.IntRange(min=0), help="Decides how each episode starts.")
@click.option(
    "-o", "--output", required=True, metavar="FILE.hdf5", type=click.Path(path_type=Path), help="File to write."
)
@click.option("--append", is_flag=True, help="Continue FILE if it exists: --episodes more, none with a seed it has.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--num-envs", default=8, show_default=True, type=click.IntRange(min=1), help="Episodes run side by side.")
@click.option("--stochastic", is_flag=True, help="Sample a run's actions instead of taking the likeliest.")
@env_kwargs_option
def record(
    env_id: str,
    spec: str,
    episodes: int,
    seed: int,
    output: Path,
    append: bool,
    overwrite: bool,
    num_envs: int,
    stochastic: bool,
    env_kwargs: dict[str, Any],
) -> None:
    """Record demonstrations of a policy in the environment ENV_ID.

    Interrupting with Ctrl-C or SIGTERM keeps every episode that was finished, as does a failure of the environment.
    """
    _refuse_to_replace(output, append, overwrite)
    from gailkit.demonstrations.dataset import Demonstrations
    from gailkit.rollouts.envs import canonical_id, make_env
    from gailkit.rollouts.recording import Recording, action_seed, describe_source

    use_one_thread()
    env = make_env(env_id, env_kwargs)
    try:
        earlier = Demonstrations.load(output) if append and output.is_file() else None
        policy = resolve_policy(spec, env, action_seed(seed, earlier), deterministic=not stochastic)
        provenance = describe_source(spec, spec_files(spec), seed, typed_command())
        recording = Recording(output, env, canonical_id(env_id), env_kwargs, provenance, earlier)
        prepare_output(output)
        _run(recording, policy, partial(make_env, env_id, env_kwargs), recording.seeds(seed, episodes), num_envs)
    finally:
        env.close()
    click.echo(recording.summary())


def _refuse_to_replace(output: Path, append: bool, overwrite: bool) -> None:
    if append and overwrite:
        raise click.UsageError("--append continues FILE and --overwrite replaces it; give one of them.")
    if output.is_file() and not (append or overwrite):
        raise InputError(f"{output} exists; --append continues it, --overwrite replaces it")


def _run(
    recording: Recording,
    policy: Policy,
    env_factory: Callable[[], gymnasium.Env[Any, Any]],
    seeds: list[int],
    num_envs: int,
) -> None:
    """Run the episodes and save them; whatever ends this early, those that were finished are saved."""
    from gailkit.rollouts.episodes import run_episodes

    with interruptible() as interruption:
        try:
            with show_progress(f"recording {recording.env_id}", len(seeds), "episodes") as update:
                progress = EpisodeProgress(update)

                def on_steps(count: int) -> None:
                    progress.on_steps(count)
                    interruption.check()

                for index, trajectory in run_episodes(policy, env_factory, seeds, num_envs, on_steps=on_steps):
                    recording.add(index, trajectory)
                    progress.on_episode(trajectory)
                progress.show()
        finally:
            recording.save()
            if len(recording.finished) < len(seeds):
                click.echo(f"stopped early: {recording.summary()}", err=True)
