"""Generative adversarial imitation learning (Ho & Ermon 2016, Algorithm 1); with another teacher, reinforcement
learning."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box

from gailkit.errors import DivergenceError, InputError
from gailkit.generator import Generator
from gailkit.ranks.group import size, together
from gailkit.ranks.merging import averaged, deviation, total
from gailkit.rollouts.collector import Collector
from gailkit.rollouts.global_generators import global_state, set_global_state
from gailkit.rollouts.tensor_collector import TensorCollector
from gailkit.spaces import clip_to_space
from gailkit.training.changing import changed
from gailkit.training.choosing import Candidates
from gailkit.training.compared import require_equal_networks
from gailkit.training.config import RunConfig
from gailkit.training.discount import Discount
from gailkit.training.parts import foreign
from gailkit.training.teachers import Adversary, Teacher
from gailkit.types import EpisodeSummary, Replayed, Reward, Rollout, all_finite

EPISODES_REMEMBERED = 50  # of each rank
COMPARED = 10  # iterations from one comparison of the ranks' networks to the next
COMPARED_ACTIONS = 8192
ADDED_UP = ("steps_per_second", "episode/ended", "episode/discarded")
"""The metrics that are sums over the ranks; the others are means."""


class Trainer:
    """Every object of a run, and one iteration of the algorithm. All that changes is in ``state_dict``.

    Random numbers come from torch's global generator, and an environment's perhaps from the others that everybody uses:
    ``state_dict`` holds them too.
    """

    def __init__(
        self,
        config: RunConfig,
        collector: Collector | TensorCollector,
        teacher: Teacher,
        generator: Generator,
        candidates: Candidates | None = None,
        discount: Discount | None = None,
    ) -> None:
        """``candidates`` are what an imitation chooses its result from, ``discount`` adapts that of its generator."""
        self.config = config
        self.collector = collector
        self.teacher = teacher
        self.generator = generator
        self.candidates = candidates
        self.discount = discount
        self.iteration = 0
        self.steps = 0
        self.seconds = 0.0
        self.whole = True  # False while an iteration has changed some of the parts and not yet all
        self._before: dict[str, Any] | None = None  # what a rollout moves, from before the one in progress
        self.recent: deque[EpisodeSummary] = deque(maxlen=EPISODES_REMEMBERED)
        self.changed: dict[str, float] = {}  # settings that are others by now than ``config`` has them

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        return min(self.iteration / self.config.total_iterations, 1.0)

    @property
    def device(self) -> torch.device:
        """Where it learns."""
        return self.generator.actor_critic.device

    def iterate(self) -> dict[str, float]:
        """One iteration: roll out pi, let the teacher learn from it, update pi on its rewards. Returns the metrics.

        Raises:
            DivergenceError: naming the first number on the way that is NaN or infinite.
        """
        number = self.iteration + 1
        try:
            return self._iterate()
        except DivergenceError as error:
            raise DivergenceError(f"{error} in iteration {number}, step {self.steps}") from error

    def _iterate(self) -> dict[str, float]:
        started, progress = time.perf_counter(), self.progress
        rollout = self._roll_out()
        self.whole = False
        self.iteration += 1
        self.steps += rollout.terminated.numel() * size()
        if self.discount is not None:
            self.discount.observe(rollout)
        taught = self.teacher.learn(rollout, self.generator.experience(rollout))
        rewards = self._rewards(rollout)

        def reward(steps: Rollout | Replayed) -> torch.Tensor:
            return rewards if steps is rollout else self._rewards(steps)

        policy = self._improve_policy(rollout, reward, progress)
        self.generator.actor_critic.encoder.update(rollout.obs.flatten(0, 1))
        if self.candidates is not None:
            self.candidates.update()

        self.seconds += time.perf_counter() - started
        self.recent.extend(self.collector.finished)
        metrics = {
            "steps": float(self.steps),
            "seconds": self.seconds,
            "steps_per_second": rewards.numel() / (time.perf_counter() - started),
            "reward/mean": float(rewards.mean()),
            "reward/std": float(deviation(rewards)),
            **taught,
            **self._guided_by(),
            **{f"policy/{name}": value for name, value in policy.items()},
            "policy/same_action": same_action(rollout.act, self.collector.envs.single_action_space),
            "episode/ended": float(self.collector.ended),
            **episode_metrics(self.recent),
            "episode/discarded": float(self.collector.mishaps.discarded),
        }
        metrics = of_all_ranks(metrics)
        self._check(metrics)
        if self.iteration % COMPARED == 0:
            require_equal_networks((self.generator, *self.teacher.networks().values()), self.iteration)
        self.whole = True
        return metrics

    def _roll_out(self) -> Rollout:
        """A rollout of the policy. Until it is done the state of the run is that from before it, whatever happens."""
        self._before = {"collector": self.collector.state_dict(), "random": global_state(self.device)}
        with together():
            rollout = self.collector.collect(self.generator)
        self._before = None
        return rollout

    def _rewards(self, steps: Rollout | Replayed) -> torch.Tensor:
        rewards = self.teacher.rewards(steps)
        if not all_finite(rewards):
            raise DivergenceError("the rewards became NaN or infinite")
        return rewards

    def _improve_policy(self, rollout: Rollout, reward: Reward, progress: float) -> dict[str, float]:
        name, own = type(self.generator).__name__, type(self.generator).__module__.startswith("gailkit.")
        with nullcontext() if own else foreign(f"generator {name}", "was to improve the policy"):
            reported: object = self.generator.update(rollout, reward, progress)
        if not isinstance(reported, dict):
            raise InputError(f"{name}.update must return a dict of numbers by name; found {type(reported).__name__}")
        try:
            return {str(metric): float(value) for metric, value in reported.items()}
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{name}.update must return a dict of numbers by name; found {reported}") from error

    def _guided_by(self) -> dict[str, float]:
        """What the clone that the run began with is worth, and how strongly the expert's actions still guide; nothing
        where no actions are seen."""
        if self.candidates is None or self.candidates.began is None:
            return {}
        guidance = self.generator.guidance
        strength = 0.0 if guidance is None else guidance.strength(self.progress)
        return {"clone/gain": self.candidates.began.cloning.gain, "clone/guidance": strength}

    def change(self, name: str, value: float) -> None:
        """Let a setting be another from the next iteration on; see ``training.changing.changed``."""
        learner = self.teacher.learner if isinstance(self.teacher, Adversary) else None
        self.changed[name] = changed(self.config, self.generator, learner, name, value)

    def state_dict(self) -> dict[str, Any]:
        """All that changes in a run: networks, normalisers, optimisers, absorbing mass, random numbers, counters.

        Tensors are those of the run itself; copy them to keep them while it goes on.
        """
        moving = self._before or {"collector": self.collector.state_dict(), "random": global_state(self.device)}
        return {
            **moving,
            "generator": self.generator.state_dict(),
            "replay": None if self.generator.replay is None else self.generator.replay.state_dict(),
            "teacher": self.teacher.state_dict(),
            "candidates": None if self.candidates is None else self.candidates.state_dict(),
            "discount": None if self.discount is None else self.discount.state_dict(),
            "iteration": self.iteration,
            "steps": self.steps,
            "seconds": self.seconds,
            "recent": [list(episode) for episode in self.recent],
            "changed": dict(self.changed),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned, as if nothing had come in between.

        Environments that cannot be brought back to where they were begin new episodes (``collector.not_restored``).
        """
        self.generator.load_state_dict(state["generator"])
        if self.generator.replay is not None:
            self.generator.replay.load_state_dict(state["replay"], self.device)
        self.teacher.load_state_dict(state["teacher"])
        self.collector.load_state_dict(state["collector"])
        self.whole, self._before = True, None
        if self.candidates is not None:
            self.candidates.load_state_dict(state["candidates"])
        if self.discount is not None:
            self.discount.load_state_dict(state["discount"])
        set_global_state(state["random"], self.device)
        self.iteration, self.steps, self.seconds = state["iteration"], state["steps"], state["seconds"]
        recent = (EpisodeSummary(int(length), float(earned), bool(end)) for length, earned, end in state["recent"])
        self.recent = deque(recent, maxlen=EPISODES_REMEMBERED)
        for name, value in state.get("changed", {}).items():
            self.change(name, value)

    def _check(self, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise DivergenceError(f"{name} became NaN or infinite")
        for name, module in {"policy": self.generator, **self.teacher.networks()}.items():
            named = list(module.named_parameters())
            sound = torch.stack([torch.isfinite(parameter).all() for _, parameter in named]).tolist() if named else []
            if not all(sound):
                raise DivergenceError(f"the {name}'s parameter {named[sound.index(False)][0]} became NaN or infinite")


def same_action(actions: torch.Tensor, space: Space[Any]) -> float:
    """The share of the commonest of the actions (T, N, *act), or of COMPARED_ACTIONS of them at most.

    Those of a bounded Box count as one to a hundredth of its width, beyond its bounds too.
    """
    every = actions.flatten(0, 1)
    some = every[:: -(-len(every) // COMPARED_ACTIONS)].cpu().numpy()
    taken = clip_to_space(space, some).reshape(len(some), -1)
    if isinstance(space, Box):
        width = np.where(np.isfinite(space.high - space.low), space.high - space.low, 1.0).reshape(-1)
        taken = np.round(100 * taken / width)
    _, counts = np.unique(taken, axis=0, return_counts=True)
    return float(counts.max() / len(taken))


def episode_metrics(episodes: deque[EpisodeSummary]) -> dict[str, float]:
    """Means over the last episodes of all ranks, in the environment's own terms; empty while none has ended."""
    sums = total(
        len(episodes),
        sum(episode.true_return for episode in episodes),
        sum(episode.length for episode in episodes),
        sum(episode.terminated for episode in episodes),
    )
    if not sums[0]:
        return {}
    means = (each / sums[0] for each in sums[1:])
    return dict(zip(("episode/true_return", "episode/length", "episode/terminated"), means, strict=True))


def of_all_ranks(metrics: dict[str, float]) -> dict[str, float]:
    """The means of what the ranks found, or their sums; all ranks have found the same metrics."""
    if size() == 1:
        return metrics
    means = averaged(torch.tensor(list(metrics.values()), dtype=torch.float64)).tolist()
    return {name: mean * (size() if name in ADDED_UP else 1) for name, mean in zip(metrics, means, strict=True)}
