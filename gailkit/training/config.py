"""Every setting of a training run: its name, its default and the sentence that explains it, written once.

The options of ``gailkit train`` and ``gailkit expert``, the keys of a TOML file and the contents of a run folder's
``config.json`` are all made from these records. The module imports nothing heavy, so that help and errors answer at
once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gailkit.ranks.group import size
from gailkit.training.policy_config import EVERY, OFF_POLICY, PolicyConfig
from gailkit.training.settings import config_from_dict, fill, setting, setting_by, settle

Config = TypeVar("Config", bound="RunConfig")

LEAST_DEVIATION = (
    "Advantages are divided by their standard deviation, and at least by this many of the rewards' units (nats in "
    "imitation), so that the policy comes to rest where they hardly differ."
)
CHECKPOINTS = ("chosen", "last", "best")  # of a run, by which a policy may act
STATE_ACTION, STATE, NEXT_STATE = "state-action", "state", "next-state"  # what a discriminator sees
BY_DATA = "auto"  # the first of them, or the last where the demonstrations hold no actions
FLAT = "flat"  # the image encoder that makes vectors of pictures, as runs that knew none did
MOST_FRAMES = 256  # observations that are seen as one, or steps that are judged together
NUM_ENVS = {False: 32, True: 8}  # the default of environments, and of those whose steps a replay remembers
FEW_ENVS = 128  # for which the defaults are made
CHOOSING_SHARE = 0.05  # of the steps of an imitation,
CHOOSING_STEPS = 3000  # but so many at least, of short ones not more than
MOST_CHOOSING_SHARE = 0.15


def growth_of(num_envs: int) -> float:
    """How many times larger rollouts and minibatches are where environments are more than FEW_ENVS.

    A rollout is then 16 steps long in each, and as many minibatches as ever go through it: what a gradient is a mean
    over grows with the environments, the number of gradient steps for a rollout does not.
    """
    return max(1.0, num_envs / FEW_ENVS)


def choosing_steps(steps: int) -> int:
    """How many of the ``steps`` of an imitation are left for its policies to be played, to choose among them."""
    least = min(CHOOSING_STEPS, int(MOST_CHOOSING_SHARE * steps))
    return max(int(CHOOSING_SHARE * steps), least)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """How experts are told from the policy."""

    kind: str = setting(
        BY_DATA,
        "What D sees: state-action, state, next-state (a state and the next), auto (state-action, or next-state where "
        "the demonstrations hold no actions), or package.module:attribute.",
    )
    window: int = setting(
        1,
        "How many of an episode's last steps D judges together; more than one, to teach a policy with memory what a "
        "single step does not show.",
        at_least=1,
        at_most=MOST_FRAMES,
    )
    network: str = setting("mlp", "Network of D: mlp, spectral (spectrally normalised), or package.module:attribute.")
    hidden: tuple[int, ...] = setting((64, 64), "Sizes of the hidden layers.", at_least=1)
    logit_penalty: float = setting(0.5, "Kappa of the adversarial loss; above 0.25.", above=0.25)
    gradient_penalty: float = setting(1.0, "Weight of the one-sided gradient penalty; 0 switches it off.", at_least=0)
    learning_rate: float = setting(3e-4, "Adam's learning rate for D.", at_least=0)
    batch_size: int = setting_by(
        256,
        {},
        "Transitions of each side in a gradient step. From 128 environments on more, in proportion.",
        grows=1,
        at_least=1,
    )
    image_shift: float = setting(
        0.05,
        "Share of their side by which pictures move at random before D learns from them, on both sides alike, and "
        "before the policy learns the expert's actions.",
        at_least=0,
        below=1,
    )
    updates: int = setting_by(32, dict.fromkeys(OFF_POLICY, 8), "Gradient steps for each rollout.", at_least=1)

    def __post_init__(self) -> None:
        """Raises InputError for a value of a wrong type or out of its range."""
        settle(self, "discriminator.")


@dataclass(frozen=True)
class RunConfig:
    """What every run has, whatever the policy is rewarded for. One default serves every task."""

    steps: int = setting(500_000, "Environment steps in all, rounded up to whole rollouts.", at_least=1)
    seed: int = setting(0, "Decides every random number in the run.", at_least=0)
    num_envs: int = setting_by(
        NUM_ENVS[False],
        dict.fromkeys(OFF_POLICY, NUM_ENVS[True]),
        "Environments stepped together, in each process where several train.",
        at_least=1,
    )
    rollout_size: int = setting_by(
        2048,
        dict.fromkeys(OFF_POLICY, 64),
        "Steps between updates, of all environments of a process together. From 128 environments on more, in "
        "proportion: 16 in each, or 2 where a replay is learned from.",
        grows=1,
        at_least=2,
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
    image_encoder: str = setting(
        "nature",
        "How networks see pictures: nature (three convolutions), impala (residual ones), flat (as vectors of numbers), "
        "or package.module:attribute.",
    )
    frame_stack: int = setting(
        1,
        "How many of an episode's last observations are seen as one, by policy, value function and discriminator.",
        at_least=1,
        at_most=MOST_FRAMES,
    )
    policy: PolicyConfig = field(default_factory=PolicyConfig)

    def __post_init__(self) -> None:
        """Raises InputError for a value of a wrong type or out of its range, or settings that contradict each other."""
        settle(self, "")
        environments = NUM_ENVS[self.generator in OFF_POLICY] if self.num_envs is None else self.num_envs
        fill(self, self.generator, growth_of(environments))
        if self.generator in EVERY or ":" in self.generator:  # any other name is refused where names become objects
            self.policy_settings  # noqa: B018

    @property
    def policy_settings(self) -> dict[str, Any]:
        """Those that its generator has, by name."""
        return self.policy.of(self.generator, growth_of(self.num_envs))

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
        return -(-self.training_steps // self.steps_of_iteration)

    @property
    def steps_of_iteration(self) -> int:
        """Steps of a rollout, in all environments of all ranks."""
        return self.num_envs * self.rollout_steps * size()

    @property
    def steps_of_rollouts(self) -> int:
        """Steps of all the rollouts in the run."""
        return self.total_iterations * self.steps_of_iteration

    def with_pictures(self: Config, seen: bool) -> Config:
        """These settings with the defaults of where observations are pictures, if some are ``seen``."""
        return dataclasses.replace(self, policy=self.policy.with_pictures(self.generator)) if seen else self

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, sections as nested dictionaries, the generator's defaults filled in."""
        values = dataclasses.asdict(self)
        values["policy"] |= self.policy_settings
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
    eval_every: int = setting(
        0,
        "Look at the policy every so many steps: closeness by a few episodes, which do not count as steps, and a film "
        "where it can be drawn; 0 for never. It changes nothing that is learned.",
        at_least=0,
    )
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)

    def __post_init__(self) -> None:
        """As that of RunConfig."""
        super().__post_init__()
        discriminator = dataclasses.replace(self.discriminator)
        fill(discriminator, self.generator, growth_of(self.num_envs))
        object.__setattr__(self, "discriminator", discriminator)

    @property
    def training_steps(self) -> int:
        """All but those for choosing."""
        return self.steps - choosing_steps(self.steps)

    def with_actions(self, known: bool) -> TrainConfig:
        """These settings with the kind of discriminator that ``auto`` stands for where actions are ``known`` or not."""
        if self.discriminator.kind != BY_DATA:
            return self
        kind = STATE_ACTION if known else NEXT_STATE
        return dataclasses.replace(self, discriminator=dataclasses.replace(self.discriminator, kind=kind))


def stored_config(values: Mapping[str, Any], kind: type[Config]) -> Config:
    """The settings that a run has written down; one that knew of no image encoder made vectors of pictures."""
    return config_from_dict({"image_encoder": FLAT, **values}, kind)
