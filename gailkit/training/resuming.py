"""Going on with a run that was stopped, exactly as if it had not been."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import torch

from gailkit.demonstrations import Demonstrations
from gailkit.devices import AUTO, device_of
from gailkit.errors import InputError
from gailkit.generator import WarmStart
from gailkit.ranks.group import is_first, rank, together
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.stepping import Stepping
from gailkit.simulators.protocol import Simulator
from gailkit.storage import give_second_name
from gailkit.tracking import named_trackers
from gailkit.training.build import build_expert_trainer, build_trainer
from gailkit.training.compared import digest_of, require_same
from gailkit.training.config import ExpertConfig, RunConfig, TrainConfig
from gailkit.training.form import require_form
from gailkit.training.iteration import OnIteration
from gailkit.training.loop import Trainer
from gailkit.training.metrics import keep_metrics
from gailkit.training.own_runs import check_all_trusted, is_own, remember
from gailkit.training.parts import Parts
from gailkit.training.places import LAST
from gailkit.training.run import CONFIG_FILE, RunFolder, damaged
from gailkit.training.running import (
    Onlookers,
    Plan,
    TrainingResult,
    fitted_to_envs,
    policy_of,
    train_into,
)
from gailkit.training.stopped import (
    Stopped,
    Tell,
    config_of,
    require_as_many,
    require_same_demonstrations,
    require_same_extent,
    require_same_parts,
    require_same_spaces,
    tell_of_other_device,
    tell_what_differs,
    tell_what_it_means,
    tell_where_demonstrations_are,
)
from gailkit.training.surroundings import chosen_device, maker_for, settled, surroundings
from gailkit.training.tracked import Track, kept_names

MOST_NAMED = 16  # environments that were not brought back


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
    track: Track | None = None,
    device: str = AUTO,
    env: Simulator | None = None,
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
        on_iteration: is called after every further iteration, as in ``training.train.train``.
        trust: names in the run that may be imported although it is not one of one's own (``training.own_runs``).
        stepping: where the environments run now, as in ``training.train.train``; it need not be where they ran.
        track: other trackers than those that it was begun with, as in ``training.train.train``.
        device: where it learns from now on, as in ``training.train.train``; it need not be where it did.
        env: the simulator of tensors that it learned in, where no name leads to one.
        tell: takes what there is to say before it goes on; a warning where it is not given.

    Raises:
        InputError: if there is no run, another process trains into it (InUseError), the demonstrations or parts are
            others, or the environment has other spaces.
        UntrustedError: if the run is somebody else's and names what a module would have to be imported for.
        DataError: if the run is damaged, or cannot go on, as one that was pulled.
        EnvironmentFailure, StorageError, DivergenceError: as ``training.train.train``.
    """
    device_of(device)
    with closing(RunFolder.open(Path(run_dir))) as folder:
        if is_first():
            folder.claim()
        described = folder.description()
        check_all_trusted(folder.path / CONFIG_FILE, trust)
        stopped = Stopped.read(folder, described)
        with damaged(folder.path):
            kept = kept_names(described)
        onlookers = Onlookers(on_iteration, named_trackers(kept if track is None else track))
        require_as_many(folder.path, len(stopped.replays))
        if stopped.checkpoint != LAST:
            tell(f"the last checkpoint of {run_dir} is damaged; the run goes on from the one before")
        config = config_of(folder.path, described, steps)
        require_same(lambda: {"run": digest_of(described), "iteration": stopped.iteration, "steps": config.steps})
        require_same_extent(stopped, config)
        tell_what_differs(stopped, tell)
        tell_what_it_means(stopped, config, tell)
        maker = maker_for(env or stopped.env_id, stopped.env_kwargs, config, device, stepping)
        stepping = settled(stepping, maker, config)
        with surroundings(maker, config, stepping) as envs:
            require_same_spaces(stopped, envs)
            chosen = chosen_device(device, envs, config, stepping)
            tell_of_other_device(stopped, chosen, tell)
            plan = _plan(stopped, config, envs, demonstrations, parts, chosen)
            tell_where_demonstrations_are(stopped, demonstrations, tell)
            plan.trainer.collector.mishaps = Mishaps(stepping.restarts, stepping.tell)
            with together():  # rank 0 changes nothing before all have read it
                _load(stopped, plan.trainer, tell)
            policy = policy_of(plan, envs, stopped.env_id, stopped.env_kwargs)
            with together():
                rows = _prepare(stopped, config) if is_first() else []
            result = TrainingResult(policy, plan.trainer, rows, folder.path)
            return train_into(folder, result, plan.demonstrations, onlookers, stepping, maker, stopped.best_return)


def _prepare(stopped: Stopped, config: RunConfig) -> list[dict[str, float]]:
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


def _plan(
    stopped: Stopped,
    config: RunConfig,
    envs: Environments,
    demonstrations: Demonstrations | None,
    parts: Parts | None,
    device: torch.device,
) -> Plan:
    """The objects of the run, as they were before their state is loaded."""
    require_same_parts(stopped, parts or Parts())
    if isinstance(config, ExpertConfig):
        return Plan(build_expert_trainer(config, envs, parts, device), {})
    assert isinstance(config, TrainConfig) and stopped.shown is not None
    if demonstrations is None:
        raise InputError(f"{stopped.folder.path} learns from demonstrations, which are needed to go on; found none")
    fitted = fitted_to_envs(demonstrations, envs, config)
    require_same_demonstrations(stopped.folder.path, stopped.shown, fitted)
    with damaged(stopped.folder.path):
        record = stopped.state["candidates"]["began"]
        began = None if record is None else WarmStart.recorded(record)
    return Plan(build_trainer(config, envs, fitted, parts, began, device), {}, fitted)


def _load(stopped: Stopped, trainer: Trainer, tell: Tell) -> None:
    """Put the trainer where its state was taken."""
    replay = stopped.folder.kept_replay(rank())
    with damaged(stopped.folder.path):
        own = trainer.state_dict()
        require_form(stopped.state, {name: own[name] for name in own if name not in ("random", "replay")})
        kept = stopped.state.get("replay")
        trainer.load_state_dict({**stopped.state, "replay": replay.load(kept)})
    if trainer.collector.not_restored:
        lost = trainer.collector.not_restored
        numbers = ", ".join(map(str, lost[:MOST_NAMED])) + (", ..." if len(lost) > MOST_NAMED else "")
        tell(
            f"the environments {numbers} are not brought back by {trainer.collector.by} to where they stood; they "
            "begin new episodes, and the rest of the run is another than if it had not been stopped"
        )
