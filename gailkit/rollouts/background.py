"""Work that is done beside the main thread, soon after there is something to do but not all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SHARE = 0.05
LONGEST_PAUSE = 0.5


class Background:
    """Calls ``work`` in a thread of its own each time ``wake`` asks for it.

    After each call it rests until calls take no more than ``SHARE`` of the time, but ``LONGEST_PAUSE`` seconds at most;
    what came in meanwhile is dealt with in one call. The first failure ends it and is raised by the next ``wake``.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._asked, self._stopping = threading.Event(), threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to do. Raises what an earlier call of ``work`` raised."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        self._asked.set()

    def stop(self) -> None:
        """Let a call that is under way come to its end, and make no further one."""
        self._stopping.set()
        self._asked.set()
        self._thread.join()

    def _run(self) -> None:
        while self._asked.wait() and not self._stopping.is_set():
            self._asked.clear()
            started = time.monotonic()
            try:
                self._work()
            except Exception as failure:  # for the thread that asked: here nobody would see it
                self._failure = failure
                return
            took = time.monotonic() - started
            self._stopping.wait(min(took * (1 / SHARE - 1), LONGEST_PAUSE))
