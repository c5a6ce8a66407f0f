"""``--workers`` and what belongs to it: where environments run, and what is put up with from them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from gailkit.cli.common import printable
from gailkit.rollouts.stepping import AUTO, RESTARTS, STEP_TIMEOUT, Stepping

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

NAMES = ("workers", "step_timeout", "restarts")


class Workers(click.ParamType[int | str]):
    """The word auto, or a whole number that is 1 or more."""

    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """``"2"`` to 2."""
        if value == AUTO:
            return AUTO
        try:
            count = int(str(value))
        except ValueError:
            count = 0
        if count < 1:
            self.fail(f"{value!r} is neither auto nor a whole number, 1 or more", param, ctx)
        return count


_OPTIONS = (
    click.option(
        "--workers",
        type=Workers(),
        default=AUTO,
        show_default=True,
        metavar="auto|N",
        help="Processes that the environments run in, 1 for this one: --workers 4. auto tries a few steps, takes "
        "what is fastest and says so. The same seeds give the same numbers in any.",
    ),
    click.option(
        "--step-timeout",
        metavar="SECONDS",
        type=click.FloatRange(0, min_open=True),
        default=STEP_TIMEOUT,
        show_default=True,
        help="An environment in another process that takes longer for a step has failed; in this one it is waited for.",
    ),
    click.option(
        "--restarts",
        metavar="N",
        type=click.IntRange(0),
        default=RESTARTS,
        show_default=True,
        help="How often an environment may fail and begin anew, with its episode discarded, before the command fails.",
    ),
)


def stepping_options(command: Decorated) -> Decorated:
    """Those options, passed to the command as one argument ``stepping``: Stepping."""

    @functools.wraps(command)
    def gathered(**arguments: Any) -> Any:
        typed = {name: arguments.pop(name) for name in NAMES}
        asked = get_current_context().get_parameter_source("workers") == ParameterSource.COMMANDLINE
        return command(**arguments, stepping=Stepping(**typed, tell=note, tell_of_none=asked))

    decorated: Any = gathered
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return cast(Decorated, decorated)


def note(text: str) -> None:
    """Say something on stderr that does not stop the command; nothing where there is nothing to say."""
    if text:
        click.echo(printable(f"note: {text}"), err=True)
