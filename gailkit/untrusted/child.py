"""The process that opens a file of somebody else's: bounded in memory, it answers until its parent hangs up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gailkit.untrusted.container import Container, Damage, Refusal, bytes_on_disk, check_rows
from gailkit.untrusted.limits import bound_memory, bound_time, bound_total_time
from gailkit.untrusted.protocol import receive, send


def main(path: str, once: bool) -> None:
    """Open ``path`` and answer requests from stdin on stdout; ends when stdin does.

    A file that is gone through ``once`` may take so much time in all as its size can be worth.
    """
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    if once:
        bound_total_time(bytes_on_disk(Path(path)))
    bound_time()
    container = _answering(answers, lambda: _open(Path(path)))
    if container is not None:
        send(answers, {"container": container.kind})
        answers.flush()
    while container is not None and (frame := receive(requests)) is not None:
        bound_time()
        _answering(answers, partial(_answer, container, frame[0], answers))


def container_of(path: Path) -> Callable[[Path], Container]:
    """The kind of container that the first bytes of the file say it is; a text where they say nothing."""
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"PK\x03\x04"):
        from gailkit.untrusted.npz import NpzContainer

        return NpzContainer
    if magic.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        from gailkit.untrusted.arrow import ArrowContainer

        return ArrowContainer
    import h5py

    if h5py.is_hdf5(path):
        from gailkit.untrusted.hdf5 import Hdf5Container

        return Hdf5Container
    from gailkit.untrusted.table import TableContainer

    return TableContainer


def _open(path: Path) -> Container:
    kind = container_of(path)
    bound_memory()  # now that its libraries are loaded, which take more than any file should
    return kind(path)


def _answer(container: Container, request: dict[str, Any], answers: BinaryIO) -> None:
    match request:
        case {"ask": "children", "group": group}:
            send(answers, {"children": container.children(group)})
        case {"ask": "entries", "names": names}:
            send(answers, {"entries": [container.entry(name) for name in names]})
        case {"ask": "text", "owner": owner, "name": name}:
            send(answers, {"text": container.text(owner, name)})
        case {"ask": "integer", "owner": owner, "name": name}:
            send(answers, {"integer": container.integer(owner, name)})
        case {"ask": "read", "spans": spans, "dtype": dtype}:
            for name, start, stop in spans:
                check_rows(name, container.entry(name))
                pieces = container.pieces(name, start, stop)
                _send_pieces(answers, pieces if dtype is None else (piece.astype(dtype) for piece in pieces))
        case {"ask": "ragged", "name": name, "start": start, "stop": stop}:
            _send_pieces(answers, container.ragged_pieces(name, start, stop))


def _send_pieces(answers: BinaryIO, pieces: Iterator[np.ndarray]) -> None:
    """Each piece as it comes, the last one marked; where there is none at all, that."""
    current = next(pieces, None)
    if current is None:
        send(answers, {"end": True})
    while current is not None:
        bound_time()
        following = next(pieces, None)
        values = np.ascontiguousarray(current)
        message = {"dtype": values.dtype.str, "shape": values.shape, "last": following is None}
        send(answers, message, values.data.cast("B") if values.size else b"")
        current = following


def _answering(answers: BinaryIO, work: Callable[[], Any]) -> Any:
    """What ``work`` returns; where it fails, the reason is sent instead and None returned. All is sent in the end."""
    try:
        return work()
    except Refusal as error:
        name, reason = error.args
        send(answers, {"refusal": reason, "name": name})
    except Damage as error:
        send(answers, {"damage": error.args[0]})
    except KeyError as error:
        send(answers, {"missing": str(error.args[0])})
    except MemoryError:
        send(answers, {"damage": "reading it takes more memory than a file of demonstrations may take"})
    except (OSError, ValueError, OverflowError, ImportError) as error:
        send(answers, {"damage": (str(error) or type(error).__name__).splitlines()[0]})
    finally:
        answers.flush()
    return None
