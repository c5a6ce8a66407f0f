"""Environments that are stepped together: in this process or in others, whichever is asked for or is faster."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium

from gailkit.errors import InputError
from gailkit.importing import leads_to, where_defined
from gailkit.rollouts.environments import EnvMaker, canonical_id
from gailkit.rollouts.group import EnvFactory
from gailkit.rollouts.in_process import InProcess
from gailkit.rollouts.measuring import best_workers
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.stepping import AUTO, Stepping
from gailkit.rollouts.workers.pool import InWorkers


def make_vector_env(
    env_id: str,
    num_envs: int,
    env_kwargs: Mapping[str, Any] | None = None,
    stepping: Stepping | None = None,
    planned: int | None = None,
) -> Environments:
    """``num_envs`` copies of an environment that are stepped together; none resets itself.

    After a step that ends episodes the observations returned are the true last ones; the caller then resets those
    with ``reset(seed=[...], options={"reset_mask": done})``, where ``done`` is bool (num_envs,).

    Args:
        stepping: where they run; in this process, in turn, when None.
        planned: how many steps there will be, of all together; as many as it takes when None.

    Raises:
        InputError, EnvironmentFailure: as ``make_env``; InputError if ``num_envs`` is less than 1 or than the workers.
    """
    return stepped_together(EnvMaker(env_id, env_kwargs), num_envs, stepping or Stepping(), planned)


def stepped_together(
    factory: EnvFactory, num_envs: int, stepping: Stepping, planned: int | None = None
) -> Environments:
    """Likewise, of what ``factory`` makes."""
    if num_envs < 1:
        raise InputError(f"the number of environments must be at least 1; found {num_envs}")
    stepping.check(num_envs)
    workers = settle(stepping, factory, num_envs, planned).workers
    assert isinstance(workers, int)
    if workers == 1:
        return InProcess(factory, num_envs)
    return InWorkers(factory, num_envs, workers, stepping.step_timeout)


def settle(stepping: Stepping, factory: EnvFactory, num_envs: int, planned: int | None = None) -> Stepping:
    """``stepping`` with a number of workers; where it is "auto", the one by which ``planned`` steps take least time."""
    if stepping.workers != AUTO:
        return stepping
    workers, why = 1, "environments in this process: another could not import what they are made by"
    if _made_elsewhere(factory):
        workers, why = best_workers(factory, num_envs, planned)
    if workers > 1 or stepping.tell_of_none:
        stepping.tell(why)
    return replace(stepping, workers=workers)


def _made_elsewhere(factory: EnvFactory) -> bool:
    """Whether another process, too, can make what ``factory`` makes, as far as can be told."""
    try:
        pickle.dumps(factory)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    spec = gymnasium.registry.get(canonical_id(factory.env_id)) if isinstance(factory, EnvMaker) else None
    maker = factory if spec is None else spec.entry_point
    return isinstance(maker, str | EnvMaker) or leads_to(where_defined(maker), maker)
