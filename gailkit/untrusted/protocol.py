"""How parent and child talk: frames over a pair of pipes, each a JSON object and perhaps some bytes behind it."""

from __future__ import annotations

import io
import json
import struct
from typing import Any, BinaryIO

_HEADER = struct.Struct("<IQ")  # bytes of the JSON text, bytes behind it
MAX_MESSAGE = 256 * 2**20


def send(stream: BinaryIO, message: dict[str, Any], payload: memoryview | bytes = b"") -> None:
    """Write one frame; whoever has written the last of several flushes the stream."""
    text = json.dumps(message).encode()
    stream.write(_HEADER.pack(len(text), len(payload)) + text)
    if len(payload):
        stream.write(payload)


def receive(stream: BinaryIO) -> tuple[dict[str, Any], int] | None:
    """The next frame's object and how many bytes follow it, yet to be read; None where the stream has ended."""
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    length, payload = _HEADER.unpack(header)
    if length > MAX_MESSAGE:
        raise ValueError(f"a message of {length} bytes")
    text = stream.read(length)
    if len(text) < length:
        return None
    message = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError("a message that is no object")
    return message, payload


def read_exactly(stream: io.BufferedReader, target: memoryview) -> bool:
    """Fill ``target`` with the bytes that follow; False if the stream ended before."""
    done = 0
    while done < len(target):
        count = stream.readinto(target[done:])
        if not count:
            return False
        done += count
    return True
