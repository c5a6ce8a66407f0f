"""A run folder out of what somebody has published on the Hub, which is a stranger's until it has been looked at.

Only files of known names are taken, each into its own place and up to its own size; all of them from one commit. Their
digests are compared before the folder appears. Nothing in them is executed, and no name in them is imported: the run
is one of somebody else's, of which ``--trust`` says what may be.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gailkit.errors import DataError, InputError, StorageError
from gailkit.hub.parcel import DEMONSTRATIONS, LIMITS
from gailkit.importing import require
from gailkit.training.config import CHECKPOINTS
from gailkit.training.run import CONFIG_FILE, RunFolder


class Pulled(NamedTuple):
    """What was taken, and what was left where it is."""

    folder: Path
    commit: str
    files: tuple[str, ...]
    left: tuple[str, ...]


def pull(repo: str, out: Path | None = None, *, revision: str | None = None, demonstrations: bool = False) -> Pulled:
    """The run that was published as ``repo``, OWNER/NAME, as a run folder that evaluate, play and export take.

    Args:
        out: the folder to make; NAME in the current one where it is None.
        revision: a branch, tag or commit; what is newest where it is None.
        demonstrations: take those too, where they were published.

    Raises:
        InputError: if there is no such repository, it holds no run, the folder is there already, or the extra
            ``gailkit[hub]`` is not installed.
        DataError: if a file is larger than it may be, or damaged.
        HubError: if the Hub cannot be reached, or refuses.
        StorageError: if the disk refuses.
    """
    require("pulling", "hub", "huggingface_hub")
    from gailkit.hub.client import check_name, fetch, look_up

    check_name(repo)
    out = Path(repo.partition("/")[2]) if out is None else out
    if out.exists() or out.is_symlink():
        raise InputError(f"{out} is there already; --out names another folder")
    found = look_up(repo, revision)
    wanted = _wanted(repo, found.sizes, demonstrations)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".gailkit-", dir=out.parent))
    except OSError as error:
        raise StorageError(f"the folder {out} cannot be made: {error.strerror}") from error
    try:
        (made / "checkpoints").mkdir()
        for name in wanted:
            fetch(found, name, made / name, LIMITS[name])
        _require_whole(repo, made)
        made.chmod(0o755)
        os.replace(made, out)
    except OSError as error:
        raise StorageError(f"the folder {out} cannot be made: {error.strerror}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Pulled(out, found.commit, wanted, tuple(sorted(set(found.sizes) - set(wanted))))


def _wanted(repo: str, sizes: Mapping[str, int | None], demonstrations: bool) -> tuple[str, ...]:
    """The files to take, none of which is said to be too large."""
    asked = [name for name in LIMITS if name in sizes and (demonstrations or name != DEMONSTRATIONS)]
    if CONFIG_FILE not in asked or not any(name.startswith("checkpoints/") for name in asked):
        raise InputError(f"{repo} holds no run of gailkit: it has no {CONFIG_FILE} or no checkpoint")
    if demonstrations and DEMONSTRATIONS not in asked:
        raise InputError(f"{repo} holds no demonstrations: it has no {DEMONSTRATIONS}")
    for name in asked:
        size = sizes[name]
        if size is not None and size > LIMITS[name]:
            raise DataError(f"{name} of {repo} has {size:,} bytes; at most {LIMITS[name]:,} are taken")
    return tuple(asked)


def _require_whole(repo: str, made: Path) -> None:
    """Raise DataError unless this is the description of a run, with checkpoints whose digests fit."""
    folder = RunFolder(made)
    try:
        folder.description()
        for name in CHECKPOINTS:
            if folder.checkpoint_path(name).is_file():
                folder.load(name)
    except DataError as error:
        raise DataError(str(error).replace(str(made), repo)) from error
