"""Observation sizes of the MuJoCo tasks of Gymnasium, by which version and settings give which."""

from __future__ import annotations

import re

_FORCES = "with contact forces"
_POSITION = "with exclude_current_positions_from_observation=False"

SIZES: dict[str, dict[int, str]] = {
    "Hopper": {11: "every version", 12: f"every version {_POSITION}"},
    "Walker2d": {17: "every version", 18: f"every version {_POSITION}"},
    "HalfCheetah": {17: "every version", 18: f"every version {_POSITION}"},
    "Swimmer": {8: "every version", 10: f"every version {_POSITION}"},
    "Ant": {
        27: "v4 or without contact forces",
        29: f"v4 {_POSITION}",
        105: "v5",
        107: f"v5 {_POSITION}",
        111: f"v2 and v3, {_FORCES} of the world too",
        113: f"v3 {_POSITION}",
    },
    "Humanoid": {348: "v5", 350: f"v5 {_POSITION}", 376: "v2 to v4", 378: f"v3 and v4 {_POSITION}"},
    "HumanoidStandup": {348: "v5", 350: f"v5 {_POSITION}", 376: "v2 to v4"},
    "InvertedDoublePendulum": {9: "v5", 11: "v2 to v4"},
    "InvertedPendulum": {4: "every version"},
    "Reacher": {10: "v5", 11: "v2 to v4"},
    "Pusher": {23: "every version"},
}


def origin_of_size(env_id: str, size: int) -> str | None:
    """Which versions of the task ``env_id`` have observations of so many numbers, in words; None where none is known.

    A single number more or less than a task has is explained too.
    """
    family = re.sub(r"-v\d+$", "", env_id.rsplit(":", 1)[-1].rsplit("/", 1)[-1])
    sizes = SIZES.get(family, {})
    if size in sizes:
        return f"{size} is the size of {family} {sizes[size]}"
    if size - 1 in sizes:
        return f"{size} is one more than {family} has ({sizes[size - 1]}): perhaps the time or an absorbing flag"
    return None
