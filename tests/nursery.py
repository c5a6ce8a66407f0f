"""Children that read files, forked from a process that has loaded their libraries once; see ``tests/conftest.py``.

They are what ``gailkit.untrusted.process.start_child`` starts in all but how they began, which takes a twentieth of
the time. Run as a script this is the process that forks them.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

_MOST = 2**18  # bytes of a request


class Nursery:
    """Starts children as ``start_child`` does."""

    def __init__(self) -> None:
        self._of = os.getpid()
        self._lock = threading.Lock()  # files are also read by threads of the tests
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            command = [sys.executable, "-I", "-S", __file__, json.dumps([str(Path(__file__).parents[1]), *sys.path])]
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(command, stdin=there, stdout=subprocess.DEVNULL, env=environment)

    def start_child(self, path: Path, once: bool) -> Child:
        if os.getpid() != self._of:
            raise RuntimeError("a fork of the tests has no nursery")
        (its_input, requests), (answers, its_output) = os.pipe(), os.pipe()
        words = [os.path.abspath(path), once, sys.path]
        pid = self.ask(["fork", *words], [its_input, its_output])
        os.close(its_input)
        os.close(its_output)
        return Child(self, pid, os.fdopen(requests, "wb"), os.fdopen(answers, "rb"))

    def ask(self, request: list[Any], files: list[int]) -> Any:
        with self._lock:
            socket.send_fds(self._here, [json.dumps(request).encode()], files)
            return json.loads(self._here.recv(_MOST))

    def close(self) -> None:
        self._here.close()
        self._process.wait()


class Child:
    """What is used of ``subprocess.Popen``."""

    def __init__(self, nursery: Nursery, pid: int, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self._nursery, self.pid, self.stdin, self.stdout = nursery, pid, stdin, stdout
        self._code: int | None = None
        self._lock = threading.RLock()  # of two threads that wait only one may ask

    def kill(self) -> None:
        with self._lock:
            if self.poll() is None:
                os.kill(self.pid, 9)

    def poll(self) -> int | None:
        return self._ended(os.WNOHANG)

    def wait(self) -> int:
        code = self._ended(0)
        assert code is not None
        return code

    def _ended(self, options: int) -> int | None:
        with self._lock:
            if self._code is None:
                self._code = self._nursery.ask(["wait", self.pid, options], [])
            return self._code


def _grow(path: str, once: bool, modules: list[str], its_input: int, its_output: int) -> None:
    """What becomes of a fork: what ``process._START`` says."""
    os.setsid()
    os.dup2(its_input, 0)
    os.dup2(its_output, 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.closerange(3, 64)
    sys.path[1:] = modules
    from gailkit.untrusted.child import main

    main(path, once)


def _serve() -> None:
    import gailkit.untrusted.hdf5
    import gailkit.untrusted.npz
    import gailkit.untrusted.table  # noqa: F401 (loaded for those who are forked)

    asking = socket.fromfd(0, socket.AF_UNIX, socket.SOCK_SEQPACKET)
    while True:
        text, files, _, _ = socket.recv_fds(asking, _MOST, 2)
        if not text:
            return
        match json.loads(text):
            case ["fork", path, once, modules]:
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        _grow(path, once, modules, *files)
                        code = 0
                    finally:
                        os._exit(code)
                for file in files:
                    os.close(file)
                answer: int | None = pid
            case ["wait", pid, options]:
                found, status = os.waitpid(pid, options)
                answer = os.waitstatus_to_exitcode(status) if found else None
        asking.send(json.dumps(answer).encode())


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[1])
    _serve()
