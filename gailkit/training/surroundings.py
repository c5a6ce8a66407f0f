"""Where a run takes place: its environments, how they are stepped, and on which device it learns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from gailkit.devices import AUTO, settled_device
from gailkit.errors import InputError
from gailkit.networks.observation_parts import parts_of_observations
from gailkit.ranks.group import rank, size
from gailkit.rollouts.environments import EnvMaker
from gailkit.rollouts.global_generators import seeded_globally
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.simulated import Simulated
from gailkit.rollouts.stacked import stacked
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import Given, is_simulator, maker_of, settle, stepped_together
from gailkit.simulators.protocol import Simulator
from gailkit.training.config import FLAT, RunConfig, TrainConfig


def maker_for(
    env: str | Simulator, env_kwargs: Mapping[str, Any], config: RunConfig, device: str, stepping: Stepping | None
) -> EnvMaker | Given:
    """What makes the environments of a run, a simulator of tensors on the ``device`` of that name; or the one given.

    Raises:
        InputError: if there is no such device, or the simulator that is given has another number of environments.
    """
    maker = maker_of(env, env_kwargs)
    if isinstance(maker, Given):
        count = maker.simulator.num_envs
        if count != config.num_envs:
            raise InputError(
                f"the simulator has {count} environments; num_envs must be as many, found {config.num_envs}"
            )
        if isinstance(config, TrainConfig) and config.eval_every:
            raise InputError("a simulator that is given is not looked at on the way, as that would end its episodes")
        return maker
    if not is_simulator(maker):
        return maker
    return replace(maker, device=str(settled_device(device, True, (stepping or Stepping()).tell)))


def settled(stepping: Stepping | None, maker: EnvMaker | Given, config: RunConfig) -> Stepping:
    """How the environments of a run are stepped, in how many processes among it.

    Raises:
        InputError: for more workers than environments, and whatever it raises where one is tried out.
    """
    stepping = stepping or Stepping()
    stepping.check(config.num_envs)
    return settle(stepping, maker, config.num_envs, config.steps_of_rollouts // size())


@contextmanager
def surroundings(maker: EnvMaker | Given, config: RunConfig, stepping: Stepping) -> Iterator[Environments]:
    """The environments of a run as it sees them, and random numbers of its own; each rank has others.

    Raises:
        InputError: for several observations as one in a simulator of tensors, which does so itself if it shall.
    """
    if config.frame_stack > 1 and is_simulator(maker):
        raise InputError(
            f"frame_stack is for environments of Gymnasium's; found {config.frame_stack} with a simulator of tensors, "
            "which may show its last observations as one itself"
        )
    make = partial(stepped_together, maker, config.num_envs, stepping)
    with seeded_globally(config.seed + rank()), closing(make()) as envs:
        yield stacked(envs, config.frame_stack)


def chosen_device(name: str, envs: Environments, config: RunConfig, stepping: Stepping) -> torch.device:
    """The device called ``name`` that a run learns on; by itself where its simulator is, or a card for pictures."""
    if isinstance(envs, Simulated) and name == AUTO:
        return torch.device(envs.simulator.device)
    pictures = parts_of_observations(envs.single_observation_space, config.image_encoder != FLAT).pictures
    return settled_device(name, bool(pictures), stepping.tell)
