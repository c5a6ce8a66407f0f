"""``gailkit record``: episodes of any policy into a file of demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import (
    PATH,
    EpisodeProgress,
    Interruption,
    env_kwargs_option,
    interruptible,
    note_left_out,
    prepare_output,
    show_progress,
    typed_command,
    use_one_thread,
)
from gailkit.cli.examples import examples
from gailkit.cli.record.request import Request, check_options, refuse_to_replace
from gailkit.cli.specs import (
    KEYBOARD,
    SPEC_HELP,
    clip_actions_option,
    is_run,
    resolve_policy,
    run_training,
    spec_files,
    trust_option,
)
from gailkit.cli.stepping_options import note, stepping_options

if TYPE_CHECKING:
    import gymnasium

    from gailkit.demonstrations.dataset import Demonstrations
    from gailkit.recording.least_return import LeastReturn
    from gailkit.recording.recorder import Recording
    from gailkit.recording.shard_folder import Shards
    from gailkit.rollouts.failures import Mishaps
    from gailkit.types import Policy, Trajectory

PATIENCE, PATIENCE_EACH = 100, 20  # episodes in a row that may miss --min-return, and more for each asked for

EXAMPLES = examples(
    "gailkit record CartPole-v1 --policy agent --episodes 30 --seed 0 -o demos.hdf5",
    "- makes demos.hdf5: 30 episodes of the policy in the run folder agent",
    "gailkit record CartPole-v1 --policy random --episodes 10 --seed 0 -o r.hdf5",
    "- makes r.hdf5: 10 episodes of random actions",
    "gailkit record CartPole-v1 --policy keyboard --episodes 3 --seed 0 -o me.hdf5",
    "- makes me.hdf5: 3 episodes that you play yourself",
)


@click.command("record", epilog=EXAMPLES)
@click.argument("env_id")
@click.option("--policy", "spec", required=True, metavar="SPEC", help=f"{SPEC_HELP} Or {KEYBOARD}: you play yourself.")
@click.option("--episodes", required=True, type=click.IntRange(min=1), help="How many episodes to record.")
@click.option("--seed", required=True, type=click.IntRange(min=0), help="Decides how each episode starts.")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE.hdf5",
    type=PATH,
    help="File to write.",
)
@click.option("--append", is_flag=True, help="Continue FILE if it exists: --episodes more, none with a seed it has.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--num-envs", default=8, show_default=True, type=click.IntRange(min=1), help="Episodes run side by side.")
@click.option("--stochastic", is_flag=True, help="Sample a run's actions instead of taking the likeliest.")
@click.option(
    "--noise",
    metavar="SCALE",
    type=click.FloatRange(min=0),
    help="Stray from the policy: by Gaussian noise of SCALE half-widths of each action, or with probability SCALE "
    "by a random one of discrete actions. What was done is what is recorded.",
)
@clip_actions_option
@click.option(
    "--min-return", metavar="R", type=float, help="Keep only episodes that return at least R; others replace the rest."
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0, min_open=True),
    help="Steps a second at the keyboard. [default: the environment's own]",
)
@click.option(
    "--keys", metavar="KEYS", help="What keys do at the keyboard: left=0,right=2,none=1, or left=0-,right=0+."
)
@trust_option
@stepping_options
@env_kwargs_option
def record(**options: Any) -> None:
    """Record demonstrations of a policy in the environment ENV_ID.

    Interrupting with Ctrl-C or SIGTERM keeps every episode that was finished, as does a failure of the environment.
    If the process is killed, they are kept beside FILE in FILE.parts, and --append takes them in.
    """
    request = Request(**options)
    check_options(request)
    if request.spec == KEYBOARD:
        from gailkit.recording.keyboard_window import check_for_window

        check_for_window()
    prepare_output(request.output)
    from gailkit.recording.shard_folder import Shards
    from gailkit.rollouts.failures import Mishaps

    with closing(Shards(request.output)) as shards:
        refuse_to_replace(request, shards)
        mishaps = Mishaps(request.stepping.restarts, request.stepping.tell)
        recording, kept = _record(request, shards, mishaps)
    click.echo(recording.summary() + (f"; {kept.rejected} others returned less than {kept.bound:g}" if kept else ""))
    note(mishaps.summary())


def _record(request: Request, shards: Shards, mishaps: Mishaps) -> tuple[Recording, LeastReturn | None]:
    from gailkit.recording.earlier import action_seed, earlier_episodes
    from gailkit.recording.recorder import Recording
    from gailkit.rollouts.environments import canonical_id, make_env
    from gailkit.rollouts.global_generators import seeded_globally
    from gailkit.rollouts.protocol import About

    use_one_thread()
    earlier = earlier_episodes(shards) if request.append else None
    drawn = action_seed(request.seed, earlier, "global generators")
    with seeded_globally(drawn), closing(make_env(request.env_id, request.env_kwargs)) as env:
        policy = None if request.spec == KEYBOARD else _policy(request, env, earlier)
        note_left_out(About.of(env))
        kept = _least_return(request)
        described = (env, canonical_id(request.env_id), request.env_kwargs, _provenance(request))
        if request.overwrite:
            shards.replace_target()
        recording = Recording(shards, *described, earlier)
        with interruptible() as interruption, _finishing(request, recording):
            if policy is None:
                _play(request, recording)
            else:
                _run(request, recording, policy, kept, (interruption, mishaps))
    return recording, kept


@contextmanager
def _finishing(request: Request, recording: Recording) -> Iterator[None]:
    """However the block ends, what was recorded is in the file then."""
    try:
        yield
    finally:
        recording.finish()
        if request.spec != KEYBOARD and len(recording.finished) < request.episodes:
            click.echo(f"stopped early: {recording.summary()}", err=True)


def _provenance(request: Request) -> dict[str, str]:
    from gailkit.recording.acted import KEY, recorded_kind
    from gailkit.recording.provenance import describe_source

    files = [] if request.spec == KEYBOARD else spec_files(request.spec)
    described = describe_source(request.spec, files, request.seed, typed_command())
    chosen = {"noise": request.noise, "min_return": request.min_return}
    training = None if request.spec == KEYBOARD else run_training(request.spec)
    described |= {} if training is None else {"training": str(training)}
    said = {name: f"{value:g}" for name, value in chosen.items() if value is not None}
    kind = recorded_kind(request.spec, is_run(request.spec), request.stochastic, said.get("noise"))
    return {**described, **said, **({} if kind is None else {KEY: kind})}


def _policy(request: Request, env: gymnasium.Env[Any, Any], earlier: Demonstrations | None) -> Policy:
    from gailkit.experts.noise import noisy
    from gailkit.recording.earlier import action_seed

    seed = action_seed(request.seed, earlier)
    policy = resolve_policy(
        request.spec,
        env,
        seed,
        deterministic=not request.stochastic,
        trust=request.trust,
        clip_actions=request.clip_actions,
    )
    if request.noise is None:
        return policy
    return noisy(policy, env.action_space, request.noise, action_seed(request.seed, earlier, "noise"))


def _least_return(request: Request) -> LeastReturn | None:
    if request.min_return is None:
        return None
    from gailkit.recording.least_return import LeastReturn

    return LeastReturn(request.min_return, PATIENCE + PATIENCE_EACH * request.episodes)


def _play(request: Request, recording: Recording) -> None:
    from gailkit.cli.record.keyboard import record_from_keyboard

    seeds = recording.seeds(request.seed, request.episodes)
    record_from_keyboard(recording, request.env_id, request.env_kwargs, seeds, request.fps, request.keys)


def _run(
    request: Request,
    recording: Recording,
    policy: Policy,
    kept: LeastReturn | None,
    trouble: tuple[Interruption, Mishaps],
) -> None:
    """Run episodes until enough are kept."""
    interruption, mishaps = trouble
    with show_progress(f"recording {recording.env_id}", request.episodes, "episodes") as update:
        progress = EpisodeProgress(lambda _, words: update(recording.acknowledged, words), request.episodes)

        def on_steps(count: int) -> None:
            recording.commit_if_due()
            progress.on_steps(count)
            interruption.check()

        for index, trajectory in _kept_episodes(request, recording, policy, kept, on_steps, mishaps):
            recording.add(index, trajectory)
            progress.on_episode(trajectory)
        recording.flush()
        progress.show()


def _kept_episodes(
    request: Request,
    recording: Recording,
    policy: Policy,
    kept: LeastReturn | None,
    on_steps: Callable[[int], None],
    mishaps: Mishaps,
) -> Iterator[tuple[int, Trajectory]]:
    """Episodes and their numbers, until ``recording`` has enough that are kept.

    Each that is begun comes to its end: none is preferred for being short.
    """
    from gailkit.rollouts.environments import EnvMaker
    from gailkit.rollouts.episodes import SOME_STEPS, run_episodes
    from gailkit.rollouts.vector import settle

    make = EnvMaker(request.env_id, request.env_kwargs)
    stepping = settle(request.stepping, make, request.num_envs, request.episodes * SOME_STEPS)
    run = partial(run_episodes, policy, make, on_steps=on_steps, stepping=stepping, mishaps=mishaps)
    seeds = recording.sifted_seeds(request.seed) if kept else recording.every_seed(request.seed)
    asked = 0
    while (missing := request.episodes - len(recording.finished)) > 0:
        starts = list(islice(seeds, missing))
        with closing(run(starts, request.num_envs, spare=seeds)) as played:
            for index, trajectory in played:
                if kept is None or kept.keeps(trajectory):
                    yield asked + index, trajectory
        asked += missing
