"""A training from its first iteration to what it leaves behind, whoever rewards it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DivergenceError, EnvironmentFailure, StorageError
from gailkit.generator import TrainedPolicy
from gailkit.health.plan import Plan as HealthPlan
from gailkit.health.plan import action_components, logit_bound
from gailkit.health.watch import Watch
from gailkit.rollouts.environments import EnvMaker
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.global_generators import seeded_globally
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import make_vector_env, settle
from gailkit.training.acting import parts_to_act, warn_of_nameless
from gailkit.training.choosing import Choice, choose, with_state
from gailkit.training.config import RunConfig, TrainConfig
from gailkit.training.describe import describe_run
from gailkit.training.loop import Trainer
from gailkit.training.metrics import MetricsWriter
from gailkit.training.own_runs import remember
from gailkit.training.parts import Parts, described_parts
from gailkit.training.picture import draw_learning
from gailkit.training.run import CONFIG_FILE, LAST, PICTURE_FILE, RunFolder
from gailkit.wording import counted

OnIteration = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves behind."""

    policy: TrainedPolicy  # the one that was chosen, where a run chooses, else the last
    trainer: Trainer
    metrics: list[dict[str, float]]  # one row an iteration
    folder: Path | None
    choice: Choice | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be iterated, and what is to be said of it."""

    trainer: Trainer
    description: Mapping[str, Any]  # beside what every run says of itself
    demonstrations: Demonstrations | None = None  # that are imitated
    parts: Parts = field(default_factory=Parts)  # which took the place of what its settings name


def run_to_the_end(
    env_id: str,
    config: RunConfig,
    make_plan: Callable[[Environments], Plan],
    *,
    out: Path | str | None,
    overwrite: bool,
    env_kwargs: Mapping[str, Any] | None,
    on_iteration: OnIteration | None,
    command: str | None,
    stepping: Stepping | None = None,
) -> TrainingResult:
    """Iterate what ``make_plan`` makes for the environments of a run until its steps are done.

    The arguments and what may be raised are those of ``training.train.train``.
    """
    kwargs = dict(env_kwargs or {})
    stepping = settled(stepping, env_id, config, kwargs)
    with surroundings(env_id, config, kwargs, stepping) as envs:
        plan = make_plan(envs)
        plan.trainer.collector.mishaps = Mishaps(stepping.restarts, stepping.tell)
        result = TrainingResult(policy_of(plan, envs, env_id, kwargs), plan.trainer, [], None)
        observers = [] if on_iteration is None else [on_iteration]
        if out is None:
            _iterate(result, [result.metrics.append, *observers])
            return _chosen(result, plan.demonstrations, None, stepping)
        described = {**describe_run(env_id, kwargs, envs, config, command), **plan.description}
        with closing(_begun(Path(out), described, plan, overwrite)) as folder:
            return train_into(folder, replace(result, folder=folder.path), plan.demonstrations, observers, stepping)


def settled(stepping: Stepping | None, env_id: str, config: RunConfig, env_kwargs: Mapping[str, Any]) -> Stepping:
    """How the environments of a run are stepped, in how many processes among it.

    Raises:
        InputError: for more workers than environments, and whatever it raises where one is tried out.
    """
    stepping = stepping or Stepping()
    stepping.check(config.num_envs)
    return settle(stepping, EnvMaker(env_id, env_kwargs), config.num_envs, config.steps_of_rollouts)


@contextmanager
def surroundings(
    env_id: str, config: RunConfig, env_kwargs: Mapping[str, Any], stepping: Stepping
) -> Iterator[Environments]:
    """The environments of a run, and random numbers of its own."""
    make = partial(make_vector_env, env_id, config.num_envs, env_kwargs, stepping)
    with seeded_globally(config.seed), closing(make()) as envs:
        yield envs


def fitted_to_envs(demonstrations: Demonstrations, envs: Environments) -> Demonstrations:
    """The demonstrations as these environments show what they observe; raises as ``Demonstrations.fitted_to``."""
    stated = envs.about.stated_observation_space
    return demonstrations.fitted_to(envs.single_observation_space, envs.single_action_space, stated)


def policy_of(plan: Plan, envs: Environments, env_id: str, env_kwargs: Mapping[str, Any]) -> TrainedPolicy:
    """The policy that a plan trains."""
    return TrainedPolicy(
        plan.trainer.generator.actor_critic,
        envs.single_observation_space,
        envs.single_action_space,
        env_id,
        dict(env_kwargs),
        frozenset(() if plan.demonstrations is None else plan.demonstrations.digests()),
    )


def train_into(
    folder: RunFolder,
    result: TrainingResult,
    demonstrations: Demonstrations | None,
    observers: Sequence[OnIteration],
    stepping: Stepping,
    best_return: float = -math.inf,
) -> TrainingResult:
    """Iterate to the end, and choose, with checkpoints in the folder.

    Args:
        result: what there is so far; of a run that goes on, with the metrics of its first part.
        best_return: of the best checkpoint of a run that goes on.
    """
    trainer = result.trainer
    with closing(MetricsWriter(folder.path, trainer.steps)) as writer:
        keeper = _Keeper(folder, trainer, writer, best_return)
        if not folder.checkpoint_path(LAST).is_file():
            keeper.save()
        try:
            with _leaving(lambda: keeper.leave(result.metrics)):
                _iterate(result, [result.metrics.append, writer.write, keeper, *observers])
        except DivergenceError as error:
            keeper.save_best()
            raise DivergenceError(f"{error}; the last good checkpoint is {folder.checkpoint_path(LAST)}") from error
        except EnvironmentFailure as error:
            done = counted(trainer.steps, "step")
            raise EnvironmentFailure(f"{error}, after {done}; what was learned is kept") from error
    return _chosen(result, demonstrations, folder, stepping)


@contextmanager
def _leaving(leave: Callable[[], None]) -> Iterator[None]:
    """After the block, however it ends, ``leave`` what is to be kept; where both fail, the block's reason is told."""
    try:
        yield
    except BaseException:
        with suppress(StorageError):
            leave()
        raise
    leave()


