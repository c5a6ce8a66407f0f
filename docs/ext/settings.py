"""``{settings} ppo-clip``: the settings of a generator, of every policy, of the discriminator or of the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from sphinx.application import Sphinx

from ext.markdown import Written, cell, table
from gailkit.training.config import DiscriminatorConfig, TrainConfig
from gailkit.training.policy_config import EVERY, PolicyConfig
from gailkit.training.settings import example_of

Field = dataclasses.Field[Any]


class Settings(Written):
    """A table: option, default, what it may be, what it means."""

    def written(self) -> str:
        """The settings that the argument names: a generator's own, policy, discriminator or run."""
        name = self.arguments[0]
        if name in EVERY:
            return _table("--policy-", _of(name), lambda item: item.metadata["of"][name])
        chosen: dict[str, tuple[str, Any]] = {
            "policy": ("--policy-", PolicyConfig),
            "discriminator": ("--discriminator-", DiscriminatorConfig),
            "run": ("--", TrainConfig),
        }
        if name not in chosen:
            raise LookupError(f"there are settings of {', '.join((*chosen, *EVERY))}")
        prefix, kind = chosen[name]
        return _table(prefix, (item for item in dataclasses.fields(kind) if _plain(item)), None)


def _of(generator: str) -> Iterable[Field]:
    return (item for item in dataclasses.fields(PolicyConfig) if generator in item.metadata.get("of", {}))


def _plain(item: Field) -> bool:
    """Whether it is a setting that everybody has, and no section of them."""
    return "choices" in item.metadata and "of" not in item.metadata


def _table(prefix: str, items: Iterable[Field], default: Callable[[Field], Any] | None) -> str:
    rows = []
    for item in items:
        shown = _shown(default(item)) if default else _default(item)
        name = f"`{prefix}{item.name.replace('_', '-')}`"
        rows.append((name, cell(shown), cell(_accepted(item)), cell(item.metadata["help"])))
    return table(("option", "default", "accepted", "meaning"), rows)


def _default(item: Field) -> str:
    if "by" not in item.metadata:
        return _shown(item.default)
    usual, others = _shown(item.metadata["default"]), item.metadata["by"]
    if not others:
        return usual
    (other,) = set(others.values())
    return f"{usual}; {_shown(other)} for {', '.join(others)}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "`" + ",".join(map(str, value)) + "`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _accepted(item: Field) -> str:
    if item.metadata["choices"]:
        return ", ".join(f"`{choice}`" for choice in item.metadata["choices"])
    kind = {tuple: "whole numbers", int: "whole number", float: "number", str: "a name"}[type(example_of(item))]
    bounds = " and ".join(f"{relation} {bound:g}" for relation, bound in item.metadata["bounds"].items())
    return f"{kind}, {bounds}" if bounds else kind


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
