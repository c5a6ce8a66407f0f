"""gailkit: imitation learning from demonstrations, with generative adversarial imitation learning at its centre.

``import gailkit`` is cheap: a public name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {  # public name -> "module:attribute", or "module" where the name is the module itself
    "Demonstrations": "gailkit.demonstrations:Demonstrations",
    "Discriminator": "gailkit.discriminator:Discriminator",
    "DiscriminatorLearner": "gailkit.discriminator:DiscriminatorLearner",
    "GailkitError": "gailkit.errors:GailkitError",
    "Generator": "gailkit.generator:Generator",
    "PPOClip": "gailkit.generator:PPOClip",
    "Rollout": "gailkit.types:Rollout",
    "StateActionDiscriminator": "gailkit.discriminator:StateActionDiscriminator",
    "TrainConfig": "gailkit.training:TrainConfig",
    "Trajectory": "gailkit.types:Trajectory",
    "Transitions": "gailkit.types:Transitions",
    "evaluate": "gailkit.evaluation:evaluate",
    "losses": "gailkit.functional.losses",
    "rewards": "gailkit.functional.rewards",
    "train": "gailkit.training:train",
}

__all__ = [
    "Demonstrations",
    "Discriminator",
    "DiscriminatorLearner",
    "GailkitError",
    "Generator",
    "PPOClip",
    "Rollout",
    "StateActionDiscriminator",
    "TrainConfig",
    "Trajectory",
    "Transitions",
    "evaluate",
    "losses",
    "rewards",
    "train",
]

if TYPE_CHECKING:  # the table once more, for editors and type checkers
    from gailkit.demonstrations import Demonstrations
    from gailkit.discriminator import Discriminator, DiscriminatorLearner, StateActionDiscriminator
    from gailkit.errors import GailkitError
    from gailkit.evaluation import evaluate
    from gailkit.functional import losses, rewards
    from gailkit.generator import Generator, PPOClip
    from gailkit.training import TrainConfig, train
    from gailkit.types import Rollout, Trajectory, Transitions


def __getattr__(name: str) -> Any:
    """The public name ``name``, imported now and kept. Raises AttributeError for a name that is not public."""
    if name not in _HOME:
        raise AttributeError(f"module 'gailkit' has no attribute {name!r}; public names are {', '.join(__all__)}")
    module, _, attribute = _HOME[name].partition(":")
    value = getattr(import_module(module), attribute) if attribute else import_module(module)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
