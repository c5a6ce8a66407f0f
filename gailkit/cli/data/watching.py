"""Watching episodes go from one file into another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from gailkit.cli.common import Update, interruptible, show_progress
from gailkit.cli.time_left import TimeLeft, left_words
from gailkit.wording import counted

SECONDS_UNSEEN = 2.0  # what is done by then needs no bar


@contextmanager
def watched(title: str) -> Iterator[Callable[[int, int, int], None]]:
    """What is to be called after each episode: how many of how many, and their steps.

    It shows how far it is where that takes long, and raises where a signal asks to stop.
    """
    with interruptible() as interruption, ExitStack() as opened:
        started = time.monotonic()
        updates: list[Update] = []
        time_left = TimeLeft()

        def on_episode(done: int, total: int, steps: int) -> None:
            interruption.check()
            left = left_words(time_left.after(done, total, time.monotonic()))
            if not updates and time.monotonic() - started > SECONDS_UNSEEN:
                updates.append(opened.enter_context(show_progress(title, total, "episodes")))
            for update in updates:
                update(done, f"{counted(steps, 'step')}{left}")

        yield on_episode
