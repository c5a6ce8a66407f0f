"""Reading a file of demonstrations as its user says: the options that all commands share, and what is said about it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import rich_click as click

from gailkit.cli.common import printable

if TYPE_CHECKING:
    from gailkit.demonstrations import Demonstrations
    from gailkit.demonstrations.file_contents import Ending, ReadOptions

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

NOTES = {  # key in the provenance -> how its sentence begins
    "divided": "divided ",
    "conversion": "",
    "gone": "",
    "time_limit": "",
    "endings": "endings were ",
    "left_out": "not taken over: ",
    "rewards": "rewards were ",
    "actions": "actions: ",
}


@dataclass(frozen=True)
class ReadingOptions:
    """What was typed, as ``ReadOptions`` takes it; making those loads numpy and gymnasium."""

    format: str | None = None
    ends: Ending | None = None
    max_episode_steps: float | None = None  # math.inf for none
    obs_keys: str | None = None
    mask: str | None = None
    columns: str | None = None
    memory: float | None = None  # GB

    def read_options(self, env_id: str | None = None) -> ReadOptions:
        """The options for the readers, beside which ``env_id`` was named.

        Raises:
            InputError: for columns that are not understood.
        """
        from gailkit.demonstrations.file_contents import ReadOptions
        from gailkit.demonstrations.formats.column_names import columns_from_text
        from gailkit.demonstrations.time_limits import registered_limit
        from gailkit.rollouts.environments import canonical_id

        names = (self.obs_keys or "").split(",")
        return ReadOptions(
            format=self.format,
            ends=self.ends,
            max_episode_steps=self.max_episode_steps,
            obs_keys=tuple(name.strip() for name in names if name.strip()),
            mask=self.mask,
            columns={} if self.columns is None else columns_from_text(self.columns),
            registered=None if env_id is None else registered_limit(canonical_id(env_id)),
        )

    def most_bytes(self) -> int | None:
        """What ``--memory`` allows."""
        return None if self.memory is None else int(self.memory * 1e9)

    def over(self, recorded: ReadingOptions) -> ReadingOptions:
        """These, and what they leave open as it was ``recorded``."""
        typed = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(recorded, **{name: value for name, value in typed.items() if value is not None})

    def words(self) -> list[str]:
        """The options as they can be typed again."""
        typed = [(field.name, getattr(self, field.name)) for field in fields(self)]
        pairs = [
            (f"--{name.replace('_', '-')}", "none" if value == math.inf else str(value))
            for name, value in typed
            if value is not None
        ]
        return [word for pair in pairs for word in pair]


def reading_options(command: Decorated) -> Decorated:
    """The options of a command that loads demonstrations, passed to it as one argument ``options``: ReadingOptions."""
    with_memory: Decorated = _MEMORY(command)
    return format_options(with_memory)


def format_options(command: Decorated) -> Decorated:
    """Likewise, without ``--memory``: for a command that does not choose whether episodes stay in their file."""

    @functools.wraps(command)
    def gathered(**arguments: Any) -> Any:
        names = [field.name for field in fields(ReadingOptions) if f"read_{field.name}" in arguments]
        typed = {name: arguments.pop(f"read_{name}") for name in names}
        return command(**arguments, options=ReadingOptions(**typed))

    decorated: Any = gathered
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return cast(Decorated, decorated)


def load(path: Path, options: ReadingOptions, env_id: str | None = None) -> Demonstrations:
    """The demonstrations in ``path``; what was made up, decided or left out for it is said on stderr.

    Where it has to be asked where or how episodes ended, the time limit of ``env_id`` is told.

    Raises: as ``Demonstrations.load``.
    """
    from gailkit.demonstrations import Demonstrations

    demonstrations = Demonstrations.load(path, options.read_options(env_id), options.most_bytes())
    say_notes(path, demonstrations.provenance)
    if not demonstrations.in_memory:
        click.echo(
            printable(f"note: {path} is larger than the memory it may take and is read piece by piece"), err=True
        )
    return demonstrations


def say_notes(path: Path, provenance: Any) -> None:
    """Say on stderr what a reader made up, decided or left out, of what stands in ``provenance``."""
    for key, beginning in NOTES.items():
        if key in provenance:
            click.echo(printable(f"note: {path}: {beginning}{provenance[key]}"), err=True)


def written_limit(limit: float | None) -> int | str | None:
    """What ``--max-episode-steps`` was, as JSON knows it: no limit is ``none``."""
    return "none" if limit == math.inf else None if limit is None else int(limit)


def read_limit(written: object) -> float | None:
    """What ``written_limit`` wrote. Raises TypeError for anything else."""
    if written is None or written == "none":
        return None if written is None else math.inf
    if not isinstance(written, int) or written < 1:
        raise TypeError(f"no limit of an episode: {written!r}")
    return written


class _TimeLimit(click.ParamType[float]):
    """A number of steps, or ``none``, which is math.inf."""

    name = "steps"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """What ReadOptions take."""
        if value == "none":
            return math.inf
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"a whole number of steps, at least 1, or none is accepted; found {value!r}", parameter, context)
        return int(value)


def _option(name: str, **settings: Any) -> Callable[[Any], Any]:
    """An option whose value the command gets under a name that is not one of its own."""
    return click.option(name, f"read_{name[2:].replace('-', '_')}", panel="How files are read", **settings)


_OPTIONS = (
    _option("--format", metavar="NAME", help="Format of the file, where it is not to be found out from its content."),
    _option(
        "--ends",
        type=click.Choice(["terminated", "truncated"]),
        help="How those episodes ended of which the file does not say it.",
    ),
    _option(
        "--max-episode-steps",
        type=_TimeLimit(),
        metavar="N|none",
        help="Time limit: episodes of N steps were truncated; shorter ones terminated unless the file says otherwise. "
        "A file that does not mark where it truncated is divided every N steps, or with none not at all.",
    ),
    _option("--obs-keys", metavar="A,B", help="Which of several observations, in this order."),
    _option("--mask", metavar="NAME", help="Only the episodes that the file lists under this name."),
    _option(
        "--columns", metavar="TEXT", help="What plain columns mean: 'observations=x,y; actions=u; terminated=done'."
    ),
)

_MEMORY = _option(
    "--memory",
    type=click.FloatRange(min=0),
    metavar="GB",
    help="Most that demonstrations may take; a native file that holds more is read piece by piece. [default: half "
    "of what is free]",
)
