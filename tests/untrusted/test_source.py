"""Whatever becomes of the process that reads a file, the file is named in one sentence and the parent goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from gailkit import memory
from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError, InputError, StorageError
from gailkit.untrusted import process
from gailkit.untrusted import source as module
from gailkit.untrusted.source import check_readable, open_source


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "plain.hdf5", "w") as file:
        file["x"] = np.arange(10.0)
    return tmp_path / "plain.hdf5"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_of_the_library_is_one_sentence(plain: Path, number: signal.Signals) -> None:
    with open_source(plain) as source:
        os.kill(source._child.pid, number)
        with pytest.raises(DataError, match=rf"plain\.hdf5 .*the process that read it was ended by {number.name}"):
            source.array("x")


def behaving(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the child run ``code`` instead of reading rows; it may use one second and little memory."""
    start = (
        "from gailkit.untrusted import limits; limits.CPU_SECONDS = 0; limits.MEMORY_BYTES = 100 * 2**20\n"
        "from gailkit.untrusted.hdf5 import Hdf5Container\n"
        f"def pieces(self, name, start, stop):\n    {code}\n    yield\n"
        "Hdf5Container.pieces = pieces\n"
    )
    first, last = process._START.split("from gailkit", 1)
    monkeypatch.setattr(process, "_START", f"{first}\n{start}from gailkit{last}")


def test_a_library_that_hangs_is_ended(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behaving(monkeypatch, "while True: pass")
    started = time.monotonic()
    with open_source(plain) as source, pytest.raises(DataError, match=r"the process that read it took too long"):
        source.array("x")
    assert time.monotonic() - started < 60


def test_a_file_that_takes_too_long_in_all_is_given_up(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer takes half a second, for which there would be time again and again."""
    first, last = process._START.split("from gailkit", 1)
    start = (
        "import time; from gailkit.untrusted import limits; limits.SECONDS_FOR_ANY = 2\n"
        "from gailkit.untrusted.hdf5 import Hdf5Container\n"
        "def integer(self, owner, name):\n    until = time.process_time() + 0.5\n"
        "    while time.process_time() < until: pass\n    return 1\n"
        "Hdf5Container.integer = integer\n"
    )
    monkeypatch.setattr(process, "_START", f"{first}\n{start}from gailkit{last}")
    with open_source(plain, once=False) as source:
        assert [source.integer("x") for _ in range(6)] == [1] * 6
    with open_source(plain) as source, pytest.raises(DataError, match=r"the process that read it (took|was ended)"):
        for _ in range(6):
            source.integer("x")


def test_a_library_that_takes_all_memory_is_refused_it(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behaving(monkeypatch, "bytearray(2**30)")
    with open_source(plain) as source, pytest.raises(DataError, match="takes more memory than"):
        source.array("x")


def test_an_array_larger_than_the_free_memory_is_refused(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_memory", lambda: 79)
    monkeypatch.setattr(module, "_LITTLE", 0)
    monkeypatch.setattr(module, "_LEAST_FREE", 0)
    with open_source(plain) as source:
        assert len(source.array("x", 0, 9)) == 9
        with pytest.raises(DataError, match="'x' takes 80 bytes of memory, and 79 are free"):
            source.array("x")


def test_many_small_arrays_together_may_not_fill_the_memory(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_memory", lambda: 10**9)
    monkeypatch.setattr(module, "_LITTLE", 200)
    with open_source(plain) as source:
        for _ in range(10):
            source.array("x")
        monkeypatch.setattr(module, "available_memory", lambda: module._LEAST_FREE - 1)
        with pytest.raises(DataError, match=r"'x' takes 80 bytes of memory, and 134,217,727 are free"):
            for _ in range(3):
                source.array("x")


def test_what_a_container_may_fill_is_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, used = tmp_path / "memory.max", tmp_path / "memory.current"
    monkeypatch.setattr(memory, "_GROUPS", ((limit, used),))
    of_the_machine = memory.available_memory()
    limit.write_text("5000\n")
    used.write_text("2000\n")
    assert memory.available_memory() == 3000
    used.write_text("6000\n")
    assert memory.available_memory() == 0
    limit.write_text("max\n")
    assert abs(memory.available_memory() - of_the_machine) < of_the_machine / 2


def test_no_child_is_left(plain: Path) -> None:
    with open_source(plain) as source:
        child = source._child
        assert child.poll() is None
    assert child.poll() is not None
    with pytest.raises(ZeroDivisionError), open_source(plain) as source:
        child = source._child
        raise ZeroDivisionError
    assert child.poll() is not None


def test_a_child_ends_when_its_parent_is_killed(plain: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from gailkit.untrusted.source import Source\n"
        "print(Source(Path(sys.argv[1]))._child.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(plain)], capture_output=True, text=True, timeout=60).stdout
    for _ in range(200):
        if not Path(f"/proc/{int(said)}").exists():
            return
        time.sleep(0.05)
    raise AssertionError("the child lives on")


def test_the_child_loads_neither_torch_nor_gymnasium() -> None:
    code = "import sys; import gailkit.untrusted.child, gailkit.untrusted.hdf5; print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout
    assert "'h5py'" in said and "'torch'" not in said and "'gymnasium'" not in said


def test_other_things_than_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Demonstrations.load(tmp_path / "none.hdf5")
    with pytest.raises(DataError, match="is of no known format"):
        Demonstrations.load(tmp_path)
    for content in (b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)):
        (tmp_path / "text").write_bytes(content)
        with pytest.raises(DataError, match="text"):
            Demonstrations.load(tmp_path / "text")


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.hdf5"
    path.write_bytes(b"mine")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StorageError, match=r"mine\.hdf5 cannot be opened: Permission denied"):
        check_readable(path)
