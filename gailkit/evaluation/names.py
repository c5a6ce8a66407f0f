"""What the numbers of well-known observations are, as Gymnasium's documentation calls them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def _named(text: str) -> tuple[str, ...]:
    """Names that commas part; ``thigh, leg | angle`` stands for a thigh angle and a leg angle."""
    things, _, suffix = (part.strip() for part in text.partition("|"))
    return tuple(f"{thing.strip()} {suffix}".strip() for thing in things.split(","))


def _joined(*texts: str) -> tuple[str, ...]:
    return tuple(name for text in texts for name in _named(text))


def _each(things: Iterable[str], parts: str) -> tuple[str, ...]:
    """Every one of ``parts`` of the first thing, then of the next."""
    return tuple(f"{thing} {part}" for thing in things for part in _named(parts))


_TORSO_SPEED = "torso x velocity, torso y velocity, torso z velocity"
_TORSO_TURN = "torso x, torso y, torso z | angular velocity"
_TORSO = "torso height, torso orientation w, torso orientation x, torso orientation y, torso orientation z"
_FORCE = "torque x, torque y, torque z, force x, force y, force z"  # MuJoCo has what turns first
_CONSTRAINT = "constraint force"

_HOPPER = "thigh, leg, foot"
_WALKER = "right thigh, right leg, right foot, left thigh, left leg, left foot"
_CHEETAH = "back thigh, back shin, back foot, front thigh, front shin, front foot"
_ANT = (
    "front left hip, front left ankle, front right hip, front right ankle, "
    "back left hip, back left ankle, back right hip, back right ankle"
)
_PLANAR_SPEED = "forward velocity, vertical velocity, torso angular velocity"
_ANT_STATE = _joined(_TORSO, f"{_ANT} | angle", _TORSO_SPEED, _TORSO_TURN, f"{_ANT} | angular velocity")
_ANT_BODIES = _joined(
    "torso",
    *(f"{leg} leg, {leg} aux, {leg} ankle" for leg in _named("front left, front right, back left, back right")),
)
_HUMANOID = (
    "abdomen z, abdomen y, abdomen x, right hip x, right hip z, right hip y, right knee, left hip x, left hip z, "
    "left hip y, left knee, right shoulder 1, right shoulder 2, right elbow, left shoulder 1, left shoulder 2, "
    "left elbow"
)
_HUMANOID_STATE = _joined(_TORSO, f"{_HUMANOID} | angle", _TORSO_SPEED, _TORSO_TURN, f"{_HUMANOID} | angular velocity")
_HUMANOID_BODIES = _named(
    "torso, lower waist, pelvis, right thigh, right shin, right foot, left thigh, left shin, left foot, "
    "right upper arm, right lower arm, left upper arm, left lower arm"
)
_INERTIA = (
    "inertia xx, inertia yy, inertia zz, inertia xy, inertia xz, inertia yz, "
    "mass offset x, mass offset y, mass offset z, mass"
)
_ARM = "shoulder pan, shoulder lift, upper arm roll, elbow flex, forearm roll, wrist flex, wrist roll"
_POLES = _joined(
    "cart position, sin of the first angle, sin of the second angle, cos of the first angle, cos of the second angle",
    "cart velocity, first angular velocity, second angular velocity",
)


def _humanoid(bodies: Sequence[str], driven: Sequence[str]) -> tuple[str, ...]:
    """Positions and velocities, and then what MuJoCo tells of each body and each actuated joint."""
    return (
        *_HUMANOID_STATE,
        *_each(bodies, _INERTIA),
        *_each(
            bodies, "angular velocity x, angular velocity y, angular velocity z, velocity x, velocity y, velocity z"
        ),
        *(f"{joint} actuator force" for joint in driven),
        *_each(bodies, _FORCE),
    )


_HUMANOID_V5 = _humanoid(_HUMANOID_BODIES, _named(_HUMANOID))
_ROOT = _named("root x, root y, root z, root turn x, root turn y, root turn z")
_HUMANOID_V4 = _humanoid(("world", *_HUMANOID_BODIES), (*_ROOT, *_named(_HUMANOID)))
_LANDER = _joined("x, y | position", "x, y | velocity", "angle, angular velocity", "left leg, right leg | contact")
_BIPED = (
    *_named("hull angle, hull angular velocity, x velocity, y velocity"),
    *_each(("first leg", "second leg"), "hip angle, hip speed, knee angle, knee speed, contact"),
    *(f"lidar {ray}" for ray in range(1, 11)),
)
_REACHER = _joined(
    "cos of the first angle, cos of the second angle, sin of the first angle, sin of the second angle",
    "target x, target y, first angular velocity, second angular velocity",
    "fingertip x, fingertip y | from target",
)

NAMES: dict[str, Sequence[str]] = {  # family, or one version that differs from it -> names
    "CartPole": _named("cart position, cart velocity, pole angle, pole angular velocity"),
    "MountainCar": _named("position, velocity"),
    "MountainCarContinuous": _named("position, velocity"),
    "Pendulum": _named("cos of the angle, sin of the angle, angular velocity"),
    "Acrobot": _joined(
        "cos of the first angle, sin of the first angle, cos of the second angle, sin of the second angle",
        "velocity of the first angle, velocity of the second angle",
    ),
    "LunarLander": _LANDER,
    "LunarLanderContinuous": _LANDER,
    "BipedalWalker": _BIPED,
    "BipedalWalkerHardcore": _BIPED,
    "InvertedPendulum": _named("cart position, pole angle, cart velocity, pole angular velocity"),
    "InvertedDoublePendulum": (*_POLES, f"cart {_CONSTRAINT}"),
    "InvertedDoublePendulum-v4": (*_POLES, *_named(f"cart, first pole, second pole | {_CONSTRAINT}")),
    "Hopper": _joined(
        "torso height, torso angle", f"{_HOPPER} | angle", _PLANAR_SPEED, f"{_HOPPER} | angular velocity"
    ),
    "Walker2d": _joined(
        "torso height, torso angle", f"{_WALKER} | angle", _PLANAR_SPEED, f"{_WALKER} | angular velocity"
    ),
    "HalfCheetah": _joined(
        "front tip height, front tip angle",
        f"{_CHEETAH} | angle",
        "forward velocity, vertical velocity, front tip angular velocity",
        f"{_CHEETAH} | angular velocity",
    ),
    "Swimmer": _joined(
        "front tip, first rotor, second rotor | angle",
        "x velocity, y velocity",
        "front tip, first rotor, second rotor | angular velocity",
    ),
    "Reacher": _REACHER,
    "Reacher-v4": (*_REACHER, "fingertip z from target"),
    "Pusher": _joined(
        f"{_ARM} | angle",
        f"{_ARM} | angular velocity",
        *(f"{thing} x, {thing} y, {thing} z" for thing in ("fingertip", "object", "goal")),
    ),
    "Ant": (*_ANT_STATE, *_each(_ANT_BODIES, _FORCE)),
    "Ant-v4": _ANT_STATE,
    "Humanoid": _HUMANOID_V5,
    "Humanoid-v4": _HUMANOID_V4,
    "HumanoidStandup": _HUMANOID_V5,
    "HumanoidStandup-v4": _HUMANOID_V4,
}


def observation_names(env_id: str | None) -> Sequence[str]:
    """The names of the numbers of an observation, in their order; none where the environment is not known.

    They are those of the environment as it is registered: options may change how many numbers there are.
    """
    family, _, version = (env_id or "").rpartition("-v")
    return NAMES.get(f"{family}-v{version}", NAMES.get(family, ()))
