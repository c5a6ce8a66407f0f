"""The commands of a sweep as processes of this machine."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress

from gailkit.errors import StorageError
from gailkit.sweep.backends import PATIENCE, Ended, Job, command_line, environment


class Processes:
    """A process for each job, each in a session of its own: Ctrl-C reaches the sweep alone, which tells the others."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, job: Job) -> None:
        """Begin ``job``. Raises StorageError if its log cannot be written."""
        try:
            with job.log.open("ab") as log:
                self._running[job.name] = subprocess.Popen(
                    command_line(job),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **environment(job.threads)},
                    start_new_session=True,
                )
        except OSError as error:
            raise StorageError(f"{job.name} cannot be started: {error}") from error

    def ended(self) -> list[Ended]:
        """Those that ended since this was last asked."""
        found = [
            Ended(name, process.returncode) for name, process in self._running.items() if process.poll() is not None
        ]
        for each in found:
            del self._running[each.name]
        return found

    def stop(self) -> None:
        """SIGTERM to each, at which a training ends with the iteration in progress, at the second at once."""
        for process in self._running.values():
            process.terminate()

    def close(self) -> None:
        """End what still runs, by force in the end."""
        until = time.monotonic() + PATIENCE
        self.stop()
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(until - time.monotonic(), 0.1))
            process.kill()
            process.wait()
        self._running.clear()
