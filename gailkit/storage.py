"""Writing a file so that it is either the old one or the new one, also when the machine stops in between."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from gailkit.errors import StorageError


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``; when this returns, the bytes are on the disk.

    They go to a temporary file in the same folder, which is renamed once it is complete. A symbolic link is followed.

    Raises:
        StorageError: if the bytes cannot be written; what stands under the name is then the older file, or the new one
            where only making its name durable failed.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".gailkit-{secrets.token_hex(8)}.tmp")
    try:
        _write_durably(temporary, content)
        os.replace(temporary, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise StorageError(f"{path} could not be written ({len(content)} bytes): {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES}
"""What systems answer that cannot sync a folder, or let nobody open it."""


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
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
