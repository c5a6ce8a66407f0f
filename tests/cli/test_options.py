"""Options of ``gailkit train`` and ``gailkit expert`` are the settings, each written once.

Their names, their help, which wins over which, and what is refused.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rich_click as click

from gailkit.cli.expert import expert
from gailkit.cli.options import config_from_options, config_options
from gailkit.errors import DataError, InputError
from gailkit.training.config import ExpertConfig, TrainConfig
from gailkit.training.policy_config import EVERY
from gailkit.training.settings import example_of, settings_of

SETTINGS = [(".".join(path), field) for path, field in settings_of(TrainConfig())]


@config_options(TrainConfig)
def body(config: Path | None, **options: Any) -> TrainConfig:
    return config_from_options(options, config, TrainConfig)


COMMAND = click.command("settle")(body)


def settle(*arguments: str | Path) -> TrainConfig:
    """The settings that these words on the command line stand for."""
    settled = COMMAND.main(list(map(str, arguments)), standalone_mode=False)
    assert isinstance(settled, TrainConfig)
    return settled


def option_of(name: str) -> str:
    return "--" + name.replace(".", "-").replace("_", "-")


def test_without_options_the_settings_are_the_defaults() -> None:
    assert settle() == TrainConfig()


def test_there_is_an_option_for_every_setting_with_its_help_and_default() -> None:
    options = {option.opts[0]: option for option in COMMAND.params if isinstance(option, click.Option)}
    for name, field in SETTINGS:
        option, default = options.pop(option_of(name)), example_of(field)
        assert option.help is not None
        assert option.help.startswith(field.metadata["help"])
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        stated = re.search(r"\[default: (\S*?)(?:; \S+ for .*| for .*|; of (.*))?\]$", option.help)
        assert stated is not None, option.help
        assert stated[1] == shown or float(stated[1]) == default
        owners = set(field.metadata.get("of", EVERY))
        if len(set(field.metadata.get("of", {}).values())) <= 1:
            assert set(stated[2].split(", ") if stated[2] else EVERY) == owners
    assert set(options) == {"--config"}


def test_the_help_names_those_who_have_a_setting_and_the_default_of_each_where_they_differ() -> None:
    several = {"of": {"trpo": 0.01, "acktr": 0.002, "pg": 0.01}, "help": "How far.", "choices": (), "bounds": {}}
    record = dataclasses.make_dataclass("Several", [("far", float, dataclasses.field(default=None, metadata=several))])
    (option,) = [p for p in click.command()(config_options(record)(lambda **_: None)).params if p.name == "far"]
    assert isinstance(option, click.Option)
    assert option.help == "How far. [default: 0.01 for trpo, pg; 0.002 for acktr]"


@pytest.mark.parametrize(("name", "field"), SETTINGS, ids=[name for name, _ in SETTINGS])
def test_every_option_arrives_at_its_setting_and_no_other(name: str, field: dataclasses.Field[Any]) -> None:
    section, _, leaf = name.rpartition(".")
    by_type: dict[type, Any] = {int: 3, float: 0.004, str: "my_module:thing", tuple: (5, 6, 7)}
    value: Any = by_type[type(example_of(field))]
    if leaf == "logit_penalty":  # which has to be above 0.25
        value = 0.625
    if field.metadata["choices"]:
        value = field.metadata["choices"][-1]
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    owner = next(iter(field.metadata.get("of", {"ppo-clip": None})))
    base = TrainConfig(generator=owner)
    if section:
        expected = dataclasses.replace(base, **{section: dataclasses.replace(getattr(base, section), **{leaf: value})})
    else:
        expected = dataclasses.replace(base, **{leaf: value})
    assert expected != base
    assert settle("--generator", owner, option_of(name), text) == expected


def test_an_expert_has_the_options_of_its_settings_and_no_others() -> None:
    shared = {option_of(".".join(path)) for path, _ in settings_of(ExpertConfig())}
    offered = {option.opts[0] for option in expert.params if isinstance(option, click.Option)}
    run = {"--config", "--out", "--overwrite", "--threads", "--device", "--env-kwargs", "--resume", "--trust"}
    assert offered == shared | run | {"--track", "--workers", "--step-timeout", "--restarts"}
    assert not [name for name in offered if "discriminator" in name]


def test_an_option_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('steps = 300\ngamma = 0\nreward = "log_odds"\n[policy]\nclip = 0.25\nhidden = [8]\n')
    found = settle("--config", path, "--steps", "500", "--policy-hidden", "4,5")
    assert (found.steps, found.gamma, found.reward) == (500, 0.0, "log_odds")
    assert (found.policy.clip, found.policy.hidden) == (0.25, (4, 5))
    assert found.policy.of("ppo-clip")["epochs"] == TrainConfig().policy.of("ppo-clip")["epochs"]
    assert found.discriminator == TrainConfig().discriminator


def test_a_file_and_the_options_need_only_be_consistent_together(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[policy]\nmax_kl = 0.02\nkl_min = 0.05\n")
    with pytest.raises(InputError, match=r"^policy\.(max_kl|kl_min) is a setting of "):
        settle("--config", path, "--generator", "trpo")
    path.write_text("[policy]\nmax_kl = 0.02\n")
    assert settle("--config", path, "--generator", "trpo").policy.of("trpo")["max_kl"] == 0.02
    with pytest.raises(InputError, match=r"^policy\.max_kl is a setting of .*; the generator is ppo-clip$"):
        settle("--config", path)
    path.write_text("[policy]\nkl_min = 50.0\n")
    found = settle("--config", path, "--generator", "ppo-penalty", "--policy-kl-max", "100")
    assert (found.policy.kl_min, found.policy.kl_max) == (50.0, 100.0)
    with pytest.raises(InputError, match=r"^policy\.kl_min must be below policy\.kl_max; found 50 and "):
        settle("--config", path, "--generator", "ppo-penalty")


@pytest.mark.parametrize(("name", "field"), [pair for pair in SETTINGS if pair[1].metadata["choices"]])
def test_a_word_that_is_no_choice_is_wrong_usage(name: str, field: dataclasses.Field[Any]) -> None:
    with pytest.raises(click.BadParameter, match=r"'nosuch' is not one of " + repr(field.metadata["choices"][0])):
        settle(option_of(name), "nosuch")


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
        ("stesp = 3", InputError, r"no setting is called 'stesp'; did you mean 'steps'\? known are steps, seed,"),
        (
            "[policy]\nclipp = 1",
            InputError,
            r"no setting is called 'policy.clipp'; did you mean 'policy.clip'\? known are .*policy\.clip,",
        ),
        ('steps = "many"', InputError, "steps must be a whole number; found 'many'"),
        ("policy = 3", InputError, "policy is a section of settings; found 3"),
        ("lam = nan", InputError, r"lam must be a finite number; found nan"),
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


def test_a_setting_is_called_as_it_was_typed(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[policy]\nepochs = 0\nkl_min = 5\n")
    with pytest.raises(InputError, match=r"^--policy-epochs must be at least 1; found 0$"):
        settle("--policy-epochs", "0")
    with pytest.raises(InputError, match=r"^policy\.epochs must be at least 1; found 0$"):
        settle("--config", path)
    with pytest.raises(InputError, match=r"^--discriminator-hidden must be at least 1; found 0$"):
        settle("--config", path, "--policy-epochs", "3", "--discriminator-hidden", "0")
    with pytest.raises(InputError, match=r"^--policy-clip is a setting of ppo-clip; the generator is trpo$"):
        settle("--generator", "trpo", "--policy-clip", "0.2")
    arguments = ("--generator", "ppo-penalty", "--policy-epochs", "3", "--policy-kl-max", "2")
    with pytest.raises(InputError, match=r"^policy\.kl_min must be below --policy-kl-max; found 5 and 2$"):
        settle("--config", path, *arguments)
    with pytest.raises(InputError, match=r"^--policy-kl-min must be below --policy-kl-max; found 9 and 0\.008$"):
        settle("--generator", "ppo-penalty", "--policy-kl-min", "9")


@pytest.mark.parametrize(("text", "number"), [("1e6", 1_000_000), ("500_000", 500_000), ("3.0", 3)])
def test_a_whole_number_may_be_written_as_any_number_is(text: str, number: int, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"steps = {text}\n")
    for found in (settle("--steps", text), settle("--config", path)):
        assert (found.steps, type(found.steps)) == (number, int)


@pytest.mark.parametrize("text", ["many", "1.5", "inf", "nan", "true", ""])
def test_what_is_no_whole_number_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter, match=re.escape(f"{text!r} is not a whole number")):
        settle("--steps", text)


def test_the_help_of_train_answers_without_loading_anything_heavy() -> None:
    program = (
        "import sys\nfrom gailkit.cli.train import train\nfrom gailkit.cli.evaluate.command import evaluate\n"
        "from gailkit.cli.expert import expert\n"
        "from gailkit.cli.demo import demo\n"
        "print(sorted({'torch', 'h5py', 'gymnasium', 'numpy', 'matplotlib', 'tensorboard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
