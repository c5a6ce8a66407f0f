"""Groups of commands, each of which is imported only when it is run or asked for help."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import rich_click as click


class Lazy(NamedTuple):
    """Where a command is, and what the list of commands says about it."""

    target: str  # "module:attribute"
    summary: str


class LazyGroup(click.RichGroup):
    """A group that lists the commands of a table, and imports one only when it is run or asked for help."""

    def __init__(self, *arguments: Any, table: Mapping[str, Lazy], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.table = table
        for name, lazy in table.items():
            self.add_command(click.RichCommand(name=name, help=lazy.summary))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order in which a user meets them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with, imported. Raises NoSuchCommand, naming those that are near."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else load_command(self.table[name]), rest


def load_command(lazy: Lazy) -> click.Command:
    """The real command, its module imported."""
    module, _, attribute = lazy.target.partition(":")
    command = getattr(import_module(module), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{lazy.target} is not a command but a {type(command).__name__}")
    return command
