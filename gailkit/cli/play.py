"""``gailkit play``: a policy at work, in a window or as a film."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import rich_click as click

from gailkit.cli.common import (
    PATH,
    EpisodeProgress,
    Interruption,
    env_kwargs_option,
    interruptible,
    prepare_output,
    printable,
    show_progress,
    use_one_thread,
)
from gailkit.cli.examples import examples
from gailkit.cli.specs import CHECKPOINT_HELP, choose_environment, clip_actions_option, resolve_policy, trust_option
from gailkit.errors import GailkitError, InputError
from gailkit.training.config import CHECKPOINTS
from gailkit.wording import counted

if TYPE_CHECKING:
    import gymnasium

    from gailkit.types import Policy, Trajectory
    from gailkit.viewing.film import Film
    from gailkit.viewing.rendering import Filmed

EXAMPLES = examples(
    "gailkit play run",
    "- opens a window; without a display it makes run-CartPole-v1.gif",
    "gailkit play run --episodes 3 --video three.gif",
    "- makes three.gif, a film of three episodes",
    "gailkit play random --env CartPole-v1 --video random.webp",
    "- makes random.webp, a film of random actions",
)


@click.command("play", epilog=EXAMPLES)
@click.argument("spec")
@click.option("--env", "env_id", help="The environment, if not the one that a run was trained in, or module:ENV_ID.")
@click.option("--episodes", type=click.IntRange(1), default=1, show_default=True, help="How many to play.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Decides how the episodes start, as for evaluate, and sampled and random actions.",
)
@click.option(
    "--video",
    metavar="FILE",
    type=PATH,
    help="Write a film, .gif, .webp or .mp4, instead of opening a window; without a display it is a GIF.",
)
@click.option("--overwrite", is_flag=True, help="Replace the film's file if it exists.")
@click.option("--fps", type=click.IntRange(1, 1000), help="Steps that a second of the film shows, if not the usual.")
@click.option(
    "--checkpoint",
    type=click.Choice(CHECKPOINTS),
    help=CHECKPOINT_HELP,
)
@click.option("--stochastic", is_flag=True, help="Sample a run's actions instead of taking the likeliest.")
@clip_actions_option
@click.option("--max-steps", type=click.IntRange(1), help="Truncate an episode after so many steps.")
@trust_option
@env_kwargs_option
def play(
    spec: str,
    env_id: str | None,
    episodes: int,
    seed: int,
    video: Path | None,
    overwrite: bool,
    fps: int | None,
    checkpoint: str | None,
    stochastic: bool,
    clip_actions: bool,
    max_steps: int | None,
    trust: tuple[str, ...],
    env_kwargs: dict[str, Any],
) -> None:
    """Show what the policy SPEC does, episode by episode.

    SPEC is random, a run folder, a Stable-Baselines3 .zip, an .onnx model, or module:attribute. Interrupting with
    Ctrl-C or SIGTERM keeps the film of what was played so far.
    """
    if fps is not None and video is None:
        raise click.UsageError("--fps is the speed of a film, a window keeps the environment's own; add --video FILE.")
    if video is not None:
        _check_film(video, overwrite)
    env_id, env_kwargs = choose_environment(spec, env_id, env_kwargs)
    from gailkit.rollouts.environments import SeedStream, make_env
    from gailkit.rollouts.global_generators import seeded_globally

    use_one_thread()
    with seeded_globally(seed):
        with closing(make_env(env_id, env_kwargs)) as env:
            policy = resolve_policy(spec, env, seed, not stochastic, checkpoint, trust=trust, clip_actions=clip_actions)
        seeds = SeedStream(seed, "evaluation").take(episodes)
        stage = None if video else _open_window(env_id, env_kwargs, seeds[0])
        if stage is None:
            path = video or Path(_file_name(spec, env_id))
            _refuse_to_replace(path, overwrite)
            stage = _open_film(path, env_id, env_kwargs, fps)
        _run(policy, stage, f"playing {spec} in {env_id}", seeds, max_steps)


class _Stage(NamedTuple):
    """Where the policy plays, and the film of it unless that is a window."""

    env: gymnasium.Env[Any, Any]
    film: Film | None = None
    filmed: Filmed | None = None


def _check_film(path: Path, overwrite: bool) -> None:
    from gailkit.viewing.film import check_film

    check_film(path)
    _refuse_to_replace(path, overwrite)


def _refuse_to_replace(path: Path, overwrite: bool) -> None:
    if path.is_file() and not overwrite:
        raise InputError(f"{path} exists; --overwrite replaces it, --video names another")


def _file_name(spec: str, env_id: str) -> str:
    """``runs/one`` in CartPole-v1 is one-CartPole-v1.gif, in the current folder; so is ``experts/one.zip``."""
    words = (Path(spec).resolve().name.removesuffix(".zip") if Path(spec).exists() else spec, env_id)
    return "-".join(re.sub(r"[^\w.-]+", "_", word).strip("_.") for word in words) + ".gif"


def _open_window(env_id: str, env_kwargs: dict[str, Any], seed: int) -> _Stage | None:
    """A window; None, which is said on stderr with the reason, where there can be none."""
    from gailkit.viewing.rendering import has_display, open_window

    reason = "there is no display"
    if has_display():
        try:
            return _Stage(open_window(env_id, env_kwargs, seed))
        except GailkitError as error:
            reason = str(error)
    click.echo(printable(f"note: no window, for {reason}; this becomes a film"), err=True)
    return None


def _open_film(path: Path, env_id: str, env_kwargs: dict[str, Any], fps: int | None) -> _Stage:
    from gailkit.viewing.film import MOST_FRAMES_A_SECOND, choose_pace, open_film
    from gailkit.viewing.rendering import Filmed, make_drawn, steps_per_second

    prepare_output(path)
    env = make_drawn(env_id, env_kwargs)
    pace = choose_pace(fps or steps_per_second(env), MOST_FRAMES_A_SECOND[path.suffix.lower()])
    film = open_film(path, pace.fps)
    filmed = Filmed(env, pace.stride, film.add)
    return _Stage(filmed, film, filmed)


def _run(policy: Policy, stage: _Stage, title: str, seeds: list[int], max_steps: int | None) -> None:
    """Play the episodes, then say how they went; whatever ends this early, what was played is told and saved."""
    from gymnasium.wrappers import TimeLimit

    finished: list[Trajectory] = []
    with interruptible() as interruption:
        try:
            env = stage.env if max_steps is None else TimeLimit(stage.env, max_steps)
            _run_episodes(policy, env, title, seeds, interruption, finished)
        finally:
            _save_and_report(stage, finished, len(seeds))
    if stage.filmed is not None and stage.filmed.failure is not None:
        raise stage.filmed.failure


def _run_episodes(
    policy: Policy,
    env: gymnasium.Env[Any, Any],
    title: str,
    seeds: list[int],
    interruption: Interruption,
    finished: list[Trajectory],
) -> None:
    """Put each episode into ``finished`` as it ends, and show how far they are."""
    from gailkit.rollouts.episodes import run_episodes

    with show_progress(title, len(seeds), "episodes") as update:
        progress = EpisodeProgress(update, len(seeds))

        def on_steps(count: int) -> None:
            progress.on_steps(count)
            interruption.check()

        for _, trajectory in run_episodes(policy, lambda: env, seeds, num_envs=1, on_steps=on_steps):
            finished.append(trajectory)
            progress.on_episode(trajectory)
        progress.show()


def _save_and_report(stage: _Stage, finished: list[Trajectory], wanted: int) -> None:
    """Save the film and say how the episodes went; neither is lost for the other's failure."""
    try:
        saved = stage.film is not None and stage.film.save()
    finally:
        _report(finished, wanted)
    if stage.film is not None and saved:
        click.echo(stage.film.summary())


def _report(finished: list[Trajectory], wanted: int) -> None:
    """What each episode earned, how long it was and how it ended; their means."""
    returns = [trajectory.episode_return or 0.0 for trajectory in finished]
    for number, (trajectory, earned) in enumerate(zip(finished, returns, strict=True), start=1):
        ending = "terminated" if trajectory.terminated else "truncated"
        click.echo(f"episode {number}: return {earned:.1f}, {counted(len(trajectory), 'step')}, {ending}")
    if len(finished) > 1:
        steps = sum(map(len, finished)) / len(finished)
        click.echo(f"mean: return {sum(returns) / len(returns):.1f}, {steps:.1f} steps")
    if len(finished) < wanted:
        click.echo(f"stopped early: {len(finished)} of {counted(wanted, 'episode')} were finished", err=True)
