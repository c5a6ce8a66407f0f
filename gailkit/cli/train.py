"""The command ``gailkit train``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import PATH, typed_command
from gailkit.cli.demonstrations import ReadingOptions, reading_options
from gailkit.cli.examples import examples
from gailkit.cli.learned_from import LearnedFrom
from gailkit.cli.many_ranks import on_all_ranks
from gailkit.cli.options import config_from_options, config_options, run_options, track_option
from gailkit.cli.resume_option import Resumable, go_on, resume_options, to_resume
from gailkit.cli.stepping_options import note, stepping_options
from gailkit.devices import device_of
from gailkit.ranks.group import is_first
from gailkit.rollouts.stepping import Stepping
from gailkit.training.config import BY_DATA, NEXT_STATE, TrainConfig
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.training.running import TrainingResult

EXAMPLES = examples(
    "gailkit train CartPole-v1 --demos datasets/cartpole-v1.hdf5 --out run",
    "- makes the run folder run, from demonstrations that a checkout holds",
    "gailkit train CartPole-v1 --demos demos.hdf5 --steps 100000 --out short",
    "- makes the run folder short, from demos.hdf5, in a fifth of the usual steps",
    "gailkit train --resume short --steps 200000",
    "- goes on with that run, stopped or not, for as many steps again",
    "gailkit train CartPole-v1 --demos demos.hdf5 --trajectories 4 --out few",
    "- learns from the first four episodes, and keeps the others to compare with",
    "gailkit train CartPole-v1 --demos demos.hdf5 --generator trpo --out trpo",
    "- improves the policy by TRPO",
    "gailkit train CartPole-v1 --demos demos.hdf5 --workers 2 --out two",
    "- steps the environments in two processes",
    "gailkit train CartPole-v1 --demos demos.hdf5 --config my.toml --out mine",
    "- takes its settings from my.toml, one in a line, such as steps = 60000",
)


WITHOUT_ACTIONS = (
    "the demonstrations hold no actions: what they saw is imitated, each state and the next (--discriminator-kind "
    f"{NEXT_STATE}), and no clone is made"
)


@click.command("train", cls=Resumable, epilog=EXAMPLES)
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
@click.option(
    "--other-environment",
    is_flag=True,
    help="Learn although the demonstrations were recorded in another version, time limit or wrappers than the "
    "environment has.",
)
@run_options
@track_option
@resume_options
@stepping_options
@reading_options
@config_options(TrainConfig)
@on_all_ranks
def train(
    env_id: str,
    demos: Path,
    out: Path,
    trajectories: int | None,
    hold_out: float | None,
    subsample: int | None,
    other_environment: bool,
    overwrite: bool,
    threads: int,
    device: str,
    env_kwargs: dict[str, Any],
    resume: Path | None,
    trust: tuple[str, ...],
    config: Path | None,
    stepping: Stepping,
    track: tuple[str, ...] | None,
    options: ReadingOptions,
    **given: Any,
) -> None:
    """Train a policy in ENV_ID that imitates demonstrations.

    The run folder gets the settings, metrics.jsonl, TensorBoard events, checkpoints and a picture of the learning
    curves. Ctrl-C stops after the iteration in progress and keeps everything; --resume goes on from there.

    Several processes train together, on one machine or many, where torchrun starts them: `torchrun --nproc-per-node=2
    -m gailkit train ...`. Each has --num-envs environments of its own.
    """
    if resume is not None:
        result, shown = go_on(
            resume,
            "train",
            steps=given["steps"],
            threads=threads,
            device=device,
            trust=trust,
            stepping=stepping,
            track=track,
            demos=demos,
            options=options,
        )
        assert shown is not None
        _tell(resume, result, shown)
        return
    refuse_two_hold_outs(trajectories, hold_out)
    settings = config_from_options(given, config, TrainConfig)
    stepping.check(settings.num_envs)
    source = LearnedFrom(demos, options, trajectories, hold_out, subsample, settings.seed)

    import torch

    from gailkit.cli.training_progress import watched_training
    from gailkit.rollouts.environments import canonical_id
    from gailkit.training.tracked import trackers_of
    from gailkit.training.train import train as run_training

    torch.set_num_threads(threads)
    trackers_of(track, out)  # what is missing is known before the demonstrations are read
    device_of(device)
    env_id = canonical_id(env_id)
    demonstrations, held_out = source.load(env_id, env_kwargs, other_environment)
    if settings.discriminator.kind == BY_DATA and not demonstrations.has_actions:
        note(WITHOUT_ACTIONS)
    with watched_training(settings.steps_of_rollouts, out, settings.steps, to_resume("train", out)) as watch:
        result = run_training(
            env_id,
            demonstrations,
            settings,
            out=out,
            overwrite=overwrite,
            env_kwargs=env_kwargs,
            on_iteration=watch.iteration,
            on_cloning=watch.cloning,
            command=typed_command(),
            held_out=held_out,
            source=source.record(),
            stepping=stepping,
            track=track,
            device=device,
            other_environment=other_environment,
        )
    _tell(out, result, source)


def refuse_two_hold_outs(trajectories: int | None, hold_out: float | None) -> None:
    """Raise UsageError where it is said twice which episodes are held out."""
    if trajectories is not None and hold_out is not None:
        raise click.UsageError("--trajectories holds out all other episodes, --hold-out a share; give one of them.")


def _tell(out: Path, result: TrainingResult, source: LearnedFrom) -> None:
    """What was learned from, which policy was chosen, and how to find out more; of several ranks the first tells."""
    if not is_first():  # whose folder the others need not see
        return
    from gailkit.cli.training_progress import told_choice
    from gailkit.training.run import RunFolder

    described = RunFolder.open(out).description()
    env_id, shown = described["env_id"], described["demonstrations"]
    held_out = _told_of(shown["held_out"]["episodes"])
    assert result.choice is not None and result.trainer.candidates is not None
    what = "pair" if result.trainer.candidates.began is not None else "state"
    learned_from = f"{counted(shown['transitions'], what)} of {counted(shown['episodes'], 'expert episode')}"
    click.echo(f"trained on {learned_from}: {out}; {held_out}")
    click.echo(told_choice(result.choice))
    note(result.trainer.collector.mishaps.summary())
    named = ["--env", env_id] if ":" in env_id else []
    words = ["gailkit", "evaluate", str(out), "--demos", str(source.demos), *source.options.words(), *named]
    click.echo(_told_of_actions(shown["provenance"]))
    click.echo(f"How closely does it match? {shlex.join(words)}")


def _told_of(held_out: int) -> str:
    """How many episodes an evaluation will find, and whether they suffice."""
    from gailkit.evaluation.verdict import ENOUGH_EPISODES

    if not held_out:
        return "none held out for evaluate"
    enough = "" if held_out >= ENOUGH_EPISODES else f" (its verdict takes {ENOUGH_EPISODES})"
    return f"{held_out} held out for evaluate{enough}"


def _told_of_actions(provenance: Mapping[str, str]) -> str:
    """Which kind of actions that evaluation will take."""
    from gailkit.recording.acted import LIKELIEST, expert_actions

    kind = expert_actions(provenance)
    if kind is None:
        return (
            "the demonstrations do not say which actions the expert took: evaluate takes the likeliest, tries sampled"
        )
    return f"evaluate takes {'its likeliest' if kind == LIKELIEST else 'sampled'} actions, as the expert did"
