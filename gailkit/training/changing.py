"""Settings that may change while a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from gailkit.discriminator import DiscriminatorLearner
from gailkit.errors import InputError
from gailkit.generator import Generator
from gailkit.generator.learning import set_learning_rate
from gailkit.training.config import RunConfig
from gailkit.training.settings import config_from_dict


def changed(
    config: RunConfig, generator: Generator, learner: DiscriminatorLearner | None, name: str, value: float
) -> float:
    """Let the setting ``name`` be ``value`` from the next iteration on.

    Args:
        config: what the run was begun with, which says what is accepted.
        learner: that of the discriminator; None where there is none.

    Returns:
        The value in the setting's own type.

    Raises:
        InputError: for a setting that may not change, that the run does not have, or a value that is refused.
    """
    section, _, attribute = name.partition(".")
    if name not in CHANGEABLE:
        raise InputError(f"{name!r} cannot change while a run goes on; those that can are {', '.join(CHANGEABLE)}")
    if section == "discriminator" and learner is None:
        raise InputError(f"{name} is a setting of imitation; this run learns from rewards")
    settings = config.to_dict()
    settings[section][attribute] = value
    accepted = getattr(getattr(config_from_dict(settings, type(config)), section), attribute)
    CHANGEABLE[name](generator, learner, accepted)
    return float(accepted)


Setter = Callable[[Generator, DiscriminatorLearner | None, float], None]


def _attribute(name: str, generator: Generator, learner: DiscriminatorLearner | None, value: float) -> None:
    if not hasattr(generator, name):
        raise InputError(f"the generator {type(generator).__name__} has no {name} that could change")
    setattr(generator, name, value)


def _policy_rate(generator: Generator, learner: DiscriminatorLearner | None, value: float) -> None:
    generator.set_learning_rate(value)


def _discriminator_rate(generator: Generator, learner: DiscriminatorLearner | None, value: float) -> None:
    assert learner is not None
    set_learning_rate(learner.optimizer, value)


def _discriminator_updates(generator: Generator, learner: DiscriminatorLearner | None, value: float) -> None:
    assert learner is not None
    learner.updates = int(value)


CHANGEABLE: Mapping[str, Setter] = {
    "policy.learning_rate": _policy_rate,
    **{
        f"policy.{name}": partial(_attribute, name)
        for name in ("clip", "entropy_bonus", "epochs", "max_gradient_norm", "max_kl", "target_kl")
    },
    "discriminator.learning_rate": _discriminator_rate,
    "discriminator.updates": _discriminator_updates,
}
"""By name, as in TOML and Python, what puts a new value where it is read in every iteration."""
