"""Whether trajectories belong together, and what is said about them can be written down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gailkit.errors import InputError
from gailkit.types import Trajectory, plain_arrays


def check_together(trajectories: Sequence[Trajectory]) -> None:
    """Raise InputError unless there are some, of one kind and shape, all with rewards or none, of plain numbers."""
    if not trajectories:
        raise InputError("demonstrations need at least one trajectory; found none")
    if len({trajectory.has_actions for trajectory in trajectories}) != 1:
        raise InputError("either all trajectories have actions or none; found both")
    for name in ("observations", "actions"):
        kinds = {_kind(getattr(trajectory, name)) for trajectory in trajectories}
        if len(kinds) != 1:
            raise InputError(f"the {name} of all trajectories must have one kind and shape; found {sorted(kinds)}")
    held = [values for t in trajectories for values in (t.observations, t.actions, t.rewards) if values is not None]
    dtypes = {part.dtype for values in held for part in plain_arrays(values)}
    odd = {str(dtype) for dtype in dtypes if dtype.kind not in "biuf" or dtype.itemsize > 8}
    if odd:
        raise InputError(f"trajectories must hold plain numbers of at most 64 bits; found {', '.join(sorted(odd))}")
    if len({trajectory.rewards is None for trajectory in trajectories}) != 1:
        raise InputError("either all trajectories have rewards or none; found both")


def check_plain(env_kwargs: Mapping[str, Any], provenance: Mapping[str, str]) -> None:
    """Raise InputError unless JSON holds the arguments of the environment as they are, and provenance is texts."""
    try:
        unchanged = json.loads(json.dumps(dict(env_kwargs))) == env_kwargs
    except (TypeError, ValueError) as error:
        raise InputError(f"the environment's keyword arguments must be plain JSON values: {error}") from error
    if not unchanged:
        raise InputError(f"the environment's keyword arguments must be plain JSON values; found {env_kwargs!r}")
    if not all(isinstance(text, str) for pair in provenance.items() for text in pair):
        raise InputError(f"provenance must map texts to texts; found {dict(provenance)!r}")


def _kind(values: np.ndarray) -> tuple[Any, ...]:
    """What the arrays of all trajectories must share: kind and shape of a row, those of its parts where it has some."""
    if values.dtype.names is None:
        return values.dtype.kind, values.shape[1:]
    return tuple((name, *_kind(values[name])) for name in values.dtype.names)
