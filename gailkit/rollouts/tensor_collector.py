"""Steps of the learner's own policy in a simulator of tensors, for training: nothing leaves the device in a rollout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from gymnasium.spaces import Box
from torch import Tensor

from gailkit.errors import DivergenceError, EnvironmentFailure
from gailkit.generator.base import Generator
from gailkit.rollouts.environments import MAX_SEED
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.recent import RecentSteps
from gailkit.rollouts.simulated import Simulated
from gailkit.rollouts.staggering import NEVER, ends, stages
from gailkit.types import EpisodeSummary, Rollout

MOST_FINISHED = 50  # episodes of a rollout of which more than their number is told


class _Progress(NamedTuple):
    """How far the episodes of N environments have come."""

    lengths: Tensor  # (N,) int64
    returns: Tensor  # (N,) float64
    cut_at: Tensor  # (N,) int64, the length at which a first episode is truncated


class _Taken(NamedTuple):
    """A step in N environments, or T of them."""

    obs: Tensor  # (..., N, *obs)
    act: Tensor  # (..., N, *act)
    next_obs: Tensor  # (..., N, *obs)
    terminated: Tensor  # (..., N) bool
    truncated: Tensor  # (..., N) bool
    rewards: Tensor  # (..., N)
    counted: Tensor  # (..., N) bool, whether an episode came to its end
    lengths: Tensor  # (..., N), of episodes with this step
    returns: Tensor  # (..., N)


class TensorCollector:
    """Runs a generator in N environments, T steps at a time, as ``rollouts.collector.Collector`` does in NumPy's.

    A rollout is made of operations on tensors alone, the same ones whatever happens in it: that episodes ended is seen
    in masks, and looked at once, when it is done. So are numbers that are not finite. Seeds of episodes are drawn by
    torch's global generator of the device. A simulator that fails ends the training: it fails as a whole.
    """

    by = "the state of their simulator"  # how interrupted episodes are brought back

    def __init__(
        self, envs: Simulated, steps: int, on_rewards: Callable[[Tensor], None] | None = None, earlier: int = 0
    ) -> None:
        """
        Args:
            steps: T, the length of a rollout in each environment.
            on_rewards: sees the environments' own rewards (N,) of every step.
            earlier: how many of the steps before a rollout it holds too.
        """
        self._recent = RecentSteps(earlier)
        self.envs, self.steps, self.on_rewards = envs, steps, on_rewards
        self.mishaps = Mishaps()
        self.finished: list[EpisodeSummary] = []  # of those that ended in the last rollout, the MOST_FINISHED last
        self.ended = 0  # how many they are
        self.not_restored: list[int] = []
        self.device = torch.device(envs.simulator.device)
        self._first_ends = torch.from_numpy(stages(envs.num_envs, envs.about.time_limit)).to(self.device)
        space = envs.single_action_space
        bounds = (space.low, space.high) if isinstance(space, Box) else ()
        self._bounds = [torch.as_tensor(bound, device=self.device) for bound in bounds]
        self._progress: _Progress
        self._obs: Tensor | None
        self._states: Tensor | None  # (N, M), what a policy with memory remembers of the episodes
        self._taken: int  # steps, of all environments together
        self._begin_anew()

    def collect(self, generator: Generator) -> Rollout:
        """T steps in each environment. ``finished`` afterwards tells of episodes that ended within them.

        Raises:
            EnvironmentFailure: if the simulator fails, or returns a number that is not finite.
            DivergenceError: if the policy chose an action that is not finite.
        """
        if self._obs is None:
            every = torch.ones(self.envs.num_envs, dtype=torch.bool, device=self.device)
            self._obs = self.envs.begin(every, self._seeds())
        if self._states is None and generator.actor_critic.memory is not None:
            self._states = torch.zeros(
                self.envs.num_envs, generator.actor_critic.state_size, device=generator.actor_critic.device
            )
        states, begun = self._states, self._progress.lengths == 0
        steps = [self._take_step(generator) for _ in range(self.steps)]
        taken = _Taken(*map(torch.stack, zip(*steps, strict=True)))
        self._look_at(taken)
        self._tell_of(taken)
        first = self._taken
        self._taken += taken.terminated.numel()
        device = generator.actor_critic.device
        obs, act, following, ended, cut = (each.to(device) for each in taken[:5])
        return self._recent.before(Rollout(obs, act, following, ended, cut, first, states, begun.to(device)))

    def _take_step(self, generator: Generator) -> _Taken:
        """A step of every environment; where it ended episodes, new ones begin."""
        assert self._obs is not None
        obs, progress = self._obs, self._progress
        act = self._act(generator, obs).to(self.device, copy=True)
        step = self.envs.take(act.clamp(*self._bounds) if self._bounds else act)
        lengths, returns = progress.lengths + 1, progress.returns + step.rewards
        cut, counted = ends(lengths, progress.cut_at, step.terminated, step.truncated)
        truncated = step.truncated | cut
        over = step.terminated | truncated
        if self.on_rewards is not None:
            self.on_rewards(step.rewards)
        self._progress = _Progress(lengths * ~over, returns * ~over, torch.where(over, NEVER, progress.cut_at))
        if self._states is not None:
            self._states = torch.where(over[:, None].to(self._states.device), 0.0, self._states)
        self._obs = step.observations
        if self.device.type != "cpu" or bool(over.any()):  # to look is to wait, but on the CPU
            self._obs = self.envs.begin(over, self._seeds())
        own = (step.observations, step.terminated, truncated, step.rewards)
        return _Taken(obs, act, *own, counted, lengths, returns)

    def _act(self, generator: Generator, obs: Tensor) -> Tensor:
        """Actions (N, *act) of the policy, which remembers the step where it has a memory."""
        seen = obs.to(generator.actor_critic.device)
        if self._states is None:
            with torch.inference_mode():
                return generator.act(seen)
        acted, self._states = generator.follow(seen, self._states.to(seen.device))
        return acted

    def state_dict(self) -> dict[str, Any]:
        """The episodes in progress, where the simulator tells of its state."""
        simulator: Any = self.envs.simulator
        tells = hasattr(simulator, "state_dict") and hasattr(simulator, "load_state_dict")
        return {
            "simulator": simulator.state_dict() if tells and self._obs is not None else None,
            "observations": self._obs,
            **self._progress._asdict(),
            "taken": self._taken,
            "remembered": self._states,
            "recent": self._recent.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` was taken, between two rollouts.

        ``not_restored`` then holds the numbers of all environments if the simulator cannot be put back: new episodes
        begin.
        """
        self._begin_anew()
        self._taken = state["taken"]
        self._recent.load_state_dict(state.get("recent"), self.envs.num_envs)
        self.not_restored = []
        if state["observations"] is None:
            return
        simulator: Any = self.envs.simulator
        if state["simulator"] is None or not hasattr(simulator, "load_state_dict"):
            self.not_restored = list(range(self.envs.num_envs))
            return
        simulator.load_state_dict(state["simulator"])
        self._obs = state["observations"].to(self.device)
        self._states = state["remembered"]
        self._progress = _Progress(*(state[name].to(self.device) for name in _Progress._fields))

    def _begin_anew(self) -> None:
        """Give up the episodes in progress; the next rollout begins new ones, staggered."""
        count = self.envs.num_envs
        lengths = torch.zeros(count, dtype=torch.int64, device=self.device)
        self._progress = _Progress(lengths, lengths.double(), self._first_ends)
        self._obs, self._states = None, None
        self._taken = 0

    def _seeds(self) -> Tensor:
        return torch.randint(MAX_SEED, (self.envs.num_envs,), device=self.device)

    def _look_at(self, taken: _Taken) -> None:
        """Raise an error for what is not finite: where the policy is the first to be so, it has diverged."""
        observations, rewards = taken.next_obs, taken.rewards
        sound = torch.stack([torch.isfinite(each).flatten(1).all(1) for each in (taken.act, observations, rewards)])
        if bool(sound.all()):
            return
        first = [row.index(False) if False in row else self.steps for row in sound.tolist()]
        if first[0] <= min(first[1:]):
            raise DivergenceError("the policy chose an action that is not finite (NaN or infinity)")
        what = "an observation" if first[1] <= first[2] else "a reward"
        numbers = (observations if first[1] <= first[2] else rewards)[min(first[1:])]
        number = int((~torch.isfinite(numbers.reshape(len(numbers), -1))).any(1).nonzero()[0])
        raise EnvironmentFailure(
            f"the simulator {self.envs.about.name} returned {what} that is not finite (environment number {number})"
        )

    def _tell_of(self, taken: _Taken) -> None:
        """Take down how the episodes went that came to their ends."""
        places = taken.counted.nonzero()
        self.ended = len(places)
        t, n = places[-MOST_FINISHED:].unbind(-1)
        told = (each[t, n].tolist() for each in (taken.lengths, taken.returns, taken.terminated))
        self.finished = [EpisodeSummary(*each) for each in zip(*told, strict=True)]
