"""gailkit: imitation learning from demonstrations, with generative adversarial imitation learning at its centre.

``import gailkit`` is cheap: a public name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"

_HOME = {  # public name -> "module:attribute", or "module" where the name is the module itself
    "ACKTR": "gailkit.generator:ACKTR",
    "ActorCritic": "gailkit.networks.actor_critic:ActorCritic",
    "AdversarialLoss": "gailkit.discriminator:AdversarialLoss",
    "Batched": "gailkit.types:Batched",
    "BoxActionDiscriminator": "gailkit.discriminator:BoxActionDiscriminator",
    "Closeness": "gailkit.evaluation.closeness:Closeness",
    "Collector": "gailkit.rollouts.collector:Collector",
    "CrossEntropyLoss": "gailkit.discriminator:CrossEntropyLoss",
    "DDPG": "gailkit.generator:DDPG",
    "DQN": "gailkit.generator:DQN",
    "Demonstrations": "gailkit.demonstrations:Demonstrations",
    "DiscreteActionDiscriminator": "gailkit.discriminator:DiscreteActionDiscriminator",
    "Discriminator": "gailkit.discriminator:Discriminator",
    "DiscriminatorConfig": "gailkit.training.config:DiscriminatorConfig",
    "DiscriminatorLearner": "gailkit.discriminator:DiscriminatorLearner",
    "DiscriminatorLoss": "gailkit.discriminator:DiscriminatorLoss",
    "Evaluation": "gailkit.evaluation.evaluation:Evaluation",
    "ExpertConfig": "gailkit.training.config:ExpertConfig",
    "GailkitError": "gailkit.errors:GailkitError",
    "Generator": "gailkit.generator:Generator",
    "Iteration": "gailkit.training.iteration:Iteration",
    "NextStateDiscriminator": "gailkit.discriminator:NextStateDiscriminator",
    "ObservationEncoder": "gailkit.networks.encoders:ObservationEncoder",
    "PPOClip": "gailkit.generator:PPOClip",
    "PPOPenalty": "gailkit.generator:PPOPenalty",
    "Parts": "gailkit.training.parts:Parts",
    "PolicyConfig": "gailkit.training.policy_config:PolicyConfig",
    "PolicyGradient": "gailkit.generator:PolicyGradient",
    "ReadOptions": "gailkit.demonstrations.file_contents:ReadOptions",
    "Reference": "gailkit.evaluation.evaluate:Reference",
    "Rollout": "gailkit.types:Rollout",
    "SAC": "gailkit.generator:SAC",
    "SeedStream": "gailkit.rollouts.environments:SeedStream",
    "StateDiscriminator": "gailkit.discriminator:StateDiscriminator",
    "Stepping": "gailkit.rollouts.stepping:Stepping",
    "TD3": "gailkit.generator:TD3",
    "TRPO": "gailkit.generator:TRPO",
    "TrackedRun": "gailkit.tracking:TrackedRun",
    "Tracker": "gailkit.tracking:Tracker",
    "TrainConfig": "gailkit.training.config:TrainConfig",
    "TrainedPolicy": "gailkit.generator:TrainedPolicy",
    "Trajectory": "gailkit.types:Trajectory",
    "Transitions": "gailkit.types:Transitions",
    "absorbing_mass": "gailkit.functional.absorbing:absorbing_mass",
    "clone_behaviour": "gailkit.generator:clone_behaviour",
    "closeness": "gailkit.evaluation.closeness:closeness",
    "evaluate": "gailkit.evaluation.evaluate:evaluate",
    "hold_out": "gailkit.demonstrations.hold_out:hold_out",
    "impala": "gailkit.networks.convolutions:impala",
    "load_policy": "gailkit.training.run:load_policy",
    "losses": "gailkit.functional.losses",
    "make_env": "gailkit.rollouts.environments:make_env",
    "make_vector_env": "gailkit.rollouts.vector:make_vector_env",
    "mlp": "gailkit.networks.mlp:mlp",
    "nature": "gailkit.networks.convolutions:nature",
    "pull": "gailkit.hub.pulling:pull",
    "push": "gailkit.hub.pushing:push",
    "rewards": "gailkit.functional.rewards",
    "run_control": "gailkit.training.control:run_control",
    "resume": "gailkit.training.resuming:resume",
    "seeing": "gailkit.networks.convolutions:seeing",
    "train": "gailkit.training.train:train",
    "train_expert": "gailkit.training.expert:train_expert",
    "with_gradient_penalty": "gailkit.discriminator:with_gradient_penalty",
    "write_report": "gailkit.report.report:write_report",
}

__all__ = [
    "ACKTR",
    "DDPG",
    "DQN",
    "SAC",
    "TD3",
    "TRPO",
    "ActorCritic",
    "AdversarialLoss",
    "Batched",
    "BoxActionDiscriminator",
    "Closeness",
    "Collector",
    "CrossEntropyLoss",
    "Demonstrations",
    "DiscreteActionDiscriminator",
    "Discriminator",
    "DiscriminatorConfig",
    "DiscriminatorLearner",
    "DiscriminatorLoss",
    "Evaluation",
    "ExpertConfig",
    "GailkitError",
    "Generator",
    "Iteration",
    "NextStateDiscriminator",
    "ObservationEncoder",
    "PPOClip",
    "PPOPenalty",
    "Parts",
    "PolicyConfig",
    "PolicyGradient",
    "ReadOptions",
    "Reference",
    "Rollout",
    "SeedStream",
    "StateDiscriminator",
    "Stepping",
    "TrackedRun",
    "Tracker",
    "TrainConfig",
    "TrainedPolicy",
    "Trajectory",
    "Transitions",
    "absorbing_mass",
    "clone_behaviour",
    "closeness",
    "evaluate",
    "hold_out",
    "impala",
    "load_policy",
    "losses",
    "make_env",
    "make_vector_env",
    "mlp",
    "nature",
    "pull",
    "push",
    "resume",
    "rewards",
    "run_control",
    "seeing",
    "train",
    "train_expert",
    "with_gradient_penalty",
    "write_report",
]

if TYPE_CHECKING:  # the table once more, for editors and type checkers
    from gailkit.demonstrations import Demonstrations
    from gailkit.demonstrations.file_contents import ReadOptions
    from gailkit.demonstrations.hold_out import hold_out
    from gailkit.discriminator import (
        AdversarialLoss,
        BoxActionDiscriminator,
        CrossEntropyLoss,
        DiscreteActionDiscriminator,
        Discriminator,
        DiscriminatorLearner,
        DiscriminatorLoss,
        NextStateDiscriminator,
        StateDiscriminator,
        with_gradient_penalty,
    )
    from gailkit.errors import GailkitError
    from gailkit.evaluation.closeness import Closeness, closeness
    from gailkit.evaluation.evaluate import Reference, evaluate
    from gailkit.evaluation.evaluation import Evaluation
    from gailkit.functional import losses, rewards
    from gailkit.functional.absorbing import absorbing_mass
    from gailkit.generator import (
        ACKTR,
        DDPG,
        DQN,
        SAC,
        TD3,
        TRPO,
        Generator,
        PolicyGradient,
        PPOClip,
        PPOPenalty,
        TrainedPolicy,
        clone_behaviour,
    )
    from gailkit.hub.pulling import pull
    from gailkit.hub.pushing import push
    from gailkit.networks.actor_critic import ActorCritic
    from gailkit.networks.convolutions import impala, nature, seeing
    from gailkit.networks.encoders import ObservationEncoder
    from gailkit.networks.mlp import mlp
    from gailkit.report.report import write_report
    from gailkit.rollouts.collector import Collector
    from gailkit.rollouts.environments import SeedStream, make_env
    from gailkit.rollouts.stepping import Stepping
    from gailkit.rollouts.vector import make_vector_env
    from gailkit.tracking import TrackedRun, Tracker
    from gailkit.training.config import DiscriminatorConfig, ExpertConfig, TrainConfig
    from gailkit.training.control import run_control
    from gailkit.training.expert import train_expert
    from gailkit.training.iteration import Iteration
    from gailkit.training.parts import Parts
    from gailkit.training.policy_config import PolicyConfig
    from gailkit.training.resuming import resume
    from gailkit.training.run import load_policy
    from gailkit.training.train import train
    from gailkit.types import Batched, Rollout, Trajectory, Transitions


def __getattr__(name: str) -> Any:
    """The public name ``name``, imported now and kept. Raises AttributeError for a name that is not public."""
    if name not in _HOME:
        raise AttributeError(f"module 'gailkit' has no attribute {name!r}; public names are {', '.join(__all__)}")
    module, _, attribute = _HOME[name].partition(":")
    value = getattr(import_module(module), attribute) if attribute else import_module(module)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
