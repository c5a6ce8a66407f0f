"""What several commands need: options, progress, stopping in good order. Nothing here loads torch or gymnasium."""

from __future__ import annotations

import json
import math
import shlex
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from gailkit.cli.time_left import TimeLeft, expected_steps, left_words
from gailkit.devices import AUTO, checked_name
from gailkit.errors import InputError, StorageError

if TYPE_CHECKING:
    from gailkit.demonstrations import Demonstrations
    from gailkit.rollouts.protocol import About
    from gailkit.types import Trajectory

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Update = Callable[[float, str], None]
"""Takes how much is completed and a few words on how it goes, the time left among them."""

PATH = click.Path(readable=False, path_type=Path)
"""The type of an option that names a file; whether it may be read is found out when it is, and is exit code 5."""

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_UPDATES = 0.1


class Interrupted(SystemExit):
    """SIGINT or SIGTERM asked the command to stop; exits with 130 or 143 unless something else is done about it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(128 + signal_number)


class Interruption:
    """Whether a signal has asked the command to stop."""

    def __init__(self) -> None:
        self.received: int | None = None

    def check(self) -> None:
        """Raise Interrupted if a signal came; to be called where nothing is half done."""
        if self.received is not None:
            raise Interrupted(self.received)

    def receive(self, signal_number: int, frame: FrameType | None) -> None:
        """Remember the first signal; the second raises Interrupted wherever the command is."""
        if self.received is not None:
            raise Interrupted(signal_number)
        self.received = signal_number


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Inside the block SIGINT and SIGTERM stop the command at its next ``check()``, a second one at once."""
    interruption = Interruption()
    with _signals_to(interruption.receive):
        yield interruption


@contextmanager
def stopped_at_once() -> Iterator[None]:
    """Inside the block SIGINT and SIGTERM stop the command wherever it is; files are written so that this is safe."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    with _signals_to(stop):
        yield


@contextmanager
def _signals_to(receive: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Inside the block ``receive`` is told of SIGINT and SIGTERM."""
    if threading.current_thread() is not threading.main_thread():  # Python delivers signals to the main thread only
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, receive) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)


def env_kwargs_option(command: Decorated) -> Decorated:
    """The option ``--env-kwargs``: a JSON object, passed to the command as a dict."""
    decorate = click.option(
        "--env-kwargs",
        default="{}",
        metavar="JSON",
        callback=_parse_env_kwargs,
        help="Arguments for the environment, as JSON: '{\"healthy_reward\": 0}'.",
    )
    return decorate(command)


def device_option(command: Decorated) -> Decorated:
    """The option ``--device``: where networks are."""
    decorate = click.option(
        "--device",
        default=AUTO,
        show_default=True,
        metavar="auto|cpu|cuda|cuda:1",
        callback=_parse_device,
        help="Where networks are: the processor, or a card. auto takes a card, where there is one, for pictures and "
        "for simulators of tensors, since small networks are faster without, and says so.",
    )
    return decorate(command)


def _parse_device(context: click.Context, parameter: click.Parameter, name: str) -> str:
    try:
        return checked_name(name)
    except InputError as error:
        raise click.BadParameter(str(error)) from error


def use_one_thread() -> None:
    """Let torch work in one thread: networks asked about a few observations at a time are slower in more."""
    import torch

    torch.set_num_threads(1)


def prepare_output(path: Path) -> None:
    """Make sure now that ``path`` can be written later; creates the folders above it.

    Raises:
        StorageError: if it is a folder, or the folder that it lies in cannot be created or written to.
    """
    if path.is_dir():
        raise StorageError(f"{path} is a folder; the name of a file is needed")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(f"nothing can be written into the folder {path.parent}: {reason}") from error


