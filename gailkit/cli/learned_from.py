"""Which demonstrations a run learns from: as they were asked for, and as its folder remembers it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import note_differences, note_left_out
from gailkit.cli.demonstrations import ReadingOptions, load, read_limit, written_limit
from gailkit.errors import DataError

if TYPE_CHECKING:
    from gailkit.demonstrations import Demonstrations


@dataclass(frozen=True)
class LearnedFrom:
    """Some of the episodes in a file, and some of their pairs."""

    demos: Path
    options: ReadingOptions
    trajectories: int | None = None  # the first so many episodes; the others are held out
    hold_out: float | None = None  # share of the episodes that is held out; None for the usual one
    subsample: int | None = None  # every so-manieth pair
    seed: int = 0  # of the first pair

    def load(
        self, env_id: str, env_kwargs: dict[str, Any], other_environment: bool | None = None
    ) -> tuple[Demonstrations, int]:
        """The demonstrations as the environment takes them, and how many episodes were held out.

        Args:
            other_environment: whether they may come from another version, time limit or wrappers of it, which is then
                said; None, of a run that goes on, to ask and say nothing.

        Raises:
            InputError: if they do not fit the environment, or come from another form of it where they may not.
        """
        from gailkit.recording.recorded_in import check_recorded_in
        from gailkit.rollouts.environments import make_env
        from gailkit.rollouts.protocol import About

        whole = load(self.demos, self.options, env_id)
        with closing(make_env(env_id, env_kwargs)) as env:
            about = About.of(env)
            whole = whole.fitted_to(env.observation_space, env.action_space)
        if other_environment is False:
            check_recorded_in(whole.about, about)
        if other_environment is not None:
            note_differences(whole, env_id, env_kwargs, about)
            note_left_out(about)
        learned_from, held_out = _held_out(whole, self.trajectories, self.hold_out)
        if self.subsample is not None:
            learned_from = learned_from.subsample(self.subsample, self.seed)
        return learned_from, held_out

    def record(self) -> dict[str, Any]:
        """All of it in plain JSON values."""
        options = {**asdict(self.options), "max_episode_steps": written_limit(self.options.max_episode_steps)}
        return {**asdict(self), "demos": str(self.demos.absolute()), "options": options}

    @classmethod
    def recorded(cls, record: Any) -> LearnedFrom:
        """What ``record`` tells of. Raises DataError if it tells nothing of the kind."""
        try:
            own = cls(**record)
            options = {**record["options"], "max_episode_steps": read_limit(record["options"]["max_episode_steps"])}
            return replace(own, demos=Path(own.demos), options=ReadingOptions(**options))
        except (TypeError, KeyError) as error:
            raise DataError(f"the run does not say which demonstrations it learned from ({error})") from error


def _held_out(whole: Demonstrations, trajectories: int | None, share: float | None) -> tuple[Demonstrations, int]:
    """The episodes to learn from, and how many others are new to whom learns from them.

    Only their number is kept, so that the memory they take is free during the training.
    """
    from gailkit.demonstrations.hold_out import FEWEST, hold_out, hold_out_all_but

    sides = hold_out(whole, share) if trajectories is None else hold_out_all_but(whole, trajectories)
    learned_from, held_out = sides
    if held_out is not None:
        return learned_from, len(held_out.trajectories)
    if trajectories is not None:
        _note_nothing_held_out(f"--trajectories {trajectories} leaves no other episode", "choose fewer")
    elif share is None:
        found = f"it takes at least {FEWEST} different episodes; found {len(set(whole.digests()))}"
        _note_nothing_held_out(found, "record more, or name a share with --hold-out")
    return learned_from, 0


def _note_nothing_held_out(why: str, remedy: str) -> None:
    click.echo(
        f"note: nothing is held out, {why}: gailkit evaluate will compare the policy with demonstrations that it has "
        f"learned from; {remedy}, or evaluate with other episodes of this expert",
        err=True,
    )
