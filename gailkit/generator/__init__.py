"""The policy and the optimisers that improve it, one file an optimiser."""

from gailkit.generator.acktr import ACKTR
from gailkit.generator.base import Generator
from gailkit.generator.cloners import OnCloning
from gailkit.generator.cloning import CloningResult, WarmStart, clone_behaviour, warm_start
from gailkit.generator.ddpg import DDPG
from gailkit.generator.dqn import DQN
from gailkit.generator.guidance import Guidance
from gailkit.generator.policy_gradient import PolicyGradient
from gailkit.generator.ppo import PPOClip
from gailkit.generator.ppo_penalty import PPOPenalty
from gailkit.generator.sac import SAC
from gailkit.generator.td3 import TD3
from gailkit.generator.trained import TrainedPolicy, Training
from gailkit.generator.trpo import TRPO

__all__ = [
    "ACKTR",
    "DDPG",
    "DQN",
    "SAC",
    "TD3",
    "TRPO",
    "CloningResult",
    "Generator",
    "Guidance",
    "OnCloning",
    "PPOClip",
    "PPOPenalty",
    "PolicyGradient",
    "TrainedPolicy",
    "Training",
    "WarmStart",
    "clone_behaviour",
    "warm_start",
]
