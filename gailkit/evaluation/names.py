"""What the numbers of well-known observations are, as Gymnasium's documentation calls them."""

from __future__ import annotations

from collections.abc import Sequence

NAMES: dict[str, Sequence[str]] = {
    "CartPole": ("cart position", "cart velocity", "pole angle", "pole angular velocity"),
    "MountainCar": ("position", "velocity"),
    "MountainCarContinuous": ("position", "velocity"),
    "Pendulum": ("cos of the angle", "sin of the angle", "angular velocity"),
    "Acrobot": (
        "cos of the first angle",
        "sin of the first angle",
        "cos of the second angle",
        "sin of the second angle",
        "velocity of the first angle",
        "velocity of the second angle",
    ),
    "Hopper": (
        "torso height",
        "torso angle",
        "thigh angle",
        "leg angle",
        "foot angle",
        "forward velocity",
        "vertical velocity",
        "torso angular velocity",
        "thigh angular velocity",
        "leg angular velocity",
        "foot angular velocity",
    ),
}


def observation_names(env_id: str | None) -> Sequence[str]:
    """The names of the numbers of an observation, in their order; none where the environment is not known."""
    family, _, _ = (env_id or "").rpartition("-v")
    return NAMES.get(family, ())
