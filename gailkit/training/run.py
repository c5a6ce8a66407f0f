"""The run folder: what was trained, on what, how it went, and checkpoints.

RUN/config.json             settings, environment, spaces, demonstrations, versions
RUN/metrics.jsonl           one row an iteration
RUN/tensorboard/            the same for TensorBoard
RUN/checkpoints/            chosen.safetensors, last.safetensors, best.safetensors; previous.safetensors, the one
                            before last
RUN/checkpoints/replay/     the steps that a generator learns from again, in files of so many each; those of other
                            processes that trained together in folders rank-N
RUN/eval/                   films of the policy on the way, where it is looked at (eval_every)
RUN/learning.svg            the curves, drawn when training ends
RUN/.in-use                 locked while a process trains into the folder
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gailkit.errors import DataError, GailkitError, InputError, StorageError
from gailkit.generator import TrainedPolicy, Training
from gailkit.spaces import Stacking, space_from_json
from gailkit.storage import LOCK_FILE, SoleUse, give_second_name, write_atomically
from gailkit.tracking.on_tensorboard import EVENTS_FOLDER
from gailkit.training.acting import checked_names, imported_parts, made_again
from gailkit.training.build_policy import head_of
from gailkit.training.checkpoint import load_checkpoint, save_checkpoint
from gailkit.training.config import CHECKPOINTS, FLAT, MOST_FRAMES, choosing_steps
from gailkit.training.form import require_networks_stored
from gailkit.training.kept_replay import KeptReplay
from gailkit.training.metrics import METRICS_FILE
from gailkit.training.parts import Parts
from gailkit.training.places import LAST, PREVIOUS, checkpoint_place
from gailkit.training.policy_config import MEMORY, PolicyConfig
from gailkit.training.settings import config_from_dict

CONFIG_FILE = "config.json"
FORMAT = "gailkit-run"
FORMAT_VERSION = 1
PICTURE_FILE = "learning.svg"
LOOKS = "eval"


class RunFolder:
    """A folder that holds one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sole_use: SoleUse | None = None
        self._kept: list[dict[str, int] | None] | None = (
            None  # of each rank's replay, by the checkpoint that was last written here
        )

    @classmethod
    def create(cls, path: Path, description: Mapping[str, Any], overwrite: bool = False) -> RunFolder:
        """Begin a run described by ``description`` (plain JSON values) in ``path``, made with its parents if need be.

        Raises:
            InputError: if ``path`` is not empty and ``overwrite`` is not set.
            DataError: if it is to be replaced but has a config.json that is not a run's.
            StorageError: if the folder cannot be made or written to.
        """
        cls.check_free(path, overwrite)
        folder = cls(path)
        if (path / CONFIG_FILE).exists():
            folder.description()  # raises where the folder is somebody else's, which is not ours to remove
        try:
            (path / "checkpoints").mkdir(parents=True, exist_ok=True)
            folder.claim()
            folder._remove()
            folder.describe(description)
        except OSError as error:
            folder.close()
            raise StorageError(f"the run folder {path} cannot be made: {error.strerror}") from error
        except BaseException:
            folder.close()
            raise
        return folder

    @staticmethod
    def check_free(path: Path, overwrite: bool = False) -> None:
        """Raise InputError if ``path`` is not empty and ``overwrite`` is not set."""
        if path.is_dir() and any(entry.name != LOCK_FILE for entry in path.iterdir()) and not overwrite:
            holds_run = (path / CONFIG_FILE).exists()
            what = "already holds a run" if holds_run else "is not empty"
            how = "replaces that run" if holds_run else "puts the run beside what lies there"
            raise InputError(f"{path} {what}; choose another folder, or give --overwrite, which {how}")

    def claim(self) -> None:
        """Have the folder alone until ``close``. Raises InUseError if another process trains into it."""
        self._sole_use = SoleUse(self.path)

    def close(self) -> None:
        """Let others use the folder."""
        if self._sole_use is not None:
            self._sole_use.release()
            self._sole_use = None

    def describe(self, description: Mapping[str, Any]) -> None:
        """Write what the run is, atomically."""
        stamped = {"format": FORMAT, "format_version": FORMAT_VERSION, **description}
        write_atomically(self.path / CONFIG_FILE, json.dumps(stamped, indent=2).encode())

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run. Raises InputError where there is none."""
        if not (path / CONFIG_FILE).is_file():
            raise InputError(f"{path} holds no run: it has no {CONFIG_FILE}")
        return cls(path)

    def description(self) -> dict[str, Any]:
        """What ``create`` was given. Raises DataError if it is damaged or of a version that is not known."""
        path = self.path / CONFIG_FILE
        try:
            described = json.loads(path.read_text(encoding="utf-8"))
            found = (described["format"], described["format_version"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{path} is damaged or not the description of a run: {error}") from error
        if found != (FORMAT, FORMAT_VERSION):
            newer = found[0] == FORMAT and type(found[1]) is int and found[1] > FORMAT_VERSION
            advice = "; a newer gailkit wrote it and reads it" if newer else ""
            raise DataError(f"{path} is of format {found}; this gailkit reads {(FORMAT, FORMAT_VERSION)}{advice}")
        return dict(described)

    def usual_checkpoint(self) -> str:
        """The one to act by where none is named: ``chosen`` where the run came to choose, else ``last``; ``best``
        where there is nothing else, as of a run that was pulled."""
        present = [name for name in (*CHECKPOINTS, PREVIOUS) if self.checkpoint_path(name).is_file()]
        return "chosen" if "chosen" in present else "best" if present == ["best"] else LAST

    def checkpoint_path(self, name: str) -> Path:
        """Where the checkpoint ``chosen``, ``last`` or ``best`` lies."""
        return checkpoint_place(self.path, name)

    def save(self, name: str, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, atomically."""
        save_checkpoint(self.checkpoint_path(name), state)

    def save_last(self, state: Mapping[str, Any]) -> None:
        """Write the last checkpoint; the one before stays beside it, in case that something damages this one."""
        last, others = self.checkpoint_path(LAST), state.get("ranks", [])
        replays = [self.kept_replay(rank) for rank in range(1 + len(others))]
        kept = [replays[0].save(state["replay"])]
        kept += [replay.write(other["replay"]) for replay, other in zip(replays[1:], others, strict=True)]
        if last.is_file():
            give_second_name(last, self.checkpoint_path(PREVIOUS))
        own = [{**other, "replay": rows} for other, rows in zip(others, kept[1:], strict=True)]
        self.save(LAST, {**state, "replay": kept[0], **({"ranks": own} if own else {})})
        for replay, before in zip(replays, self._kept or [None] * len(replays), strict=True):
            replay.forget(before)
        self._kept = kept

    def kept_replay(self, rank: int = 0) -> KeptReplay:
        """What the checkpoints hold of the replay of a process only by its place in it."""
        return KeptReplay(self.path / "checkpoints", rank)

    def forget_replays_behind(self, kept: Sequence[Mapping[str, int] | None]) -> None:
        """Remove what was written behind the rows of each rank's replay that a run goes on from; all of other ranks."""
        known = (path.name.removeprefix("rank-") for path in self.kept_replay().folder.glob("rank-*"))
        for rank in [0, *(int(number) for number in known if number.isdecimal())]:
            self.kept_replay(rank).forget_behind(kept[rank] if rank < len(kept) else None)

    def whole(self, name: str) -> tuple[str, dict[str, Any]]:
        """Name and state of the checkpoint ``name``, or of the one before the last where the last is damaged.

        Raises: as ``load``.
        """
        return self.newest() if name == LAST else (name, self.load(name))

    def newest(self) -> tuple[str, dict[str, Any]]:
        """Name and state of the last checkpoint that is whole: the one before the last where that is damaged.

        Raises:
            InputError: if there is none.
            DataError: if both are damaged.
        """
        try:
            return LAST, self.load(LAST)
        except GailkitError as error:
            try:
                return PREVIOUS, self.load(PREVIOUS)
            except GailkitError:
                raise error from None

    def load(self, name: str) -> dict[str, Any]:
        """Read a checkpoint; InputError if the run has none of that name, DataError if it is damaged."""
        if not self.checkpoint_path(name).is_file():
            present = [known for known in CHECKPOINTS if self.checkpoint_path(known).is_file()]
            raise InputError(f"{self.path} has no checkpoint {name!r}; it has {', '.join(present) or 'none'}")
        return load_checkpoint(self.checkpoint_path(name))

    def training(self, checkpoint: str, state: Mapping[str, Any], described: Mapping[str, Any]) -> Training | None:
        """How far it had come at a checkpoint that holds ``state``; None where ``described`` does not say how far to.

        A run is finished when its last checkpoint has learned from all its steps and, if it imitates, it has chosen;
        one that was asked to end before has chosen too, and is not.
        """
        config = described.get("config")
        planned = config.get("steps") if isinstance(config, Mapping) else None
        if type(planned) is not int:
            return None
        steps = state.get("steps")
        steps = steps if type(steps) is int else None
        chosen = self.checkpoint_path("chosen").is_file()
        early = checkpoint != "best" and steps is not None and steps < planned - choosing_steps(planned)
        finished = (chosen and not early) or (checkpoint == LAST and steps is not None and steps >= planned)
        return Training(checkpoint, steps, planned, finished)

    def _remove(self) -> None:
        """Remove what a run consists of, its description last, and nothing else that may lie in the folder."""
        for name in (*CHECKPOINTS, PREVIOUS):
            self.checkpoint_path(name).unlink(missing_ok=True)
        self.forget_replays_behind([])
        for events in (self.path / EVENTS_FOLDER).glob("events.out.tfevents.*"):
            events.unlink()
        for film in (self.path / LOOKS).glob("step-*.gif"):
            film.unlink()
        if (self.path / CONFIG_FILE).exists():
            for name in (METRICS_FILE, PICTURE_FILE, CONFIG_FILE):
                (self.path / name).unlink(missing_ok=True)


