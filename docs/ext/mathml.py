"""Equations as MathML, which browsers draw themselves: no script, no font and no picture is loaded for them."""

from __future__ import annotations

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def mathml(latex: str, display: str) -> str:
    """The equation; behind the name of a function without brackets there is a space, which the converter leaves out."""
    return re.sub(
        r"(<mi>ln</mi>)(?!<mo[^>]*>(?:\(|&#x00028;))", r'\1<mspace width="0.17em"/>', convert(latex, display=display)
    )


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    """One in a line of text."""
    translator.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """One on a line of its own, which scrolls where it is too wide."""
    translator.body.append(f'<div class="equation">{mathml(node.astext().strip(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Take the place of ``sphinx.ext.mathjax``."""
    app.add_html_math_renderer("mathml", inline_renderers=(visit_math, None), block_renderers=(visit_math_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
