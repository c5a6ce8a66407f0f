"""Environments that are stepped together: in this process or in others, whichever is asked for or is faster."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import gymnasium

from gailkit.errors import InputError
from gailkit.importing import leads_to, where_defined
from gailkit.rollouts.environments import EnvMaker, canonical_id
from gailkit.rollouts.group import EnvFactory
from gailkit.rollouts.in_process import InProcess
from gailkit.rollouts.measuring import best_workers
from gailkit.rollouts.protocol import About, Environments
from gailkit.rollouts.simulated import Simulated, name_of
from gailkit.rollouts.simulators import make_simulator, simulator_named
from gailkit.rollouts.stepping import AUTO, Stepping
from gailkit.rollouts.workers.pool import InWorkers
from gailkit.simulators.protocol import Simulator


def make_vector_env(
    env_id: str,
    num_envs: int,
    env_kwargs: Mapping[str, Any] | None = None,
    stepping: Stepping | None = None,
    planned: int | None = None,
    device: str = "cpu",
) -> Environments:
    """``num_envs`` copies of an environment that are stepped together; none resets itself.

    After a step that ends episodes the observations returned are the true last ones; the caller then resets those
    with ``reset(seed=[...], options={"reset_mask": done})``, where ``done`` is bool (num_envs,).

    Args:
        stepping: where they run; in this process, in turn, when None.
        planned: how many steps there will be, of all together; as many as it takes when None.
        device: where a simulator of tensors is made; of no matter to other environments.

    Raises:
        InputError, EnvironmentFailure: as ``make_env``; InputError if ``num_envs`` is less than 1 or than the workers.
    """
    return stepped_together(EnvMaker(env_id, env_kwargs, device), num_envs, stepping or Stepping(), planned)


def stepped_together(
    factory: EnvFactory | Given, num_envs: int, stepping: Stepping, planned: int | None = None
) -> Environments:
    """Likewise, of what ``factory`` makes; those of a simulator that is given are as many as it has."""
    if num_envs < 1:
        raise InputError(f"the number of environments must be at least 1; found {num_envs}")
    stepping.check(num_envs)
    if isinstance(factory, Given):
        return Simulated(factory.simulator, name_of(factory.simulator), own=False)
    workers = settle(stepping, factory, num_envs, planned).workers
    assert isinstance(workers, int)
    if isinstance(factory, EnvMaker) and (make := simulator_named(factory.env_id)) is not None:
        return Simulated(make_simulator(make, num_envs, factory.device, factory.env_kwargs), factory.env_id)
    if workers == 1:
        return InProcess(factory, num_envs)
    return InWorkers(factory, num_envs, workers, stepping.step_timeout)


def settle(stepping: Stepping, factory: EnvFactory | Given, num_envs: int, planned: int | None = None) -> Stepping:
    """``stepping`` with a number of workers; where it is "auto", the one by which ``planned`` steps take least time.

    Raises:
        InputError: for workers of a simulator of tensors, which steps its environments itself.
    """
    if is_simulator(factory):
        if stepping.workers not in (AUTO, 1):
            raise InputError(
                f"a simulator of tensors steps all of its environments itself; found {stepping.workers} workers, "
                "accepted are 1 and auto"
            )
        return replace(stepping, workers=1)
    assert not isinstance(factory, Given)
    if stepping.workers != AUTO:
        return stepping
    workers, why = 1, "environments in this process: another could not import what they are made by"
    if _made_elsewhere(factory):
        workers, why = best_workers(factory, num_envs, planned)
    if workers > 1 or stepping.tell_of_none:
        stepping.tell(why)
    return replace(stepping, workers=workers)


@dataclass(frozen=True)
class Given:
    """A simulator of tensors that somebody made, to be stepped as it is and left to them."""

    simulator: Simulator

    @property
    def about(self) -> About:
        """What is known of it."""
        return Simulated(self.simulator, name_of(self.simulator), own=False).about


def maker_of(env: str | Simulator, env_kwargs: Mapping[str, Any] | None = None) -> EnvMaker | Given:
    """What makes environments of that name, or is the simulator itself."""
    return EnvMaker(env, env_kwargs) if isinstance(env, str) else Given(env)


def about_of(factory: EnvMaker | Given) -> About:
    """What is known of an environment that ``factory`` makes; one is made to find out."""
    if isinstance(factory, Given):
        return factory.about
    with closing(factory()) as env:
        return About.of(env)


def is_simulator(factory: EnvFactory | Given) -> bool:
    """Whether it is one of tensors that is made, or given."""
    return isinstance(factory, Given) or (isinstance(factory, EnvMaker) and simulator_named(factory.env_id) is not None)


def _made_elsewhere(factory: EnvFactory) -> bool:
    """Whether another process, too, can make what ``factory`` makes, as far as can be told."""
    try:
        pickle.dumps(factory)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    spec = gymnasium.registry.get(canonical_id(factory.env_id)) if isinstance(factory, EnvMaker) else None
    maker = factory if spec is None else spec.entry_point
    return isinstance(maker, str | EnvMaker) or leads_to(where_defined(maker), maker)
