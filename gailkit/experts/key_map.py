"""What stands between the keys that are held and the actions that they mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

Action = np.ndarray | np.int64
NO_KEY = "none"


class KeyMap(ABC):
    """From the keys that are held to the action that they mean."""

    @property
    @abstractmethod
    def keys(self) -> frozenset[str]:
        """The keys that mean something."""

    @abstractmethod
    def action(self, held: Sequence[str]) -> Action | None:
        """The action (*act) for the keys ``held``, in the order in which they were pressed; others mean nothing.

        None asks the environment to wait for a key.
        """

    @abstractmethod
    def legend(self) -> list[str]:
        """For the person at the keyboard: a few words for each key, in the order in which they were given."""
