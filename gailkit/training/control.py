"""The bias control: does a method score a task that its teacher cannot do?

A reward form may pay for surviving or for dying whatever the expert shows. So the same configuration is trained on
teachers that know nothing of the task; an imitator that does much better than its teacher was not taught to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any, cast

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.devices import AUTO, device_of
from gailkit.errors import DataError, InputError
from gailkit.experts.random import random_policy
from gailkit.generator import OnCloning, TrainedPolicy
from gailkit.rollouts.environments import EnvMaker, SeedStream
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.global_generators import seeded_globally
from gailkit.rollouts.stepping import Stepping
from gailkit.spaces import Flat, box_center_and_scale, clip_to_space
from gailkit.training.config import TrainConfig, stored_config
from gailkit.training.control_result import Control, ControlResult, Played, Scale
from gailkit.training.iteration import OnIteration
from gailkit.training.own_runs import check_all_trusted
from gailkit.training.parts import Parts
from gailkit.training.run import CONFIG_FILE, RunFolder
from gailkit.training.settings import settings_of
from gailkit.training.surroundings import maker_for, settled
from gailkit.training.train import train
from gailkit.types import Policy, Trajectory

OnEpisode = Callable[[Trajectory], None]
OnSteps = Callable[[int], None]


@dataclass(frozen=True)
class Method:
    """What is controlled: a configuration, where it learns, and how much its teacher shows."""

    env_id: str
    config: TrainConfig
    episodes: int  # that the teacher shows
    stride: int = 1  # of which every so many-th step is kept
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    parts: Parts | None = None


@dataclass(frozen=True)
class Watching:
    """Contexts around all that takes time, which yield what is to be told how it goes."""

    training: Callable[[str], AbstractContextManager[tuple[OnIteration | None, OnCloning | None]]] = lambda teacher: (
        nullcontext((None, None))
    )
    playing: Callable[[str, int], AbstractContextManager[tuple[OnEpisode | None, OnSteps | None]]] = (
        lambda who, episodes: nullcontext((None, None))
    )


def method_of(run: Path, trusted: Collection[str] = ()) -> Method:
    """The method of a folder that ``train`` made. Nothing that it names is imported here.

    Raises:
        InputError: if there is no run, it imitated nobody, used objects that the folder does not hold, or
            (UntrustedError) is not the user's own and names ``module:attribute`` that is not among the ``trusted``.
        DataError: if its description is damaged.
    """
    described = RunFolder.open(run).description()
    try:
        shown, swapped = described["demonstrations"], dict(described.get("parts") or {})
        if shown is None:
            raise InputError(f"{run} was trained on the environment's own reward; a run of gailkit train is needed")
        config = _config(run, described["config"])
        env_id, kwargs = described["env_id"], dict(described["env_kwargs"])
        episodes, stride = shown["episodes"], shown["stride"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"the run in {run} is damaged: it does not say what it was taught") from error
    if not (isinstance(env_id, str) and all(type(count) is int and count >= 1 for count in (episodes, stride))):
        raise DataError(f"the run in {run} is damaged: {env_id!r}, {episodes!r} episodes, every {stride!r} steps")
    if objects := [f"{name} {where}" for name, where in swapped.items() if where is not None]:
        raise InputError(
            f"{run} was trained with objects that the folder does not hold ({', '.join(objects)}); "
            "in Python, gailkit.training.control.run_control takes them as the parts of its Method; "
            "a run that was trained with their names, as in --reward module:attribute, is controlled by this command"
        )
    check_all_trusted(run / CONFIG_FILE, trusted, _foreign(env_id, config))
    return Method(env_id, config, episodes, stride, kwargs)


def run_control(
    method: Method,
    demonstrations: Demonstrations,
    *,
    episodes: int = 50,
    out: Path | str | None = None,
    overwrite: bool = False,
    watching: Watching | None = None,
    command: str | None = None,
    stepping: Stepping | None = None,
    device: str = AUTO,
) -> ControlResult:
    """Train ``method`` on a teacher that always does the same and on one that acts at random; compare with them.

    Args:
        demonstrations: those of the real expert, whose mean return is the upper end of the scale.
        episodes: how many each teacher and each imitator plays, all from the same starts; an imitator its likeliest
            actions, and sampled ones.
        out: gets the run folders ``constant`` and ``random``; nothing is written when None.
        overwrite: use ``out`` although it is not empty, and replace the runs in it.
        command: the command line that asked for it, for the record.
        stepping: where the environments run, and how often they may fail, as in ``training.train.train``.
        device: where the imitators learn and act, likewise.

    Raises: as ``training.train.train``; InputError also if ``episodes`` is below 1.
    """
    if episodes < 1:
        raise InputError(f"the number of episodes must be at least 1; found {episodes}")
    if out is not None:
        _check_empty(Path(out), overwrite)
    method = replace(method, config=method.config.with_actions(demonstrations.has_actions))
    device_of(device)
    stage = _Stage(method, watching or Watching(), stepping or Stepping(), device)
    expert = demonstrations.fitted_to(*stage.spaces).returns()
    seed, action_space = method.config.seed, stage.spaces[1]
    starts = SeedStream(seed, "evaluation").take(episodes)
    at_random: Policy = random_policy(action_space, seed)
    teachers = {"constant": constant_policy(action_space), "random": at_random}
    own = {name: stage.play(f"{name} actions", teacher, starts) for name, teacher in teachers.items()}
    chance = float(np.mean([trajectory.episode_return for trajectory in own["random"]]))
    scale = Scale(chance, None if expert is None else float(expert.mean()))
    controls = []
    for name, teacher in teachers.items():
        shown = stage.demonstrations_of(name, teacher)
        folder = None if out is None else Path(out) / name
        imitator = stage.imitator_of(name, shown, folder, overwrite, command)
        likeliest = stage.play(f"imitator of {name} actions", imitator.deterministic(), starts)
        sampled = stage.play(f"imitator of {name} actions, sampled", imitator.sampling(seed), starts)
        played = (Played.of(trajectories, scale) for trajectories in (own[name], likeliest, sampled))
        controls.append(Control(name, shown.num_kept, *played))
    stage.tell_what_failed()
    return ControlResult(method.env_id, method.config.steps, seed, episodes, method.episodes, scale, tuple(controls))


def constant_policy(action_space: Space[Any]) -> Policy:
    """The first action of a Discrete space; of a Box its middle, 0 or what is nearest to it where it has none.

    Of actions of several parts each likewise; every bit is 0.
    """
    if isinstance(action_space, Discrete):
        action = np.asarray(action_space.start)
    else:
        action = box_center_and_scale(action_space)[0].numpy().reshape(action_space.shape)
    if isinstance(action_space, Flat):
        marks = np.setdiff1d(np.arange(len(action)), action_space.numbers)
        action[marks] = 0.0
        action[[each.start for each in action_space.sets]] = 1.0

    def act(observations: np.ndarray) -> np.ndarray:
        return clip_to_space(action_space, np.stack([action] * len(observations)))

    return act


class _Stage:
    """Where teachers and imitators play, and where the ones are taught by the others."""

    def __init__(self, method: Method, watching: Watching, stepping: Stepping, device: str) -> None:
        self.method, self.watching, self.device = method, watching, device
        config = method.config
        self._maker = cast(EnvMaker, maker_for(method.env_id, method.env_kwargs, config, device, stepping))
        self._stepping = settled(stepping, self._maker, config)
        self._mishaps = Mishaps(stepping.restarts, stepping.tell)
        with seeded_globally(method.config.seed), closing(self._maker()) as env:
            self.spaces = env.observation_space, env.action_space

    def play(self, who: str, policy: Policy, starts: Sequence[int], stream: str = "evaluation") -> list[Trajectory]:
        """An episode of ``policy`` from each of ``starts``, the first seeds of a ``stream``."""
        spare = SeedStream(self.method.config.seed, stream)
        spare.take(len(starts))
        with self.watching.playing(who, len(starts)) as (on_episode, on_steps):
            return collect_episodes(
                policy,
                self._maker,
                starts,
                on_episode=on_episode,
                on_steps=on_steps,
                stepping=self._stepping,
                mishaps=self._mishaps,
                spare=spare,
            )

    def tell_what_failed(self) -> None:
        """Say in the end how much was discarded, if anything was."""
        if summary := self._mishaps.summary():
            self._stepping.tell(summary)

    def demonstrations_of(self, name: str, teacher: Policy) -> Demonstrations:
        """What a teacher shows: as much as the method was shown by its own."""
        method, seed = self.method, self.method.config.seed
        starts = SeedStream(seed, "control").take(method.episodes)
        episodes = self.play(f"{name} actions, to be imitated", teacher, starts, "control")
        source = {"source": f"{name} actions", "seed": str(seed)}
        shown = Demonstrations(tuple(episodes), *self.spaces, method.env_id, method.env_kwargs, source)
        return shown.subsample(method.stride, seed)

    def imitator_of(
        self, name: str, shown: Demonstrations, folder: Path | None, overwrite: bool, command: str | None
    ) -> TrainedPolicy:
        """Who the method made of what ``name`` has shown, as it was last: a choice would hide what rewards pay for."""
        method = self.method
        with self.watching.training(name) as (on_iteration, on_cloning):
            trained = train(
                method.env_id,
                shown,
                method.config,
                parts=method.parts,
                out=folder,
                overwrite=overwrite,
                env_kwargs=method.env_kwargs,
                on_iteration=on_iteration,
                on_cloning=on_cloning,
                command=command,
                stepping=self._stepping,
                device=self.device,
            )
        self._mishaps.discarded += trained.trainer.collector.mishaps.discarded
        return trained.policy.with_networks(trained.trainer.generator.actor_critic)


def _check_empty(folder: Path, overwrite: bool) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(
            f"{folder} is not empty; choose another folder, or give --overwrite, which replaces the runs in it"
        )


def _config(run: Path, stored: Mapping[str, Any]) -> TrainConfig:
    try:
        return stored_config(stored, TrainConfig)
    except InputError as error:
        raise DataError(f"the run in {run} is damaged: {error}") from error


def _foreign(env_id: str, config: TrainConfig) -> list[str]:
    """Whatever is named ``module:attribute``."""
    values = [reduce(getattr, path, config) for path, _ in settings_of(config)]
    return [name for name in (env_id, *values) if isinstance(name, str) and ":" in name]
