"""Environments by name; every way in which one can fail is a GailkitError."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import DependencyNotInstalled, UnregisteredEnv
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import (
    HumanRendering,
    OrderEnforcing,
    PassiveEnvChecker,
    RecordEpisodeStatistics,
    RecordVideo,
    RenderCollection,
    TimeLimit,
)

from gailkit.errors import EnvironmentFailure, GailkitError, InputError
from gailkit.importing import describe_foreign, make_current_folder_importable, missing_package, where_defined
from gailkit.rollouts.flattened import Flattened
from gailkit.rollouts.simulators import OneSimulated, make_simulator, registration, simulator_named
from gailkit.spaces import check_supported

MAX_SEED = 2**31


def make_env(env_id: str, env_kwargs: Mapping[str, Any] | None = None) -> gymnasium.Env[Any, Any]:
    """The environment that Gymnasium registers as ``env_id``, made with the keyword arguments ``env_kwargs``.

    Its spaces are known to be supported; observations and actions that are neither in a Box nor in a Discrete space
    are flattened to one vector, in a ``Flat`` space that tells what it was. ``module:ENV_ID`` imports the module first,
    as Gymnasium does; where that registers no such name, ``module:attribute`` makes a simulator of tensors.

    Raises:
        InputError: for a name that is not registered (near matches are listed), a missing dependency, arguments that
            the environment does not take, or spaces that gailkit does not support.
        EnvironmentFailure: if the environment raises anything else while it is made.
    """
    if (make := simulator_named(env_id)) is not None:
        if "render_mode" in (env_kwargs or {}):
            raise InputError(f"{env_id} is a simulator of tensors, which gailkit does not draw")
        return OneSimulated(make_simulator(make, 1, "cpu", env_kwargs), env_id)
    try:
        env = _make_quietly(env_id, env_kwargs or {})
    except UnregisteredEnv as error:
        raise InputError(f"no environment is called {env_id!r}; {_unregistered(env_id)}") from error
    except DependencyNotInstalled as error:
        if (extra := _extra_of(env_id)) is not None:
            raise missing_package(env_id, extra) from error
        raise InputError(f"{env_id} needs a package that is not installed: {error}") from error
    except ImportError as error:
        raise InputError(f"{env_id} cannot be imported: {error}; {_near_matches(env_id)}") from error
    except gymnasium.error.Error as error:
        raise InputError(f"{env_id!r} cannot be made: {error}; {_near_matches(env_id)}") from error
    except TypeError as error:
        cause = str(error).split(" was raised from the environment creator")[0]
        raise InputError(f"{env_id} does not accept the arguments {dict(env_kwargs or {})}: {cause}") from error
    if not all(isinstance(space, Box | Discrete) for space in (env.observation_space, env.action_space)):
        env = Flattened(env)
    check_supported(env.observation_space, env.action_space)
    return env


@dataclass(frozen=True)
class EnvMaker:
    """``make_env(env_id, env_kwargs)``, to be called as often as needed.

    Pickled it brings along what Gymnasium knows of the name, for a process that knows nothing of it yet. A simulator of
    tensors is made on the ``device`` where N environments are asked for together (``rollouts.vector``).
    """

    env_id: str
    env_kwargs: Mapping[str, Any] | None = field(default=None, hash=False)
    device: str = "cpu"

    def __call__(self) -> gymnasium.Env[Any, Any]:
        return make_env(self.env_id, self.env_kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        registered = gymnasium.registry.get(canonical_id(self.env_id))
        return _registered, (self.env_id, dict(self.env_kwargs or {}), registered)


def _registered(env_id: str, env_kwargs: Mapping[str, Any], registered: EnvSpec | None) -> EnvMaker:
    if registered is not None:
        gymnasium.registry.setdefault(registered.id, registered)
    return EnvMaker(env_id, env_kwargs)


USUAL = (
    Flattened, OrderEnforcing, PassiveEnvChecker, TimeLimit,  # which are put around any
    HumanRendering, RenderCollection, RecordEpisodeStatistics, RecordVideo,  # which only watch
)  # fmt: skip


def wrappers_of(env: gymnasium.Env[Any, Any]) -> tuple[str, ...]:
    """The names of the wrappers around an environment, the innermost first, but for the usual ones.

    Those are what Gymnasium and ``make_env`` put around it, of which time limits are asked for by themselves, and what
    changes neither observations nor actions, rewards and ends.
    """
    return tuple(type(each).__name__ for each in reversed(_layers(env)) if type(each) not in USUAL)


def time_limit_of(env: gymnasium.Env[Any, Any]) -> int | None:
    """After how many steps a registered environment, as it was made, is truncated by Gymnasium; None for never."""
    limits = [each.spec.max_episode_steps for each in _layers(env) if isinstance(each, TimeLimit) and each.spec]
    return limits[0] if limits else None


def _layers(env: gymnasium.Env[Any, Any]) -> list[gymnasium.Wrapper[Any, Any, Any, Any]]:
    """The wrappers around an environment, the outermost first."""
    layers = []
    while isinstance(env, gymnasium.Wrapper):
        layers.append(env)
        env = env.env
    return layers


def canonical_id(env_id: str) -> str:
    """The full name of what ``make_env`` makes: CartPole is CartPole-v1, its latest version.

    A name that has its version, that lies in a module (``module:ENV_ID``) or that is not registered stays as it is.
    """
    specs = gymnasium.registry.values()
    versions = [spec.version for spec in specs if spec.version is not None and spec.id == f"{env_id}-v{spec.version}"]
    return f"{env_id}-v{max(versions)}" if versions else env_id


@contextmanager
def environment_failures(doing: str) -> Iterator[None]:
    """Turn whatever an environment raises inside the block into an EnvironmentFailure: "... failed while ``doing``"."""
    try:
        yield
    except GailkitError:
        raise
    except Exception as error:  # an environment is foreign code and may raise anything
        raise EnvironmentFailure(
            f"the environment failed while {doing}: {describe_foreign(error, __file__)}"
        ) from error


def all_finite(values: np.ndarray) -> bool:
    """Whether no number is NaN or infinite; whole numbers never are."""
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


class SeedStream:
    """An endless stream of seeds for episodes, int in [0, 2**31), the same for the same ``seed`` and ``purpose``.

    Streams of different purposes ("training", "evaluation", "recording") are independent, so that training does not
    see the episodes that evaluation is measured on. The position is that of ``generator``, whose
    ``bit_generator.state`` may be stored and put back.

    Raises:
        InputError: if ``seed`` is negative.
    """

    def __init__(self, seed: int, purpose: str) -> None:
        if seed < 0:
            raise InputError(f"a seed must be 0 or a positive integer; found {seed}")
        self.generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(purpose.encode())))

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return int(self.generator.integers(MAX_SEED))

    def take(self, count: int) -> list[int]:
        """The next ``count`` seeds."""
        return [next(self) for _ in range(count)]


def _make_quietly(env_id: str, env_kwargs: Mapping[str, Any]) -> gymnasium.Env[Any, Any]:
    expected = (gymnasium.error.Error, ImportError, TypeError)
    if ":" in env_id:
        make_current_folder_importable()
    with warnings.catch_warnings(), _quiet_mujoco(env_id):
        warnings.simplefilter("ignore")
        try:
            return gymnasium.make(env_id, **env_kwargs)
        except expected:
            raise
        except Exception as error:  # an environment is foreign code and may raise anything
            origin = error.__cause__ if isinstance(error.__cause__, Exception) else error  # Gymnasium raises a copy
            raise EnvironmentFailure(
                f"{env_id} failed while it was made: {describe_foreign(origin, __file__)}"
            ) from error


@contextmanager
def _quiet_mujoco(env_id: str) -> Iterator[None]:
    """Keep MuJoCo's advice on the models of Gymnasium from filling a MUJOCO_LOG.TXT in the current folder."""
    if _extra_of(env_id) != "mujoco" or importlib.util.find_spec("mujoco") is None:
        yield
        return
    mujoco = importlib.import_module("mujoco")
    handler = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda message: None)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(handler)


