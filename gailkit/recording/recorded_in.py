"""In which environment episodes were recorded, and where one differs in which they are used."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
from gymnasium.envs.registration import parse_env_id
from gymnasium.error import Error as GymnasiumError

from gailkit.demonstrations.file_contents import About
from gailkit.demonstrations.provenance import recordings
from gailkit.demonstrations.time_limits import LIMIT, NO_LIMIT, registered_limit, told_limit
from gailkit.errors import InputError
from gailkit.rollouts.environments import USUAL
from gailkit.rollouts.protocol import About as Environment
from gailkit.spaces import brief
from gailkit.wording import counted

WRAPPERS = "env_wrappers"  # in the provenance of recorded episodes: a JSON list of names, the innermost first
MINARIS = "wrappers"  # in that of Minari's, where there are some: a JSON list of what Gymnasium knows of each
USUAL_NAMES = {each.__name__ for each in USUAL}


class Difference(NamedTuple):
    """Both sides of one, to go behind "recorded" and "used"."""

    recorded: str
    used: str

    def __str__(self) -> str:
        return f"recorded {self.recorded}, used {self.used}"


def described_environment(env: gymnasium.Env[Any, Any]) -> dict[str, str]:
    """What provenance tells of an environment, beside its id and arguments; nothing of limits where it has no id."""
    found = Environment.of(env)
    limit = {} if env.spec is None else {LIMIT: str(found.time_limit or NO_LIMIT)}
    return {**limit, WRAPPERS: json.dumps(found.wrappers)}


def check_recorded_in(recorded: About, env: Environment) -> None:
    """Raise InputError, printing both sides, if the episodes are of ``env`` in another version, time limit or wrappers.

    An environment of another name is somebody's choice, and what a file does not tell cannot be compared.
    """
    found = differences(recorded, env) if _named_alike(recorded.env_id, env.name) else []
    if found:
        raise InputError(
            f"the demonstrations come from another form of the environment: {'; '.join(map(str, found))}; "
            "--other-environment (in Python, other_environment=True) learns from them all the same"
        )


def differences(recorded: About, env: Environment) -> list[Difference]:
    """In version, time limit and wrappers, as far as both sides are known."""
    found = (_other_version(recorded.env_id, env.name), *differences_in_one_version(recorded, env))
    return [difference for difference in found if difference is not None]


def differences_in_one_version(recorded: About, env: Environment) -> list[Difference]:
    """In time limit and wrappers."""
    found = (_other_limit(recorded, env.time_limit), _other_wrappers(recorded.provenance, env.wrappers))
    return [difference for difference in found if difference is not None]


def _named_alike(recorded: str | None, used: str) -> bool:
    return recorded is not None and _parsed(recorded)[0] == _parsed(used)[0]


def _other_version(recorded: str | None, used: str) -> Difference | None:
    if recorded is None or not _named_alike(recorded, used):
        return None
    versions = _parsed(recorded)[1], _parsed(used)[1]
    return None if None in versions or versions[0] == versions[1] else Difference(f"in {brief(recorded)}", f"in {used}")


def _parsed(env_id: str) -> tuple[str, int | None]:
    """The name and the version, without the module that registers it."""
    known = env_id.rpartition(":")[2]
    try:
        space, name, version = parse_env_id(known)
    except GymnasiumError:
        return known, None
    return f"{space or ''}/{name}", version


def _other_limit(recorded: About, used: int | None) -> Difference | None:
    limits = [told_limit(recorded.env_kwargs, each) for each in recordings(recorded.provenance)]
    registered = registered_limit(recorded.env_id)
    usual = None if registered is None else registered.steps
    known = [usual if limit is None else limit for limit in limits]
    other = next((limit for limit in known if limit not in (None, used or math.inf)), None)
    if other is None:
        return None
    one = "without one" if used is None else f"with one of {used:,}"
    return Difference("without a time limit" if math.isinf(other) else f"with a time limit of {_steps(other)}", one)


def _steps(limit: float) -> str:
    return counted(int(limit), "step")


def _other_wrappers(provenance: Mapping[str, str], used: Sequence[str]) -> Difference | None:
    other = next((each for each in _told_wrappers(provenance) if each != list(used)), None)
    if other is None:
        return None
    return Difference(*(f"with {_listed(names)}" for names in (other, used)))


def _listed(names: Sequence[str]) -> str:
    return f"the wrappers {brief(', '.join(names))}" if names else "no wrappers"


def _told_wrappers(provenance: Mapping[str, str]) -> Iterator[list[str]]:
    """Those of each recording that tells of them; they may be anybody's words."""
    for recording in recordings(provenance):
        names = _names(recording.get(WRAPPERS, recording.get(MINARIS, "")))
        if names is not None:
            yield names


def _names(text: str) -> list[str] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    names = [str(each.get("name") if isinstance(each, dict) else each) for each in found]
    return [name for name in names if name not in USUAL_NAMES]
