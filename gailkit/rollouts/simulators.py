"""Simulators of tensors by name, seen to be what they should be; and one environment of such a simulator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from gailkit.errors import EnvironmentFailure, GailkitError, InputError
from gailkit.importing import describe_foreign, import_module, where_defined
from gailkit.spaces import brief, check_supported

if TYPE_CHECKING:  # the processes that step environments do without torch
    import torch

    from gailkit.simulators.protocol import Simulator

NEEDED = ("num_envs", "device", "single_observation_space", "single_action_space", "reset", "step")
MakeSimulator = Callable[..., object]


def simulator_named(name: str) -> MakeSimulator | None:
    """What makes the simulator called ``package.module:attribute``; None where the name is that of something else.

    The module is imported. What it registers with Gymnasium under that name comes first, and an environment of
    Gymnasium's that is not registered is none of them; nor is what cannot be imported, of which Gymnasium says more.
    """
    module, _, attribute = name.partition(":")
    if not module or not all(part.isidentifier() for part in attribute.split(".")):
        return None
    try:
        found: Any = import_module(module)
    except InputError:
        return None
    if attribute in gymnasium.registry:
        return None
    for part in attribute.split("."):
        found = getattr(found, part, None)
    of_gymnasium = inspect.isclass(found) and issubclass(found, gymnasium.Env)
    return cast(MakeSimulator, found) if callable(found) and not of_gymnasium else None


def make_simulator(
    make: MakeSimulator, num_envs: int, device: str | torch.device, env_kwargs: Mapping[str, Any] | None = None
) -> Simulator:
    """``make(num_envs=..., device=..., **env_kwargs)``, seen to be a Simulator of so many environments.

    Raises:
        InputError: if it takes other arguments, or makes something else.
        EnvironmentFailure: if it raises anything else.
    """
    name = where_defined(make)
    try:
        made = make(num_envs=num_envs, device=device, **(env_kwargs or {}))
    except GailkitError:
        raise
    except TypeError as error:
        given = ", ".join(["num_envs", "device", *(env_kwargs or {})])
        single = "" if _takes_several(make) else f"; for a single environment {registration(*name.split(':', 1))}"
        raise InputError(
            f"{name} does not accept the arguments {given}: {describe_foreign(error, __file__)}{single}"
        ) from error
    except Exception as error:  # a simulator is foreign code and may raise anything
        raise EnvironmentFailure(f"{name} failed while it was made: {describe_foreign(error, __file__)}") from error
    simulator = checked_simulator(made, name)
    if simulator.num_envs != num_envs:
        raise InputError(f"{name} was asked for {num_envs} environments and made {simulator.num_envs}")
    return simulator


def _takes_several(make: MakeSimulator) -> bool:
    """Whether it looks like what makes a simulator, as far as can be told."""
    try:
        return "num_envs" in inspect.signature(make).parameters
    except (TypeError, ValueError):  # of what is written in C
        return False


def registration(module: str, attribute: str) -> str:
    """How an environment that ``module:attribute`` makes gets a name."""
    called = "".join(word.capitalize() if word.islower() else word for word in attribute.split(".")[-1].split("_"))
    return (
        f'gymnasium.register("{called}-v0", entry_point="{module}:{attribute}", max_episode_steps=...) in {module} '
        f"names it {module}:{called}-v0"
    )


def checked_simulator(made: object, name: str) -> Simulator:
    """``made``, seen to have what a Simulator has. Raises InputError, saying what it lacks."""
    if isinstance(made, gymnasium.Env):
        raise InputError(f"{name} makes a single environment: {registration(*name.split(':', 1))}")
    lacking = [each for each in NEEDED if not hasattr(made, each)]
    if lacking:
        raise InputError(
            f"{name} is no environment and makes no simulator of tensors: {type(made).__name__} lacks "
            f"{', '.join(lacking)}; needed are {', '.join(NEEDED)}"
        )
    simulator = cast("Simulator", made)
    for space, kinds in ((simulator.single_observation_space, Box), (simulator.single_action_space, Box | Discrete)):
        if not isinstance(space, kinds):
            raise InputError(
                f"the simulator {name} has the space {brief(space)}; accepted are a Box of observations, and "
                "actions in a Box or Discrete"
            )
    check_supported(simulator.single_observation_space, simulator.single_action_space)
    return simulator


class OneSimulated(gymnasium.Env[Any, Any]):
    """The one environment of a simulator of one, as Gymnasium has environments."""

    def __init__(self, simulator: Simulator, name: str) -> None:
        self.simulator, self.name = simulator, name
        self.time_limit: int | None = getattr(simulator, "max_episode_steps", None)
        self.observation_space = simulator.single_observation_space
        self.action_space = simulator.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        import torch

        super().reset(seed=seed)
        own = int(self.np_random.integers(2**31)) if seed is None else seed
        device = self.simulator.device
        every = torch.ones(1, dtype=torch.bool, device=device)
        return _first(self.simulator.reset(every, torch.tensor([own], device=device))), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step."""
        import torch

        told = torch.as_tensor(np.asarray(action)).unsqueeze(0).to(self.simulator.device)
        observations, rewards, terminated, truncated = self.simulator.step(told)
        return _first(observations), float(rewards[0]), bool(terminated[0]), bool(truncated[0]), {}

    def close(self) -> None:
        """Have done with the simulator."""
        close_simulator(self.simulator)


def close_simulator(simulator: Simulator) -> None:
    """Call its ``close``, if it has one."""
    close = getattr(simulator, "close", None)
    if callable(close):
        close()


def _first(observations: torch.Tensor) -> np.ndarray:
    seen: np.ndarray = observations[0].cpu().numpy()
    return seen