def _extra_of(env_id: str) -> str | None:
    """The extra of gailkit that installs what one of Gymnasium's own environments is made of."""
    spec = gymnasium.registry.get(canonical_id(env_id))
    entry_point = "" if spec is None else str(spec.entry_point)
    return next((extra for extra in ("mujoco", "box2d") if extra in entry_point), None)


def _unregistered(env_id: str) -> str:
    """What may have been meant, or what is missing: of what lies in a module of the user's, how it is registered."""
    module, _, attribute = env_id.partition(":")
    if not attribute or module not in sys.modules:
        return _near_matches(env_id)
    found = getattr(sys.modules[module], attribute, None)
    if callable(found):
        return f"{attribute} is not registered: {registration(module, attribute)}"
    own = [spec.id for spec in gymnasium.registry.values() if where_made(spec).partition(":")[0] == module]
    has = f"what it registers is {', '.join(own)}" if own else "it registers none of its own (gymnasium.register)"
    return f"{module} was imported, and {has}"


def where_made(spec: EnvSpec) -> str:
    """What an environment is made by, ``module:attribute``."""
    maker = spec.entry_point
    return maker if isinstance(maker, str) else "" if maker is None else where_defined(maker)


def _near_matches(env_id: str) -> str:
    names = {name.lower(): name for name in gymnasium.registry if name != env_id}
    close = difflib.get_close_matches(env_id.rsplit(":", 1)[-1].lower(), names, n=4, cutoff=0.6)
    matches = [names[name] for name in close]
    if matches:
        return f"near matches: {', '.join(matches)}"
    return f"{len(gymnasium.registry)} environments are registered, none with a name like it"