def load_policy(
    run_dir: Path | str, checkpoint: str | None = None, *, parts: Parts | None = None, trust: Collection[str] = ()
) -> TrainedPolicy:
    """The policy of a run at a checkpoint, or at its usual one, taking its likeliest actions.

    Where the last checkpoint is damaged, the one before it serves, as the policy's ``checkpoint`` then says.

    Args:
        parts: those of its own that the run was trained with, as far as its policy acts by them; without, they are
            imported by their names if the run is the user's own.
        trust: names, ``module:attribute``, that may be imported although the run is somebody else's.

    Raises:
        InputError: if there is no run or no such checkpoint, if what it acts by cannot or (UntrustedError) may not be
            imported, or makes other networks than it was trained with.
        DataError: if the run is damaged.
    """
    folder = RunFolder.open(Path(run_dir))
    described = folder.description()
    checkpoint = checkpoint or folder.usual_checkpoint()
    checkpoint, state = folder.whole(checkpoint)
    with damaged(run_dir):
        spaces = space_from_json(described["observation_space"]), space_from_json(described["action_space"])
        policy, head = _policy_settings(described["config"]["policy"]), head_of(described["config"]["generator"])
        sees = str(described["config"].get("image_encoder", FLAT))
        sees = FLAT if ":" in sees else sees  # a name in a file is not imported by itself: see ``acts_by``
        frames = _frames(described["config"])
        prefix = "actor_critic."
        own = {name.removeprefix(prefix): t for name, t in state["generator"].items() if name.startswith(prefix)}
        shown = described["demonstrations"]
        trained_on = frozenset(() if shown is None else shown["digests"])
        env_id, env_kwargs = str(described["env_id"]), dict(described["env_kwargs"])
        acts_by = checked_names(described.get("acts_by", {}))
    acting = imported_parts(folder.path, acts_by, parts or Parts(), trust)
    with damaged(run_dir):
        require_networks_stored(policy.widths, state)
    with damaged(run_dir) if acting == Parts() else _changed(run_dir):
        seen = Stacking(spaces[0], frames).space
        actor_critic = made_again(policy, (seen, spaces[1]), acting, head, sees)
        actor_critic.load_state_dict(own)
    training = folder.training(checkpoint, state, described)
    path = folder.checkpoint_path(checkpoint)
    return TrainedPolicy(actor_critic, *spaces, env_id, env_kwargs, trained_on, path, training=training, frames=frames)


