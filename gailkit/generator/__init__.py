"""The policy and the optimisers that improve it, one file an optimiser."""

from gailkit.generator.base import Generator
from gailkit.generator.cloning import CloningResult, clone_behaviour
from gailkit.generator.ppo import PPOClip
from gailkit.generator.trained import TrainedPolicy

__all__ = ["CloningResult", "Generator", "PPOClip", "TrainedPolicy", "clone_behaviour"]
