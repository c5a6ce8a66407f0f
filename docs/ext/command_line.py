"""``{command-line}``: every command of gailkit with its arguments and options, read off the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import rich_click as click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gailkit.cli.lazy import LazyGroup, load_command
from gailkit.cli.main import gailkit


class CommandLine(SphinxDirective):
    """A section a command; commands of a group lie in the group's."""

    def run(self) -> list[nodes.Node]:
        """The sections, in the order of ``gailkit --help``."""
        words = self.parse_text_to_nodes("\n".join(_options(gailkit, "gailkit")))
        return [*words, *(self._section(name, command) for name, command in _commands(gailkit, "gailkit"))]

    def _section(self, name: str, command: click.Command) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(name)], names=[name])
        section += nodes.title("", "", nodes.literal("", name))
        section += self.parse_text_to_nodes("\n".join(_described(name, command)))
        if isinstance(command, LazyGroup):
            section += [self._section(*each) for each in _commands(command, name)]
        self.state.document.note_explicit_target(section)
        return section


def _commands(group: LazyGroup, name: str) -> Iterator[tuple[str, click.Command]]:
    return ((f"{name} {own}", load_command(lazy)) for own, lazy in group.table.items())


def _described(name: str, command: click.Command) -> Iterator[str]:
    yield _plain(command.help or "")
    if not isinstance(command, LazyGroup):
        with click.Context(command, info_name=name) as context:
            usage = " ".join(command.collect_usage_pieces(context))
        yield f"\n```shell\n{name} {usage}\n```\n"
        yield from _examples(command.epilog or "")
        yield from _options(command, name)


def _examples(epilog: str) -> Iterator[str]:
    """``Examples:``, then commands, each followed by what it makes."""
    lines = [line.strip() for line in epilog.split("\n") if line.strip() and line.strip() != "Examples:"]
    if lines:
        shown = [f"# {line[2:]}\n" if line.startswith("- ") else line for line in lines]
        pairs = [f"{said}{command}\n" for command, said in zip(shown[::2], shown[1::2], strict=True)]
        yield "\n```shell\n" + "\n".join(pairs) + "```\n"


def _options(command: click.Command, name: str) -> Iterator[str]:
    """A list of definitions, under the heading of each panel of the help."""
    panels: dict[str, list[click.Option]] = {}
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            panels.setdefault(getattr(option, "panel", None) or "Options", []).append(option)
    with click.Context(command, info_name=name) as context:
        for panel, options in panels.items():
            yield f"\n**{panel if isinstance(panel, str) else panel[0]}**\n"
            for option in options:
                yield from _option(option, context)


def _option(option: click.Option, context: click.Context) -> Iterator[str]:
    record = option.get_help_record(context)
    assert record is not None
    names, said = record
    text, *facts = re.split(r"\s*\[((?:default|required|x[<>]|\d+[<>])[^\]]*)\]", said)
    yield f"\n`{names}`\n: {_plain(text)}"
    if known := [fact for fact in facts if fact.strip()]:
        yield f"  *{_plain('; '.join(known))}*"


def _plain(text: str) -> str:
    """Help texts are no Markdown: what would be markup is escaped."""
    text = inspect.cleandoc(text.replace("\b", ""))
    return re.sub(r"([*_<>\[\]|$])", r"\\\1", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
