"""HTML that is safe by construction: text is escaped where it enters, and only what was built here is taken as is."""

from __future__ import annotations

import html
import re

VOID = {"br", "img", "meta", "source"}  # elements without an end
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """HTML that needs no further escaping. Only this module and ``svg`` make any from text."""

    __slots__ = ()


def readable(text: str) -> str:
    """``text`` with a replacement sign for what neither HTML nor XML may hold, and for what turns the direction of
    writing around, so that no name can pass for another."""
    return _FORBIDDEN.sub("\ufffd", text)


def shortened(text: str, most: int) -> str:
    """``text`` of at most ``most`` letters, the middle left out of a longer one: names differ at either end."""
    if len(text) <= most:
        return text
    head = (most - 3) // 2
    return f"{text[:head]}...{text[len(text) - (most - 3 - head) :]}"


def escaped(text: str) -> Markup:
    """``text`` as a browser shows it literally, also inside the quotes of an attribute."""
    return Markup(html.escape(readable(text), quote=True))


def joined(*children: str) -> Markup:
    """The children one after the other; those that are no Markup are escaped."""
    return Markup("".join(child if isinstance(child, Markup) else escaped(child) for child in children))


def element(tag: str, *children: str, **attributes: str | int) -> Markup:
    """``element("p", "a < b", class_="note")``: children and attributes are escaped unless they are Markup.

    A final underscore keeps a name from being a keyword of Python; others become hyphens.
    """
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    opened = "".join(f' {name}="{escaped(str(value))}"' for name, value in named.items())
    if tag in VOID:
        return Markup(f"<{tag}{opened}>")
    return Markup(f"<{tag}{opened}>{joined(*children)}</{tag}>")
