"""How long the rest of some work takes, from what is done and when. No clock is read here."""

from __future__ import annotations

from collections import deque


class TimeLeft:
    """Tells the time left at the pace of the latter half of what was done since the first report.

    What came before the first report, and the first pieces of work, are no measure of the others: files are read,
    libraries loaded and demonstrations cloned before, and caches are cold.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[float, float]] = deque()  # done and when, both rising; the first is measured from
        self._first = 0.0  # what was done at the first report, of which a run that goes on has much

    def after(self, done: float, total: float, now: float) -> float | None:
        """Seconds left where ``done`` of ``total`` is done at ``now``, in seconds; None while there is no pace yet."""
        if done >= total:
            return 0.0
        if done > 0 and not self._marks:
            self._first = done
        if done > 0 and (not self._marks or done > self._marks[-1][0]):
            self._marks.append((done, now))
        while len(self._marks) > 2 and self._marks[1][0] - self._first <= (done - self._first) / 2:
            self._marks.popleft()
        if len(self._marks) < 2:
            return None
        (begun, since), (reached, then) = self._marks[0], self._marks[-1]
        pace = (then - since) / (reached - begun)
        return max((total - reached) * pace - (now - then), 0.0)


def expected_steps(episodes: int, finished: int, finished_steps: int, steps: int, running: int) -> float | None:
    """Steps that ``episodes`` take in all, where ``finished`` of them took ``finished_steps`` and ``steps`` are taken.

    Short episodes end first. So the mean of those that have ended is too low where lengths differ; an episode that is
    ``running`` counts as one half done besides. None while none is finished.
    """
    if not finished:
        return None
    mean = max(finished_steps / finished, steps / (finished + running / 2))
    return max(episodes * mean, float(steps))


def duration(seconds: float) -> str:
    """``2 h 13 min``, ``4 min 5 s``, ``7 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def left_words(seconds: float | None) -> str:
    """``, 7 s left``; nothing where it is not known."""
    return "" if seconds is None else f", {duration(seconds)} left"
