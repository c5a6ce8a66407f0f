"""A person's episodes: which are begun, kept, tried again and taken back. The window is another module's."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import gymnasium

from gailkit.experts.key_map import KeyMap
from gailkit.rollouts.episodes import LONGEST_EPISODE
from gailkit.rollouts.running_episode import RunningEpisode
from gailkit.types import Trajectory

QUIT, KEEP, AGAIN, PAUSE, UNDO = "escape", "return", "backspace", "p", "u"  # SESSION_KEYS of the experts


class Phase(Enum):
    """Where the session stands."""

    READY = "ready"  # an episode has been reset and waits for its first key
    PLAYING = "playing"
    PAUSED = "paused"
    ENDED = "ended"  # an episode is over and waits to be kept or tried again
    COMPLETE = "complete"  # as many as were wanted are kept; the last can still be taken back
    CLOSED = "closed"


class Ledger(Protocol):
    """Where kept episodes go, durably (``recording.recorder.Recording``)."""

    def add(self, index: int, trajectory: Trajectory) -> None:
        """Take in the ``index``-th of the episodes that are wanted."""

    def flush(self) -> None:
        """Make sure now that nothing added is lost, whatever happens next."""

    def undo(self) -> Trajectory | None:
        """Take back what was added last."""

    def summary(self) -> str:
        """For people: what is kept."""


@dataclass(frozen=True)
class Standing:
    """What there is to tell the person at the keyboard."""

    phase: Phase
    steps: int
    episode_return: float
    terminated: bool  # rather than truncated; of an episode that ended
    kept: int
    wanted: int


class KeyboardSession:
    """Episodes played by keys, one after the other, each kept one handed to the ledger at once.

    The window calls ``press`` and ``release`` with names of keys and ``tick`` once for every step of the clock.
    An episode tried again starts from its own seed; one taken back returns to the head of those that wait.

    Between episodes, where the environment waits, Right and Left mean keep and try again, also where they are
    actions. Whoever taps them fast would answer before he reads the question, so the answers to it count only after
    ``grace`` ticks.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], keys: KeyMap, seeds: Sequence[int], ledger: Ledger, grace: int
    ) -> None:
        """
        Args:
            env: is reset and stepped, and shown by others; it stays the caller's to close.
            seeds: one for each episode that is wanted.
        """
        self.keys = keys
        self.ledger = ledger
        self.grace = grace
        self.phase = Phase.READY
        self._episode = RunningEpisode(env, LONGEST_EPISODE)
        self._waiting = deque(enumerate(seeds))  # episodes to come: (index, seed)
        self._kept: list[tuple[int, int]] = []
        self._wanted = len(seeds)
        self._held: list[str] = []  # in the order in which they were pressed
        self._fresh: list[str] = []  # pressed since the last tick, released or not
        self._ticks_since_end = 0
        self._begin_next()

    def press(self, key: str) -> None:
        """The key called ``key`` went down."""
        self._held = [*(held for held in self._held if held != key), key]
        self._fresh.append(key)
        match self.phase:
            case _ if key == QUIT:
                self.close()
            case Phase.READY:
                self._press_when_ready(key)
            case Phase.PLAYING | Phase.PAUSED:
                self._press_while_under_way(key)
            case Phase.ENDED if self._ticks_since_end >= self.grace:
                self._answer(key)
            case Phase.COMPLETE:
                self._press_when_complete(key)

    def release(self, key: str) -> None:
        """The key called ``key`` went up."""
        self._held = [held for held in self._held if held != key]

    def pause(self) -> None:
        """Hold the episode, if one is under way: the person has turned to something else."""
        if self.phase is Phase.PLAYING:
            self.phase = Phase.PAUSED

    def close(self) -> None:
        """No more; the episode under way is given up."""
        self.phase = Phase.CLOSED

    def tick(self) -> None:
        """Step the environment, if an episode is under way, with the keys held now or tapped since the last tick."""
        tapped = [key for key in self._fresh if key not in self._held]
        self._fresh = []
        if self.phase is Phase.ENDED:
            self._ticks_since_end += 1
        if self.phase is not Phase.PLAYING:
            return
        action = self.keys.action([*self._held, *tapped])
        if action is not None and self._episode.step(action):
            self.phase = Phase.ENDED
            self._ticks_since_end = 0

    def standing(self) -> Standing:
        """How it stands now."""
        episode = self._episode.so_far
        earned = float(sum(episode.rewards))
        kept = len(self._kept)
        return Standing(self.phase, len(episode.actions), earned, episode.terminated, kept, self._wanted)

    def _press_when_ready(self, key: str) -> None:
        if key == UNDO:
            self._undo()
        elif key == KEEP or key in self.keys.keys:
            self.phase = Phase.PLAYING

    def _press_while_under_way(self, key: str) -> None:
        if key == AGAIN:
            self._begin_again()
        elif key == PAUSE:
            self.phase = Phase.PAUSED if self.phase is Phase.PLAYING else Phase.PLAYING
            self._fresh = []

    def _answer(self, key: str) -> None:
        if key in (KEEP, "right"):
            self._keep()
        elif key in (AGAIN, "left"):
            self._begin_again()
        elif key == UNDO:
            self._undo()

    def _press_when_complete(self, key: str) -> None:
        if key == UNDO:
            self._undo()
        elif key == KEEP:
            self.close()

    def _keep(self) -> None:
        episode = self._episode.so_far
        self.ledger.add(episode.index, episode.trajectory())
        self.ledger.flush()
        self._kept.append((episode.index, episode.seed))
        self._begin_next()

    def _begin_next(self) -> None:
        begun = self._episode.begin(self._waiting.popleft() if self._waiting else None)
        self.phase = Phase.READY if begun else Phase.COMPLETE
        self._fresh = []

    def _begin_again(self) -> None:
        self._waiting.appendleft((self._episode.so_far.index, self._episode.so_far.seed))
        self._begin_next()

    def _undo(self) -> None:
        """Take back the episode kept last. One that has ended goes on waiting for its answer, the other comes after."""
        if not self._kept:
            return
        self.ledger.undo()
        if self.phase is Phase.READY:
            self._waiting.appendleft((self._episode.so_far.index, self._episode.so_far.seed))
        self._waiting.appendleft(self._kept.pop())
        if self.phase is not Phase.ENDED:
            self._begin_next()
