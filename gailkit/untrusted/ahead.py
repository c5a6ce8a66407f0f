"""One step ahead of whoever uses it."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


class _Done:
    """Stands behind the last item."""


def ahead(items: Generator[Item, None, None]) -> Generator[Item, None, None]:
    """The same items; while one is in use, the next is being made in a thread of its own.

    Closed, it waits for the one that is being made, and closes ``items``.
    """
    done = _Done()
    try:
        with ThreadPoolExecutor(1, "gailkit-ahead") as worker:
            waiting = worker.submit(next, items, done)
            while not isinstance(item := waiting.result(), _Done):
                waiting = worker.submit(next, items, done)
                yield item
    finally:
        items.close()
