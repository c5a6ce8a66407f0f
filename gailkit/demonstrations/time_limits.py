"""Time limits: what is known of one, and the runs of steps that it divides in files that do not mark where it cut."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import gymnasium

from gailkit.demonstrations.endings import UnmarkedEnds
from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode, ReadOptions, TimeLimit, typed_limit
from gailkit.wording import counted

LIMIT = "max_episode_steps"
"""Where the arguments of an environment, or the provenance of what was recorded in it, tell of its time limit."""
NO_LIMIT = "none"
MOST_DIGITS = 18  # of a number that anybody may have written


def registered_limit(env_id: str | None) -> TimeLimit | None:
    """What Gymnasium knows of ``env_id`` as it is; nothing is imported or built to find out."""
    spec = None if env_id is None else gymnasium.registry.get(env_id.rpartition(":")[2])
    if spec is None or spec.max_episode_steps is None:
        return None
    limit = spec.max_episode_steps
    return TimeLimit(limit, f"{spec.id} is registered with a time limit of {counted(limit, 'step')}")


def stated_limit(about: About) -> TimeLimit | None:
    """What a file says of the time limit, or of the environment that its episodes come from."""
    told = told_limit(about.env_kwargs, about.provenance)
    if told is None:
        return registered_limit(about.env_id)
    return None if math.isinf(told) else TimeLimit(int(told), f"the file states a time limit of {_steps_of(told)}")


def told_limit(env_kwargs: Mapping[str, object], provenance: Mapping[str, str]) -> float | None:
    """The time limit that is told of, math.inf for none; None where nothing is."""
    text = str(env_kwargs.get(LIMIT, provenance.get(LIMIT, "")))
    if text in (NO_LIMIT, "-1"):  # by which Gymnasium makes an environment without
        return math.inf
    whole = text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) if whole and int(text) > 0 else None


def _steps_of(limit: float) -> str:
    return counted(int(limit), "step")


def divided(path: Path, contents: Contents, options: ReadOptions) -> Contents:
    """The ``contents``, in which a run of steps that may be several episodes is divided at the time limit.

    The limit is the one that ``options`` tell, else the one that the file states. Only the last piece of a run has the
    observation that follows, where the run has it.

    Raises:
        UnmarkedEnds: if no limit is known, or the one that the file states contradicts the lengths of its runs.
    """
    if contents.ends_marked:
        return contents
    runs = list(contents.episodes)
    found = contents._replace(episodes=runs)
    told, stated = options.max_episode_steps, stated_limit(contents.about)
    if told is not None:
        return found if math.isinf(told) else _pieces_of(found, runs, int(told), f"by {typed_limit(told)}")
    if options.ends == "terminated":
        return found  # so did all end of which the file does not tell: nothing was truncated
    if stated is None and any(_doubtful(run) for run in runs):
        return found  # several runs of one length: marks stand at a limit too, and how they ended is asked about
    if stated is not None and not any(_doubtful(run) and _steps(run) > stated.steps for run in runs):
        settled = [_settled(run, stated.steps) for run in runs]
        return _pieces_of(found, settled, stated.steps, f"because {stated.said}")
    beside = options.registered
    if stated is None and beside is not None and max(map(_steps, runs)) <= beside.steps:
        return found
    raise UnmarkedEnds(_question(path, runs, stated or beside))


def _pieces_of(contents: Contents, runs: Sequence[Episode | Broken], limit: int, why: str) -> Contents:
    pieces = [piece for run in runs for piece in _pieces(run, limit)]
    longer = [_steps(run) for run in runs if _steps(run) > limit]
    if not longer:
        return contents._replace(episodes=runs)
    parts = counted(len(pieces) - len(runs) + len(longer), "episode")
    said = (
        f"{counted(len(longer), 'run')} of up to {counted(max(longer), 'step')}, one behind the "
        f"other, into {parts} of up to"
    )
    return contents._replace(
        episodes=pieces, num_episodes=len(pieces), divided=f"{said} {counted(limit, 'step')}, {why}"
    )


def _pieces(run: Episode | Broken, limit: int) -> Iterator[Episode | Broken]:
    steps = _steps(run)
    if isinstance(run, Broken) or steps <= limit:
        yield run
        return
    for start in range(0, steps, limit):
        stop = min(start + limit, steps)
        last = stop == steps
        yield Episode(
            run.observations[start:] if last else run.observations[start:stop],
            run.actions[start:stop],
            None if run.rewards is None else run.rewards[start:stop],
            run.terminated if last else False,
            None if start else run.seed,
        )


def _settled(run: Episode | Broken, limit: int) -> Episode | Broken:
    """The run with what a limit tells of its end: one that reached it was truncated."""
    if isinstance(run, Broken) or not _steps(run):
        return run
    if _steps(run) % limit == 0:
        return run._replace(terminated=False)
    return run._replace(terminated=run.terminated is not False)


def _steps(run: Episode | Broken) -> int:
    return 0 if isinstance(run, Broken) else len(run.actions)


def _doubtful(run: Episode | Broken) -> bool:
    return isinstance(run, Episode) and run.terminated is None


def _question(path: Path, runs: Sequence[Episode | Broken], known: TimeLimit | None) -> str:
    longest = max(map(_steps, runs))
    several = f"{counted(len(runs), 'run')}, the longest of {counted(longest, 'step')}"
    told = f" ({known.said})" if known is not None else ""
    return (
        f"{path} does not mark where a time limit cut episodes off, so that a run of its steps may be several episodes "
        f"({several}): say --max-episode-steps N if there was a time limit of N steps, or --max-episode-steps none if "
        f"there was none and each run is one episode{told}"
    )
