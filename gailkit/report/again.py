"""The section with what it takes to get the same numbers again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from gailkit.report.blocks import Block, Commands, Details, Paragraph, Table
from gailkit.report.page import Section

WIDE = 80  # letters of a command that stay on one line


def again_section(seed: int, commands: Mapping[str, Sequence[str]], versions: Mapping[str, str]) -> Section:
    """The commands under their captions, and the versions."""
    blocks: list[Block] = [
        Commands(caption, [in_lines(line) for line in lines]) for caption, lines in commands.items() if lines
    ]
    if versions:
        table = Table("Versions", ("package", "version"), [(name, text) for name, text in versions.items()])
        blocks.append(Details("Versions", [table]))
    said = f"The same seed, {seed}, gives the same numbers on the same versions."
    return Section("To do it again", [Paragraph(said), *blocks])


def in_lines(command: str) -> str:
    """A long command with every option on a line of its own, which a shell reads as the same."""
    if len(command) <= WIDE or "\n" in command:
        return command
    try:
        words = shlex.split(command)
    except ValueError:  # a quotation that does not end: it is no command, and is shown as it is
        return command
    lines: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--") or len(shlex.join([*lines[-1], word])) > WIDE:
            lines.append([])
        lines[-1].append(word)
    return " \\\n    ".join(shlex.join(line) for line in lines)
