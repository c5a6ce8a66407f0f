"""Demonstrations of one task: which episodes, which of their steps are shown to the learner, and drawing from them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from gymnasium import Space

from gailkit.demonstrations.checking import check_plain, check_together
from gailkit.demonstrations.common_dtypes import widened
from gailkit.demonstrations.episodes import Drawn, Episodes, HeldEpisodes, Spaces
from gailkit.demonstrations.file_contents import About, ReadOptions
from gailkit.demonstrations.fitting_environment import as_far_as_held, as_observed, check_fit, check_parts
from gailkit.demonstrations.from_arrays import trajectories_of
from gailkit.demonstrations.native import writing
from gailkit.demonstrations.opening import read
from gailkit.demonstrations.step_tensors import KeptSteps
from gailkit.errors import DataError, InputError
from gailkit.types import Trajectory, Transitions
from gailkit.wording import counted

MOST_ENDINGS = 1000  # that are looked at


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """Episodes of one task, at least one, all with observations of one shape and kind, and actions likewise.

    They are in memory, or stay in their file where they would not fit (``load``).

    Trajectories keep their full length always. ``stride`` and ``offsets`` say which steps are drawn: in trajectory i
    the steps offsets[i], offsets[i] + stride, offsets[i] + 2 stride, ... Each stands for ``stride`` steps. What is
    drawn of a step is its observation or, ``stacked``, the last ``frames`` ones of its trajectory as one.

    Raises:
        InputError: if the trajectories do not belong together, or what is said about them is not plain.
    """

    trajectories: Sequence[Trajectory]
    observation_space: Space[Any] | None = None  # None where it is not known
    action_space: Space[Any] | None = None
    env_id: str | None = None
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)  # plain JSON values
    provenance: Mapping[str, str] = field(default_factory=dict)
    stride: int = 1
    offsets: tuple[int, ...] = ()  # one a trajectory; empty means all 0
    frames: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.trajectories, Episodes):
            object.__setattr__(self, "trajectories", HeldEpisodes(tuple(self.trajectories)))
        if isinstance(self.trajectories, HeldEpisodes):
            check_together(self.trajectories)
        object.__setattr__(self, "offsets", tuple(self.offsets) or (0,) * len(self.trajectories))
        if self.stride < 1 or len(self.offsets) != len(self.trajectories):
            raise InputError(
                f"the stride must be at least 1 and there must be one offset a trajectory; found stride {self.stride} "
                f"and {len(self.offsets)} offsets for {counted(len(self.trajectories), 'trajectory', 'trajectories')}"
            )
        for offset, length in zip(self.offsets, self.episodes.lengths.tolist(), strict=True):
            if not 0 <= offset < min(self.stride, length):
                raise InputError(f"offset {offset} of a trajectory of {counted(length, 'step')}, stride {self.stride}")
        check_plain(self.env_kwargs, self.provenance)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], options: ReadOptions | None = None, memory: int | None = None
    ) -> Demonstrations:
        """The demonstrations in a file or folder of any readable format, which is found out from its content.

        Args:
            options: what the reader cannot know from the file alone.
            memory: most bytes that they may take; half of what is free where it is None. A native file that holds more
                is gone through once, so as to verify it, and read piece by piece whenever it is drawn from.

        Raises:
            InputError: if there is no such file, or ``options`` name what it does not have.
            AmbiguousEnding: an InputError, if episodes end and neither the file nor ``options`` say how.
            StorageError: if it may not be read.
            DataError: if it is damaged or of no known format.
        """
        found = read(Path(path), options, memory)
        try:
            return cls(found.trajectories, *found.about)
        except InputError as error:
            raise DataError(f"{path}: {error}") from error

    @classmethod
    def from_episodes(
        cls,
        episodes: Iterable[Mapping[str, Any]],
        observation_space: Space[Any] | None = None,
        action_space: Space[Any] | None = None,
        env_id: str | None = None,
        env_kwargs: Mapping[str, Any] | None = None,
    ) -> Demonstrations:
        """The demonstrations that you hold in arrays. What is not known of last steps is treated as in files.

        Args:
            episodes: a dict for each, with ``observations`` (L + 1, *obs), or (L, *obs) where nobody knows what was
                seen last; ``actions`` (L, *act), unless only states were seen; ``terminated``, whether the task ended
                it, and not a time limit; and, where they are known, ``rewards`` (L,) and the ``seed`` of its start. In
                Dict and Tuple spaces observations and actions are dicts and tuples of such arrays.

        Raises:
            InputError: naming the first episode that is not so or does not fit the spaces.
        """
        trajectories, notes = trajectories_of(episodes, observation_space, action_space)
        return cls(trajectories, observation_space, action_space, env_id, env_kwargs or {}, notes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all trajectories, in full length, to a native file; a selection of steps is not stored.

        Raises:
            InputError: if something cannot be written down, such as a space of a kind that is not known.
            StorageError: if the disk refuses; an older file of that name is then as it was.
        """
        writing.write(Path(path), self.about, widened(self.trajectories) if self.in_memory else self.trajectories)

    @property
    def about(self) -> About:
        """What is known of the trajectories."""
        return About(self.observation_space, self.action_space, self.env_id, self.env_kwargs, self.provenance)

    @property
    def episodes(self) -> Episodes:
        """The trajectories, and what is known of them without reading their steps."""
        return cast(Episodes, self.trajectories)

    @property
    def in_memory(self) -> bool:
        """Whether they are in memory; else their steps stay in a file."""
        return self.episodes.in_memory

    @property
    def has_actions(self) -> bool:
        """Whether it is known what was done; else only states were seen."""
        return self.episodes.has_actions

    @property
    def num_steps(self) -> int:
        """Steps of all trajectories, drawn or not."""
        return int(self.episodes.lengths.sum())

    @property
    def num_terminated(self) -> int:
        """Trajectories that terminated; the others were truncated."""
        return int(self.episodes.terminated.sum())

    @property
    def num_kept(self) -> int:
        """Steps that ``sample`` draws from and ``transitions`` returns."""
        return len(self._drawn)

    def returns(self) -> np.ndarray | None:
        """Undiscounted return of each trajectory (N,) float64; None where the rewards were not recorded."""
        return self.episodes.returns()

    def digests(self) -> list[str]:
        """SHA-256 of each trajectory, as hexadecimal digits: equal for equal content, whatever file it came from."""
        return self.episodes.digests()

    def sample(self, batch_size: int, generator: torch.Generator) -> Transitions:
        """``batch_size`` of the kept transitions, drawn uniformly with replacement; from a file, without."""
        return self._drawn.sample(batch_size, generator)

    def transitions(self) -> Transitions:
        """Every kept transition once, in the order of the trajectories; a random share of those that stay in a file.

        Actions are (K, 0) where there are none.
        Observations and actions are float32 in a Box and int64 in a Discrete space; where the space is not known,
        floating numbers are float32, integers int64, and uint8 (images) stays uint8.
        """
        steps = self.steps()
        return steps[torch.arange(len(steps))]

    def steps(self) -> KeptSteps:
        """What ``transitions`` copies, to be looked at some at a time: it takes no memory beside the trajectories."""
        return self._drawn.overview()

    def place(self) -> dict[str, int]:
        """How far ``sample`` has come in a file that is drawn from without replacement, to ``go_to`` it later."""
        return self._drawn.place()

    def go_to(self, place: Mapping[str, int]) -> None:
        """Let ``sample`` go on from a ``place``."""
        self._drawn.go_to(place)

    def endings(self) -> Transitions | None:
        """The last step of each trajectory that terminated, kept or not; of MOST_ENDINGS at most. None without one."""
        terminated = np.flatnonzero(self.episodes.terminated)
        if not len(terminated):
            return None
        chosen = terminated[np.linspace(0, len(terminated) - 1, min(len(terminated), MOST_ENDINGS)).astype(int)]
        held = HeldEpisodes([_last_steps(self.trajectories[index], self.frames) for index in chosen.tolist()])
        last = [length - 1 for length in held.lengths.tolist()]
        ends = held.drawn(self.frames, last, self._drawn_spaces, self.frames).overview()
        return ends[torch.arange(len(ends))]

    def subsample(self, k: int, seed: int = 0) -> Demonstrations:
        """Keep every k-th step of each full trajectory, beginning at a random step below k, as in the GAIL paper.

        A trajectory shorter than k keeps one step. This replaces an earlier subsampling; k = 1 undoes it.

        Raises:
            InputError: if k < 1.
        """
        if k < 1:
            raise InputError(f"subsampling keeps every k-th step, so k must be at least 1; found {k}")
        random = np.random.default_rng(seed)
        offsets = (int(random.integers(min(k, length))) for length in self.episodes.lengths.tolist())
        return replace(self, stride=k, offsets=tuple(offsets))

    def choose(self, count: int, seed: int | None = None) -> Demonstrations:
        """The first ``count`` trajectories, or with a seed ``count`` random ones without replacement.

        Raises:
            InputError: if there are fewer, or count < 1.
        """
        available = len(self.trajectories)
        if not 1 <= count <= available:
            raise InputError(
                f"{counted(count, 'trajectory was', 'trajectories were')} asked for; these "
                f"demonstrations hold {available}"
            )
        if seed is None:
            return self.pick(range(count))
        return self.pick(np.random.default_rng(seed).permutation(available)[:count].tolist())

    def split(self, fraction: float, seed: int = 0) -> tuple[Demonstrations, Demonstrations]:
        """Two disjoint parts by whole trajectories at random, the first with ``fraction`` of them (rounded).

        Raises:
            InputError: if one part would be empty.
        """
        available = len(self.trajectories)
        count = round(fraction * available) if 0 < fraction < 1 else 0
        if not 1 <= count < available:
            raise InputError(
                f"a fraction of {fraction} of {counted(available, 'trajectory', 'trajectories')} leaves "
                "one part of the split empty"
            )
        order = np.random.default_rng(seed).permutation(available)
        return self.pick(np.sort(order[:count]).tolist()), self.pick(np.sort(order[count:]).tolist())

    def pick(self, indices: Iterable[int]) -> Demonstrations:
        """The trajectories at ``indices``, in that order, with the steps of each that are drawn."""
        chosen = list(indices)
        return replace(
            self, trajectories=self.episodes.pick(chosen), offsets=tuple(self.offsets[index] for index in chosen)
        )

    def without_actions(self) -> Demonstrations:
        """The same episodes of which only the states are known; by their digests they are other ones.

        Raises:
            InputError: if they stay in their file, of which ``gailkit data convert --without-actions`` makes another.
        """
        if not self.in_memory:
            raise InputError(
                "these demonstrations stay in their file, which is larger than memory: gailkit data convert "
                "--without-actions makes one without actions of it"
            )
        return replace(self, trajectories=tuple(each.without_actions() for each in self.trajectories))

    def fitted_to(self, observation_space: Space[Any], action_space: Space[Any]) -> Demonstrations:
        """These demonstrations with the spaces of an environment they could come from.

        Observations and actions of several parts are flattened where those of the environment are (``make_env``). Where
        there are no actions, it does not matter in which space they were.

        Raises:
            InputError: if parts, shapes, kinds, the values of a Discrete space or the bounds of actions do not fit; it
                prints both sides.
            UnsupportedSpaceError: if the environment's spaces are not supported.
        """
        about = as_far_as_held(self.about, self.has_actions)
        check_parts(about, observation_space, action_space)
        episodes, about = as_observed(self.episodes, about, observation_space, action_space)
        check_fit(episodes, about, observation_space, action_space)
        return replace(self, trajectories=episodes, observation_space=observation_space, action_space=action_space)

    def stacked(self, frames: int) -> Demonstrations:
        """The same trajectories, of which the last ``frames`` observations are drawn as one (``spaces.stacking``).

        They are those before a step in its trajectory, whether or not their own steps are kept: a step that
        subsampling keeps is shown with its true predecessors.
        """
        return replace(self, frames=frames)

    @cached_property
    def _drawn(self) -> Drawn:
        return self.episodes.drawn(self.stride, self.offsets, self._drawn_spaces, self.frames)

    @property
    def _drawn_spaces(self) -> Spaces:
        """Those of what is drawn: where there are no actions, (B, 0) is an element of no space."""
        return self.observation_space, self.action_space if self.has_actions else None


def _last_steps(trajectory: Trajectory, count: int) -> Trajectory:
    """A copy of them, so that the whole episode need not stay in memory."""
    observations, actions = trajectory.observations[-count - 1 :].copy(), trajectory.actions[-count:].copy()
    return Trajectory(observations, actions, None, trajectory.terminated)
