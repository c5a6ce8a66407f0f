"""What one file of demonstrations holds, whatever its format: the currency between readers and the data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gymnasium import Space

from gailkit.types import Trajectory


class Contents(NamedTuple):
    """Episodes and what the file says about them."""

    trajectories: tuple[Trajectory, ...]
    observation_space: Space[Any] | None  # None where the file does not state it
    action_space: Space[Any] | None
    env_id: str | None
    env_kwargs: Mapping[str, Any]  # plain JSON values
    provenance: Mapping[str, str]  # where the episodes come from, for people to read
