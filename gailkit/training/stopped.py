"""A run that was stopped, as its folder tells it, and what must be as it was for it to go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, InputError
from gailkit.ranks.group import size
from gailkit.rollouts.protocol import Environments
from gailkit.spaces import space_to_json
from gailkit.training.all_ranks import of_this_rank
from gailkit.training.config import ExpertConfig, RunConfig, TrainConfig, stored_config
from gailkit.training.describe import describe_demonstrations, described_device, versions
from gailkit.training.form import require_networks_stored
from gailkit.training.parts import Parts, described_parts
from gailkit.training.run import RunFolder, damaged

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Stopped:
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
    def read(cls, folder: RunFolder, described: Mapping[str, Any]) -> Stopped:
        """Raises DataError if something is not there, or not of its kind."""
        name, state = folder.newest()
        with damaged(folder.path):
            if "candidates" not in state or "best_return" not in state:
                raise DataError(
                    f"{folder.path} cannot go on: it was published, or made by a gailkit whose runs could not"
                )
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


def require_as_many(run: Path, ranks: int) -> None:
    """Raise InputError unless there are as many ranks as the run had: each goes on from its own state."""
    if ranks != size():
        had = "one process" if ranks == 1 else f"{ranks} processes together"
        how = "without torchrun" if ranks == 1 else f"torchrun with {ranks} processes in all"
        raise InputError(f"{run} was trained by {had} and goes on by as many ({how}); found {size()}")


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"it has {value!r} iterations behind it")
    return value


def config_of(run: Path, described: Mapping[str, Any], steps: int | None = None) -> RunConfig:
    """The settings of the run that is ``described``, for ``steps`` in all where that is given.

    Raises:
        DataError: if they are not known here.
        InputError: for steps that a run cannot have.
    """
    with damaged(run):
        kind = ExpertConfig if described["demonstrations"] is None else TrainConfig
        config = stored_config(described["config"], kind)
    return config if steps is None else dataclasses.replace(config, steps=steps)


def tell_what_it_means(stopped: Stopped, config: RunConfig, tell: Tell) -> None:
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


def require_same_extent(stopped: Stopped, config: RunConfig) -> None:
    """Raise DataError unless environments, rollouts and networks are as large as the checkpoint says.

    Nothing is made before that is known: a description may be anybody's.
    """
    with damaged(stopped.folder.path):
        hidden = config.policy.widths
        hidden += [config.discriminator.hidden] if isinstance(config, TrainConfig) else []
        require_networks_stored(hidden, stopped.state)
        environments = len(stopped.state["collector"]["returns"])
        steps = stopped.iteration * config.steps_of_iteration
        if environments != config.num_envs or steps != stopped.state["steps"]:
            raise ValueError(
                f"its checkpoint holds {environments} environments and {stopped.state['steps']} steps; "
                f"{stopped.iteration} iterations of its settings take {config.num_envs} and {steps}"
            )


def tell_where_demonstrations_are(stopped: Stopped, demonstrations: Demonstrations | None, tell: Tell) -> None:
    """Say if they are drawn from in another way than they were: with replacement in memory, without from a file."""
    if stopped.shown is None or demonstrations is None:
        return
    if stopped.shown.get("in_memory", demonstrations.in_memory) != demonstrations.in_memory:
        where = {True: "in memory", False: "in their file"}
        tell(
            f"the demonstrations were {where[not demonstrations.in_memory]} and are {where[demonstrations.in_memory]} "
            "now (--memory decides), so that they are drawn in another order than if the run had not been stopped"
        )


def tell_what_differs(stopped: Stopped, tell: Tell) -> None:
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


def tell_of_other_device(stopped: Stopped, device: torch.device, tell: Tell) -> None:
    """Say if it learned on another one, which draws other random numbers and computes other last digits."""
    before, now = stopped.described.get("device", "cpu"), described_device(device)
    if before != now:
        tell(f"the run learned on {before} and goes on on {now}: the rest is another than if it had not been stopped")


def require_same_spaces(stopped: Stopped, envs: Environments) -> None:
    """Raise InputError if the environment is not what it was."""
    for name in ("observation_space", "action_space"):
        found, wanted = space_to_json(getattr(envs.about, name)), stopped.described.get(name)
        if found != wanted:
            raise InputError(f"{stopped.folder.path} was trained in the {name} {wanted}; it is {found} now")


def require_same_demonstrations(run: Path, shown: Mapping[str, Any], found: Demonstrations) -> None:
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


def require_same_parts(stopped: Stopped, parts: Parts) -> None:
    for name, found in described_parts(parts).items():
        if found != stopped.parts.get(name):
            raise InputError(f"the {name} of {stopped.folder.path} is {stopped.parts.get(name)}; found {found}")
