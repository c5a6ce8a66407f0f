"""How long an HDF5 file says it is, and a copy of a cut one that is as long as that.

HDF5 refuses to open a file that lacks its end. Where something stands for it, what lies before the cut can be read.
What lay behind it is then whatever stands there, and shows by being another where something else does.
"""

from __future__ import annotations

import shlex
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gailkit.errors import StorageError
from gailkit.wording import counted

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_END_AT = {0: 40, 1: 44, 2: 28, 3: 28}  # version of the superblock -> where the address of the file's end stands
_SIZE_AT = {0: 13, 1: 13, 2: 9, 3: 9}  # -> where the number of bytes in an address stands
_ADDRESS = struct.Struct("<Q")
_PIECE = 2**20
MOST_TIMES = 3  # as long as the file is, that it may claim to have been


def stated_bytes(path: Path) -> int:
    """How many bytes the HDF5 file says it has; 0 if it is no such file."""
    with path.open("rb") as file:
        head = file.read(64)
    if len(head) < 64 or not head.startswith(_SIGNATURE):
        return 0
    version = head[8]
    if version not in _END_AT or head[_SIZE_AT[version]] != _ADDRESS.size:
        return 0
    (stated,) = _ADDRESS.unpack_from(head, _END_AT[version])
    return int(stated)


def missing_bytes(path: Path) -> int:
    """How many bytes of its end the HDF5 file lacks; 0 if it has all, lacks most, or is no such file."""
    stated, size = stated_bytes(path), path.stat().st_size
    return stated - size if size < stated <= MOST_TIMES * size else 0


def said_of_the_cut(path: Path) -> str | None:
    """What an HDF5 file lacks, and what can be done about it; None if it has all that it says it has."""
    stated, size = stated_bytes(path), path.stat().st_size
    if size >= stated:
        return None
    said = f"{path} lacks its end: it has {size:,} of {counted(stated, 'byte')}"
    if not missing_bytes(path):
        return f"{said}, too few for data repair to save anything"
    return f"{said}; gailkit data repair {shlex.quote(str(path))} -o FILE.hdf5 saves what can be saved"


@contextmanager
def padded_copy(path: Path, folder: Path, padding: int) -> Iterator[Path]:
    """A copy in ``folder``, of the same name, with bytes of ``padding`` for the missing end; gone after the block.

    Raises:
        StorageError: if there is no room for it.
    """
    with ExitStack() as opened:
        try:
            own = opened.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix=".gailkit-"))
            copy = Path(own) / path.name
            shutil.copyfile(path, copy)
            _lengthen(copy, missing_bytes(path), padding)
        except OSError as error:
            raise StorageError(f"{path} could not be copied to {folder}: {error.strerror or error}") from error
        yield copy


def _lengthen(path: Path, count: int, padding: int) -> None:
    """Append ``count`` bytes of ``padding``."""
    with path.open("ab") as file:
        end = file.tell() + count
        while padding and file.tell() < end:
            file.write(bytes([padding]) * min(_PIECE, end - file.tell()))
        file.truncate(end)  # zeros take no room
