"""What ``gailkit record`` is asked for, and what of it is refused before anything is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.specs import KEYBOARD
from gailkit.errors import InputError
from gailkit.rollouts.stepping import Stepping

if TYPE_CHECKING:
    from gailkit.recording.shard_folder import Shards


@dataclass(frozen=True)
class Request:
    """The words of the command."""

    env_id: str
    spec: str
    episodes: int
    seed: int
    output: Path
    append: bool
    overwrite: bool
    num_envs: int
    stochastic: bool
    noise: float | None
    clip_actions: bool
    min_return: float | None
    fps: float | None
    keys: str | None
    trust: tuple[str, ...]
    env_kwargs: dict[str, Any]
    stepping: Stepping


def check_options(request: Request) -> None:
    """Raise UsageError for options that do not go together, InputError if the file exists and may not be touched."""
    request.stepping.check(request.num_envs)
    if request.append and request.overwrite:
        raise click.UsageError("--append continues FILE and --overwrite replaces it; give one of them.")
    by_hand = request.spec == KEYBOARD
    policys = {
        "--stochastic": request.stochastic,
        "--noise": request.noise,
        "--clip-actions": request.clip_actions,
        "--min-return": request.min_return,
    }
    hands = {"--fps": request.fps, "--keys": request.keys}
    for option, value in (policys if by_hand else hands).items():
        if value not in (None, False):
            raise click.UsageError(f"{option} does not go with --policy {request.spec}.")
    if request.output.is_file() and not (request.append or request.overwrite):
        raise InputError(f"{request.output} exists; --append continues it, --overwrite replaces it")


def refuse_to_replace(request: Request, shards: Shards) -> None:
    """Raise InputError if a killed recording has left episodes, and the request does not say what becomes of them."""
    if shards.paths and not (request.append or request.overwrite):
        raise InputError(
            f"{shards.folder} holds what a recording of {request.output} had finished when it was killed; "
            "--append continues it, --overwrite discards it"
        )
