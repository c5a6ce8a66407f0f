"""One step ahead of whoever uses it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_DONE = object()


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; while one is in use, the next is being made in a thread of its own."""
    with ThreadPoolExecutor(1, "gailkit-ahead") as worker:
        waiting = worker.submit(next, items, _DONE)
        while (item := waiting.result()) is not _DONE:
            waiting = worker.submit(next, items, _DONE)
            yield item  # type: ignore[misc]
