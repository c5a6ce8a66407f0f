"""What runs ask for whose policy remembers, or whose discriminator judges several steps together."""

from __future__ import annotations

from gailkit.demonstrations import Demonstrations
from gailkit.devices import free_memory
from gailkit.discriminator import Discriminator
from gailkit.errors import InputError
from gailkit.generator import Generator
from gailkit.generator.off_policy import OffPolicyGenerator
from gailkit.training.build_policy import memory_in
from gailkit.training.config import TrainConfig

COPIES = 8  # of a minibatch's windows of pictures, float32: of two sides, as they were, moved, and joined


def require_whole_episodes(config: TrainConfig, demonstrations: Demonstrations) -> None:
    """Raise InputError where something learns from steps in a row and the demonstrations stay in their file."""
    window = config.discriminator.window
    if demonstrations.in_memory or (memory_in(config.policy) is None and window == 1):
        return
    who = (
        f"a discriminator of windows ({window} steps)"
        if window > 1
        else f"a policy with memory ({config.policy.memory})"
    )
    raise InputError(
        f"{who} learns from whole episodes in memory; these demonstrations are larger and stay in their file: choose "
        "fewer, or let them take more (--memory)"
    )


def require_room(discriminator: Discriminator, config: TrainConfig) -> None:
    """Raise InputError where a minibatch of windows of pictures does not fit into memory."""
    size, batch = discriminator.window, config.discriminator.batch_size
    if size == 1 or not discriminator.encoder.pictures:
        return
    needed, free = COPIES * batch * discriminator.obs_size * 4, free_memory(discriminator.encoder.device)
    if needed > free:
        raise InputError(
            f"a minibatch of {batch} windows of {size} steps with pictures takes {needed / 1e6:,.0f} MB of memory, and "
            f"{free / 1e6:,.0f} MB are free: take a smaller window or minibatch (--discriminator-batch-size), or show "
            "the last observations as one (--frame-stack)"
        )


def reach_back(generator: Generator, config: TrainConfig) -> None:
    """Let the replay that ``generator`` learns from, if there is one, give out what was before a step as far as the
    discriminator judges it.

    Raises:
        InputError: if it does not hold as much.
    """
    earlier, replay = config.discriminator.window - 1, generator.replay
    if not earlier or replay is None:
        return
    steps = generator.n_step if isinstance(generator, OffPolicyGenerator) else 1
    held = replay.size // config.num_envs
    if held < earlier + steps:
        raise InputError(
            f"a replay of {replay.size} steps holds the last {held} of each of {config.num_envs} environments; windows "
            f"of {earlier + 1} steps take at least {earlier + steps}"
        )
    replay.earlier = earlier
