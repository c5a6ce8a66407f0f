"""One process that steps environments, as the process sees it that it works for."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gailkit.rollouts.workers import wire
from gailkit.untrusted.process import how_it_ended

SLICES = 10  # of a time-out, which it is waited in
LONGEST_SLICE = 1.0  # seconds
TIME_TO_CLOSE = 5.0
_START = (
    "import json, sys; words = json.loads(sys.argv[1]); sys.path[:] = words[1:];"
    "from gailkit.rollouts.workers.child import main; main(*words[0])"
)


class Gone(Exception):
    """A worker does not answer any more; the words go on behind the name of what it was."""


class Worker:
    """A process that makes environments and steps them.

    It is started like a command, not by ``multiprocessing``: it must neither import the script of the user again nor
    inherit what threads of torch have locked. It has a session of its own, so that Ctrl-C does not reach it.
    """

    def __init__(self, lifeline: int, memory: int, awake: float) -> None:
        """``lifeline``, ``memory`` and ``awake`` as in ``child.main``."""
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        fds = (commands, answers, lifeline, memory)
        words = json.dumps([(*fds, awake), *map(str, sys.path), str(Path(__file__).parents[3])])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, words], stdin=subprocess.DEVNULL, pass_fds=fds, start_new_session=True
            )
        finally:
            os.close(commands)
            os.close(answers)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)

    @property
    def pid(self) -> int:
        """Its process id, which is also that of the group of all that it starts."""
        return self._process.pid

    def ask(self, kind: bytes, message: bytes | None = None) -> None:
        """Ask for something; whether it is still there turns out when it should answer."""
        with suppress(BrokenPipeError):
            if message is None:
                wire.send(self._commands, kind)
            else:
                wire.send_message(self._commands, kind, message)

    def answer(self, timeout: float, progress: Callable[[], int]) -> tuple[bytes, Any]:
        """The kind of its answer, and the message that comes with it, None where none does.

        It is waited for in slices, of which only the quiet ones count: a process that was stopped, or a machine that
        slept, has not waited.

        Raises:
            Gone: if it has died, or if ``progress`` stood still for ``timeout`` seconds, after which it is killed.
        """
        each, seen, quiet = min(timeout / SLICES, LONGEST_SLICE), progress(), 0
        while not self._poll.poll(max(1, round(each * 1000))) and self._process.poll() is None:
            now = progress()
            quiet, seen = quiet + 1 if now == seen else 0, now
            if quiet * each >= timeout:
                self.end()
                raise Gone(f"did not answer for {timeout:g} s")
        try:
            kind = wire.receive(self._answers) if self._poll.poll(0) else b""
            message = wire.receive_message(self._answers) if kind in (wire.FAILED, wire.MADE, wire.REFUSED) else None
        except EOFError:
            kind = b""
        if kind:
            return kind, message
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(TIME_TO_CLOSE)
        self.end()
        raise Gone(how_it_ended(self._process.returncode))

    def hang_up(self) -> None:
        """Let it close its environments and end, without waiting for that."""
        if self._commands >= 0:
            os.close(self._commands)
            self._commands = -1

    def end(self, after: float = 0.0) -> None:
        """Have it ended, after so many seconds by force, with whatever it has started."""
        self.hang_up()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(after)
        with suppress(ProcessLookupError, PermissionError):  # there is nobody in the group any more
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._answers >= 0:
            os.close(self._answers)
            self._answers = -1
