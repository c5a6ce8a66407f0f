"""The command ``gailkit expert``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import note_left_out, typed_command
from gailkit.cli.examples import examples
from gailkit.cli.many_ranks import on_all_ranks
from gailkit.cli.options import config_from_options, config_options, run_options, track_option
from gailkit.cli.resume_option import Resumable, go_on, resume_options, to_resume
from gailkit.cli.stepping_options import note, stepping_options
from gailkit.devices import device_of
from gailkit.rollouts.stepping import Stepping
from gailkit.training.config import ExpertConfig
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.training.running import TrainingResult

EXAMPLES = examples(
    "gailkit expert CartPole-v1 --steps 60000 --out agent",
    "- makes the run folder agent, and says how to record it",
    "gailkit expert --resume agent --steps 200000",
    "- goes on with that run, for longer",
    "gailkit expert Pendulum-v1 --generator trpo --steps 300000 --out swing",
    "- makes the run folder swing, in another task and by TRPO",
    "gailkit expert Hopper-v5 --generator sac --steps 200000 --out hopper",
    "- learns from a replay, which takes fewer steps",
)


@click.command("expert", cls=Resumable, epilog=EXAMPLES)
@click.option_panel("Options")
@click.argument("env_id")
@run_options
@track_option
@resume_options
@stepping_options
@config_options(ExpertConfig)
@on_all_ranks
def expert(
    env_id: str,
    out: Path,
    overwrite: bool,
    threads: int,
    device: str,
    env_kwargs: dict[str, Any],
    resume: Path | None,
    trust: tuple[str, ...],
    config: Path | None,
    stepping: Stepping,
    track: tuple[str, ...] | None,
    **options: Any,
) -> None:
    """Train a policy in ENV_ID on the environment's own reward: an expert to record and imitate.

    The run folder, what is shown, what Ctrl-C does and how several processes train together are those of `gailkit
    train`.
    """
    if resume is not None:
        gone_on = go_on(
            resume,
            "expert",
            steps=options["steps"],
            threads=threads,
            device=device,
            trust=trust,
            stepping=stepping,
            track=track,
        )
        _tell(resume, gone_on[0])
        return
    settings = config_from_options(options, config, ExpertConfig)
    stepping.check(settings.num_envs)

    import torch

    from gailkit.cli.training_progress import watched_training
    from gailkit.rollouts.environments import canonical_id
    from gailkit.training.expert import train_expert

    torch.set_num_threads(threads)
    device_of(device)
    env_id = canonical_id(env_id)
    with watched_training(settings.steps, out, settings.steps, to_resume("expert", out)) as watch:
        result = train_expert(
            env_id,
            settings,
            out=out,
            overwrite=overwrite,
            env_kwargs=env_kwargs,
            on_iteration=watch.iteration,
            command=typed_command(),
            stepping=stepping,
            track=track,
            device=device,
        )
    _tell(out, result)


def _tell(out: Path, result: TrainingResult) -> None:
    """How far it came, and what to do with it."""
    reached = result.metrics[-1].get("episode/true_return")
    shown = "no episode has ended yet" if reached is None else f"mean return of the last episodes {reached:.1f}"
    click.echo(f"trained for {counted(result.trainer.steps, 'step')}, {shown}: {out}")
    note(result.trainer.collector.mishaps.summary())
    note_left_out(result.trainer.collector.envs.about)
    env_id, arguments = result.policy.env_id, result.policy.env_kwargs
    words = ["gailkit", "record", env_id, "--policy", str(out), "--episodes", "10", "--seed", "0", "-o", "demos.hdf5"]
    click.echo(f"Record it: {shlex.join([*words, *(['--env-kwargs', json.dumps(arguments)] if arguments else [])])}")
