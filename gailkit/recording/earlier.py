"""What earlier recordings have left in a file and beside it, which a recording continues."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.errors import InputError
from gailkit.recording.provenance import merged_provenance
from gailkit.recording.recorded_in import differences_in_one_version
from gailkit.recording.shard_folder import Shards
from gailkit.rollouts.environments import SeedStream
from gailkit.rollouts.protocol import About
from gailkit.spaces import brief, stated_space


def earlier_episodes(shards: Shards) -> Demonstrations | None:
    """What earlier runs have left: the file, and behind it what is in shards and not in the file; None for nothing.

    A run that was killed just after it had written the file, or joined shards to one, has left episodes twice.

    Raises:
        DataError: if one of the files is damaged.
    """
    whole = Demonstrations.load(shards.target) if shards.target.is_file() and not shards.replacing else None
    parts = [Demonstrations.load(path) for path in shards.paths]
    if not parts:
        return whole
    known = set(whole.digests()) if whole else set()
    recovered = []
    for part in parts:
        digests = part.digests()
        recovered += [t for t, digest in zip(part.trajectories, digests, strict=True) if digest not in known]
        known.update(digests)
    sources = [*([whole] if whole else []), *parts]
    return Demonstrations(
        trajectories=(*(whole.trajectories if whole else ()), *recovered),
        observation_space=sources[0].observation_space,
        action_space=sources[0].action_space,
        env_id=sources[0].env_id,
        env_kwargs=sources[0].env_kwargs,
        provenance=merged_provenance([source.provenance for source in sources]),
    )


def action_seed(seed: int, earlier: Demonstrations | None, purpose: str = "actions") -> int:
    """A seed for the policy, another one each time a file is continued, so that it does not repeat itself."""
    count = len(earlier.trajectories) if earlier else 0
    return SeedStream(seed, f"{purpose} after {count} episodes").take(1)[0]


def check_continues(
    path: Path, earlier: Demonstrations, env: gymnasium.Env[Any, Any], env_id: str, env_kwargs: Mapping[str, Any]
) -> None:
    """Raise InputError unless the episodes in ``path`` are of this environment, and have actions and rewards."""
    pairs = {
        "environment": (earlier.env_id, env_id),
        "arguments of the environment": (dict(earlier.env_kwargs), dict(env_kwargs)),
        "observation space": (earlier.observation_space, stated_space(env.observation_space)),
        "action space": (earlier.action_space, stated_space(env.action_space)),
    }
    for what, (found, wanted) in pairs.items():
        if found != wanted:
            raise InputError(
                f"{path} cannot be continued: its {what} is {brief(found)}, to be recorded is {brief(wanted)}"
            )
    if others := differences_in_one_version(earlier.about, About.of(env)):
        raise InputError(f"{path} cannot be continued: {'; '.join(map(str, others))}")
    if not earlier.has_actions:
        raise InputError(f"{path} cannot be continued: its episodes have no actions, and what is recorded has")
    if earlier.returns() is None:
        raise InputError(f"{path} cannot be continued: its episodes have no rewards")
