"""Settings that not every generator has: whose they are, what they are when nobody gives them, what contradicts."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from gailkit.errors import InputError
from gailkit.training.config import ExpertConfig, TrainConfig
from gailkit.training.policy_config import EVERY, PolicyConfig
from gailkit.training.settings import config_from_dict, example_of

OF_SOME = [item for item in dataclasses.fields(PolicyConfig) if "of" in item.metadata]
BAND = PolicyConfig().of("ppo-penalty")
FOREIGN = [(g, item) for g in (*EVERY, "my_module:Mine") for item in OF_SOME if g not in item.metadata["of"]]


def test_there_is_something_to_refuse_for_every_generator() -> None:
    assert {generator for generator, _ in FOREIGN} == {*EVERY, "my_module:Mine"}
    assert ("trpo", "clip") in {(generator, item.name) for generator, item in FOREIGN}


@pytest.mark.parametrize(
    ("generator", "item"), FOREIGN, ids=[f"{generator} {item.name}" for generator, item in FOREIGN]
)
@pytest.mark.parametrize("kind", [TrainConfig, ExpertConfig])
def test_a_setting_of_another_generator_is_refused_with_whose_it_is(
    kind: type[TrainConfig], generator: str, item: dataclasses.Field[Any]
) -> None:
    with pytest.raises(InputError) as refused:
        config_from_dict({"generator": generator, "policy": {item.name: example_of(item)}}, kind)
    owners = ", ".join(item.metadata["of"])
    assert str(refused.value) == f"policy.{item.name} is a setting of {owners}; the generator is {generator}"


def test_the_sentence_names_the_owner() -> None:
    with pytest.raises(InputError, match=r"^policy\.clip is a setting of ppo-clip; the generator is trpo$"):
        TrainConfig(generator="trpo", policy=PolicyConfig(clip=0.2))
    with pytest.raises(InputError, match=r"^policy\.max_kl is a setting of trpo.*; the generator is ppo-clip$"):
        ExpertConfig(policy=PolicyConfig(max_kl=0.01))


@pytest.mark.parametrize("generator", [*EVERY, "my_module:Mine"])
def test_the_settings_of_a_generator_are_its_defaults_and_what_was_given(generator: str) -> None:
    own = {item.name: item.metadata["of"][generator] for item in OF_SOME if generator in item.metadata["of"]}
    config = TrainConfig(generator=generator)
    assert config.policy.of(generator) == own
    assert {name: value for name, value in config.to_dict()["policy"].items() if value is not None} == {
        "network": "mlp",
        "hidden": (64, 64),
        "initial_log_std": 0.0,
        "std": "free",
        "bounds": "clip",
        **own,
    }
    if own:
        given = TrainConfig(generator=generator, policy=PolicyConfig(batch_size=125)).policy.of(generator)
        assert given == {**own, "batch_size": 125}


@pytest.mark.parametrize("generator", [*EVERY, "my_module:Mine"])
@pytest.mark.parametrize("kind", [TrainConfig, ExpertConfig])
def test_what_a_run_writes_down_reads_back_to_the_same_run(kind: type[TrainConfig], generator: str) -> None:
    config = kind(generator=generator, steps=7, policy=PolicyConfig(hidden=(3, 4), std="state", bounds="tanh"))
    written = json.loads(json.dumps(config.to_dict()))
    again = config_from_dict(written, kind)
    assert again.policy.of(generator) == config.policy.of(generator)
    assert dataclasses.replace(again, policy=config.policy) == config
    assert (again.policy.hidden, again.policy.std, again.policy.bounds) == ((3, 4), "state", "tanh")
    assert json.loads(json.dumps(again.to_dict())) == written


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        ({"kl_min": 5.0}, f"5 and {BAND['kl_max']:g}"),
        ({"kl_max": 1e-9}, f"{BAND['kl_min']:g} and 1e-09"),
        ({"kl_min": 0.5, "kl_max": 0.2}, "0.5 and 0.2"),
        ({"kl_min": 0.0, "kl_max": 0.0}, "0 and 0"),
    ],
    ids=str,
)
def test_a_band_whose_ends_are_crossed_is_refused(policy: dict[str, float], found: str) -> None:
    with pytest.raises(InputError) as refused:
        config_from_dict({"generator": "ppo-penalty", "policy": policy}, TrainConfig)
    assert str(refused.value) == f"policy.kl_min must be below policy.kl_max; found {found}"


def test_a_target_below_nothing_is_refused_and_nothing_means_that_it_never_stops() -> None:
    with pytest.raises(InputError, match=r"^policy\.target_kl must be at least 0; found -0\.01$"):
        TrainConfig(policy=PolicyConfig(target_kl=-0.01))
    assert TrainConfig(policy=PolicyConfig(target_kl=0.0)).policy.of("ppo-clip")["target_kl"] == 0.0


def test_nothing_stands_for_the_default_of_the_generator_and_for_no_other_setting() -> None:
    assert config_from_dict({"policy": {"clip": None}}, TrainConfig) == TrainConfig()
    assert config_from_dict({"generator": "trpo", "policy": {"clip": None}}, TrainConfig).policy.clip is None
    with pytest.raises(InputError, match=r"^policy\.hidden must be a list of whole numbers; found None$"):
        config_from_dict({"policy": {"hidden": None}}, TrainConfig)


def test_a_name_that_is_no_generators_is_left_to_whoever_can_say_which_are() -> None:
    """Else who mistypes it would be told that his settings are those of another."""
    assert TrainConfig(generator="ppo-clp", policy=PolicyConfig(clip=0.3)).generator == "ppo-clp"
