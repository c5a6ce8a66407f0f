"""Work beside the main thread: soon, not all the time, and never in silence."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from gailkit.rollouts import background as module
from gailkit.rollouts.background import Background


def test_what_is_asked_for_is_done_at_once() -> None:
    done = threading.Event()
    background = Background(done.set)
    background.wake()
    assert done.wait(5)
    background.stop()


def test_it_takes_no_more_than_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARE", 0.1)
    calls: list[float] = []

    def work() -> None:
        calls.append(time.monotonic())
        time.sleep(0.005)

    background = Background(work)
    ends = time.monotonic() + 0.5
    while time.monotonic() < ends:
        background.wake()
        time.sleep(0.001)
    background.stop()
    assert 2 <= len(calls) <= 11  # 5 ms of work each and 45 ms of rest behind it: 10 in half a second
    assert min(b - a for a, b in itertools.pairwise(calls)) >= 0.049


def test_its_rest_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.01)
    calls = threading.Semaphore(0)

    def work() -> None:
        time.sleep(0.05)
        calls.release()

    background = Background(work)
    for _ in range(3):
        background.wake()
        assert calls.acquire(timeout=0.9)  # the rest that its share asks for would be 0.95 s
    background.stop()


def test_a_failure_is_raised_where_the_next_thing_is_asked_for() -> None:
    failed = threading.Event()

    def work() -> None:
        failed.set()
        raise ValueError("no")

    background = Background(work)
    background.wake()
    assert failed.wait(5)
    background._thread.join(5)
    with pytest.raises(ValueError, match="no"):
        background.wake()
    background.stop()


def test_stopping_waits_for_what_is_under_way() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        time.sleep(0.05)
        ended.set()

    background = Background(work)
    background.wake()
    assert begun.wait(5)
    background.stop()
    assert ended.is_set()
