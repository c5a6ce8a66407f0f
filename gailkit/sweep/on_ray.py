"""The commands of a sweep as tasks of a Ray cluster, whose machines share the folder of the sweep."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from gailkit.errors import InputError
from gailkit.importing import require
from gailkit.sweep.backends import PATIENCE, Ended, Job, command_line, environment

LOCAL = "local"
SECONDS_BETWEEN_LOOKS = 0.2
STOP, AT_ONCE = ".stop", ".stop-at-once"  # files in the folder of the logs by which tasks are asked to end


class RayTasks:
    """A task for each job, on whichever machine of the cluster has room.

    Args:
        address: of the cluster, as ``ray.init`` takes it, ``auto`` for that which this machine belongs to; ``local``
            starts one here.
        jobs: how many at the same time at most; None for as many as the cluster has processors for.
        threads: of each job.

    Raises:
        InputError: if Ray is not installed, or there is no such cluster.
    """

    def __init__(self, address: str, jobs: int | None, threads: int, shared: Path) -> None:
        require("a sweep on a Ray cluster", "ray", "ray")
        import ray

        self._ray: Any = ray
        self._shared = shared.absolute()
        self._running: dict[Any, str] = {}  # by what stands for the result
        try:
            ray.init(address=None if address == LOCAL else address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise InputError(f"there is no Ray cluster at {address!r} to be reached: {error}") from error
        processors = int(ray.cluster_resources().get("CPU", 1))
        self.slots = max(1, processors // threads) if jobs is None else jobs
        self._task = ray.remote(num_cpus=threads, max_retries=0)(run_job)
        for name in (STOP, AT_ONCE):
            (self._shared / name).unlink(missing_ok=True)

    def start(self, job: Job) -> None:
        """Begin ``job`` where there is room."""
        self._running[self._task.remote(job, os.getcwd(), self._shared)] = job.name

    def ended(self) -> list[Ended]:
        """Those that ended since this was last asked; one whose machine was lost, or refused it, says so."""
        waiting = list(self._running)
        done, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0) if waiting else ([], [])
        return [self._result(each) for each in done]

    def stop(self) -> None:
        """By a file, which every machine sees; a second one for those that shall end at once."""
        (self._shared / (AT_ONCE if (self._shared / STOP).exists() else STOP)).touch()

    def close(self) -> None:
        """End what still runs, and leave the cluster."""
        if self._running:
            self.stop()
            self.stop()
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=PATIENCE)
        self._ray.shutdown()
        for name in (STOP, AT_ONCE):
            (self._shared / name).unlink(missing_ok=True)

    def _result(self, reference: Any) -> Ended:
        name = self._running.pop(reference)
        try:
            code, sentence = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return Ended(name, 1, f"Ray lost it: {str(error).strip().splitlines()[0]}")
        return Ended(name, code, sentence)


def run_job(job: Job, folder: str, shared: Path) -> tuple[int, str]:
    """What a task does, on the machine that it came to: the exit code of the command, or why it did not run."""
    if not shared.is_dir() or not Path(folder).is_dir():
        missing = folder if shared.is_dir() else shared
        return 5, f"{os.uname().nodename} has no {missing}: the machines of a cluster must share the folder of a sweep"
    asked = 0
    with job.log.open("ab") as log:
        process = subprocess.Popen(
            command_line(job),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment(job.threads)},
        )
    try:
        while process.poll() is None:
            files = sum((shared / name).exists() for name in (STOP, AT_ONCE))
            if files > asked:
                process.terminate()
                asked = files
            try:
                process.wait(SECONDS_BETWEEN_LOOKS)
            except subprocess.TimeoutExpired:
                continue
    finally:
        process.terminate()
    return process.wait(), ""
