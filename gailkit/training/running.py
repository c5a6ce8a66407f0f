"""A training from its first iteration to what it leaves behind, whoever rewards it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from gailkit.demonstrations import Demonstrations
from gailkit.devices import AUTO, device_of
from gailkit.errors import DivergenceError, EnvironmentFailure
from gailkit.generator import TrainedPolicy
from gailkit.health.plan import Plan as HealthPlan
from gailkit.health.plan import action_components, logit_bound
from gailkit.health.watch import Watch
from gailkit.ranks.group import agreed, from_first, is_first, size, together
from gailkit.rollouts.environments import EnvMaker
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.global_generators import undisturbed
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.simulated import name_of
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import Given
from gailkit.simulators.protocol import Simulator
from gailkit.tracking import TrackedRun, TrackerFactory, Tracking
from gailkit.training.acting import parts_to_act, warn_of_nameless
from gailkit.training.all_ranks import begin_alike
from gailkit.training.choosing import Choice, choose, with_state
from gailkit.training.compared import require_same
from gailkit.training.config import RunConfig, TrainConfig
from gailkit.training.describe import describe_run
from gailkit.training.iteration import Iteration, OnIteration
from gailkit.training.keeping import Keeper, leaving
from gailkit.training.looks import Looks
from gailkit.training.loop import Trainer
from gailkit.training.metrics import MetricsWriter
from gailkit.training.own_runs import remember
from gailkit.training.parts import Parts, described_parts
from gailkit.training.places import LAST
from gailkit.training.run import CONFIG_FILE, RunFolder
from gailkit.training.surroundings import chosen_device, maker_for, settled, surroundings
from gailkit.training.tracked import Track, describe_trackers, id_of, trackers_of
from gailkit.wording import counted


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves behind."""

    policy: TrainedPolicy  # the one that was chosen, where a run chooses, else the last
    trainer: Trainer
    metrics: list[dict[str, float]]  # one row an iteration
    folder: Path | None
    choice: Choice | None = None


@dataclass(frozen=True)
class Onlookers:
    """Who sees how a training goes."""

    on_iteration: OnIteration | None = None
    trackers: Mapping[str, TrackerFactory] = field(default_factory=dict)  # by name


@dataclass(frozen=True)
class Plan:
    """What is to be iterated, and what is to be said of it."""

    trainer: Trainer
    description: Mapping[str, Any]  # beside what every run says of itself
    demonstrations: Demonstrations | None = None  # that are imitated
    parts: Parts = field(default_factory=Parts)  # which took the place of what its settings name


def run_to_the_end(
    env: str | Simulator,
    config: RunConfig,
    make_plan: Callable[[Environments, torch.device], Plan],
    *,
    out: Path | str | None,
    overwrite: bool,
    env_kwargs: Mapping[str, Any] | None,
    on_iteration: OnIteration | None,
    command: str | None,
    stepping: Stepping | None = None,
    track: Track | None = None,
    device: str = AUTO,
) -> TrainingResult:
    """Iterate what ``make_plan`` makes for the environments of a run, on a device, until its steps are done.

    The arguments and what may be raised are those of ``training.train.train``.
    """
    kwargs, env_id = dict(env_kwargs or {}), env if isinstance(env, str) else name_of(env)
    device_of(device)
    onlookers = Onlookers(on_iteration, trackers_of(track, out))
    require_same(lambda: {"env_id": env_id, "env_kwargs": kwargs, **config.to_dict(), "out": out is not None})
    with together():  # before anything is made that takes long
        if out is not None and is_first():
            RunFolder.check_free(Path(out), overwrite)
    maker = maker_for(env, kwargs, config, device, stepping)
    stepping = settled(stepping, maker, config)
    with surroundings(maker, config, stepping) as envs:
        chosen = chosen_device(device, envs, config, stepping)
        plan = make_plan(envs, chosen)
        begin_alike(plan.trainer)
        plan.trainer.collector.mishaps = Mishaps(stepping.restarts, stepping.tell)
        result = TrainingResult(policy_of(plan, envs, env_id, kwargs), plan.trainer, [], None)
        if out is None:
            _iterate(result, on_iteration, looks=_looks(result, plan.demonstrations, stepping))
            return _chosen(result, plan.demonstrations, None, stepping, maker)
        tracked = describe_trackers(onlookers.trackers)
        described = describe_run(env_id, kwargs, envs, plan.trainer.config, command, chosen)
        described = {**described, "track": tracked, **plan.description}
        with closing(_begun(Path(out), described, plan, overwrite)) as folder:
            return train_into(
                folder, replace(result, folder=folder.path), plan.demonstrations, onlookers, stepping, maker
            )


