"""Every setting of a training run: its name, its default and the sentence that explains it, written once.

The options of ``gailkit train`` and ``gailkit expert``, the keys of a TOML file and the contents of a run folder's
``config.json`` are all made from these records. The module imports nothing heavy, so that help and errors answer at
once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from gailkit.training.settings import SettingError, fill, setting, setting_by, setting_of, settle

ADAM = ("ppo-clip", "ppo-penalty", "pg", "trpo")  # for TRPO it is the value function that Adam trains
ON_POLICY = (*ADAM, "acktr")
DETERMINISTIC = ("ddpg", "td3")
OFF_POLICY = ("dqn", *DETERMINISTIC, "sac")
EVERY = (*ON_POLICY, *OFF_POLICY)
LEAST_DEVIATION = (
    "Advantages are divided by their standard deviation, and at least by this many of the rewards' units (nats in "
    "imitation), so that the policy comes to rest where they hardly differ."
)
SCHEDULES = ("linear", "constant")
CHECKPOINTS = ("chosen", "last", "best")  # of a run, by which a policy may act
CHOOSING_SHARE = 0.05  # of the steps of an imitation


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
    updates: int = setting_by(32, dict.fromkeys(OFF_POLICY, 8), "Gradient steps for each rollout.", at_least=1)

    def __post_init__(self) -> None:
        """Raises InputError for a value of a wrong type or out of its range."""
        settle(self, "discriminator.")


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
    learning_rate: float | None = setting_of(
        dict.fromkeys(ADAM, 2e-3) | dict.fromkeys(OFF_POLICY, 3e-4),
        "Adam's learning rate; trpo's is that of the value function.",
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
        dict.fromkeys(EVERY, 256), "Steps in a minibatch; trpo's are those of the value function.", at_least=1
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
        dict.fromkeys(OFF_POLICY, 1000), "Steps before the first update; at least a minibatch.", at_least=1
    )
    updates_per_step: float | None = setting_of(
        dict.fromkeys(OFF_POLICY, 1.0), "Gradient steps for every step in an environment.", above=0
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

    def of(self, generator: str) -> dict[str, Any]:
        """The settings that ``generator`` has, by name, its defaults for those that were not given.

        Raises:
            InputError: for one that was given and that it does not have, or that contradicts another.
        """
        chosen = {}
        for item in fields(self):
            defaults = item.metadata.get("of", {})
            given = getattr(self, item.name)
            if generator in defaults:
                chosen[item.name] = defaults[generator] if given is None else given
            elif given is not None and defaults:
                raise _foreign(item.name, defaults, generator)
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


@dataclass(frozen=True)
class RunConfig:
    """What every run has, whatever the policy is rewarded for. One default serves every task."""

    steps: int = setting(500_000, "Environment steps in all, rounded up to whole rollouts.", at_least=1)
    seed: int = setting(0, "Decides every random number in the run.", at_least=0)
    num_envs: int = setting_by(32, dict.fromkeys(OFF_POLICY, 8), "Environments stepped together.", at_least=1)
    rollout_size: int = setting_by(
        2048, dict.fromkeys(OFF_POLICY, 64), "Steps between updates, of all environments together.", at_least=2
    )
    gamma: float = setting(0.99, "Discount of future rewards.", at_least=0, below=1)
    lam: float = setting(0.95, "Lambda of generalized advantage estimation.", at_least=0, at_most=1)
    least_deviation: float = setting(0.0, LEAST_DEVIATION, at_least=0)
    checkpoint_every: float = setting(
        30.0, "Seconds between checkpoints, which a run goes on from; 0 for one an iteration.", at_least=0
    )
    generator: str = setting(
        "ppo-clip",
        "How the policy improves: ppo-clip, ppo-penalty, trpo, acktr, pg, for Discrete actions also dqn, for Box "
        "actions ddpg and td3, for either sac, or package.module:attribute.",
    )
    policy: PolicyConfig = field(default_factory=PolicyConfig)

    def __post_init__(self) -> None:
        """Raises InputError for a value of a wrong type or out of its range, or settings that contradict each other."""
        settle(self, "")
        fill(self, self.generator)
        if self.generator in EVERY or ":" in self.generator:  # any other name is refused where names become objects
            self.policy.of(self.generator)

    @property
    def rollout_steps(self) -> int:
        """T: steps in each environment between updates, at least 2; their sum may exceed ``rollout_size``."""
        return max(2, -(-self.rollout_size // self.num_envs))

    @property
    def training_steps(self) -> int:
        """Those of ``steps`` that are learned from."""
        return self.steps

    @property
    def total_iterations(self) -> int:
        """Rollouts in the run; the last one may go past the ``training_steps``."""
        return -(-self.training_steps // (self.num_envs * self.rollout_steps))

    @property
    def steps_of_rollouts(self) -> int:
        """Steps of all the rollouts in the run."""
        return self.total_iterations * self.num_envs * self.rollout_steps

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, sections as nested dictionaries, the generator's defaults filled in."""
        values = dataclasses.asdict(self)
        values["policy"] |= self.policy.of(self.generator)
        return values


@dataclass(frozen=True)
class ExpertConfig(RunConfig):
    """Reinforcement learning on the environment's own reward."""


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """Imitation of demonstrations."""

    endless_gamma: float = setting(
        0.97,
        "Discount as long as no episode has terminated on either side; gamma where that is less.",
        at_least=0,
        below=1,
    )
    least_deviation: float = setting(1.0, LEAST_DEVIATION, at_least=0)
    loss: str = setting(
        "adversarial", "What D descends: adversarial (F with its logit penalty), bce, or package.module:attribute."
    )
    reward: str = setting("log_d", "Reward form: log_d, neg_log_one_minus_d, log_odds, or package.module:attribute.")
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)

    def __post_init__(self) -> None:
        """As that of RunConfig."""
        super().__post_init__()
        discriminator = dataclasses.replace(self.discriminator)
        fill(discriminator, self.generator)
        object.__setattr__(self, "discriminator", discriminator)

    @property
    def training_steps(self) -> int:
        """The rest are those in which the policies that a run ends with are played, to choose among them."""
        return self.steps - int(CHOOSING_SHARE * self.steps)
