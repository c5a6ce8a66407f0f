"""A directive whose content is Markdown that it writes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class Written(SphinxDirective):
    """Stands for the Markdown that ``written`` returns."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The nodes of what was written; a wrong argument is an error with its sentence."""
        try:
            return self.parse_text_to_nodes(self.written())
        except (LookupError, OSError) as error:
            raise self.error(f"{self.name} {self.arguments[0]}: {error}") from error

    @abstractmethod
    def written(self) -> str:
        """Markdown, without headings."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; bars in cells are escaped, but for those that are already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def cell(text: str) -> str:
    """``text`` as the content of a cell."""
    return text.replace("|", "\\|").replace("\n", " ")
