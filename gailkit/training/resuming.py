"""Going on with a run that was stopped, exactly as if it had not been."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, InputError
from gailkit.generator import WarmStart
from gailkit.ranks.group import is_first, rank, size, together
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.stepping import Stepping
from gailkit.spaces import space_to_json
from gailkit.storage import give_second_name
from gailkit.training.all_ranks import of_this_rank
from gailkit.training.build import build_expert_trainer, build_trainer
from gailkit.training.compared import digest_of, require_same
from gailkit.training.config import ExpertConfig, RunConfig, TrainConfig
from gailkit.training.describe import describe_demonstrations, versions
from gailkit.training.form import require_form, require_networks_stored
from gailkit.training.loop import Trainer
from gailkit.training.metrics import keep_metrics
from gailkit.training.own_runs import check_all_trusted, is_own, remember
from gailkit.training.parts import Parts, described_parts
from gailkit.training.run import CONFIG_FILE, LAST, RunFolder, damaged
from gailkit.training.running import (
    OnIteration,
    Plan,
    TrainingResult,
    fitted_to_envs,
    observers_of,
    policy_of,
    settled,
    surroundings,
    train_into,
)
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
    stepping: Stepping | None = None,
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
        stepping: where the environments run now, as in ``training.train.train``; it need not be where they ran.
        tell: takes what there is to say before it goes on; a warning where it is not given.

    Raises:
        InputError: if there is no run, another process trains into it (InUseError), the demonstrations or parts are
            others, or the environment has other spaces.
        UntrustedError: if the run is somebody else's and names what a module would have to be imported for.
        DataError: if the run is damaged, or was made by a gailkit whose runs could not go on.
        EnvironmentFailure, StorageError, DivergenceError: as ``training.train.train``.
    """
    with closing(RunFolder.open(Path(run_dir))) as folder:
        if is_first():
            folder.claim()
        described = folder.description()
        check_all_trusted(folder.path / CONFIG_FILE, trust)
        stopped = _Stopped.read(folder, described)
        _require_as_many(folder.path, len(stopped.replays))
        if stopped.checkpoint != LAST:
            tell(f"the last checkpoint of {run_dir} is damaged; the run goes on from the one before")
        config = config_of(folder.path, described, steps)
        require_same(lambda: {"run": digest_of(described), "iteration": stopped.iteration, "steps": config.steps})
        _require_same_extent(stopped, config)
        _tell_what_differs(stopped, tell)
        _tell_what_it_means(stopped, config, tell)
        stepping = settled(stepping, stopped.env_id, config, stopped.env_kwargs)
        with surroundings(stopped.env_id, config, stopped.env_kwargs, stepping) as envs:
            _require_same_spaces(stopped, envs)
            plan = _plan(stopped, config, envs, demonstrations, parts)
            _tell_where_demonstrations_are(stopped, demonstrations, tell)
            plan.trainer.collector.mishaps = Mishaps(stepping.restarts, stepping.tell)
            with together():  # rank 0 changes nothing before all have read it
                _load(stopped, plan.trainer, tell)
            policy = policy_of(plan, envs, stopped.env_id, stopped.env_kwargs)
            with together():
                rows = _prepare(stopped, config) if is_first() else []
            result = TrainingResult(policy, plan.trainer, rows, folder.path)
            observers = observers_of(on_iteration)
            return train_into(folder, result, plan.demonstrations, observers, stepping, stopped.best_return)


@dataclass(frozen=True)
class _Stopped:
    """A run as its folder tells it, each part seen to be of its kind."""

    folder: RunFolder
    described: Mapping[str, Any]
    checkpoint: str  # the one to go on from
    state: Mapping[str, Any]
    env_id: str
    env_kwargs: dict[str, Any]
    begun_with: Mapping[str, Any]  # versions and threads
    shown: Mapping[str, Any] | None  # what it learned from
    parts: Mapping[str, Any]
    iteration: int
    best_return: float
    replays: list[Mapping[str, int] | None]  # what is kept of each rank's

    @classmethod
    def read(cls, folder: RunFolder, described: Mapping[str, Any]) -> _Stopped:
        """Raises DataError if something is not there, or not of its kind."""
        name, state = folder.newest()
        with damaged(folder.path):
            if "candidates" not in state or "best_return" not in state:
                raise DataError(f"{folder.path} was made by a gailkit whose runs could not go on")
            shown, ranks = described["demonstrations"], state.get("ranks", [])
            own = of_this_rank(state) if 1 + len(ranks) == size() else state
            return cls(
                folder,
                described,
                name,
                own,
                str(described["env_id"]),
                dict(described["env_kwargs"]),
                {**described["versions"], "threads": described.get("threads")},
                None if shown is None else dict(shown),
                dict(described["parts"]),
                _whole(state["iteration"]),
                float(state["best_return"]),
                [each.get("replay") for each in (state, *ranks)],
            )