@contextmanager
def damaged(run_dir: Path | str) -> Iterator[None]:
    """Turn what a file of a run raises that holds something else than it should into a DataError."""
    try:
        yield
    except (LookupError, ArithmeticError, TypeError, ValueError, RuntimeError, AttributeError, InputError) as error:
        summary = str(error).partition("\n")[0]
        raise DataError(f"the run in {run_dir} is damaged: {summary}") from error


@contextmanager
def _changed(run_dir: Path | str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        summary = " ".join(str(error).split())
        raise InputError(
            f"the parts that {run_dir} acts by make other networks now than when it was trained: {summary}"
        ) from error


def _frames(stored: Mapping[str, Any]) -> int:
    """How many observations are seen as one; 1 by runs that knew of no more. ValueError for what is no such number."""
    frames = stored.get("frame_stack", 1)
    if type(frames) is not int or not 1 <= frames <= MOST_FRAMES:
        raise ValueError(f"it stacks {frames!r} observations")
    return frames


def _policy_settings(stored: Mapping[str, Any]) -> PolicyConfig:
    """What the networks of a run were made from; how they were improved does not matter any more."""
    names = ("hidden", "initial_log_std", "std", "bounds", *MEMORY)
    shape = {name: stored[name] for name in names if name in stored}
    return config_from_dict(shape, PolicyConfig)
