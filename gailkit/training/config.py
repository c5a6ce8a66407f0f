"""Every setting of a training run: its name, its default and the sentence that explains it, written once.

The options of ``gailkit train``, the keys of a TOML file and the contents of a run folder's ``config.json`` are all
made from these records. The module imports nothing heavy, so that help and errors answer at once.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

from gailkit.errors import InputError

BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "at least": operator.ge,
    "above": operator.gt,
    "at most": operator.le,
    "below": operator.lt,
}


def setting(default: Any, help: str, **bounds: float) -> Any:
    """A field with its default, its help sentence and its ``BOUNDS``, with underscores for spaces."""
    named = {name.replace("_", " "): bound for name, bound in bounds.items()}
    return field(default=default, metadata={"help": help, "bounds": named})


@dataclass(frozen=True)
class DiscriminatorConfig:
    """How experts are told from the policy."""

    kind: str = setting("state-action", "Which D: state-action, or package.module:attribute.")
    network: str = setting("mlp", "Network of D: mlp, spectral (spectrally normalised), or package.module:attribute.")
    hidden: tuple[int, ...] = setting((64, 64), "Sizes of the hidden layers.", at_least=1)
    logit_penalty: float = setting(0.5, "Kappa of the adversarial loss; above 0.25.", above=0.25)
    gradient_penalty: float = setting(1.0, "Weight of the one-sided gradient penalty; 0 switches it off.", at_least=0)
    learning_rate: float = setting(3e-4, "Adam's learning rate for D.", at_least=0)
    batch_size: int = setting(256, "Transitions of each side in a gradient step.", at_least=1)
    updates: int = setting(8, "Gradient steps for each rollout.", at_least=1)


@dataclass(frozen=True)
class PolicyConfig:
    """How the policy improves."""

    hidden: tuple[int, ...] = setting(
        (64, 64), "Sizes of the hidden layers, policy and value function alike.", at_least=1
    )
    initial_log_std: float = setting(
        0.0, "Log of the first standard deviation of Box actions, in half-widths of the Box.", at_least=-20, at_most=5
    )
    learning_rate: float = setting(2e-3, "Adam's learning rate at the start; it falls linearly to 0.", at_least=0)
    lam: float = setting(0.98, "Lambda of generalized advantage estimation.", at_least=0, at_most=1)
    clip: float = setting(0.2, "How far the probability ratio may move from 1.", at_least=0)
    epochs: int = setting(5, "Passes over each rollout.", at_least=1)
    batch_size: int = setting(256, "Steps in a minibatch.", at_least=1)
    entropy_bonus: float = setting(0.0, "Weight of the policy's entropy.", at_least=0)
    max_gradient_norm: float = setting(0.5, "Gradients longer than this are shortened to it.", at_least=0)


@dataclass(frozen=True)
class TrainConfig:
    """A training run. One default serves every task."""

    steps: int = setting(500_000, "Environment steps in all, rounded up to whole rollouts.", at_least=1)
    seed: int = setting(0, "Decides every random number in the run.", at_least=0)
    num_envs: int = setting(32, "Environments stepped together.", at_least=1)
    rollout_steps: int = setting(64, "Steps in each environment between updates.", at_least=2)
    gamma: float = setting(0.99, "Discount of future rewards.", at_least=0, below=1)
    generator: str = setting("ppo-clip", "How the policy improves: ppo-clip, or package.module:attribute.")
    loss: str = setting(
        "adversarial", "What D descends: adversarial (F with its logit penalty), bce, or package.module:attribute."
    )
    reward: str = setting("log_d", "Reward form: log_d, neg_log_one_minus_d, log_odds, or package.module:attribute.")
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)

    def __post_init__(self) -> None:
        """Raises InputError for a value out of its range."""
        for record, prefix in ((self, ""), (self.discriminator, "discriminator."), (self.policy, "policy.")):
            for item in fields(record):
                check_range(prefix + item.name, getattr(record, item.name), item.metadata.get("bounds", {}))

    @property
    def total_iterations(self) -> int:
        """Rollouts in the run; the last one may go past ``steps``."""
        return -(-self.steps // (self.num_envs * self.rollout_steps))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, sections as nested dictionaries."""
        return dataclasses.asdict(self)


def config_from_dict(values: Mapping[str, Any], base: TrainConfig | None = None) -> TrainConfig:
    """``base`` (the defaults when None) with ``values`` put in; sections are nested dictionaries, as in TOML or JSON.

    Raises:
        InputError: for a name that is no setting (the known ones are listed), a wrong type or a value out of range.
    """
    config: TrainConfig = _filled(base or TrainConfig(), values, "")
    return config


def _filled(record: Any, values: Mapping[str, Any], prefix: str) -> Any:
    kinds = get_type_hints(type(record))
    unknown = sorted(set(values) - set(kinds))
    if unknown:
        known = ", ".join(prefix + name for name in kinds)
        raise InputError(f"no setting is called {prefix + unknown[0]!r}; known are {known}")
    changes = {}
    for name, value in values.items():
        current = getattr(record, name)
        if dataclasses.is_dataclass(current):
            if not isinstance(value, Mapping):
                raise InputError(f"{prefix}{name} is a section of settings; found {value!r}")
            changes[name] = _filled(current, value, f"{prefix}{name}.")
        else:
            changes[name] = _typed(prefix + name, value, current)
    return dataclasses.replace(record, **changes)


def _typed(name: str, value: Any, current: Any) -> Any:
    """``value`` in the type of the setting's present value; an int will do for a float and a list for a tuple."""
    if isinstance(current, tuple):
        if isinstance(value, list | tuple) and all(type(item) is int for item in value):
            return tuple(value)
        raise InputError(f"{name} must be a list of whole numbers; found {value!r}")
    if isinstance(current, float) and type(value) is int:
        return float(value)
    if type(value) is not type(current):
        raise InputError(f"{name} must be of type {type(current).__name__}; found {value!r}")
    return value


def check_range(name: str, value: Any, bounds: Mapping[str, float]) -> None:
    """Raise InputError unless every number in ``value`` is finite and keeps to ``bounds``."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and not math.isfinite(number):
            raise InputError(f"{name} must be a finite number; found {number}")
        if not all(BOUNDS[relation](number, bound) for relation, bound in bounds.items()):
            accepted = " and ".join(f"{relation} {bound:g}" for relation, bound in bounds.items())
            raise InputError(f"{name} must be {accepted}; found {number}")