def _begun(out: Path, described: Mapping[str, Any], plan: Plan, overwrite: bool) -> RunFolder:
    """The folder of a run, which says how its policy is made again; if that takes more than names, so do we."""
    actor_critic, parts = plan.trainer.generator.actor_critic, plan.parts
    spaces = (actor_critic.encoder.space, actor_critic.action_space)
    acts_by = parts_to_act(plan.trainer.config, parts, spaces, actor_critic)
    warn_of_nameless(acts_by, parts, out)
    folder = RunFolder.create(out, {**described, "parts": described_parts(parts), "acts_by": acts_by}, overwrite)
    remember(out / CONFIG_FILE)
    return folder


def _chosen(
    result: TrainingResult, demonstrations: Demonstrations | None, folder: RunFolder | None, stepping: Stepping
) -> TrainingResult:
    """The result with the policy that is nearest to the demonstrations, kept in the folder too."""
    candidates, config = result.trainer.candidates, result.trainer.config
    if candidates is None or demonstrations is None:
        return result
    steps = config.steps - config.training_steps
    mishaps = result.trainer.collector.mishaps
    choice = choose(candidates, result.policy, demonstrations, steps, config.seed, stepping, mishaps)
    if folder is not None:
        networks = {f"actor_critic.{name}": tensor for name, tensor in choice.state.items()}
        folder.save("chosen", {"generator": networks, "choice": choice.record, "steps": result.trainer.steps})
    return replace(result, policy=with_state(result.policy, choice.state), choice=choice)


def _iterate(result: TrainingResult, observers: Sequence[OnIteration]) -> None:
    trainer = result.trainer
    watch = Watch(_health_plan(trainer), result.metrics)
    while trainer.iteration < trainer.config.total_iterations:
        metrics = trainer.iterate()
        metrics |= watch.judge(metrics)
        for observe in observers:
            observe(metrics)


def _health_plan(trainer: Trainer) -> HealthPlan:
    config, envs = trainer.config, trainer.collector.envs
    return HealthPlan(
        config.training_steps,
        action_components(envs.single_action_space),
        logit_bound(config.loss, config.discriminator.logit_penalty) if isinstance(config, TrainConfig) else None,
        envs.about.time_limit,
        config.num_envs,
    )


class _Keeper:
    """Keeps the last state, and the policy as it was when the mean true return of the last episodes was highest."""

    def __init__(self, folder: RunFolder, trainer: Trainer, writer: MetricsWriter, best_return: float) -> None:
        self.folder, self.trainer, self.writer = folder, trainer, writer
        self.saved_at = time.monotonic()
        self.best_return = best_return
        self.best_state: dict[str, Any] | None = None
        self.best_steps = 0

    def __call__(self, metrics: Mapping[str, float]) -> None:
        full = len(self.trainer.recent) == self.trainer.recent.maxlen
        if full and metrics["episode/true_return"] > self.best_return:
            self.best_return = metrics["episode/true_return"]
            networks = self.trainer.generator.actor_critic.state_dict()
            self.best_state = {f"actor_critic.{name}": tensor.clone() for name, tensor in networks.items()}
            self.best_steps = self.trainer.steps
        if time.monotonic() - self.saved_at >= self.trainer.config.checkpoint_every:
            self.save()

    def save(self) -> None:
        """Write the best policy if there is a better one than was written, and the last state, which is ahead of
        nothing: it goes last."""
        self.writer.secure()
        self.save_best()
        self.folder.save_last({**self.trainer.state_dict(), "best_return": self.best_return})
        self.saved_at = time.monotonic()

    def leave(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Save, unless an iteration was left half done, and draw the curves."""
        if self.trainer.whole:
            self.save()
        draw_learning(rows, self.folder.path / PICTURE_FILE)

    def save_best(self) -> None:
        """Write the best policy if it is better than the one that was written."""
        if self.best_state is not None:
            best = {"generator": self.best_state, "true_return": self.best_return, "steps": self.best_steps}
            self.folder.save("best", best)
            self.best_state = None