def fitted_to_envs(demonstrations: Demonstrations, envs: Environments, config: RunConfig) -> Demonstrations:
    """The demonstrations as these environments show what they observe; raises as ``Demonstrations.fitted_to``."""
    fitted = demonstrations.fitted_to(envs.about.observation_space, envs.single_action_space)
    return fitted.stacked(config.frame_stack)


def policy_of(plan: Plan, envs: Environments, env_id: str, env_kwargs: Mapping[str, Any]) -> TrainedPolicy:
    """The policy that a plan trains."""
    return TrainedPolicy(
        plan.trainer.generator.actor_critic,
        envs.about.observation_space,
        envs.single_action_space,
        env_id,
        dict(env_kwargs),
        frozenset(() if plan.demonstrations is None else plan.demonstrations.digests()),
        frames=plan.trainer.config.frame_stack,
    )


def train_into(
    folder: RunFolder,
    result: TrainingResult,
    demonstrations: Demonstrations | None,
    onlookers: Onlookers,
    stepping: Stepping,
    maker: EnvMaker | Given,
    best_return: float = -math.inf,
) -> TrainingResult:
    """Iterate to the end, and choose, with checkpoints in the folder.

    Args:
        result: what there is so far; of a run that goes on, with the metrics of its first part.
        maker: of the environments in which candidates are played.
        best_return: of the best checkpoint of a run that goes on.
    """
    trainer = result.trainer
    with ExitStack() as opened:
        with together():
            writer = opened.enter_context(closing(MetricsWriter(folder.path))) if is_first() else None
            tracking = opened.enter_context(closing(_tracking(folder, result, onlookers, stepping))) if writer else None
        keeper = Keeper(folder, trainer, writer, tracking, best_return)
        if agreed(not folder.checkpoint_path(LAST).is_file()):
            keeper.save()
        try:
            with leaving(lambda: keeper.leave(result.metrics)):
                _iterate(result, onlookers.on_iteration, keeper, _looks(result, demonstrations, stepping))
        except DivergenceError as error:
            keeper.save_best()
            raise DivergenceError(f"{error}; the last good checkpoint is {folder.checkpoint_path(LAST)}") from error
        except EnvironmentFailure as error:
            done = counted(trainer.steps, "step")
            raise EnvironmentFailure(f"{error}, after {done}; what was learned is kept") from error
    return _chosen(result, demonstrations, folder, stepping, maker)


def _tracking(folder: RunFolder, result: TrainingResult, onlookers: Onlookers, stepping: Stepping) -> Tracking:
    """The trackers of the run in ``folder``, told where it stands."""
    described = folder.description()
    settings = {"env_id": described["env_id"], "env_kwargs": described["env_kwargs"], **described["config"]}
    run = TrackedRun(folder.path, id_of(described), settings, result.trainer.steps)
    return Tracking(onlookers.trackers, run, stepping.tell)


def _begun(out: Path, described: Mapping[str, Any], plan: Plan, overwrite: bool) -> RunFolder:
    """The folder of a run, which says how its policy is made again; if that takes more than names, so do we.

    Of several ranks the first has it alone.
    """
    with together():
        return _folder_of(out, described, plan, overwrite) if is_first() else RunFolder(out)


