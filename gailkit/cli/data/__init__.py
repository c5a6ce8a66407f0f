"""``gailkit data``: looking into files of demonstrations, and making new ones of them. A command loads when it runs."""

from __future__ import annotations

from importlib import import_module

import rich_click as click

COMMANDS = {  # name, which is that of its module and of the command in it -> what the list of commands says about it
    "info": "Say what a file holds: task, episodes, returns, endings, origin.",
    "check": "Look for what spoils imitation, and say how to mend it.",
    "convert": "Write a file of any format as a native one, or for Minari.",
    "repair": "Save the intact episodes of a damaged file.",
    "merge": "Join files of one task into one.",
    "split": "Part a file into two, by whole episodes at random.",
    "select": "Keep the episodes that meet some conditions.",
    "plot": "Draw a picture to judge a file by.",
}

EXAMPLES = ("Examples:", "gailkit data info demos.hdf5", "gailkit data select demos.hdf5 -o good.hdf5 --min-return 400")


class LazyGroup(click.RichGroup):
    """A group that lists its commands from ``COMMANDS`` and imports one only when it is run or asked for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order in which a user meets them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with, imported. Raises NoSuchCommand, naming those that are near."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else load_command(name), rest


def load_command(name: str) -> click.Command:
    """The real command of a ``name`` in ``COMMANDS``, its module imported."""
    command = getattr(import_module(f"{__name__}.{name}"), name)
    if not isinstance(command, click.Command):
        raise TypeError(f"{name} in {__name__}.{name} is not a command but a {type(command).__name__}")
    return command


@click.group("data", cls=LazyGroup, epilog="\n\n".join(EXAMPLES))
def data() -> None:
    """Look into files of demonstrations, and make new ones of them."""


for _name, _summary in COMMANDS.items():
    data.add_command(click.RichCommand(name=_name, help=_summary))