def prepare_extra_output(path: Path) -> None:
    """Likewise for what is written beside, at the end of long work: that its folder was not there may be a slip."""
    if not path.parent.exists():
        click.echo(printable(f"note: the folder {path.parent} is not there, and is made for {path}"), err=True)
    prepare_output(path)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write plain JSON values, atomically; not a number is refused, for few readers know it."""
    from gailkit.storage import write_atomically

    write_atomically(path, (json.dumps(values, indent=2, allow_nan=False) + "\n").encode())


def note_differences(demonstrations: Demonstrations, env_id: str, env_kwargs: dict[str, Any], env: About) -> None:
    """Say on stderr where the demonstrations were recorded in another environment than the one that is used."""
    from gailkit.recording.recorded_in import differences_in_one_version

    recorded = (demonstrations.env_id or env_id, dict(demonstrations.env_kwargs))
    if recorded != (env_id, env_kwargs):
        used = f"{env_id} {env_kwargs or ''}".rstrip()
        note = f"note: recorded in {recorded[0]} {recorded[1] or ''}".rstrip() + f", used in {used}"
        click.echo(printable(note), err=True)
    for difference in differences_in_one_version(demonstrations.about, env):
        click.echo(printable(f"note: {difference}"), err=True)


def note_left_out(env: About) -> None:
    """Say on stderr which parts of the observations are text, which nobody is given."""
    for name in env.left_out:
        click.echo(printable(f"note: {name!r} of the observations is text, and left out"), err=True)


def printable(text: str) -> str:
    """``text`` on one line: characters in a file of somebody else's must not steer the terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def typed_command() -> str:
    """The command line of this process as it was typed, whatever folder gailkit is installed in."""
    return shlex.join(["gailkit", *sys.argv[1:]])


def show_progress(title: str, total: float, unit: str) -> AbstractContextManager[Update]:
    """A live bar on stderr if that is a terminal, plain lines every few seconds if not: done, and words."""
    show = _live_bar if sys.stderr.isatty() else _plain_lines
    return show(printable(title), total, unit)


class EpisodeProgress:
    """Counts steps and finished episodes and shows them through ``update``: steps/s, the mean return, the time left."""

    def __init__(self, update: Update, episodes: int) -> None:
        """``episodes`` are to be finished in all."""
        self.update, self.episodes = update, episodes
        self.steps = self.finished_steps = self.running = 0
        self.returns: list[float] = []
        self.started = time.monotonic()
        self.shown = 0.0
        self.time_left = TimeLeft()

    def on_steps(self, count: int) -> None:
        """``count`` more steps were taken, one in each episode that runs."""
        self.steps += count
        self.running = count
        if time.monotonic() - self.shown >= SECONDS_BETWEEN_UPDATES:
            self.show()

    def on_episode(self, trajectory: Trajectory) -> None:
        """An episode ended."""
        self.returns.append(trajectory.episode_return or 0.0)
        self.finished_steps += len(trajectory)

    def show(self) -> None:
        """Show how it stands now; to be called at the end, when nothing else will."""
        self.shown = time.monotonic()
        self.update(len(self.returns), self._words(self.shown))

    def _words(self, now: float) -> str:
        speed = f"{self.steps / max(now - self.started, 1e-9):,.0f} steps/s"
        finished = len(self.returns)
        total = expected_steps(self.episodes, finished, self.finished_steps, self.steps, self.running)
        left = self.time_left.after(self.steps, math.inf if total is None else total, now)
        if not finished:
            return speed
        return f"{speed}, mean return {sum(self.returns) / finished:.1f}{left_words(left)}"


def _parse_env_kwargs(context: click.Context, parameter: click.Parameter, text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"not valid JSON ({error}); expected is an object such as {{}}") from error
    if not isinstance(values, dict):
        raise click.BadParameter(f"a JSON object is expected, such as {{}}; found {text}")
    return values


@contextmanager
def _live_bar(title: str, total: float, unit: str) -> Iterator[Update]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    columns = (
        BarColumn(bar_width=8),  # the rest has to fit a terminal of 80 columns
        MofNCompleteColumn(),
        TextColumn(f"{unit}{{task.fields[words]}}", markup=False),
    )
    console = Console(stderr=True)
    console.print(Text(title))  # a name may hold brackets, which are not rich's markup
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, words="")
        yield lambda completed, words: bar.update(task, completed=completed, words=f", {words}")


@contextmanager
def _plain_lines(title: str, total: float, unit: str) -> Iterator[Update]:
    printed = time.monotonic()

    def update(completed: float, words: str) -> None:
        nonlocal printed
        now = time.monotonic()
        if now - printed < SECONDS_BETWEEN_LINES:
            return
        printed = now
        click.echo(f"{title}: {completed:g}/{total:g} {unit}, {words}", err=True)

    yield update
