"""Commands that several processes run together, where torchrun has started several."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import Any, TypeVar, cast

from gailkit.ranks.group import is_first, joined
from gailkit.ranks.joining import announced, beside

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def on_all_ranks(command: Decorated) -> Decorated:
    """``command`` run by all the processes together, of which the first alone prints."""

    @functools.wraps(command)
    def together(**arguments: Any) -> Any:
        with ExitStack() as opened:
            opened.enter_context(joined())
            if not is_first():
                nowhere = opened.enter_context(open(os.devnull, "w", encoding="utf-8"))
                opened.enter_context(redirect_stdout(nowhere))
                opened.enter_context(redirect_stderr(nowhere))
            return command(**arguments)

    return cast(Decorated, together)


def launched_by() -> list[str]:
    """The words that a command line begins with to be run by as many processes as this one."""
    if announced() == 1:
        return ["gailkit"]
    machines = [] if announced() == beside() else [f"--nnodes={announced() // beside()}"]
    return ["torchrun", *machines, f"--nproc-per-node={beside()}", "-m", "gailkit"]
