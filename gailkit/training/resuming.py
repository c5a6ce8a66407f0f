"""Going on with a run that was stopped, exactly as if it had not been."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from gymnasium.vector import SyncVectorEnv

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, InputError
from gailkit.generator import WarmStart
from gailkit.spaces import space_to_json
from gailkit.training.build import build_expert_trainer, build_trainer
from gailkit.training.config import ExpertConfig, RunConfig, TrainConfig
from gailkit.training.describe import describe_demonstrations, versions
from gailkit.training.loop import Trainer
from gailkit.training.metrics import keep_metrics
from gailkit.training.own_runs import check_all_trusted, remember
from gailkit.training.parts import Parts, described_parts
from gailkit.training.run import CONFIG_FILE, LAST, RunFolder
from gailkit.training.running import OnIteration, Plan, TrainingResult, policy_of, surroundings, train_into
from gailkit.training.settings import config_from_dict

Tell = Callable[[str], None]


def resume(
    run_dir: Path | str,
    demonstrations: Demonstrations | None = None,
    *,
    parts: Parts | None = None,
    steps: int | None = None,
    on_iteration: OnIteration | None = None,
    trust: Collection[str] = (),
    tell: Tell = warnings.warn,
) -> TrainingResult:
    """Go on with the run in ``run_dir`` from its last checkpoint to its end.

    On the same machine, with the same versions and threads, the result is that of a run that was never stopped, bit for
    bit: networks, optimisers, random numbers and the episodes in progress are as they were. An environment that its
    seed and actions do not bring back to where it stood begins a new episode, and ``tell`` is told.

    Args:
        demonstrations: those that it learned from, chosen and subsampled alike; None for a run of ``train_expert``.
        parts: those that it was given.
        steps: of the whole run, where they shall be more, or fewer, than it was begun with. Schedules stretch with
            them: they go by the share of the steps that is done.
        on_iteration: sees the metrics of every further iteration.
        trust: names in the run that may be imported although it is not one of one's own (``training.own_runs``).
        tell: takes what there is to say before it goes on; a warning where it is not given.

    Raises:
        InputError: if there is no run, another process trains into it, the demonstrations or parts are others, or the
            environment has other spaces.
        UntrustedError: if the run is somebody else's and names what a module would have to be imported for.
        DataError: if the run is damaged, or was made by a gailkit whose runs could not go on.
        EnvironmentFailure, StorageError, DivergenceError: as ``training.train.train``.
    """
    folder = RunFolder.open(Path(run_dir))
    described = folder.description()
    with closing(folder):
        folder.claim()
        check_all_trusted(folder.path / CONFIG_FILE, trust)
        name, state = folder.newest()
        if name != LAST:
            tell(f"the last checkpoint of {run_dir} is damaged; the run goes on from the one before")
        _tell_what_differs(described, tell)
        config = config_of(folder.path, described, steps)
        _tell_what_it_means(folder, described, config, state, tell)
        env_id, kwargs = str(described["env_id"]), dict(described["env_kwargs"])
        with surroundings(env_id, config, kwargs) as envs:
            _require_same_spaces(folder, described, envs)
            plan = _plan(folder, config, envs, demonstrations, parts, state)
            _load(folder, plan.trainer, state, tell)
            rows = keep_metrics(folder.path, plan.trainer.iteration)
            result = TrainingResult(policy_of(plan, envs, env_id, kwargs), plan.trainer, rows, folder.path)
            _describe_again(folder, {**described, "config": config.to_dict()})
            observers = [] if on_iteration is None else [on_iteration]
            return train_into(folder, result, plan.demonstrations, observers, state["best_return"])


def _describe_again(folder: RunFolder, described: Mapping[str, Any]) -> None:
    """Write what the run is now; who was trusted with what it names still is."""
    if described != folder.description():
        folder.describe(described)
        remember(folder.path / CONFIG_FILE)


def config_of(run: Path, described: Mapping[str, Any], steps: int | None = None) -> RunConfig:
    """The settings of the run that is ``described``, for ``steps`` in all where that is given.

    Raises:
        DataError: if they are not known here.
        InputError: for steps that a run cannot have.
    """
    kind = ExpertConfig if described["demonstrations"] is None else TrainConfig
    try:
        config = config_from_dict(described["config"], kind)
    except InputError as error:
        raise DataError(f"{run} has settings that are not known here: {error}") from error
    return config if steps is None else dataclasses.replace(config, steps=steps)


def _tell_what_it_means(
    folder: RunFolder, described: Mapping[str, Any], config: RunConfig, state: Mapping[str, Any], tell: Tell
) -> None:
    """Say what other steps than the run was begun with mean. Raises InputError for fewer than it has behind it."""
    before = config_of(folder.path, described)
    if config.steps == before.steps:
        return
    if config.total_iterations < state["iteration"]:
        done, asked = f"{state['steps']:,}", f"{config.steps:,}"
        raise InputError(f"{folder.path} has {done} steps behind it; accepted are more than that, found {asked}")
    was, now = (state["iteration"] / each.total_iterations for each in (before, config))
    tell(
        f"the run goes on to {config.steps:,} steps in place of {before.steps:,}; schedules go by the share of the "
        f"steps that is done, which is {now:.0%} now and was {was:.0%}"
    )


def _tell_what_differs(described: Mapping[str, Any], tell: Tell) -> None:
    """Say what may keep the rest of a run from being, bit for bit, what it would have been."""
    made = {**described["versions"], "threads": described.get("threads")}
    here = {**versions(), "threads": torch.get_num_threads()}
    differing = [
        f"{name} {made.get(name)} then, {value} now" for name, value in here.items() if made.get(name) != value
    ]
    if differing:
        tell(
            f"the run was begun under other circumstances ({'; '.join(differing)}): the rest may differ in last digits"
        )


def _require_same_spaces(folder: RunFolder, described: Mapping[str, Any], envs: SyncVectorEnv) -> None:
    """Raise InputError if the environment is not what it was."""
    for name in ("observation_space", "action_space"):
        found = space_to_json(getattr(envs, f"single_{name}"))
        if found != described[name]:
            raise InputError(f"{folder.path} was trained in the {name} {described[name]}; it is {found} now")


def _plan(
    folder: RunFolder,
    config: RunConfig,
    envs: SyncVectorEnv,
    demonstrations: Demonstrations | None,
    parts: Parts | None,
    state: Mapping[str, Any],
) -> Plan:
    """The objects of the run, as they were before their state is loaded."""
    described = folder.description()
    _require_same_parts(folder, described["parts"], parts)
    if isinstance(config, ExpertConfig):
        return Plan(build_expert_trainer(config, envs, parts), {})
    assert isinstance(config, TrainConfig)
    if demonstrations is None:
        raise InputError(f"{folder.path} learns from demonstrations, which are needed to go on; found none")
    fitted = demonstrations.fitted_to(envs.single_observation_space, envs.single_action_space)
    _require_same_demonstrations(folder, described["demonstrations"], fitted)
    began = WarmStart.recorded(_part_of(folder, state, "candidates")["began"])
    return Plan(build_trainer(config, envs, fitted, parts, began), {}, fitted)


def _require_same_demonstrations(folder: RunFolder, described: Mapping[str, Any], found: Demonstrations) -> None:
    here = describe_demonstrations(found)
    if here["digests"] != described["digests"]:
        common = len(set(here["digests"]) & set(described["digests"]))
        raise InputError(
            f"{folder.path} learned from {described['episodes']} episodes, of which {common} are among the "
            f"{here['episodes']} found; accepted are the same ones in the same order"
        )
    if (here["stride"], here["offsets"]) != (described["stride"], described.get("offsets")):
        raise InputError(
            f"{folder.path} learned from other pairs of these episodes (one in {described['stride']}, found one in "
            f"{here['stride']}); accepted are the same ones"
        )


def _require_same_parts(folder: RunFolder, described: Mapping[str, Any], parts: Parts | None) -> None:
    found = described_parts(parts or Parts())
    for name in found:
        if found[name] != described.get(name):
            raise InputError(f"the {name} of {folder.path} is {described.get(name)}; found {found[name]}")


def _part_of(folder: RunFolder, state: Mapping[str, Any], name: str) -> Any:
    if name not in state:
        raise DataError(f"{folder.path} was made by a gailkit whose runs could not go on: it has no {name}")
    return state[name]


def _load(folder: RunFolder, trainer: Trainer, state: Mapping[str, Any], tell: Tell) -> None:
    """Put the trainer where ``state`` was taken."""
    try:
        trainer.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        summary = str(error).partition("\n")[0]
        raise DataError(f"{folder.path} is damaged, or of a gailkit whose runs could not go on: {summary}") from error
    if trainer.collector.not_restored:
        numbers = ", ".join(map(str, trainer.collector.not_restored))
        tell(
            f"the environments {numbers} are not brought back by seed and actions to where they stood; they begin new "
            "episodes, and the rest of the run is another than if it had not been stopped"
        )