def _require_as_many(run: Path, ranks: int) -> None:
    """Raise InputError unless there are as many ranks as the run had: each goes on from its own state."""
    if ranks != size():
        had = "one process" if ranks == 1 else f"{ranks} processes together"
        how = "without torchrun" if ranks == 1 else f"torchrun with {ranks} processes in all"
        raise InputError(f"{run} was trained by {had} and goes on by as many ({how}); found {size()}")


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"it has {value!r} iterations behind it")
    return value


def _prepare(stopped: _Stopped, config: RunConfig) -> list[dict[str, float]]:
    """Let the folder be that of a run in progress: what is not so any more is taken out or written anew.

    Returns:
        The metrics that stay.
    """
    folder, path = stopped.folder, stopped.folder.path / CONFIG_FILE
    rows = keep_metrics(folder.path, stopped.iteration)
    folder.forget_replays_behind(stopped.replays)
    if stopped.checkpoint != LAST:  # else the damaged one would be kept beside the next
        give_second_name(folder.checkpoint_path(stopped.checkpoint), folder.checkpoint_path(LAST))
    if stopped.iteration < config.total_iterations:
        folder.checkpoint_path("chosen").unlink(missing_ok=True)  # that of a shorter run
    settings = stopped.described["config"]
    if settings["steps"] != config.steps:
        own = is_own(path)
        folder.describe({**stopped.described, "config": {**settings, "steps": config.steps}})
        if own:
            remember(path)
    return rows


def config_of(run: Path, described: Mapping[str, Any], steps: int | None = None) -> RunConfig:
    """The settings of the run that is ``described``, for ``steps`` in all where that is given.

    Raises:
        DataError: if they are not known here.
        InputError: for steps that a run cannot have.
    """
    with damaged(run):
        kind = ExpertConfig if described["demonstrations"] is None else TrainConfig
        config = config_from_dict(described["config"], kind)
    return config if steps is None else dataclasses.replace(config, steps=steps)


def _tell_what_it_means(stopped: _Stopped, config: RunConfig, tell: Tell) -> None:
    """Say what other steps than the run was begun with mean. Raises InputError for fewer than it has behind it."""
    before = config_of(stopped.folder.path, stopped.described)
    if config.steps == before.steps:
        return
    if config.total_iterations < stopped.iteration:
        least = config.steps
        while dataclasses.replace(config, steps=least).total_iterations < stopped.iteration:
            least += config.steps_of_iteration
        done = f"{stopped.iteration} iterations behind it, more than {config.steps:,} steps take"
        raise InputError(f"{stopped.folder.path} has {done}; accepted are {least:,} steps and more")
    was, now = (stopped.iteration / each.total_iterations for each in (before, config))
    tell(
        f"the run goes on to {config.steps:,} steps in place of {before.steps:,}; schedules go by the share of the "
        f"steps that is done, which is {now:.0%} now and was {was:.0%}"
    )


def _require_same_extent(stopped: _Stopped, config: RunConfig) -> None:
    """Raise DataError unless environments, rollouts and networks are as large as the checkpoint says.

    Nothing is made before that is known: a description may be anybody's.
    """
    with damaged(stopped.folder.path):
        hidden = [config.policy.hidden]
        hidden += [config.discriminator.hidden] if isinstance(config, TrainConfig) else []
        require_networks_stored(hidden, stopped.state)
        environments = len(stopped.state["collector"]["returns"])
        steps = stopped.iteration * config.steps_of_iteration
        if environments != config.num_envs or steps != stopped.state["steps"]:
            raise ValueError(
                f"its checkpoint holds {environments} environments and {stopped.state['steps']} steps; "
                f"{stopped.iteration} iterations of its settings take {config.num_envs} and {steps}"
            )


