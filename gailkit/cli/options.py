"""Options of the command line made from the records of settings, so that each is written once."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from gailkit.cli.common import PATH, device_option, env_kwargs_option
from gailkit.errors import DataError, InputError
from gailkit.training.config import RunConfig
from gailkit.training.policy_config import EVERY
from gailkit.training.settings import SettingError, config_from_dict, example_of, settings_of

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Config = TypeVar("Config", bound=RunConfig)


class Sizes(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them, as a tuple."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """``"64,64"`` to ``(64, 64)``."""
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers such as 64,64", param, ctx)


class Whole(click.ParamType[int]):
    """A whole number, also written as 1e6."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """``"1e6"`` to 1000000."""
        for kind in (int, float):
            try:
                number = kind(str(value))
            except ValueError:
                continue
            if number == number // 1:  # neither a fraction nor infinite
                return int(number)
        self.fail(f"{value!r} is not a whole number", param, ctx)


def run_options(command: Decorated) -> Decorated:
    """``--out``, ``--overwrite``, ``--threads``, ``--device`` and ``--env-kwargs``, of every command that makes a run
    folder."""
    for option in (
        env_kwargs_option,
        device_option,
        click.option(
            "--threads",
            type=click.IntRange(1),
            default=1,
            show_default=True,
            help="Threads of torch; 1 is fastest for small networks.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace the run that the folder already holds."),
        click.option("--out", required=True, type=PATH, help="The run folder to make."),
    ):
        command = option(command)
    return command


def track_option(command: Decorated) -> Decorated:
    """``--track``, of every command that trains: names, or None where nothing was said."""
    decorate = click.option(
        "--track",
        metavar="NAMES",
        callback=_names,
        help="Where the numbers are shown beside metrics.jsonl: tensorboard, wandb, trackio or "
        "package.module:attribute, with commas between them, or none. One that fails is told of and ends nothing. "
        "[default: tensorboard]",
    )
    return decorate(command)


def _names(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(","))


def config_options(kind: type[RunConfig]) -> Callable[[Decorated], Decorated]:
    """``--config FILE.toml`` and an option for every setting of ``kind``: ``--policy-clip`` for ``policy.clip``."""

    def decorate(command: Decorated) -> Decorated:
        for path, setting in reversed(list(settings_of(kind()))):
            option = click.option(
                _option(path),
                "_".join(path),
                panel="Settings of the " + path[0] if len(path) > 1 else "Settings of the run",
                type=_type(setting),
                help=_explained(setting),
            )
            command = option(command)
        toml = click.Path(path_type=Path, dir_okay=False)
        help = "Settings from a TOML file; options given beside it win."
        return click.option("--config", type=toml, help=help)(command)

    return decorate


def config_from_options(options: dict[str, Any], toml: Path | None, kind: type[Config]) -> Config:
    """The defaults of ``kind``, over them what the TOML file says, over that the ``options`` that are not None.

    A setting that is refused is called by its option, or as in the file if that is where it stands.

    Raises:
        InputError: if the file does not exist, or a setting in it is not known, of a wrong type or out of range, or
            settings contradict each other.
        DataError: if the file is not TOML.
    """
    chosen = {} if toml is None else _read_toml(toml)
    called = {}
    for path, _ in settings_of(kind()):
        value = options["_".join(path)]
        if value is not None or toml is None:
            called[".".join(path)] = _option(path)
        if value is not None:
            _section(chosen, path[:-1])[path[-1]] = value
    try:
        return config_from_dict(chosen, kind)
    except SettingError as error:
        raise error.calling(lambda name: called.get(name, name)) from error


def _section(settings: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The section that ``names`` lead to, made where it is missing."""
    section = settings
    for name in names:
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            raise InputError(f"{name} is a section of settings; found {section!r}")
    return section


def _option(path: tuple[str, ...]) -> str:
    """``--policy-clip`` for ``policy.clip``."""
    return "--" + "-".join(path).replace("_", "-")


def _type(setting: dataclasses.Field[Any]) -> Any:
    if setting.metadata["choices"]:
        return click.Choice(setting.metadata["choices"])
    example = example_of(setting)
    return {tuple: Sizes(), int: Whole()}.get(type(example), type(example))


def _explained(setting: dataclasses.Field[Any]) -> str:
    """The help sentence with the default, and who has the setting if not every generator has it."""
    if "by" in setting.metadata:
        others = setting.metadata["by"]
        if not others:
            return f"{setting.metadata['help']} [default: {_shown(setting.metadata['default'])}]"
        (other,) = set(others.values())
        default = f"{_shown(setting.metadata['default'])}; {_shown(other)} for {', '.join(others)}"
        return f"{setting.metadata['help']} [default: {default}]"
    if "of" not in setting.metadata:
        return f"{setting.metadata['help']} [default: {_shown(setting.default)}]"
    defaults = setting.metadata["of"]
    if len(set(defaults.values())) > 1:
        grouped = {value: [name for name, own in defaults.items() if own == value] for value in defaults.values()}
        listed = "; ".join(f"{_shown(value)} for {', '.join(names)}" for value, names in grouped.items())
        return f"{setting.metadata['help']} [default: {listed}]"
    owners = "" if set(defaults) == set(EVERY) else f"; of {', '.join(defaults)}"
    return f"{setting.metadata['help']} [default: {_shown(example_of(setting))}{owners}]"


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
