"""The file that says what a sweep consists of: TOML, of which nothing is executed.

seeds = 3                          # 0, 1 and 2; or a list
episodes = 50                      # of each evaluation, unless it is left out
[[task]]                           # one or more
env = "CartPole-v1"
demos = "datasets/cartpole-v1.hdf5"
steps = 100000                     # and any other option of gailkit train
[settings]                         # of all methods: a list is gone through
discriminator-updates = [8, 32]
[[method]]                         # where methods have settings that others do not have
generator = "sac"
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gailkit.errors import DataError, InputError

TOP = ("seeds", "episodes", "task", "settings", "method")
USUAL_EPISODES = 50
MOST_SEEDS = 10_000
ELSEWHERE = {  # options of gailkit train that a sweep has its own way to say -> that way
    "seed": "seeds = [0, 1, 2] at the top of the file says which seeds",
    "out": "every run gets a folder of its own",
    "overwrite": "every run gets a folder of its own",
    "resume": "gailkit sweep --resume goes on",
    "config": "settings stand in [settings]",
    "threads": "gailkit sweep --threads says how many",
    "trust": "gailkit sweep --trust says what may be imported",
}


class Option(NamedTuple):
    """An option of ``gailkit train`` that the file may name."""

    kind: str  # flag, sizes, table, whole, or value
    evaluates: bool = False  # whether gailkit evaluate takes it too, to read the demonstrations alike


class Range(NamedTuple):
    """What a search samples from."""

    low: float
    high: float
    log: bool
    whole: bool


Vocabulary = Mapping[str, Option]
"""The options of ``gailkit train``, without their dashes."""


@dataclass(frozen=True)
class Group:
    """A table of the file: every combination of its values is a task, or a method."""

    where: str  # as the file calls it
    lists: Mapping[str, tuple[Any, ...]]
    ranges: Mapping[str, Range]


@dataclass(frozen=True)
class SweepConfig:
    """What a file asks for."""

    tasks: tuple[Group, ...]
    settings: Group
    methods: tuple[Group, ...]  # at least one; of what every method has nothing
    seeds: tuple[int, ...]
    episodes: int


def read_config(text: str, name: str, known: Vocabulary) -> SweepConfig:
    """What ``text``, that of the file ``name``, asks for.

    Raises:
        DataError: if it is not TOML; it says in which line.
        InputError: for a name that is not known (near ones are told), or a value that cannot be what it stands for.
    """
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{name} is not a TOML file: {error}") from error
    try:
        return _config(found, known)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def read_text(path: Path) -> str:
    """The text of a file. Raises InputError where there is none, and DataError where it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"there is no file {path}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a TOML file: {error}") from error


def _config(found: Mapping[str, Any], known: Vocabulary) -> SweepConfig:
    for name in found:
        if name not in TOP:
            belongs = "; options of gailkit train stand in [settings] or [[task]]" if name in known else ""
            raise InputError(
                f"{name!r} is not known at the top{_near(name, TOP)}; accepted are {_listed(TOP)}{belongs}"
            )
    tables = {name: _tables(found.get(name, []), name) for name in ("task", "method")}
    if not tables["task"]:
        raise InputError('a sweep needs at least one [[task]], with env = "CartPole-v1" and demos = "FILE"')
    settings = found.get("settings", {})
    if not isinstance(settings, dict):
        raise InputError(f"settings is a table, [settings]; found {settings!r}")
    for index, table in enumerate(tables["task"], 1):
        _require_task(table, f"[[task]] {index}")
    return SweepConfig(
        tuple(_group(f"[[task]] {index}", table, {**known, **TASK}) for index, table in enumerate(tables["task"], 1)),
        _group("[settings]", settings, known),
        tuple(_group(f"[[method]] {index}", table, known) for index, table in enumerate(tables["method"], 1))
        or (Group("[settings]", {}, {}),),
        _seeds(found.get("seeds")),
        _whole(found.get("episodes", USUAL_EPISODES), "episodes", 1),
    )


TASK: Vocabulary = {"env": Option("value"), "demos": Option("value")}


