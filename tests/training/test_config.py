"""Settings: each checked where it enters, by type, range and choice, and named as the user wrote it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gailkit.errors import InputError
from gailkit.training.config import DiscriminatorConfig, ExpertConfig, TrainConfig
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.settings import config_from_dict, example_of, settings_of

SETTINGS = [(".".join(path), field) for path, field in settings_of(TrainConfig())]
BOUNDED = [(name, field) for name, field in SETTINGS if field.metadata["bounds"]]
CHOICES = [(name, field.metadata["choices"]) for name, field in SETTINGS if field.metadata["choices"]]


def nested(name: str, value: Any) -> dict[str, Any]:
    """``nested("policy.clip", 1)`` is ``{"policy": {"clip": 1}}``."""
    section, _, rest = name.rpartition(".")
    return {section: {rest: value}} if section else {name: value}


def owned(name: str) -> dict[str, Any]:
    """The choice of a generator that has the setting ``name``, where not every one has."""
    (field,) = (field for known, field in SETTINGS if known == name)
    return {"generator": next(iter(field.metadata["of"]))} if "of" in field.metadata else {}


def read(config: TrainConfig, name: str) -> Any:
    for part in name.split("."):
        config = getattr(config, part)
    return config


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 0}, "steps must be at least 1; found 0"),
        ({"seed": -1}, "seed must be at least 0; found -1"),
        ({"gamma": 1.0}, "gamma must be at least 0 and below 1; found 1.0"),
        ({"policy": {"clip": -0.5}}, "policy.clip must be above 0; found -0.5"),
        ({"policy": {"learning_rate": math.nan}}, "policy.learning_rate must be a finite number; found nan"),
        ({"policy": {"initial_log_std": math.inf}}, "policy.initial_log_std must be a finite number; found inf"),
        ({"discriminator": {"updates": 0}}, "discriminator.updates must be at least 1; found 0"),
        ({"lam": 1.5}, "lam must be at least 0 and at most 1; found 1.5"),
        ({"discriminator": {"logit_penalty": 0.25}}, "discriminator.logit_penalty must be above 0.25; found 0.25"),
        ({"discriminator": {"hidden": [64, 0]}}, "discriminator.hidden must be at least 1; found 0"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_was_found_and_what_is_accepted(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        config_from_dict(values, TrainConfig)
    assert str(refused.value) == sentence


def beyond(relation: str, bound: float, whole: bool) -> tuple[float, float]:
    """The last number that keeps to a bound and the first that does not."""
    up, down = (bound + 1, bound - 1) if whole else (math.nextafter(bound, math.inf), math.nextafter(bound, -math.inf))
    return {
        "at least": (bound, down),
        "above": (up, bound),
        "at most": (bound, up),
        "below": (down, bound),
    }[relation]


@pytest.mark.parametrize(("name", "field"), BOUNDED, ids=[name for name, _ in BOUNDED])
def test_every_range_holds_its_bounds_exactly(name: str, field: dataclasses.Field[Any]) -> None:
    example = example_of(field)
    kind = float if isinstance(example, float) else int
    wrap = (lambda number: (3, kind(number))) if isinstance(example, tuple) else kind
    apart = {"kl_min": {"kl_max": 99.0}, "kl_max": {"kl_min": 0.0}}.get(name.removeprefix("policy."), {})
    for relation, bound in field.metadata["bounds"].items():
        accepted, refused = map(wrap, beyond(relation, bound, kind is int))
        with pytest.raises(InputError, match=f"^{name} must be .*{relation} {bound:g}.*; found "):
            config_from_dict(nested(name, refused) | owned(name), TrainConfig)
        if name != "policy.kl_max":  # whose bound leaves no room below it for kl_min
            values = {**nested(name, accepted), **owned(name)}
            values.setdefault("policy", {}).update(apart)
            assert read(config_from_dict(values, TrainConfig), name) == accepted


def test_every_number_has_a_range_and_every_short_list_of_words_its_choices() -> None:
    open_words = {"generator", "image_encoder", "loss", "reward", "discriminator.kind", "discriminator.network"}
    open_words |= {"policy.network"}
    numbers = {name for name, field in SETTINGS if not isinstance(example_of(field), str)}
    assert numbers == {name for name, _ in BOUNDED}
    assert {name for name, _ in SETTINGS} - numbers == open_words | {name for name, _ in CHOICES}


@pytest.mark.parametrize(("name", "choices"), CHOICES, ids=[name for name, _ in CHOICES])
def test_a_word_that_is_no_choice_is_answered_with_the_choices(name: str, choices: tuple[str, ...]) -> None:
    for word in choices:
        assert read(config_from_dict(nested(name, word) | owned(name), TrainConfig), name) == word
    for word in ("", choices[0].upper(), choices[0] + " "):
        with pytest.raises(InputError) as refused:
            config_from_dict(nested(name, word) | owned(name), TrainConfig)
        assert str(refused.value) == f"{name} must be {' or '.join(choices)}; found {word!r}"


def test_a_record_made_in_python_is_checked_as_one_from_a_file() -> None:
    with pytest.raises(InputError, match=r"^gamma must be"):
        TrainConfig(gamma=1.0)
    with pytest.raises(InputError, match=r"^policy\.epochs must be"):
        TrainConfig(policy=PolicyConfig(epochs=0))
    with pytest.raises(InputError, match=r"^discriminator\.batch_size must be"):
        TrainConfig(discriminator=DiscriminatorConfig(batch_size=0))


@pytest.mark.parametrize(
    ("section", "prefix"), [(None, ""), ("policy", "policy."), ("discriminator", "discriminator.")]
)
def test_an_unknown_name_is_answered_with_all_that_are_known(section: str | None, prefix: str) -> None:
    values: dict[str, Any] = {"qqq": 3} if section is None else {section: {"qqq": 3}}
    record = TrainConfig() if section is None else getattr(TrainConfig(), section)
    known = ", ".join(prefix + field.name for field in dataclasses.fields(record))
    with pytest.raises(InputError) as refused:
        config_from_dict(values, TrainConfig)
    assert str(refused.value) == f"no setting is called '{prefix}qqq'; known are {known}"


def test_a_slip_is_answered_with_what_was_meant() -> None:
    with pytest.raises(InputError, match=r"^no setting is called 'stesp'; did you mean 'steps'\? known are "):
        config_from_dict({"stesp": 3}, TrainConfig)
    with pytest.raises(InputError, match=r"'policy\.learning-rate'; did you mean 'policy\.learning_rate'\? "):
        config_from_dict({"policy": {"learning-rate": 0.1}}, TrainConfig)


def test_a_section_is_a_record() -> None:
    with pytest.raises(InputError, match=r"^policy must be a PolicyConfig; found dict$"):
        TrainConfig(policy={"clip": 0.1})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("steps", 1.5, "a whole number"),
        ("steps", math.inf, "a whole number"),
        ("steps", "10", "a whole number"),
        ("steps", True, "a whole number"),
        ("steps", None, "a whole number"),
        ("seed", np.bool_(True), "a whole number"),
        ("seed", [1], "a whole number"),
        ("gamma", "0.9", "a number"),
        ("gamma", None, "a number"),
        ("gamma", False, "a number"),
        ("gamma", 0.5j, "a number"),
        ("policy.clip", "0.2", "a number"),
        ("policy.epochs", 1.5, "a whole number"),
        ("loss", 3, "text"),
        ("loss", None, "text"),
        ("policy.hidden", 64, "a list of whole numbers"),
        ("policy.hidden", None, "a list of whole numbers"),
        ("policy.hidden", [64.5], "a list of whole numbers"),
        ("policy.hidden", [True], "a list of whole numbers"),
        ("discriminator.hidden", "64", "a list of whole numbers"),
        ("discriminator.updates", "x", "a whole number"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_by_name_from_a_file_and_in_python(
    name: str, value: Any, wanted: str
) -> None:
    for make in (from_file, in_python):
        with pytest.raises(InputError) as refused:
            make(name, value)
        assert str(refused.value) == f"{name} must be {wanted}; found {value!r}"


def from_file(name: str, value: Any) -> TrainConfig:
    return config_from_dict(nested(name, value) | owned(name), TrainConfig)


def in_python(name: str, value: Any) -> TrainConfig:
    """As a user makes it: sections are records of their own."""
    section, _, rest = name.rpartition(".")
    if not section:
        return TrainConfig(**{name: value})
    kind = {"policy": PolicyConfig, "discriminator": DiscriminatorConfig}[section]
    return TrainConfig(**{section: kind(**{rest: value})}, **owned(name))


EXACTLY = {
    int: [3, 3.0, np.int64(3), np.float32(3), np.uint8(3)],
    float: [1.0, 1, np.int32(1), np.float32(1), Fraction(2, 2)],
    tuple: [(4, 5), [4, 5], (4.0, 5), [np.int64(4), np.float64(5)]],
}
BELOW_ONE = [0.0, 0, np.int32(0), np.float32(0)]


@pytest.mark.parametrize(("name", "field"), BOUNDED, ids=[name for name, _ in BOUNDED])
@pytest.mark.parametrize("make", [from_file, in_python])
def test_a_number_will_do_for_another_if_it_is_exactly_that(
    name: str, field: dataclasses.Field[Any], make: Callable[[str, Any], TrainConfig]
) -> None:
    kind = type(example_of(field))
    small = "below" in field.metadata["bounds"] or name == "policy.kl_min"
    wanted, *others = BELOW_ONE if small else EXACTLY[kind]
    for value in (wanted, *others):
        found = read(make(name, value), name)
        assert found == wanted
        assert type(found) is kind
        assert not isinstance(found, tuple) or set(map(type, found)) == {int}


def test_what_lies_beyond_every_float_is_not_finite() -> None:
    with pytest.raises(InputError, match=r"^policy\.clip must be a finite number; found inf$"):
        PolicyConfig(clip=10**400)


def test_the_settings_given_stay_as_they_were() -> None:
    given = [4, 5]
    assert PolicyConfig(hidden=given).hidden == (4, 5)
    assert given == [4, 5]


def test_a_section_must_be_a_table() -> None:
    with pytest.raises(InputError, match=r"^policy is a section of settings; found 3$"):
        config_from_dict({"policy": 3}, TrainConfig)


def test_a_whole_number_will_do_for_a_float_and_a_list_for_a_tuple() -> None:
    values = {"gamma": 0, "policy": {"hidden": [4, 5], "clip": 1}, "discriminator": {"hidden": []}}
    config = config_from_dict(values, TrainConfig)
    found = (config.gamma, config.policy.clip, config.policy.hidden, config.discriminator.hidden)
    assert found == (0.0, 1.0, (4, 5), ())
    assert [type(value) for value in found] == [float, float, tuple, tuple]


def test_an_expert_has_the_settings_of_every_run_and_none_of_a_discriminator() -> None:
    shared = {".".join(path) for path, _ in settings_of(ExpertConfig())}
    own = {name for name, _ in SETTINGS} - shared
    imitation = {"endless_gamma", "eval_every", "loss", "reward"}
    assert {name for name in own if not name.startswith("discriminator.")} == imitation
    assert not [name for name in shared if name.startswith("discriminator")]
    with pytest.raises(InputError, match=r"^no setting is called 'reward'; known are steps, "):
        config_from_dict({"reward": "log_d"}, ExpertConfig)


@given(
    steps=st.integers(1, 10**9),
    gamma=st.floats(0, 1, exclude_max=True),
    hidden=st.lists(st.integers(1, 999), max_size=3),
    clip=st.floats(0, 10, exclude_min=True),
    reward=st.text(max_size=9),
)
def test_settings_survive_the_way_through_json(
    steps: int, gamma: float, hidden: list[int], clip: float, reward: str
) -> None:
    config = TrainConfig(steps=steps, gamma=gamma, reward=reward, policy=PolicyConfig(hidden=tuple(hidden), clip=clip))
    written = json.loads(json.dumps(config.to_dict()))
    again = config_from_dict(written, TrainConfig)
    assert again.policy.of("ppo-clip") == config.policy.of("ppo-clip")  # what was not given is written down as well
    assert dataclasses.replace(again, policy=config.policy) == config
    assert json.loads(json.dumps(again.to_dict())) == written


@pytest.mark.parametrize(
    ("generator", "given", "found"),
    [("ppo-clip", None, 3e-4), ("trpo", None, 3e-4), ("td3", None, 3e-4), ("sac", None, 3e-4), ("pg", 0.01, 0.01)],
)
def test_the_default_learning_rate_is_less_where_pictures_are_seen(
    generator: str, given: float | None, found: float
) -> None:
    config = TrainConfig(generator=generator, policy=PolicyConfig(learning_rate=given))
    assert config.with_pictures(seen=False) is config
    seen = config.with_pictures(seen=True)
    assert seen.policy_settings["learning_rate"] == found
    assert {**seen.policy_settings, "learning_rate": 0} == {**config.policy_settings, "learning_rate": 0}
    assert config_from_dict(seen.to_dict(), TrainConfig).with_pictures(seen=True).to_dict() == seen.to_dict()


def test_a_learning_rate_is_not_asked_for_where_there_is_none() -> None:
    config = ExpertConfig(generator="acktr")
    assert config.with_pictures(seen=True) == config


def test_what_is_not_given_is_the_default() -> None:
    changed = config_from_dict({"policy": {"entropy_bonus": 0.25}}, TrainConfig)
    assert changed == TrainConfig(policy=PolicyConfig(entropy_bonus=0.25))
    assert config_from_dict({}, TrainConfig) == TrainConfig()


@pytest.mark.parametrize(
    ("size", "envs", "steps"),
    [(64, 2, 32), (65, 2, 33), (2048, 32, 64), (2048, 3, 683), (2, 32, 2), (33, 32, 2), (10, 1, 10)],
)
def test_a_rollout_has_at_least_its_size_and_two_steps_of_each_environment(size: int, envs: int, steps: int) -> None:
    assert TrainConfig(rollout_size=size, num_envs=envs).rollout_steps == steps


@pytest.mark.parametrize(("steps", "iterations"), [(1, 1), (64, 1), (65, 2), (128, 2), (640, 10)])
def test_the_last_iteration_may_go_past_the_steps(steps: int, iterations: int) -> None:
    assert ExpertConfig(steps=steps, num_envs=2, rollout_size=64).total_iterations == iterations


@pytest.mark.parametrize(
    ("steps", "learned_from", "iterations"),
    [
        (1, 1, 1), (6, 6, 1), (7, 6, 1), (192, 164, 3), (1000, 850, 14),
        (20_000, 17_000, 266), (40_000, 37_000, 579), (100_000, 95_000, 1485),
    ],
)  # fmt: skip
def test_an_imitation_learns_from_all_but_the_steps_in_which_it_chooses(
    steps: int, learned_from: int, iterations: int
) -> None:
    """A twentieth, or 3,000 where that is less, but never more than 15 %."""
    config = TrainConfig(steps=steps, num_envs=2, rollout_size=64)
    assert (config.training_steps, config.total_iterations) == (learned_from, iterations)
    assert ExpertConfig(steps=steps).training_steps == steps
