"""How settings are described, checked and read: the machinery behind the records in ``training.config``."""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, fields
from typing import Any, TypeVar

from gailkit.errors import InputError

Record = TypeVar("Record")


class SettingError(InputError):
    """What is wrong with some settings, in a sentence that can call them by other names.

    Here they are called as in TOML and Python, ``policy.clip``.
    """

    def __init__(self, sentence: Callable[..., str], *names: str) -> None:
        """``sentence`` makes it of the names, in their order."""
        super().__init__(sentence(*names))
        self.sentence, self.names = sentence, names

    def calling(self, call: Callable[[str], str]) -> InputError:
        """The same error with every name as ``call`` has it."""
        return InputError(self.sentence(*map(call, self.names)))


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


def setting_of(
    defaults: Mapping[str, Any], help: str, choices: tuple[str, ...] = (), grows: int = 0, **bounds: float
) -> Any:
    """A field of some generators only, with each one's default; None, its value here, stands for those.

    ``grows`` is 1 where the default grows with the environments (``grown``), and -1 where it shrinks with them.
    """
    made = setting(None, help, choices, **bounds)
    return field(default=None, metadata={**made.metadata, "of": defaults, "grows": grows})


def setting_by(default: Any, others: Mapping[str, Any], help: str, grows: int = 0, **bounds: float) -> Any:
    """A field whose default is another one with some generators; None until ``fill`` knows the generator.

    ``grows`` as in ``setting_of``.
    """
    made = setting(None, help, (), **bounds)
    return field(default=None, metadata={**made.metadata, "default": default, "by": others, "grows": grows})


def fill(record: Any, generator: str, growth: float = 1.0) -> None:
    """Put the default of ``generator`` into every setting of a frozen ``record`` that is being made and has none."""
    for item in fields(record):
        if "by" in item.metadata and getattr(record, item.name) is None:
            found = item.metadata["by"].get(generator, item.metadata["default"])
            object.__setattr__(record, item.name, grown(found, item, growth))


def grown(default: Any, item: dataclasses.Field[Any], growth: float) -> Any:
    """The ``default`` of a setting times the ``growth``, or divided by it, where it grows or shrinks."""
    if growth == 1.0 or not item.metadata["grows"]:
        return default
    return type(default)(default * growth ** item.metadata["grows"])


def config_from_dict(values: Mapping[str, Any], kind: type[Record]) -> Record:
    """The defaults of ``kind`` with ``values`` put in; sections are nested dictionaries, as in TOML or JSON.

    Raises:
        InputError: for a name that is no setting (the known ones are listed), a wrong type, a value out of range, or
            settings that contradict each other.
    """
    config: Record = _filled(kind, values, "")
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
    if "by" in item.metadata:
        return item.metadata["default"]
    return next(iter(item.metadata["of"].values())) if "of" in item.metadata else item.default


def _filled(kind: Any, values: Mapping[str, Any], prefix: str) -> Any:
    known = {item.name: item for item in fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        close = difflib.get_close_matches(unknown[0].replace("-", "_"), known, n=1)
        hint = f"did you mean {prefix + close[0]!r}? " if close else ""
        listed = ", ".join(prefix + name for name in known)
        raise InputError(f"no setting is called {prefix + unknown[0]!r}; {hint}known are {listed}")
    changes = {}
    for name, value in values.items():
        section: Any = known[name].default_factory
        if dataclasses.is_dataclass(section):
            if not isinstance(value, Mapping):
                raise InputError(f"{prefix}{name} is a section of settings; found {value!r}")
            changes[name] = _filled(section, value, f"{prefix}{name}.")
        else:
            changes[name] = value
    return kind(**changes)


def settle(record: Any, prefix: str) -> None:
    """Put every setting of a frozen ``record`` that is being made into its type, and check it.

    A number will do for another if it is exactly that: 3 for 3.0 and 3.0 for 3; a list will do for a tuple.

    Raises:
        SettingError: for one of a wrong type, that is no choice or out of its bounds; it is called ``prefix`` and its
            name.
    """
    for item in fields(record):
        value, name = getattr(record, item.name), prefix + item.name
        if "choices" not in item.metadata:
            section: Any = item.default_factory
            if not isinstance(value, section):
                raise _must_be(f"a {section.__name__}", type(value).__name__, name)
        elif value is not None or item.default is not None:
            object.__setattr__(record, item.name, _settled(name, value, item))


def _settled(name: str, value: Any, item: dataclasses.Field[Any]) -> Any:
    choices = item.metadata["choices"]
    if choices and value not in choices:
        raise _must_be(" or ".join(choices), repr(value), name)
    typed = _typed(name, value, example_of(item))
    _check_range(name, typed, item.metadata["bounds"])
    return typed


def _typed(name: str, value: Any, example: Any) -> Any:
    """``value`` in the type of ``example``."""
    if isinstance(example, tuple):
        whole = tuple(map(_whole, value)) if isinstance(value, list | tuple) else (None,)
        if None in whole:
            raise _must_be("a list of whole numbers", repr(value), name)
        return whole
    if isinstance(example, str):
        if not isinstance(value, str):
            raise _must_be("text", repr(value), name)
        return value
    number = _whole(value) if isinstance(example, int) else _real(value)
    if number is None:
        raise _must_be("a whole number" if isinstance(example, int) else "a number", repr(value), name)
    return number


def _whole(value: Any) -> int | None:
    """The whole number that ``value`` is exactly, of Python or NumPy; None for anything else, a bool too."""
    real = _real(value)
    if real is None or isinstance(value, numbers.Integral):
        return None if real is None else int(value)
    return int(real) if real.is_integer() else None


def _real(value: Any) -> float | None:
    """The number that ``value`` is, of Python or NumPy, infinite where no float is so large; None as ``_whole``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return -math.inf if value < 0 else math.inf


def _must_be(accepted: str, found: str, name: str) -> SettingError:
    return SettingError(lambda called: f"{called} must be {accepted}; found {found}", name)


def _check_range(name: str, value: Any, bounds: Mapping[str, float]) -> None:
    """Raise SettingError unless every number in ``value`` is finite and keeps to ``bounds``."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and not math.isfinite(number):
            raise _must_be("a finite number", str(number), name)
        if not all(BOUNDS[relation](number, bound) for relation, bound in bounds.items()):
            raise _must_be(
                " and ".join(f"{relation} {bound:g}" for relation, bound in bounds.items()), str(number), name
            )
