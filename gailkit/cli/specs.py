"""A SPEC of the command line to a policy: a run of gailkit's own, or whatever gailkit.experts can read."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import Decorated, printable
from gailkit.errors import DataError, InputError, UntrustedError

if TYPE_CHECKING:
    import gymnasium

    from gailkit.generator import TrainedPolicy, Training
    from gailkit.types import BatchPolicy

SPEC_HELP = (
    "Where actions come from: random, a run folder, a Stable-Baselines3 .zip, an .onnx model, or module:attribute, "
    "a callable that takes one observation and returns an action, both as the environment has them: a dict of arrays "
    "where it observes a Dict, a whole number where it acts in a Discrete space."
)
CHECKPOINT_HELP = (
    "Of a run. chosen: the policy that was nearest to the demonstrations; last: as training left it; best: from when "
    "its true return in training was highest. [default: chosen, and last where a run has not come to choose]"
)
TRUST_HELP = (
    "What RUN names and may be imported: an environment, a reward form, a policy network, ...; may be repeated."
)
KEYBOARD = "keyboard"  # what `record` takes beside these


def trust_option(command: Decorated) -> Decorated:
    """The option ``--trust``, of every command that takes a run: a tuple of names."""
    return click.option("--trust", multiple=True, metavar="MODULE:NAME", help=TRUST_HELP)(command)


def clip_actions_option(command: Decorated) -> Decorated:
    """The option ``--clip-actions``, for a callable."""
    decorate = click.option(
        "--clip-actions",
        is_flag=True,
        help="Clip what a callable returns to the Box of actions, as other policies' are, instead of refusing it.",
    )
    return decorate(command)


def resolve_policy(
    spec: str,
    env: gymnasium.Env[Any, Any],
    seed: int,
    deterministic: bool,
    checkpoint: str | None = None,
    trust: Collection[str] = (),
    clip_actions: bool = False,
) -> BatchPolicy:
    """The policy that ``spec`` names, for the spaces of ``env``. How far a run had come is said where it is unfinished.

    Only a run can sample its actions and has checkpoints; the ``seed`` is that of sampled or random actions. ``trust``
    are names that the run of a stranger may import. Only a callable's actions are refused where they lie outside their
    Box, unless ``clip_actions``.

    Raises:
        InputError: if ``spec`` names no policy (what is accepted is listed) or one that does not fit ``env``.
        DataError: if a file is damaged.
    """
    if is_run(spec):
        return _run_policy(Path(spec), env, seed, deterministic, checkpoint, trust)
    if not deterministic or checkpoint is not None:
        raise InputError(f"{spec} is not a run folder: it has neither sampled actions nor checkpoints to choose from")
    from gailkit.experts.resolve import expert_policy
    from gailkit.experts.sb3 import vecnormalize_beside
    from gailkit.spaces import stated_space

    if spec.endswith(".zip") and (statistics := vecnormalize_beside(Path(spec))):
        click.echo(f"note: observations are normalised by {statistics}", err=True)
    return expert_policy(spec, stated_space(env.observation_space), stated_space(env.action_space), seed, clip_actions)


def spec_files(spec: str) -> list[Path]:
    """The files that ``spec`` consists of, so that they can be fingerprinted; none for random actions."""
    if is_run(spec):
        from gailkit.training.run import RunFolder

        folder = RunFolder.open(Path(spec))
        return [folder.checkpoint_path(folder.whole(folder.usual_checkpoint())[0])]
    from gailkit.experts.resolve import expert_files

    return expert_files(spec)


def run_training(spec: str) -> Training | None:
    """How far the training of a run had come at the checkpoint that ``spec_files`` names; None of any other policy."""
    if not is_run(spec):
        return None
    from gailkit.training.run import RunFolder

    folder = RunFolder.open(Path(spec))
    return folder.training(*folder.whole(folder.usual_checkpoint()), folder.description())


def run_environment(spec: str) -> tuple[str, dict[str, Any]] | None:
    """Id and arguments of the environment that a run was trained in; None where ``spec`` is no run folder."""
    if not is_run(spec):
        return None
    from gailkit.training.run import RunFolder

    described = RunFolder.open(Path(spec)).description()
    try:
        return str(described["env_id"]), dict(described["env_kwargs"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the run in {spec} is damaged: it does not say what it was trained in") from error


def choose_environment(
    spec: str, env_id: str | None, env_kwargs: dict[str, Any], recorded_in: str | None = None
) -> tuple[str, dict[str, Any]]:
    """What was asked for with --env, else what the run was trained in, else what its demonstrations were recorded in.

    Where no arguments are given, those that a run was trained with go with its environment.
    A name out of a file is only looked up among the environments that are registered; it cannot import a module, unless
    the file is a run of the user's own, who gave the name when it began.

    Raises:
        InputError: if nothing names an environment.
        UntrustedError: if the file of somebody else names one that a module would have to be imported for.
    """
    trained_in = run_environment(spec)
    named, arguments = trained_in or (recorded_in, {})
    if env_id is not None:
        return env_id, env_kwargs or (arguments if env_id == named else {})
    if named is None:
        from gailkit.experts.resolve import check_spec

        check_spec(spec)
        raise InputError(f"nothing says which environment {spec} is to act in; name it with --env")
    if ":" in named and trained_in is None:
        raise UntrustedError(f"a file names {named!r}, which would import a module", "--env", named)
    if ":" in named:
        from gailkit.training.own_runs import check_trusted
        from gailkit.training.run import CONFIG_FILE

        check_trusted(Path(spec) / CONFIG_FILE, named, "--env")
    return named, env_kwargs or arguments


def is_run(spec: str) -> bool:
    """Whether ``spec`` names a folder, which only a run can be."""
    return spec != "random" and Path(spec).is_dir()


def loaded_run(folder: Path, checkpoint: str | None, trust: Collection[str]) -> TrainedPolicy:
    """The policy of a run, by its likeliest actions. How far it had come is said where it is unfinished.

    Raises:
        InputError, DataError: as ``training.run.load_policy``.
    """
    from gailkit.training.run import load_policy

    run = load_policy(folder, checkpoint, trust=trust)
    if run.checkpoint is not None and run.checkpoint.stem == "previous":
        click.echo(printable(f"note: the last checkpoint of {folder} is damaged; the one before it serves"), err=True)
    if run.training is not None and not run.training.finished:
        click.echo(printable(f"note: {folder} is not finished: {run.training}"), err=True)
    return run


def _run_policy(
    folder: Path,
    env: gymnasium.Env[Any, Any],
    seed: int,
    deterministic: bool,
    checkpoint: str | None,
    trust: Collection[str],
) -> BatchPolicy:
    from gailkit.spaces import brief, stated_space

    run = loaded_run(folder, checkpoint, trust)
    for what, found, wanted in (
        ("observations", run.observation_space, env.observation_space),
        ("actions", run.action_space, env.action_space),
    ):
        if found != wanted:
            theirs, here = (brief(stated_space(space)) for space in (found, wanted))
            raise InputError(f"{folder} is a run in {run.env_id} with {what} {theirs}; the environment has {here}")
    return run.deterministic() if deterministic else run.sampling(seed)
