"""A recording on its way into FILE: shards in the folder FILE.parts, each complete and durable under its name.

FILE.parts/000001.hdf5, 000002.hdf5, ...   native files of a few episodes each, in the order they were committed
FILE.parts/replaces                        there where the shards are to replace FILE instead of continuing it
FILE.parts/lock                            held by the process that records

Whoever is killed loses what it has not committed: a shard is written under another name, made durable and renamed, and
the folder is removed once FILE holds all of it. This module knows names; what is in the files is not its concern.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from gailkit.errors import GailkitError, InputError, StorageError
from gailkit.storage import sync_folder, write_atomically

Save = Callable[[Path], object]
"""Writes a file under the name it is given: all of it or nothing, durable when it returns; raises StorageError."""

NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # a lock that is a link would make a file elsewhere
CAN_LOCK = importlib.util.find_spec("fcntl") is not None  # elsewhere a second recording into one file goes unnoticed
_CANNOT_LOCK = {errno.EINVAL, errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS}
"""What file systems answer that cannot lock a file."""


def parts_folder(target: Path) -> Path:
    """``FILE.parts`` beside the file that ``target`` is, or is a symbolic link to."""
    real = Path(os.path.realpath(target))
    return real.with_name(f"{real.name}.parts")


class Shards:
    """The folder of shards beside ``target``, made if need be, and held by this process until ``close``.

    Raises:
        InputError: if another recording holds it.
        StorageError: if the folder cannot be made or written to.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = parts_folder(target)
        with _storing(self.folder):
            held = _hold(self.folder, target)
            with contextlib.ExitStack() as undo:
                undo.callback(os.close, held)
                self._remove_unfinished()
                self._last = max((int(path.stem) for path in self.paths), default=0)
                undo.pop_all()
        self._lock: int | None = held

    @property
    def paths(self) -> list[Path]:
        """The shards, oldest first."""
        named = [path for path in self.folder.glob("*.hdf5") if path.stem.isdecimal()]
        return sorted(named, key=lambda path: int(path.stem))

    @property
    def gone(self) -> bool:
        """Whether somebody removed the folder, and the shards with it."""
        return not self.folder.is_dir()

    @property
    def replacing(self) -> bool:
        """Whether the shards are to replace ``target`` instead of continuing it."""
        return self._marker.exists()

    def replace_target(self) -> None:
        """From now on what ``target`` holds does not count, nor do older shards, which are removed.

        Raises:
            StorageError: if the disk refuses.
        """
        with _storing(self.folder):
            for path in self.paths:
                path.unlink()
        write_atomically(self._marker, b"")

    def add(self, save: Save) -> None:
        """Save a new shard; when this returns it is on the disk. Raises StorageError, and there is then none."""
        if self.gone:
            raise StorageError(f"{self.folder}, where finished episodes are kept, is gone: something else removed it")
        save(self.folder / f"{self._last + 1:06}.hdf5")
        self._last += 1

    def replace_newest(self, save: Save | None) -> None:
        """Save the newest shard anew, or remove it. Raises StorageError; it is then as it was."""
        newest = self.paths[-1]
        if save is not None:
            save(newest)
            return
        with _storing(newest):
            newest.unlink()
            sync_folder(self.folder)

    def join(self, count: int, save: Save) -> None:
        """Replace the ``count`` newest shards by the one that is saved, which must hold all there is in them.

        Raises:
            StorageError: if the disk refuses; nothing is lost then.
        """
        *others, newest = self.paths[-count:]
        save(newest)
        with _storing(self.folder):
            for path in others:
                path.unlink()

    def finish(self, save: Save) -> None:
        """Replace ``target`` by what is saved, which must hold all there is in the shards, and remove them.

        A folder that somebody removed meanwhile is made again.

        Raises:
            StorageError: if the disk refuses; the older ``target`` and all shards are then as they were.
        """
        with _storing(self.folder):
            self.folder.mkdir(exist_ok=True)
        save(self._whole)
        real = Path(os.path.realpath(self.target))
        with _storing(self.target):
            os.replace(self._whole, real)
            sync_folder(real.parent)
        with _storing(self.folder):
            self._marker.unlink(missing_ok=True)  # first: with it and without a shard, the file would not count
            sync_folder(self.folder)
            for path in self.paths:
                path.unlink()

    def close(self) -> None:
        """Let go of the folder, which is removed if no shard is in it."""
        if self._lock is None:
            return
        if not self.paths:
            with contextlib.suppress(OSError):  # what is left is empty, and in nobody's way
                self._marker.unlink(missing_ok=True)
                (self.folder / "lock").unlink(missing_ok=True)
                self.folder.rmdir()
        os.close(self._lock)
        self._lock = None

    def _remove_unfinished(self) -> None:
        """Remove what a killed process had not completed, and its mark that FILE does not count if it left no shard."""
        unfinished = [self._whole] if self.paths else [self._whole, self._marker]
        for path in (*self.folder.glob(".gailkit-*.tmp"), *unfinished):
            path.unlink(missing_ok=True)

    @property
    def _marker(self) -> Path:
        return self.folder / "replaces"

    @property
    def _whole(self) -> Path:
        return self.folder / "whole.hdf5"


def _hold(folder: Path, target: Path) -> int:
    """An open file whose lock ends with this process, however that ends."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | NO_LINK, 0o666)
        except FileNotFoundError:  # whoever held the folder has just removed it
            continue
        try:
            _lock(held, target)
            if _is_at(held, folder / "lock"):
                return held
        except GailkitError:
            os.close(held)
            raise
        os.close(held)


def _lock(held: int, target: Path) -> None:
    if not CAN_LOCK:
        return
    import fcntl

    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(f"another recording is writing to {target}; wait for its end or name another file") from error
    except OSError as error:
        if error.errno not in _CANNOT_LOCK:
            raise


def _is_at(held: int, path: Path) -> bool:
    """Whether the open file still has this name; it has not if another process removed it before it was locked."""
    try:
        return os.path.samestat(os.fstat(held), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror or error}") from error
