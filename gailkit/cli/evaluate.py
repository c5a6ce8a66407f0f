"""The command ``gailkit evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import (
    PATH,
    EpisodeProgress,
    env_kwargs_option,
    interruptible,
    note_differences,
    prepare_output,
    show_progress,
    use_one_thread,
)
from gailkit.cli.reading import ReadingOptions, load, reading_options
from gailkit.cli.specs import choose_environment, resolve_policy

if TYPE_CHECKING:
    from gailkit.evaluation.evaluate import Evaluation

EXAMPLES = (
    "Examples:",
    "gailkit evaluate run --demos demos.hdf5 --episodes 50 --seed 1",
    "gailkit evaluate run --demos demos.hdf5 --checkpoint best --json result.json",
    "gailkit evaluate expert.zip --demos demos.hdf5 --env Hopper-v5",
)


@click.command("evaluate", epilog="\n\n".join(EXAMPLES))
@click.argument("spec")
@click.option("--demos", required=True, type=PATH, help="The expert's demonstrations.")
@click.option(
    "--episodes",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="How many to run, of the policy and of random actions each.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Decides how the episodes start, and sampled and random actions.",
)
@click.option("--json", "json_file", type=PATH, help="Write the numbers to a JSON file.")
@click.option(
    "--checkpoint",
    type=click.Choice(["last", "best"]),
    default="last",
    show_default=True,
    help="Of a run; best is from when its true return in training was highest.",
)
@click.option("--stochastic", is_flag=True, help="Sample a run's actions instead of taking the likeliest.")
@click.option(
    "--env",
    "env_id",
    help="The environment, if not the one that the run or the demonstrations name; needed for module:ENV_ID.",
)
@click.option("--num-envs", type=click.IntRange(1), default=8, show_default=True, help="Episodes run side by side.")
@env_kwargs_option
@reading_options
def evaluate(
    spec: str,
    demos: Path,
    episodes: int,
    seed: int,
    json_file: Path | None,
    checkpoint: str,
    stochastic: bool,
    env_id: str | None,
    num_envs: int,
    env_kwargs: dict[str, Any],
    options: ReadingOptions,
) -> None:
    """Say how closely the policy SPEC matches the expert of the demonstrations.

    SPEC is random, a run directory, a Stable-Baselines3 .zip, or module:attribute.
    """
    if json_file is not None:
        prepare_output(json_file)

    from gailkit.evaluation.evaluate import evaluate as run_evaluation
    from gailkit.rollouts.envs import make_env

    use_one_thread()
    demonstrations = load(demos, options, env_id)
    env_id, env_kwargs = choose_environment(spec, env_id, env_kwargs, recorded_in=demonstrations.env_id)
    env = make_env(env_id, env_kwargs)
    policy = resolve_policy(spec, env, seed, deterministic=not stochastic, checkpoint=checkpoint)
    demonstrations = demonstrations.fitted_to(env.observation_space, env.action_space)
    env.close()
    note_differences(demonstrations, env_id, env_kwargs)
    with interruptible() as interruption, show_progress(f"evaluating {spec}", episodes, "episodes") as update:
        progress = EpisodeProgress(update)

        def on_steps(count: int) -> None:
            progress.on_steps(count)
            interruption.check()

        evaluation = run_evaluation(
            policy,
            demonstrations,
            env_id,
            episodes=episodes,
            seed=seed,
            env_kwargs=env_kwargs,
            num_envs=num_envs,
            on_episode=progress.on_episode,
            on_steps=on_steps,
        )
        progress.show()
    _print(spec, evaluation)
    if json_file is not None:
        _write_json(json_file, {"policy": spec, "demonstrations": str(demos), **evaluation.to_dict()})


def _print(spec: str, evaluation: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"{spec} in {evaluation.env_id}"), title_justify="left")
    for column in ("", "policy", "expert", "random"):
        table.add_column(column, justify="left" if not column else "right")
    low, high = evaluation.return_ci95
    expert = evaluation.expert_return_mean
    table.add_row(
        "mean return",
        f"{evaluation.return_mean:.1f} [{low:.1f}, {high:.1f}]",
        "not recorded" if expert is None else f"{expert:.1f}",
        f"{evaluation.random_return_mean:.1f}",
    )
    table.add_row("mean length", f"{evaluation.length_mean:.1f}", f"{evaluation.expert_length_mean:.1f}", "")
    ended = (evaluation.terminated_fraction, evaluation.expert_terminated_fraction)
    table.add_row("episodes that terminate", *(f"{fraction:.0%}" for fraction in ended), "")
    table.add_row("episodes", str(evaluation.episodes), str(evaluation.expert_episodes), str(evaluation.episodes))
    Console().print(table, markup=False)
    click.echo(evaluation.statement())


def _write_json(path: Path, values: dict[str, Any]) -> None:
    import json

    from gailkit.storage import write_atomically

    write_atomically(path, (json.dumps(values, indent=2, allow_nan=False) + "\n").encode())