def _tables(found: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InputError(f"{name} is a list of tables, each of which begins with [[{name}]]; found {found!r}")
    return found


def _require_task(table: Mapping[str, Any], where: str) -> None:
    for name, meaning in (("env", "the environment"), ("demos", "the demonstrations, a file or folder")):
        if not isinstance(table.get(name), str) or not table[name] or table[name].startswith("-"):
            raise InputError(f"{where} needs {name} = TEXT, {meaning}; found {table.get(name)!r}")


def _seeds(found: Any) -> tuple[int, ...]:
    if found is None:
        raise InputError("seeds is missing: their number, such as 3, or a list of them")
    if not isinstance(found, list):
        count = _whole(found, "seeds", 1)
        if count > MOST_SEEDS:
            raise InputError(f"seeds is their number, at most {MOST_SEEDS:,}, or a list of them; found {count:,}")
        return tuple(range(count))
    seeds = tuple(_whole(seed, "a seed", 0) for seed in found)
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds must be a list of different whole numbers, at least one; found {found!r}")
    return seeds


def _whole(found: Any, what: str, least: int) -> int:
    if isinstance(found, bool) or not isinstance(found, int) or found < least:
        raise InputError(f"{what} must be a whole number, at least {least}; found {found!r}")
    return found


def _group(where: str, table: Mapping[str, Any], known: Vocabulary) -> Group:
    lists: dict[str, tuple[Any, ...]] = {}
    ranges: dict[str, Range] = {}
    for name, value in table.items():
        _require_known(name, value, known, where)
        option, called = known[name], f"{name} in {where}"
        if isinstance(value, dict) and option.kind != "table":
            ranges[name] = _range(value, option, called)
        else:
            lists[name] = _values(value, option, called)
    return Group(where, lists, ranges)


def _require_known(name: str, value: Any, known: Vocabulary, where: str) -> None:
    if name in known:
        return
    if name in ELSEWHERE:
        raise InputError(f"{name} cannot stand in {where}: {ELSEWHERE[name]}")
    section = [own for own in known if own.startswith(f"{name}-")]
    if section and isinstance(value, dict):
        raise InputError(
            f"{name!r} in {where} is no option of gailkit train; its settings are called {section[0]}, ..."
        )
    raise InputError(
        f"{name!r} in {where} is no option of gailkit train{_near(name, known)}; `gailkit train --help` lists them"
    )


def _values(value: Any, option: Option, called: str) -> tuple[Any, ...]:
    """What is gone through: the elements of a list, or one value."""
    found = value if isinstance(value, list) else [value]
    if not found:
        raise InputError(f"{called} is an empty list, so that nothing would be run")
    if option.kind == "sizes" and not all(isinstance(each, list) for each in found):
        raise InputError(f"{called} is a list of lists, [[64, 64]] for one network of two layers; found {value!r}")
    for each in found:
        if not _may_be(each, option.kind):
            raise InputError(f"{called} must be {ACCEPTED[option.kind]}, or a list of such; found {each!r}")
    if any(each in found[:index] for index, each in enumerate(found)):
        raise InputError(f"{called} names a value twice; found {value!r}")
    return tuple(int(each) if option.kind == "whole" and isinstance(each, float) else each for each in found)


ACCEPTED = {
    "flag": "true or false",
    "sizes": "a list of whole numbers",
    "table": "a table of arguments, { name = value }",
    "whole": "a whole number",
    "value": "a text or a number",
}


def _may_be(value: Any, kind: str) -> bool:
    match kind:
        case "flag":
            return isinstance(value, bool)
        case "sizes":
            return isinstance(value, list) and bool(value) and all(_may_be(each, "whole") for each in value)
        case "table":
            return isinstance(value, dict)
        case "whole":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return float(value).is_integer() if number else value in ("auto", "none")
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _range(table: Mapping[str, Any], option: Option, called: str) -> Range:
    """``{ low = 1e-4, high = 1e-2, log = true }``."""
    low, high, log = table.get("low"), table.get("high"), table.get("log", False)
    numbers = [low, high]
    whole = option.kind == "whole"
    kinds = int if whole else int | float
    proper = all(isinstance(number, kinds) and not isinstance(number, bool) for number in numbers)
    if set(table) - {"low", "high", "log"} or not proper or not isinstance(log, bool):
        accepted = "{ low = 4, high = 64 }" if whole else "{ low = 1e-4, high = 1e-2, log = true }"
        raise InputError(f"{called}: a range is {accepted}; found {dict(table)!r}")
    assert low is not None and high is not None
    if not low < high or (log and low <= 0):
        above = ", and above 0 where log is true" if log else ""
        raise InputError(f"{called}: low must be below high{above}; found {low!r} and {high!r}")
    return Range(low, high, log, whole)


def _near(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
