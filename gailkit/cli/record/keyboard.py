"""``gailkit record --policy keyboard``: a person plays, and keeps what is worth imitating."""

from __future__ import annotations

import math
from contextlib import closing
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import Interrupted, interruptible
from gailkit.errors import GailkitError

if TYPE_CHECKING:
    import gymnasium

    from gailkit.experts.key_map import KeyMap
    from gailkit.recording.keyboard_session import Ledger
    from gailkit.recording.keyboard_window import Window

SECONDS_OF_GRACE = 0.5  # after an episode has ended, for hands that are still playing
MOST_GRACE = 60  # ticks, where a person asks for more of them a second than there can be


def record_from_keyboard(
    recording: Ledger,
    env_id: str,
    env_kwargs: dict[str, Any],
    seeds: list[int],
    fps: float | None = None,
    keys: str | None = None,
) -> None:
    """Let a person play an episode for each seed in a window; each kept one is in the file before the next begins.

    Returns when the person quits, however many were kept; a signal stops it as it stops other commands.

    Args:
        fps: steps a second; the environment's own pace where None.
        keys: what the keys do, as ``experts.keys_to_actions.choose_keys`` reads it; the usual ones where None.

    Raises:
        InputError: if there is no display, no pygame, no picture of the environment, or ``keys`` do not fit it.
        EnvironmentFailure, StorageError: if the environment or the disk fails; what was kept before is in the file.
    """
    from gailkit.experts.keys_to_actions import choose_keys
    from gailkit.recording.keyboard_window import Window, check_for_window
    from gailkit.viewing.rendering import make_drawn, steps_per_second

    check_for_window()  # before the environment settles for drawing where nobody sees it
    with closing(make_drawn(env_id, env_kwargs)) as env:
        key_map = choose_keys(keys, env.action_space, env_id)
        with Window(f"gailkit record {env_id}", key_map.legend()) as window:
            _run(recording, env, key_map, window, seeds, fps or steps_per_second(env))


def _run(
    recording: Ledger,
    env: gymnasium.Env[Any, Any],
    keys: KeyMap,
    window: Window,
    seeds: list[int],
    fps: float,
) -> None:
    from gailkit.recording.keyboard_session import KeyboardSession
    from gailkit.recording.keyboard_window import play
    from gailkit.viewing.rendering import Filmed

    filmed = Filmed(env, 1, window.show)
    with interruptible() as interruption:

        def check() -> None:
            interruption.check()
            if filmed.failure is not None:
                raise filmed.failure

        grace = math.ceil(min(SECONDS_OF_GRACE * fps, MOST_GRACE))
        session = KeyboardSession(filmed, keys, seeds, recording, grace)
        check()
        try:
            play(session, window, fps, check)
        except (GailkitError, Interrupted):
            click.echo(f"stopped early: {recording.summary()}", err=True)
            raise