def _tell_where_demonstrations_are(stopped: _Stopped, demonstrations: Demonstrations | None, tell: Tell) -> None:
    """Say if they are drawn from in another way than they were: with replacement in memory, without from a file."""
    if stopped.shown is None or demonstrations is None:
        return
    if stopped.shown.get("in_memory", demonstrations.in_memory) != demonstrations.in_memory:
        where = {True: "in memory", False: "in their file"}
        tell(
            f"the demonstrations were {where[not demonstrations.in_memory]} and are {where[demonstrations.in_memory]} "
            "now (--memory decides), so that they are drawn in another order than if the run had not been stopped"
        )


def _tell_what_differs(stopped: _Stopped, tell: Tell) -> None:
    """Say what may keep the rest of a run from being, bit for bit, what it would have been."""
    made = stopped.begun_with
    here = {**versions(), "threads": torch.get_num_threads()}
    differing = [
        f"{name} {made.get(name)} then, {value} now" for name, value in here.items() if made.get(name) != value
    ]
    if differing:
        tell(
            f"the run was begun under other circumstances ({'; '.join(differing)}): the rest may differ in last digits"
        )


def _require_same_spaces(stopped: _Stopped, envs: Environments) -> None:
    """Raise InputError if the environment is not what it was."""
    for name in ("observation_space", "action_space"):
        found, wanted = space_to_json(getattr(envs, f"single_{name}")), stopped.described.get(name)
        if found != wanted:
            raise InputError(f"{stopped.folder.path} was trained in the {name} {wanted}; it is {found} now")


def _plan(
    stopped: _Stopped,
    config: RunConfig,
    envs: Environments,
    demonstrations: Demonstrations | None,
    parts: Parts | None,
) -> Plan:
    """The objects of the run, as they were before their state is loaded."""
    _require_same_parts(stopped, parts or Parts())
    if isinstance(config, ExpertConfig):
        return Plan(build_expert_trainer(config, envs, parts), {})
    assert isinstance(config, TrainConfig) and stopped.shown is not None
    if demonstrations is None:
        raise InputError(f"{stopped.folder.path} learns from demonstrations, which are needed to go on; found none")
    fitted = fitted_to_envs(demonstrations, envs)
    _require_same_demonstrations(stopped.folder.path, stopped.shown, fitted)
    with damaged(stopped.folder.path):
        began = WarmStart.recorded(stopped.state["candidates"]["began"])
    return Plan(build_trainer(config, envs, fitted, parts, began), {}, fitted)


def _require_same_demonstrations(run: Path, shown: Mapping[str, Any], found: Demonstrations) -> None:
    here = describe_demonstrations(found)
    there = {name: shown.get(name) for name in ("digests", "stride", "offsets", "episodes")}
    if here["digests"] != there["digests"]:
        common = len(set(here["digests"]) & set(there["digests"] or ()))
        raise InputError(
            f"{run} learned from {there['episodes']} episodes, of which {common} are among the {here['episodes']} "
            "found; accepted are the same ones in the same order"
        )
    if (here["stride"], here["offsets"]) != (there["stride"], there["offsets"]):
        raise InputError(
            f"{run} learned from other pairs of these episodes (one in {there['stride']}, found one in "
            f"{here['stride']}); accepted are the same ones"
        )


def _require_same_parts(stopped: _Stopped, parts: Parts) -> None:
    for name, found in described_parts(parts).items():
        if found != stopped.parts.get(name):
            raise InputError(f"the {name} of {stopped.folder.path} is {stopped.parts.get(name)}; found {found}")


def _load(stopped: _Stopped, trainer: Trainer, tell: Tell) -> None:
    """Put the trainer where its state was taken."""
    replay = stopped.folder.kept_replay(rank())
    with damaged(stopped.folder.path):
        own = trainer.state_dict()
        require_form(stopped.state, {name: own[name] for name in own if name not in ("random", "replay")})
        kept = stopped.state.get("replay")
        trainer.load_state_dict({**stopped.state, "replay": replay.load(kept)})
    if trainer.collector.not_restored:
        numbers = ", ".join(map(str, trainer.collector.not_restored))
        tell(
            f"the environments {numbers} are not brought back by seed and actions to where they stood; they begin new "
            "episodes, and the rest of the run is another than if it had not been stopped"
        )
