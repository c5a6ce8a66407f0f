"""The settings of policies and of how they improve, and which generators have them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from gailkit.training.settings import SettingError, grown, setting, setting_of, settle

ADAM = ("ppo-clip", "ppo-penalty", "pg", "trpo")  # for TRPO it is the value function that Adam trains
ON_POLICY = (*ADAM, "acktr")
DETERMINISTIC = ("ddpg", "td3")
OFF_POLICY = ("dqn", *DETERMINISTIC, "sac")
EVERY = (*ON_POLICY, *OFF_POLICY)
PICTURED_RATE = 3e-4  # the default learning rate of ADAM where observations are pictures: convolutions bear no more
MEMORY_UNITS, MEMORY_LENGTH = 64, 32
MEMORY = ("memory", "memory_units", "memory_length")  # the settings of one, which no generator is given itself
SCHEDULES = ("linear", "constant")


@dataclass(frozen=True)
class PolicyConfig:
    """What the policy is, and how it improves. A setting that not every generator has is None unless it was given."""

    network: str = setting("mlp", "Network of policy and value function: mlp, or package.module:attribute.")
    hidden: tuple[int, ...] = setting(
        (64, 64), "Sizes of the hidden layers, policy and value function alike.", at_least=1
    )
    initial_log_std: float = setting(
        0.0,
        "Log of the first standard deviation of Box actions, where no clone of the demonstrations gives it: in "
        "half-widths of the Box, or before the tanh.",
        at_least=-20,
        at_most=5,
    )
    std: str = setting(
        "free", "What the deviation of Box actions depends on: free (nothing) or state.", choices=("free", "state")
    )
    bounds: str = setting(
        "clip",
        "How Box actions keep to the Box: clip (when executed), or tanh (squashed; for experts that avoid its bounds).",
        choices=("clip", "tanh"),
    )
    memory: str | None = setting_of(
        dict.fromkeys(ADAM, "none"),
        "What policy and value function remember of an episode: none, or by gru or lstm what they have seen in it.",
        choices=("none", "gru", "lstm"),
    )
    memory_units: int | None = setting_of(dict.fromkeys(ADAM, MEMORY_UNITS), "Units of such a memory.", at_least=1)
    memory_length: int | None = setting_of(
        dict.fromkeys(ADAM, MEMORY_LENGTH),
        "Steps of an episode that a gradient goes back through at most; no more than a minibatch has.",
        at_least=1,
    )
    learning_rate: float | None = setting_of(
        dict.fromkeys(ADAM, 2e-3) | dict.fromkeys(DETERMINISTIC, 1e-3) | dict.fromkeys(("dqn", "sac"), 3e-4),
        f"Adam's learning rate, of pictures {PICTURED_RATE:g} if that is less; trpo's is that of the value function.",
        at_least=0,
    )
    learning_rate_schedule: str | None = setting_of(
        dict.fromkeys(ADAM, "linear"),
        "How the learning rate goes on: linear (falls to 0 at the end of the run) or constant.",
        choices=SCHEDULES,
    )
    epochs: int | None = setting_of(
        {**dict.fromkeys(("ppo-clip", "ppo-penalty", "trpo"), 5), "acktr": 1},
        "Epochs, each of which sees a whole rollout once; trpo's are those of the value function.",
        at_least=1,
    )
    batch_size: int | None = setting_of(
        dict.fromkeys(EVERY, 256) | {"dqn": 128},
        "Steps in a minibatch; trpo's are those of the value function. From 128 environments on more, in proportion.",
        grows=1,
        at_least=1,
    )
    max_gradient_norm: float | None = setting_of(
        dict.fromkeys(ADAM, 0.5), "Gradients longer than this are shortened to it.", above=0
    )
    entropy_bonus: float | None = setting_of(
        dict.fromkeys(ON_POLICY, 0.0), "Weight of the policy's entropy.", at_least=0
    )
    clip: float | None = setting_of({"ppo-clip": 0.2}, "How far the probability ratio may move from 1.", above=0)
    clip_schedule: str | None = setting_of(
        {"ppo-clip": "constant"},
        "How the clip goes on: constant, or linear (falls to 0 at the end of the run).",
        choices=SCHEDULES,
    )
    target_kl: float | None = setting_of(
        dict.fromkeys(("ppo-clip", "ppo-penalty"), 0.0),
        "No further epoch on a rollout once KL(old, new) exceeds this; 0 never stops.",
        at_least=0,
    )
    kl_penalty: float | None = setting_of({"ppo-penalty": 1.0}, "Weight of KL(old, new) at the start.", above=0)
    kl_min: float | None = setting_of(
        {"ppo-penalty": 0.003}, "The KL penalty halves after an update with KL(old, new) below this.", at_least=0
    )
    kl_max: float | None = setting_of(
        {"ppo-penalty": 0.008}, "The KL penalty doubles after an update with KL(old, new) above this.", at_least=0
    )
    max_kl: float | None = setting_of(
        {"trpo": 0.02, "acktr": 0.003},
        "How far the policy may go, in KL(old, new): trpo for each rollout, acktr for each minibatch.",
        above=0,
    )
    max_value_kl: float | None = setting_of(
        {"acktr": 0.03},
        "How far a minibatch may move the value function: half its mean squared change, normalised.",
        above=0,
    )
    max_step: float | None = setting_of({"acktr": 1.0}, "The largest multiple of a natural gradient.", above=0)
    step_schedule: str | None = setting_of(
        {"acktr": "linear"},
        "How the length of the steps goes on: linear (falls to 0 at the end of the run) or constant.",
        choices=SCHEDULES,
    )
    damping: float | None = setting_of(
        {"trpo": 0.1, "acktr": 0.003}, "Added to the Fisher matrix before it is inverted.", above=0
    )
    decay: float | None = setting_of(
        {"acktr": 0.9}, "Weight of the past in the average of the Kronecker factors.", at_least=0, below=1
    )
    fisher_stride: int | None = setting_of(
        {"trpo": 4}, "One in so many steps of a rollout serves to estimate the Fisher matrix.", at_least=1
    )
    cg_iterations: int | None = setting_of({"trpo": 10}, "Fisher-vector products for each step.", at_least=1)
    backtracks: int | None = setting_of(
        {"trpo": 10}, "Lengths that the line search tries, each 0.7 of the last.", at_least=1
    )

    critic_hidden: tuple[int, ...] | None = setting_of(
        dict.fromkeys((*DETERMINISTIC, "sac"), (128, 128)),
        "Sizes of the hidden layers of the action values.",
        at_least=1,
    )
    replay_size: int | None = setting_of(
        dict.fromkeys(OFF_POLICY, 1_000_000), "Steps that are remembered, to be learned from again.", at_least=1
    )
    warm_up: int | None = setting_of(
        dict.fromkeys(OFF_POLICY, 1000),
        "Steps before the first update; at least a minibatch, and more of them as minibatches are larger.",
        grows=1,
        at_least=1,
    )
    updates_per_step: float | None = setting_of(
        dict.fromkeys(OFF_POLICY, 1.0),
        "Gradient steps for every step in an environment; from 128 environments on fewer, as minibatches are larger.",
        grows=-1,
        above=0,
    )
    target_rate: float | None = setting_of(
        dict.fromkeys(OFF_POLICY, 0.005), "Tau: how fast the copies of networks follow these.", above=0, at_most=1
    )
    n_step: int | None = setting_of(
        {"dqn": 3, "ddpg": 1, "td3": 1, "sac": 1},
        "Steps whose rewards are summed up before the value of a state stands for the rest.",
        at_least=1,
    )
    exploration_noise: float | None = setting_of(
        dict.fromkeys(DETERMINISTIC, 0.1),
        "Deviation of the noise that explores, in half-widths of the Box, where no clone gives it.",
        above=0,
    )
    exploration_share: float | None = setting_of(
        {"dqn": 0.1}, "Share of the run in which uniform actions become rare.", above=0, at_most=1
    )
    policy_delay: int | None = setting_of({"td3": 2}, "Updates of the action values for one of the policy.", at_least=1)
    target_noise: float | None = setting_of(
        {"td3": 0.2}, "Deviation of the noise on the actions that targets judge, in half-widths of the Box.", at_least=0
    )
    noise_clip: float | None = setting_of({"td3": 0.5}, "The most that this noise may be.", at_least=0)
    initial_temperature: float | None = setting_of(
        {"sac": 0.1}, "Alpha, the weight of the entropy, at the start.", above=0
    )

    def __post_init__(self) -> None:
        """Raises InputError for a value of a wrong type or out of its range."""
        settle(self, "policy.")

    @property
    def widths(self) -> list[tuple[int, ...]]:
        """Of the layers in a row that its networks have at least, for who has to know how large they are."""
        remembers = self.memory not in (None, "none")
        return [self.hidden, *([(units := self.memory_units or MEMORY_UNITS, 3 * units)] if remembers else [])]

    def with_pictures(self, generator: str) -> PolicyConfig:
        """These settings with what is the default of ``generator`` where observations are pictures that are seen."""
        rates = next(item for item in fields(self) if item.name == "learning_rate").metadata["of"]
        if self.learning_rate is not None or generator not in rates:
            return self
        return replace(self, learning_rate=min(PICTURED_RATE, rates[generator]))

    def of(self, generator: str, growth: float = 1.0) -> dict[str, Any]:
        """The settings that ``generator`` has, by name, its defaults for those that were not given.

        Defaults that grow with the environments do so by ``growth``.

        Raises:
            InputError: for one that was given and that it does not have, or that contradicts another.
        """
        chosen = {}
        for item in fields(self):
            defaults = item.metadata.get("of", {})
            given = getattr(self, item.name)
            if generator in defaults:
                chosen[item.name] = grown(defaults[generator], item, growth) if given is None else given
            elif given is not None and defaults:
                raise _foreign(item.name, defaults, generator)
        if chosen.get("memory", "none") != "none" and chosen["memory_length"] > chosen["batch_size"]:
            found = f"{chosen['memory_length']} and {chosen['batch_size']}"
            raise SettingError(
                lambda length, size: f"{length} must not exceed {size}; found {found}",
                "policy.memory_length",
                "policy.batch_size",
            )
        if "kl_min" in chosen and not chosen["kl_min"] < chosen["kl_max"]:
            found = f"{chosen['kl_min']:g} and {chosen['kl_max']:g}"
            raise SettingError(
                lambda low, high: f"{low} must be below {high}; found {found}", "policy.kl_min", "policy.kl_max"
            )
        return chosen


def _foreign(name: str, owners: Iterable[str], generator: str) -> SettingError:
    listed = ", ".join(owners)
    return SettingError(
        lambda called: f"{called} is a setting of {listed}; the generator is {generator}", f"policy.{name}"
    )
