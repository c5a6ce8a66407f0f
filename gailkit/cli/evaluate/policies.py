"""Running the policies of ``gailkit evaluate``, all beside the same demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import (
    EpisodeProgress,
    Interruption,
    interruptible,
    note_differences,
    printable,
    show_progress,
)
from gailkit.cli.demonstrations import ReadingOptions, load
from gailkit.cli.evaluate.method_names import method_names
from gailkit.cli.specs import choose_environment, resolve_policy
from gailkit.cli.stepping_options import note
from gailkit.devices import device_of
from gailkit.errors import GailkitError, InputError
from gailkit.rollouts.stepping import Stepping

if TYPE_CHECKING:
    from gailkit.evaluation.compare import Candidate
    from gailkit.evaluation.evaluate import Reference
    from gailkit.types import Policy, Trajectory


NOT_SHOWN = "policy and expert are not shown side by side: {}"


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    specs: tuple[str, ...]
    demos: Path
    episodes: int
    seed: int
    checkpoint: str | None
    stochastic: bool | None  # None where it is left to what the expert did
    clip_actions: bool
    num_envs: int
    stepping: Stepping
    device: str
    trust: tuple[str, ...] = ()
    filmed: bool = False  # whether the policy and the expert are to be drawn
    said: list[str] = field(default_factory=list)  # notes that were given before the policies ran


class Watch:
    """Is told of every step: shows the progress of the policy that runs, and stops it where a signal asks for that."""

    def __init__(self, interruption: Interruption) -> None:
        self.interruption = interruption
        self.progress: EpisodeProgress | None = None

    def on_steps(self, count: int) -> None:
        """``count`` more steps were taken."""
        if self.progress is not None:
            self.progress.on_steps(count)
        self.interruption.check()

    @contextmanager
    def shown(self, doing: str, episodes: int) -> Iterator[Callable[[Trajectory], None]]:
        """Inside the block the progress of a policy is shown; yields what is to be told of each of its episodes."""
        with show_progress(doing, episodes, "episodes") as update:
            self.progress = EpisodeProgress(update, episodes)
            yield self.progress.on_episode
            self.progress.show()


@contextmanager
def said_to_be(doing: str) -> Iterator[None]:
    """A terminal shows what takes some seconds."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(Text(printable(doing))):
        yield


def run_policies(
    request: Request, env_id: str | None, env_kwargs: dict[str, Any], options: ReadingOptions
) -> tuple[list[Candidate], dict[str, Any]]:
    """Every policy, run and compared with what none of them was trained on; the arguments of the environment."""
    from gailkit.evaluation.evaluate import Reference
    from gailkit.experts.resolve import check_packages
    from gailkit.generator import TrainedPolicy
    from gailkit.rollouts.environments import make_env
    from gailkit.rollouts.protocol import About

    device_of(request.device)
    for spec in request.specs:
        check_packages(spec)
    demonstrations = load(request.demos, options, env_id)
    env_id, env_kwargs = _environment(request.specs, env_id, env_kwargs, demonstrations.env_id)
    with closing(make_env(env_id, env_kwargs)) as env:
        policies = [_policy(request, spec, env) for spec in request.specs]
        about = About.of(env)
        demonstrations = demonstrations.fitted_to(env.observation_space, env.action_space)
    note_differences(demonstrations, env_id, env_kwargs, about)
    if request.filmed:
        _note_unless_drawn(request, env_id, env_kwargs)
    seen = [policy.trained_on for policy in policies if isinstance(policy, TrainedPolicy)]
    with interruptible() as interruption:
        watch = Watch(interruption)
        reference = Reference(
            demonstrations,
            env_id,
            episodes=request.episodes,
            seed=request.seed,
            env_kwargs=env_kwargs,
            num_envs=request.num_envs,
            on_steps=watch.on_steps,
            trained_on=frozenset().union(*seen),
            stepping=request.stepping,
        )
        candidates = _candidates(request, policies, reference, watch)
    note(reference.mishaps.summary())
    return candidates, env_kwargs


def _candidates(request: Request, policies: Sequence[Policy], reference: Reference, watch: Watch) -> list[Candidate]:
    """Random actions, and then each of the ``policies``, run and compared."""
    from gailkit.evaluation.compare import Candidate

    with watch.shown("running random actions", request.episodes) as on_episode:
        reference.at_random(on_episode)
    candidates = []
    for spec, method, policy in zip(request.specs, method_names(request.specs), policies, strict=True):
        with watch.shown(f"evaluating {spec}", request.episodes) as on_episode:
            evaluation = reference.evaluate(policy, on_episode, actions=_actions(request))
        candidates.append(Candidate(spec, method, evaluation))
    return candidates


def _note_unless_drawn(request: Request, env_id: str, env_kwargs: dict[str, Any]) -> None:
    """Say now, while little is done, what the report will lack."""
    from gailkit.rollouts.global_generators import seeded_globally
    from gailkit.viewing.rendering import make_drawn

    try:
        with seeded_globally(0):
            make_drawn(env_id, env_kwargs).close()
    except GailkitError as error:
        request.said.append(NOT_SHOWN.format(error))
        click.echo(f"note: {printable(request.said[-1])}", err=True)


def _environment(
    specs: Sequence[str], env_id: str | None, env_kwargs: dict[str, Any], recorded_in: str | None
) -> tuple[str, dict[str, Any]]:
    """The one environment of all policies."""
    chosen = [choose_environment(spec, env_id, env_kwargs, recorded_in) for spec in specs]
    for spec, environment in zip(specs, chosen, strict=True):
        if environment != chosen[0]:
            raise InputError(
                f"policies are compared in one environment; {specs[0]} is for {_shown(chosen[0])}, "
                f"{spec} for {_shown(environment)}"
            )
    return chosen[0]


def _shown(environment: tuple[str, dict[str, Any]]) -> str:
    return f"{environment[0]} {environment[1] or ''}".rstrip()


def _policy(request: Request, spec: str, env: Any) -> Policy:
    from gailkit.evaluation.acting import acting_on

    policy = resolve_policy(
        spec,
        env,
        request.seed,
        not request.stochastic,
        request.checkpoint,
        trust=request.trust,
        clip_actions=request.clip_actions,
    )
    acting: Policy = acting_on(policy, request.device)
    return acting


def _actions(request: Request) -> str | None:
    return None if request.stochastic is None else "sampled" if request.stochastic else "likeliest"