def _folder_of(out: Path, described: Mapping[str, Any], plan: Plan, overwrite: bool) -> RunFolder:
    actor_critic, parts = plan.trainer.generator.actor_critic, plan.parts
    spaces = (actor_critic.encoder.space, actor_critic.action_space)
    acts_by = parts_to_act(plan.trainer.config, parts, spaces, actor_critic)
    warn_of_nameless(acts_by, parts, out)
    folder = RunFolder.create(out, {**described, "parts": described_parts(parts), "acts_by": acts_by}, overwrite)
    remember(out / CONFIG_FILE)
    return folder


def _chosen(
    result: TrainingResult,
    demonstrations: Demonstrations | None,
    folder: RunFolder | None,
    stepping: Stepping,
    maker: EnvMaker | Given,
) -> TrainingResult:
    """The result with the policy that is nearest to the demonstrations, kept in the folder too; rank 0 chooses."""
    candidates, config = result.trainer.candidates, result.trainer.config
    if candidates is None or demonstrations is None:
        return result
    steps = config.steps - config.training_steps
    mishaps = result.trainer.collector.mishaps
    choice: Choice | None = None
    with together():
        if is_first():
            choice = choose(candidates, result.policy, demonstrations, steps, config.seed, stepping, mishaps, maker)
        if choice is not None and folder is not None:
            networks = {f"actor_critic.{name}": tensor for name, tensor in choice.state.items()}
            folder.save("chosen", {"generator": networks, "choice": choice.record, "steps": result.trainer.steps})
    record = from_first(lambda: b"" if choice is None else json.dumps(choice.record).encode())
    choice = choice or Choice.recorded(json.loads(record), candidates.states())
    return replace(result, policy=with_state(result.policy, choice.state), choice=choice)


def _iterate(
    result: TrainingResult, on_iteration: OnIteration | None, keeper: Keeper | None = None, looks: Looks | None = None
) -> None:
    """Until the steps are done, or ``on_iteration`` asks for the end."""
    trainer, stops = result.trainer, False
    watch = Watch(_health_plan(trainer), result.metrics)
    while trainer.iteration < trainer.config.total_iterations and not stops:
        before = trainer.steps
        metrics = trainer.iterate()
        metrics |= watch.judge(metrics)
        seen, film = looks.look(trainer.steps) if looks and looks.due(before, trainer.steps) else ({}, None)
        metrics |= seen
        result.metrics.append(metrics)
        if keeper is not None:
            keeper.take(metrics, film)
        asked = _asked(on_iteration, Iteration(metrics, trainer, result.policy))
        if keeper is not None:
            keeper.save_in_time(asked.saves)
        stops = agreed(asked.stops)


def _looks(result: TrainingResult, demonstrations: Demonstrations | None, stepping: Stepping) -> Looks | None:
    """Who looks at the policy on the way; nobody where nobody shall."""
    config = result.trainer.config
    if demonstrations is None or not isinstance(config, TrainConfig) or not config.eval_every:
        return None
    return Looks(result.policy, demonstrations, config.eval_every, config.seed, result.folder, stepping)


def _asked(on_iteration: OnIteration | None, iteration: Iteration) -> Iteration:
    """What was asked for; what is raised on one rank ends the training on all, in the same iteration."""
    if on_iteration is not None:
        with together(), undisturbed():
            on_iteration(iteration)
    return iteration


def _health_plan(trainer: Trainer) -> HealthPlan:
    config, envs = trainer.config, trainer.collector.envs
    return HealthPlan(
        config.training_steps,
        action_components(envs.single_action_space),
        logit_bound(config.loss, config.discriminator.logit_penalty) if isinstance(config, TrainConfig) else None,
        envs.about.time_limit,
        config.num_envs * size(),
    )
