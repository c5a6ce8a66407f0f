"""Options of ``gailkit train`` are the settings, each written once: names, help, precedence, refusals."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rich_click as click

from gailkit.cli.options import config_from_options, config_options
from gailkit.errors import DataError, InputError
from gailkit.training.config import TrainConfig


def settings(record: Any = None, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field[Any], Any]]:
    """Every setting's name with its sections, field and default."""
    record = record or TrainConfig()
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if dataclasses.is_dataclass(value):
            yield from settings(value, f"{field.name}.")
        else:
            yield prefix + field.name, field, value


@config_options
def body(config: Path | None, **options: Any) -> TrainConfig:
    return config_from_options(options, config)


COMMAND = click.command("settle")(body)


def settle(*arguments: str | Path) -> TrainConfig:
    """The settings that these words on the command line stand for."""
    settled = COMMAND.main(list(map(str, arguments)), standalone_mode=False)
    assert isinstance(settled, TrainConfig)
    return settled


def test_without_options_the_settings_are_the_defaults() -> None:
    assert settle() == TrainConfig()


def test_there_is_an_option_for_every_setting_with_its_help_and_default() -> None:
    options = {option.opts[0]: option for option in COMMAND.params if isinstance(option, click.Option)}
    for name, field, default in settings():
        option = options.pop("--" + name.replace(".", "-").replace("_", "-"))
        assert option.help is not None
        assert option.help.startswith(field.metadata["help"])
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        stated = re.search(r"\[default: (.*)\]$", option.help)
        assert stated is not None
        assert stated[1] == shown or float(stated[1]) == default
    assert set(options) == {"--config"}


@pytest.mark.parametrize(("name", "field", "default"), list(settings()), ids=[name for name, *_ in settings()])
def test_every_option_arrives_at_its_setting_and_no_other(
    name: str, field: dataclasses.Field[Any], default: Any
) -> None:
    section, _, leaf = name.rpartition(".")
    value: Any = {int: 3, float: 0.625, str: "my_module:thing", tuple: (5, 6, 7)}[type(default)]
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    base = TrainConfig()
    if section:
        expected = dataclasses.replace(base, **{section: dataclasses.replace(getattr(base, section), **{leaf: value})})
    else:
        expected = dataclasses.replace(base, **{leaf: value})
    assert expected != base
    assert settle("--" + name.replace(".", "-").replace("_", "-"), text) == expected


def test_an_option_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('steps = 300\ngamma = 0\nreward = "log_odds"\n[policy]\nclip = 0.25\nhidden = [8]\n')
    found = settle("--config", path, "--steps", "500", "--policy-hidden", "4,5")
    assert (found.steps, found.gamma, found.reward) == (500, 0.0, "log_odds")
    assert (found.policy.clip, found.policy.hidden) == (0.25, (4, 5))
    assert found.policy.epochs == TrainConfig().policy.epochs
    assert found.discriminator == TrainConfig().discriminator


def test_the_settings_of_a_run_can_be_written_to_a_file_and_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("seed = 9\n[discriminator]\nhidden = []\n[policy]\ninitial_log_std = -1\n")
    assert settle("--config", path).to_dict() == {
        **TrainConfig().to_dict(),
        "seed": 9,
        "discriminator": {**TrainConfig().to_dict()["discriminator"], "hidden": ()},
        "policy": {**TrainConfig().to_dict()["policy"], "initial_log_std": -1.0},
    }


@pytest.mark.parametrize(
    ("toml", "error", "said"),
    [
        ("stesp = 3", InputError, "no setting is called 'stesp'; known are steps, seed,"),
        ("[policy]\nclipp = 1", InputError, r"no setting is called 'policy.clipp'; known are .*policy\.clip,"),
        ('steps = "many"', InputError, "steps must be of type int; found 'many'"),
        ("policy = 3", InputError, "policy is a section of settings; found 3"),
        ("[policy]\nlam = nan", InputError, r"policy\.lam must be a finite number; found nan"),
        ("steps = ", DataError, r"settings\.toml is not a TOML file"),
        ("steps = 1\nsteps = 2", DataError, r"settings\.toml is not a TOML file"),
        ("\xff", DataError, r"settings\.toml is not a TOML file"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, toml: str, error: type[Exception], said: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(toml.encode("latin-1"))
    with pytest.raises(error, match=said):
        settle("--config", path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*nothing\.toml"):
        settle("--config", tmp_path / "nothing.toml")


@pytest.mark.parametrize("text", ["64;64", "a", "", "1.5"])
def test_sizes_are_whole_numbers_with_commas(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is not a list of whole numbers such as 64,64"):
        settle("--policy-hidden", text)
    assert settle("--policy-hidden", "3").policy.hidden == (3,)


def test_an_option_out_of_range_names_the_setting() -> None:
    with pytest.raises(InputError, match=r"^policy\.epochs must be at least 1; found 0$"):
        settle("--policy-epochs", "0")


def test_the_help_of_train_answers_without_loading_anything_heavy() -> None:
    program = (
        "import sys\nfrom gailkit.cli.train import train\nfrom gailkit.cli.evaluate import evaluate\n"
        "from gailkit.cli.demo import demo\n"
        "print(sorted({'torch', 'h5py', 'gymnasium', 'numpy', 'matplotlib', 'tensorboard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
