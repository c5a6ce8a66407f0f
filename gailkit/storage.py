"""Writing a file so that it is either the old one or the new one, also when the machine stops in between."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gailkit.errors import InUseError, StorageError

LOCK_FILE = ".in-use"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``; when this returns, the bytes are on the disk.

    They go to a temporary file in the same folder, which is renamed once it is complete. A symbolic link is followed.

    Raises:
        StorageError: if the bytes cannot be written; what stands under the name is then the older file, or the new one
            where only making its name durable failed.
    """
    with replacing(path) as file:
        file.write(content)


def give_second_name(path: Path, second: Path) -> None:
    """Let ``second`` be what ``path`` is now, also when ``path`` is replaced later.

    Raises:
        StorageError: if the disk refuses; ``second`` is then as it was.
    """
    temporary = second.with_name(f".gailkit-{secrets.token_hex(8)}.tmp")
    try:
        try:
            os.link(path, temporary)
        except OSError:  # there are file systems that know no links
            shutil.copyfile(path, temporary)
        os.replace(temporary, second)
    except OSError as error:
        raise StorageError(f"{path} could not be kept as {second}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[PatientFile]:
    """A file to be filled inside the block, which then takes the place of ``path``, as ``write_atomically`` does.

    If the block raises, ``path`` stays as it was.

    Raises:
        StorageError: as ``write_atomically``.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".gailkit-{secrets.token_hex(8)}.tmp")
    size = 0
    try:
        with temporary.open("x+b", buffering=0) as raw, PatientFile(raw) as file:
            yield file
            size = file.end
            file.check()
            os.fsync(raw.fileno())
        os.replace(temporary, target)
        sync_folder(target.parent)
    except OSError as error:
        raise StorageError(f"{path} could not be written ({size} bytes): {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


class SoleUse:
    """The use of a folder by one process alone. It ends with ``release``, or with the process, however that ends.

    Raises:
        StorageError: if the folder cannot be written to.
        InUseError: if another process, or another thread of this one, uses it.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._file = (folder / LOCK_FILE).open("a+")
        except OSError as error:
            raise StorageError(f"nothing can be written into the folder {folder}: {error.strerror}") from error
        try:
            _lock(self._file.fileno())
        except OSError as error:
            if error.errno in _LOCKED:
                self._file.close()
                raise InUseError(f"{folder} is in use by another process") from error
            # a file system that knows no locks cannot tell, and is no reason not to train

    def release(self) -> None:
        """Let others use it."""
        self._file.close()


def in_use(folder: Path) -> bool:
    """Whether another has the sole use of ``folder``, as far as it can be told without leaving anything there."""
    if not (folder / LOCK_FILE).is_file():
        return False
    try:
        SoleUse(folder).release()
    except InUseError:
        return True
    except StorageError:
        return False
    return False


class PatientFile(io.RawIOBase):
    """A file whose ``write`` never fails: what the disk refuses is kept in memory until ``check`` raises the reason.

    For libraries that crash where the disk is full. What is written after a failure should be little.
    """

    def __init__(self, raw: io.FileIO) -> None:
        self.end = 0  # the file's size
        self._raw = raw
        self._at = 0
        self._failure: OSError | None = None
        self._refused: list[tuple[int, bytes]] = []  # where, and what, in the order of writing

    def check(self) -> None:
        """Raise the OSError of the first write that failed."""
        if self._failure is not None:
            raise self._failure

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def write(self, content: Any) -> int:
        """Write all of ``content`` where the file stands, on the disk or, where that fails, in memory."""
        view = memoryview(content).cast("B")
        done = 0
        try:
            self._raw.seek(self._at)
            while done < len(view) and self._failure is None:
                done += self._raw.write(view[done:]) or 0
        except OSError as error:
            self._failure = error
        if done < len(view):
            self._refused.append((self._at + done, bytes(view[done:])))
        self._at += len(view)
        self.end = max(self.end, self._at)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        """What was written, from wherever it is."""
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self.end - self._at))
        view[:count] = bytes(count)
        self._raw.seek(self._at)
        self._raw.readinto(view[:count])
        for start, content in self._refused:
            first, last = max(start, self._at), min(start + len(content), self._at + count)
            if first < last:
                view[first - self._at : last - self._at] = content[first - start : last - start]
        self._at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to ``offset``."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.end}[whence]
        return self._at

    def tell(self) -> int:
        """Where the file stands."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Make the file ``size`` long; what is beyond its end reads as zeros."""
        self.end = self._at if size is None else size
        try:
            self._raw.truncate(self.end)
        except OSError as error:
            self._failure = self._failure or error
        return self.end


def _lock(descriptor: int) -> None:
    """Raises OSError if another has the lock; the system takes it from a process that ends."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_LOCKED = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
"""What systems answer where another has the lock."""

_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.ENOSYS}
"""What systems answer that cannot sync a folder, or let nobody open it."""


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable where the system can; only POSIX systems can open a folder for that."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
