"""How settings are described, checked and read: the machinery behind the records in ``training.config``."""

from __future__ import annotations

import dataclasses
import difflib
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, fields
from typing import Any, TypeVar

from gailkit.errors import InputError

Record = TypeVar("Record")

BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "at least": operator.ge,
    "above": operator.gt,
    "at most": operator.le,
    "below": operator.lt,
}


def setting(default: Any, help: str, choices: tuple[str, ...] = (), **bounds: float) -> Any:
    """A field with its default, its help sentence, the words it may be and its ``BOUNDS``, spaces as underscores."""
    named = {name.replace("_", " "): bound for name, bound in bounds.items()}
    return field(default=default, metadata={"help": help, "choices": choices, "bounds": named})


def setting_of(defaults: Mapping[str, Any], help: str, choices: tuple[str, ...] = (), **bounds: float) -> Any:
    """A field of some generators only, with each one's default; None, its value here, stands for those."""
    made = setting(None, help, choices, **bounds)
    return field(default=None, metadata={**made.metadata, "of": defaults})


def config_from_dict(values: Mapping[str, Any], kind: type[Record]) -> Record:
    """The defaults of ``kind`` with ``values`` put in; sections are nested dictionaries, as in TOML or JSON.

    Raises:
        InputError: for a name that is no setting (the known ones are listed), a wrong type, a value out of range, or
            settings that contradict each other.
    """
    config: Record = _filled(kind(), values, "")
    return config


def settings_of(record: Any, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dataclasses.Field[Any]]]:
    """Each setting's path and field, sections opened."""
    for item in fields(record):
        value = getattr(record, item.name)
        if dataclasses.is_dataclass(value):
            yield from settings_of(value, (*prefix, item.name))
        else:
            yield (*prefix, item.name), item


def example_of(item: dataclasses.Field[Any]) -> Any:
    """A value of the type that the setting has: its default, or that of one of the generators that have it."""
    return next(iter(item.metadata["of"].values())) if "of" in item.metadata else item.default


def _filled(record: Any, values: Mapping[str, Any], prefix: str) -> Any:
    known = {item.name: item for item in fields(record)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        close = difflib.get_close_matches(unknown[0].replace("-", "_"), known, n=1)
        hint = f"did you mean {prefix + close[0]!r}? " if close else ""
        listed = ", ".join(prefix + name for name in known)
        raise InputError(f"no setting is called {prefix + unknown[0]!r}; {hint}known are {listed}")
    changes = {}
    for name, value in values.items():
        current = getattr(record, name)
        if dataclasses.is_dataclass(current):
            if not isinstance(value, Mapping):
                raise InputError(f"{prefix}{name} is a section of settings; found {value!r}")
            changes[name] = _filled(current, value, f"{prefix}{name}.")
        else:
            absent = value is None and known[name].default is None
            changes[name] = None if absent else _typed(prefix + name, value, example_of(known[name]))
    return dataclasses.replace(record, **changes)


def _typed(name: str, value: Any, example: Any) -> Any:
    """``value`` in the type of ``example``; an int will do for a float and a list for a tuple."""
    if isinstance(example, tuple):
        if isinstance(value, list | tuple) and all(type(item) is int for item in value):
            return tuple(value)
        raise InputError(f"{name} must be a list of whole numbers; found {value!r}")
    if isinstance(example, float) and type(value) is int:
        return float(value)
    if type(value) is not type(example):
        raise InputError(f"{name} must be of type {type(example).__name__}; found {value!r}")
    return value


def check_record(record: Any, prefix: str) -> None:
    """Raise InputError unless every setting, in sections too, keeps to its choices and bounds."""
    for item in fields(record):
        value = getattr(record, item.name)
        if "choices" not in item.metadata:
            if not dataclasses.is_dataclass(value):
                kind = type(getattr(type(record)(), item.name)).__name__
                raise InputError(f"{prefix}{item.name} must be a {kind}; found {type(value).__name__}")
            check_record(value, f"{item.name}.")
        elif value is not None:
            choices = item.metadata["choices"]
            if choices and value not in choices:
                raise InputError(f"{prefix}{item.name} must be {' or '.join(choices)}; found {value!r}")
            check_range(prefix + item.name, value, item.metadata["bounds"])


def check_range(name: str, value: Any, bounds: Mapping[str, float]) -> None:
    """Raise InputError unless every number in ``value`` is finite and keeps to ``bounds``."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and not math.isfinite(number):
            raise InputError(f"{name} must be a finite number; found {number}")
        if not all(BOUNDS[relation](number, bound) for relation, bound in bounds.items()):
            accepted = " and ".join(f"{relation} {bound:g}" for relation, bound in bounds.items())
            raise InputError(f"{name} must be {accepted}; found {number}")
