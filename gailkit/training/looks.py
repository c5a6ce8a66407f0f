"""How closely the present policy matches the expert, looked at in the middle of a training.

A few episodes by the expert's kind of actions, always from the same starts, beside the demonstrations that are learned
from. Nothing here touches the run: random numbers, environments and counts of failures are its own, so that a run is
the same, bit for bit, whether it is looked at or not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from gymnasium.wrappers import TimeLimit

from gailkit.demonstrations import Demonstrations
from gailkit.errors import EnvironmentFailure, GailkitError, StorageError
from gailkit.evaluation.occupancy import at_a_glance
from gailkit.evaluation.steps_as_points import Description, Scale
from gailkit.experts.random import random_policy
from gailkit.generator import TrainedPolicy
from gailkit.ranks.group import from_first, is_first, together
from gailkit.recording.acted import SAMPLED, expert_actions
from gailkit.rollouts.environments import EnvMaker, SeedStream
from gailkit.rollouts.episodes import collect_episodes, run_episodes
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.global_generators import undisturbed
from gailkit.rollouts.stepping import Stepping
from gailkit.training.choosing import shown_points
from gailkit.training.run import LOOKS
from gailkit.types import BatchPolicy, Trajectory
from gailkit.viewing.film import MOST_FRAMES_A_SECOND, choose_pace, open_film
from gailkit.viewing.rendering import Filmed, make_drawn, steps_per_second

EPISODES = 5
FILMED_STEPS = 300  # of the first of them, at most


class Looks:
    """Looks at the policy of a run every so many steps."""

    def __init__(
        self,
        policy: TrainedPolicy,
        demonstrations: Demonstrations,
        every: int,
        seed: int,
        folder: Path | None,
        stepping: Stepping,
    ) -> None:
        """
        Args:
            policy: that of the run, which training goes on changing.
            every: steps from one look to the next.
            folder: the run folder, where films go; None for no films.
        """
        self.policy, self.demonstrations, self.every, self.seed = policy, demonstrations, every, seed
        self.folder, self.stepping = folder, stepping
        self._factory = EnvMaker(policy.env_id, policy.env_kwargs)
        self._starts = SeedStream(seed, "looking").take(EPISODES)

    def due(self, before: int, steps: int) -> bool:
        """Whether the steps from ``before`` to ``steps`` complete another ``every`` of them."""
        return steps // self.every > before // self.every

    def look(self, steps: int) -> tuple[dict[str, float], Path | None]:
        """What is seen of the policy after so many ``steps``, by the names of metrics, and a film where there is one.

        Where it cannot be played to the end it says why, and has nothing to tell. Of several ranks the first looks.
        """
        found: dict[str, float] = {}
        film = None
        with together(), undisturbed():
            if is_first():
                started = time.perf_counter()
                found = self._closeness(steps)
                film = self._film(steps) if found and self.folder is not None else None
                found |= {"eval/seconds": time.perf_counter() - started} if found else {}
        told: dict[str, float] = json.loads(from_first(lambda: json.dumps(found).encode()))
        return told, film

    def _closeness(self, steps: int) -> dict[str, float]:
        try:
            played = self._play(self._acting)
            distance, closeness = self._compared(played)
        except EnvironmentFailure as error:
            self.stepping.tell(f"the policy could not be looked at after {steps:,} steps: {error}")
            return {}
        found = {} if closeness is None else {"eval/closeness": closeness}
        returns = [0.0 if each.episode_return is None else each.episode_return for each in played]
        return {
            **found,
            "eval/distance": distance,
            "eval/true_return": float(np.mean(returns)),
            "eval/length": float(np.mean([len(each) for each in played])),
        }

    @property
    def _acting(self) -> TrainedPolicy:
        """By the expert's kind of actions, the likeliest where that is not known."""
        kind = expert_actions(self.demonstrations.provenance)
        return self.policy.sampling(self.seed) if kind == SAMPLED else self.policy.deterministic()

    def _play(self, policy: BatchPolicy) -> list[Trajectory]:
        seeds = SeedStream(self.seed, "looking again")
        mishaps = Mishaps(self.stepping.restarts, self.stepping.tell)
        return collect_episodes(policy, self._factory, self._starts, stepping=Stepping(), mishaps=mishaps, spare=seeds)

    @cached_property
    def _at_random(self) -> list[Trajectory]:
        return self._play(random_policy(self.policy.action_space, self.seed))

    def _compared(self, played: Sequence[Trajectory]) -> tuple[float, float | None]:
        """Distance and closeness, on the scale that an evaluation has."""
        shown_in = self.demonstrations.observation_space
        assert shown_in is not None
        acted_in = self.demonstrations.action_space if self.demonstrations.has_actions else None
        description = Description(shown_in, acted_in)
        shown = shown_points(self.demonstrations, description)
        own, random = (
            [description.rows(each, np.arange(len(each))) for each in side] for side in (played, self._at_random)
        )
        scale = Scale.of(description.features(), shown, random, own)
        return at_a_glance(scale.apply(own), scale.apply(shown), scale.apply(random), self.seed)

    @cached_property
    def _drawable(self) -> bool:
        """Whether the environment can be drawn here; told of once where it cannot."""
        try:
            make_drawn(self.policy.env_id, self.policy.env_kwargs).close()
        except GailkitError as error:
            self.stepping.tell(f"no films of the policy: {error}")
            return False
        return True

    def _film(self, steps: int) -> Path | None:
        """The beginning of the first episode, as a GIF; None where it cannot be drawn."""
        assert self.folder is not None
        if not self._drawable:
            return None
        path = self.folder / LOOKS / f"step-{steps:09}.gif"
        try:
            path.parent.mkdir(exist_ok=True)
            return path if self._filmed(path) else None
        except (EnvironmentFailure, StorageError, OSError) as error:
            self.stepping.tell(f"no film of the policy after {steps:,} steps: {error}")
            return None

    def _filmed(self, path: Path) -> bool:
        """Write the film to ``path``, and whether there was anything to see."""
        env = make_drawn(self.policy.env_id, self.policy.env_kwargs)
        pace = choose_pace(steps_per_second(env), MOST_FRAMES_A_SECOND[".gif"])
        try:
            film = open_film(path, pace.fps)
        except BaseException:  # else it is closed with its episode
            env.close()
            raise
        filmed = TimeLimit(Filmed(env, pace.stride, film.add), FILMED_STEPS)
        for _ in run_episodes(self._acting, lambda: filmed, self._starts[:1], num_envs=1):
            pass
        return film.save()
