"""Starting the child that reads a file, and how it came to its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

PIPE_BYTES = 2**20  # halves the time of reading, beside the usual 64 KiB
_START = (
    "import json, sys; path = json.loads(sys.argv[1]); sys.path[:] = path[2:];"
    "from gailkit.untrusted.child import main; main(path[0], path[1] == 'once')"
)

_TOO_LONG = getattr(signal, "SIGXCPU", 0)


def start_child(path: Path, once: bool) -> subprocess.Popen[bytes]:
    """The child, with this process's module path and nothing of the user's start-up files.

    ``once`` says that it goes through the file once, so that its time can be bounded as a whole.
    """
    root = str(Path(__file__).parents[2])
    words = json.dumps([os.path.abspath(path), "once" if once else "again and again", root, *sys.path])
    command = [sys.executable, "-I", "-S", "-c", _START, words]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    if sys.platform == "linux" and child.stdout is not None:
        import fcntl

        with contextlib.suppress(OSError):  # a user may have as many large pipes as the system allows, and no more
            fcntl.fcntl(child.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return child


def how_it_ended(code: int) -> str:
    """What became of a child that ended with ``code``, by itself or by a signal: "was ended by SIGSEGV"."""
    if code == -_TOO_LONG:
        return "took too long"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended with code {code}"
