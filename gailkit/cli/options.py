"""Options of the command line made from the records of settings, so that each is written once."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from gailkit.errors import DataError, InputError
from gailkit.training.config import TrainConfig, config_from_dict

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Sizes(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them, as a tuple."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """``"64,64"`` to ``(64, 64)``."""
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers such as 64,64", param, ctx)


def config_options(command: Decorated) -> Decorated:
    """``--config FILE.toml`` and an option for every setting: ``--policy-clip`` for ``policy.clip``."""
    for path, field, default in reversed(list(_settings(TrainConfig()))):
        option = click.option(
            "--" + "-".join(path).replace("_", "-"),
            "_".join(path),
            panel="Settings of the " + path[0] if len(path) > 1 else "Settings of the run",
            type=Sizes() if isinstance(default, tuple) else type(default),
            help=f"{field.metadata['help']} [default: {_shown(default)}]",
        )
        command = option(command)
    toml = click.Path(path_type=Path, dir_okay=False)
    return click.option("--config", type=toml, help="Settings from a TOML file; options given beside it win.")(command)


def config_from_options(options: dict[str, Any], toml: Path | None) -> TrainConfig:
    """The defaults, over them what the TOML file says, over that the ``options`` that were given (not None).

    Raises:
        InputError: if the file does not exist, or a setting in it is not known, of a wrong type or out of range.
        DataError: if the file is not TOML.
    """
    config = config_from_dict({} if toml is None else _read_toml(toml))
    given: dict[str, Any] = {}
    for path, _, _ in _settings(config):
        value = options["_".join(path)]
        if value is not None:
            section = given if len(path) == 1 else given.setdefault(path[0], {})
            section[path[-1]] = value
    return config_from_dict(given, config)


def _settings(
    record: Any, prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dataclasses.Field[Any], Any]]:
    """Each setting's path, field and value, sections opened."""
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if dataclasses.is_dataclass(value):
            yield from _settings(value, (*prefix, field.name))
        else:
            yield (*prefix, field.name), field, value


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a TOML file: {error}") from error
