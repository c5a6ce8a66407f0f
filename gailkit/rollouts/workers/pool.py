"""Environments in processes of their own, some in each, that write into memory which all of them share."""

from __future__ import annotations

import hashlib
import itertools
import mmap
import os
import pickle
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gailkit import errors
from gailkit.errors import EnvironmentFailure, InputError
from gailkit.rollouts.group import Arrays, EnvFactory
from gailkit.rollouts.in_process import Answer, Infos, answer_of, infos_of, replayed, tell_reset, tell_step
from gailkit.rollouts.machine import usable_processors
from gailkit.rollouts.protocol import About, Failure
from gailkit.rollouts.workers import wire
from gailkit.rollouts.workers.worker import TIME_TO_CLOSE, Gone, Worker

TIME_TO_MAKE = 300.0  # seconds that making environments may take at least
AWAKE = 1e-3  # seconds in which a worker expects the next step, where it has a processor to itself


@dataclass
class _Share:
    """The environments of one worker."""

    indices: range
    worker: Worker | None = None  # None before it is started, and when it is gone
    started: int = 0  # how often a worker was


class InWorkers:
    """``rollouts.protocol.Environments`` in ``workers`` processes.

    An environment whose process is ended, or that takes longer than ``step_timeout`` seconds for a step or a reset,
    has failed, and with it those that share its process. They get a new process when one of them is reset.

    Raises:
        InputError: if the factory cannot be pickled, or unpickled elsewhere, and whatever it raises itself.
        EnvironmentFailure: if a process dies over making them, or the environments are not all alike.
    """

    def __init__(self, factory: EnvFactory, num_envs: int, workers: int, step_timeout: float) -> None:
        self.num_envs = num_envs
        self._step_timeout = step_timeout
        self._awake = AWAKE if workers <= usable_processors() else 0.0
        self._factory = _pickled(factory)
        self._entropy = list(hashlib.sha256(repr(random.getstate()).encode()).digest())
        bounds = [num_envs * share // workers for share in range(workers + 1)]
        self._shares = [_Share(range(first, last)) for first, last in itertools.pairwise(bounds)]
        self._lifeline, self._other_end = os.pipe()
        self._memory = _unnamed_file()
        try:
            self.about = self._make()
            os.ftruncate(self._memory, Arrays.size(self.about, num_envs))
            self._arrays = Arrays.on(mmap.mmap(self._memory, 0), self.about, num_envs)
            for share in self._shares:
                self._attach(share)
        except BaseException:
            self.close()
            raise
        self.single_observation_space = self.about.observation_space
        self.single_action_space = self.about.action_space

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [share.worker.pid for share in self._shares if share.worker is not None]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, Infos]:
        """As ``Environments.reset``."""
        tell_reset(self._arrays, seed, options)
        failures = self._restart_meant()
        failures.update({**self._all(wire.RESET), **failures})  # that one could not begin anew is what there is to say
        return self._arrays.observations.copy(), infos_of(failures)

    def step(self, actions: np.ndarray, which: np.ndarray | None = None) -> Answer:
        """As ``Environments.step``."""
        tell_step(self._arrays, actions, which)
        return answer_of(self._arrays, self._all(wire.STEP))

    def replay(self, seeds: Sequence[int], actions: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        """As ``Environments.replay``."""
        self._arrays.which[...] = True
        self._restart_meant()
        episodes = [{i: (seeds[i], actions[i]) for i in share.indices} for share in self._shares]
        return replayed(self._arrays, self._all(wire.REPLAY, [pickle.dumps(each) for each in episodes]))

    def close(self) -> None:
        """Have the environments closed and the processes ended."""
        working = [share.worker for share in self._shares if share.worker is not None]
        for worker in working:
            worker.hang_up()
        until = time.monotonic() + TIME_TO_CLOSE
        for worker in working:
            worker.end(max(0.0, until - time.monotonic()))
        for share in self._shares:
            share.worker = None
        for end in (self._lifeline, self._other_end, self._memory):
            if end >= 0:
                os.close(end)
        self._lifeline = self._other_end = self._memory = -1

    def _meant(self) -> list[_Share]:
        """The shares with an environment that is meant."""
        return [share for share in self._shares if self._arrays.which[share.indices.start : share.indices.stop].any()]

    def _all(self, kind: bytes, messages: Sequence[bytes] | None = None) -> dict[int, Failure]:
        """Ask for something wherever an environment is meant, and wait until it is done."""
        meant = self._meant()
        for share in meant:
            if share.worker is not None:
                share.worker.ask(kind, None if messages is None else messages[self._shares.index(share)])
        failures: dict[int, Failure] = {}
        for share in meant:
            failures.update(self._answer(share))
        return failures

    def _answer(self, share: _Share) -> dict[int, Failure]:
        """What failed in a share."""
        if share.worker is None:
            return _lost(share, share.indices.start, "had no process")
        calls = self._arrays.calls[share.indices.start : share.indices.stop]
        try:
            _, failures = share.worker.answer(self._step_timeout, lambda: int(calls.sum()))
        except Gone as gone:
            share.worker = None
            meant = self._arrays.which[share.indices.start : share.indices.stop]
            at_work = np.flatnonzero(calls % 2) if (calls % 2).any() else np.flatnonzero(meant)
            calls[calls % 2 == 1] += 1
            return _lost(share, share.indices[int(at_work[0])], str(gone))
        return failures or {}

    def _make(self) -> About:
        """Start all workers, which make their environments at the same time; what those are."""
        for share in self._shares:
            self._start(share)
        abouts = [self._made(share) for share in self._shares]
        for about in abouts[1:]:
            if (about.observation_space, about.action_space) != (abouts[0].observation_space, abouts[0].action_space):
                raise EnvironmentFailure(f"the environments {about.name} differ in their spaces from one to another")
        return abouts[0]

    def _start(self, share: _Share) -> None:
        share.started += 1
        share.worker = Worker(self._lifeline, self._memory, self._awake)
        entropy = [share.indices.start, share.started, *self._entropy]
        share.worker.ask(wire.MAKE, pickle.dumps((self._factory, share.indices, self.num_envs, entropy)))

    def _made(self, share: _Share) -> About:
        assert share.worker is not None
        try:
            kind, message = share.worker.answer(max(self._step_timeout, TIME_TO_MAKE), lambda: 0)
        except Gone as gone:
            share.worker = None
            raise EnvironmentFailure(f"a worker process {gone} while it made its environments") from gone
        if kind == wire.REFUSED:
            name, said = message
            raise getattr(errors, name, EnvironmentFailure)(said)
        made: About = message
        return made

    def _attach(self, share: _Share) -> None:
        assert share.worker is not None
        share.worker.ask(wire.ATTACH)
        share.worker.answer(max(self._step_timeout, TIME_TO_MAKE), lambda: 0)

    def _restart_meant(self) -> dict[int, Failure]:
        """New workers for the environments that are meant and have none."""
        failures: dict[int, Failure] = {}
        for share in self._meant():
            if share.worker is None:
                failures.update(self._restart(share))
        return failures

    def _restart(self, share: _Share) -> dict[int, Failure]:
        """A new worker in the place of one that is gone; it may go the same way."""
        self._start(share)
        try:
            self._made(share)
            self._attach(share)
        except (EnvironmentFailure, Gone) as error:
            if share.worker is not None:
                share.worker.end()
                share.worker = None
            return _lost(share, share.indices.start, "failed", str(error))
        return {}


def _lost(share: _Share, guilty: int, how: str, why: str = "") -> dict[int, Failure]:
    others = Failure(f"lost its process with environment {guilty}", guilty=False)
    return {index: Failure(how, why) if index == guilty else others for index in share.indices}


def _pickled(factory: EnvFactory) -> bytes:
    try:
        return pickle.dumps(factory)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            f"the environment cannot be handed to worker processes ({error}); it can if what it is made by is defined "
            "at the top of a module and takes plain arguments, or with one worker, which is this process"
        ) from error


def _unnamed_file() -> int:
    """A file in memory, where the system has such, that ends with the last process that has it open."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gailkit-environments")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
