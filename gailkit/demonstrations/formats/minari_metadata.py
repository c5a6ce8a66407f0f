"""What a Minari data set says about itself: ``metadata.json`` beside the episodes, attributes of the file before 0.5.

It is read as plain data. Which environment the episodes come from is taken down; no environment is built from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gymnasium import Space
from gymnasium.spaces import Dict

from gailkit.demonstrations.formats.minari_layout import Side, side
from gailkit.errors import DataError, InputError, UnsupportedSpaceError
from gailkit.spaces import space_from_minari_json
from gailkit.untrusted.source import Source, check_readable

METADATA = "metadata.json"
MAX_BYTES = 64 * 2**20  # the bounds of a space of images are lists of numbers
MAX_WORDS = 100_000  # characters of a text that is kept for people to read
KEPT = ("dataset_id", "algorithm_name", "author", "author_email", "code_permalink", "description", "minari_version")
"""Texts, or lists of texts, that go to the provenance as they are."""
LISTS = ("author", "author_email")
EARLIER = "gailkit_provenance"  # where gailkit puts what else it knew about the episodes
ENVIRONMENT = "gailkit_environment"  # where it puts id and arguments, also of one that Gymnasium does not know
_ATTRIBUTES = (*KEPT, "observation_space", "action_space", "env_spec", "data_format")


def read_metadata(folder: Path, source: Source) -> dict[str, Any]:
    """Everything stated about the data set in ``folder``, whose file of episodes is ``source``.

    Raises:
        DataError: if it is no JSON, too large, or contradicts itself.
    """
    path = folder / METADATA
    if path.exists():
        return from_json(path)
    fields: dict[str, Any] = {name: text for name in _ATTRIBUTES if (text := source.text(name)) is not None}
    total = source.integer("total_episodes")
    return fields if total is None else {**fields, "total_episodes": total}


def from_json(path: Path) -> dict[str, Any]:
    """The mapping in a file of JSON. Raises DataError for anything else."""
    check_readable(path)
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataError(f"{path} is larger than {MAX_BYTES} bytes, and no description of demonstrations needs that")
    return _mapping(content, str(path))


def check_stored_as_hdf5(fields: Mapping[str, Any], folder: Path) -> None:
    """Raise DataError for the other ways in which Minari stores episodes."""
    stored = fields.get("data_format", "hdf5")
    if stored != "hdf5":
        raise DataError(f"{folder} stores its episodes in the Minari format {str(stored)[:80]!r}; accepted is 'hdf5'")


def environment(fields: Mapping[str, Any], path: Path) -> tuple[str | None, dict[str, Any], dict[str, str]]:
    """Id and arguments of the environment, and what else is worth knowing of it."""
    text, own = fields.get("env_spec"), fields.get(ENVIRONMENT)
    if text is None and own is None:
        return None, {}, {}
    spec = {} if text is None else _mapping(text, f"{path}: env_spec")
    stated = own if isinstance(own, dict) else spec
    env_id, kwargs = stated.get("id"), stated.get("kwargs") or {}
    if not isinstance(env_id, str) or not env_id or not env_id.isprintable() or not isinstance(kwargs, dict):
        raise DataError(f"{path}: env_spec must state an id and its kwargs; found {str(stated)[:80]!r}")
    said = {"max_episode_steps": spec.get("max_episode_steps"), "wrappers": spec.get("additional_wrappers")}
    return env_id, kwargs, {name: json.dumps(value)[:MAX_WORDS] for name, value in said.items() if value}


def provenance(fields: Mapping[str, Any]) -> dict[str, str]:
    """What Minari and, before it, gailkit knew about where the episodes come from."""
    earlier = fields.get(EARLIER)
    texts = {name: fields.get(name) for name in KEPT} | (earlier if isinstance(earlier, dict) else {})
    joined = {name: "; ".join(map(str, text)) if isinstance(text, list) else text for name, text in texts.items()}
    return {name: text[:MAX_WORDS] for name, text in joined.items() if isinstance(text, str) and text}


def observation_side(fields: Mapping[str, Any], path: Path, keys: tuple[str, ...]) -> Side:
    """The observations without the text in Dicts, or those of their parts that ``keys`` name, in that order.

    Raises:
        InputError: if ``keys`` name what is not there, or a part is of a kind that is not supported.
        DataError: if the space is not described as Minari does.
    """
    text = fields.get("observation_space")
    if not keys:
        return side(_space(text, path, "observation_space", leave_out=("Text",)), "observations")
    described = {} if text is None else _mapping(text, f"{path}: observation_space")
    parts = described.get("subspaces") if described.get("type") == "Dict" else None
    if not isinstance(parts, dict):
        raise InputError(f"{path} has observations of one part, of which none is called {keys[0]!r}")
    unknown = [key for key in keys if key not in parts]
    if unknown:
        raise InputError(f"{path} has no observation {unknown[0]!r}; it has {', '.join(parts)}")
    chosen = {key: _space(json.dumps(parts[key]), path, f"observation_space {key!r}") for key in keys}
    if len(keys) == 1:
        return side(chosen[keys[0]], f"observations/{keys[0]}")
    return side(Dict([(key, space) for key, space in chosen.items() if space is not None]), "observations")


def action_side(fields: Mapping[str, Any], path: Path) -> Side:
    """The actions; raises as ``observation_side``."""
    return side(_space(fields.get("action_space"), path, "action_space"), "actions")


def _space(text: Any, path: Path, name: str, leave_out: tuple[str, ...] = ()) -> Space[Any] | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise DataError(f"{path}: {name} must be the text of a space; found {str(text)[:80]!r}")
    try:
        return space_from_minari_json(text, leave_out)
    except UnsupportedSpaceError as error:
        raise InputError(f"{path}: {name}: {error}; --obs-keys chooses parts of an observation") from error
    except InputError as error:
        raise DataError(f"{path}: {name} is {error}") from error


def _mapping(text: Any, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{name} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{name} must be a JSON object; found {str(value)[:80]}")
    return value
