"""What plain columns mean: as a user says, or by names that many programs give them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gailkit.errors import InputError


class Usual(NamedTuple):
    """Names that mean a role without being told."""

    whole: tuple[str, ...]
    numbered: tuple[str, ...] = ()  # followed by 0, 1, 2 and so on: obs_0, obs0, obs[0]


ROLES = {
    "observations": Usual(("observations", "observation", "obs"), ("observations", "observation", "obs")),
    "actions": Usual(("actions", "action", "acts", "act"), ("actions", "action", "act")),
    "next_observations": Usual(
        ("next_observations", "next_observation", "next_obs"), ("next_observations", "next_observation", "next_obs")
    ),
    "rewards": Usual(("rewards", "reward", "rews", "rew")),
    "terminated": Usual(("terminated", "terminations", "terminals", "terminal")),
    "truncated": Usual(("truncated", "truncations", "timeouts")),
    "done": Usual(("done", "dones")),
    "episode": Usual(("episode", "episodes", "episode_id", "episode_index")),
    "seed": Usual(("seed", "seeds", "episode_seed")),
}
REQUIRED = {"observations": "", "actions": ", or actions= with nothing behind it if there are none"}
VECTORS = ("observations", "actions", "next_observations")  # the others are one column each
EXAMPLE = "--columns 'observations=obs_0..obs_3; actions=action; terminated=done'"
_SHOWN = 16


def columns_from_text(text: str) -> dict[str, tuple[str, ...]]:
    """Roles and the names of their columns out of ``observations=x,y,theta; actions=u; episode=ep``.

    Raises:
        InputError: if a role is unknown, stands twice, or has no ``=`` behind it.
    """
    columns: dict[str, tuple[str, ...]] = {}
    for part in filter(str.strip, text.split(";")):
        role, equals, names = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InputError(f"columns are told as role=names; found {part.strip()!r}, accepted are such as {EXAMPLE}")
        if role not in ROLES:
            near = difflib.get_close_matches(role, ROLES, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"no role of a column is called {role!r}; known are: {', '.join(ROLES)}{meant}")
        if role in columns:
            raise InputError(f"the columns of {role} are told twice")
        columns[role] = tuple(name.strip() for name in names.split(",") if name.strip())
    return columns


def named_columns(
    present: Sequence[str], told: Mapping[str, tuple[str, ...]], origin: object
) -> dict[str, tuple[str, ...]]:
    """Role -> names of its columns among those ``present`` in the file ``origin``; a role without any is left out.

    Raises:
        InputError: if what was told is not there, or what was not told could be several columns or is missing.
    """
    found = {}
    for role, patterns in told.items():
        found[role] = tuple(name for pattern in patterns for name in _expanded(pattern, present, origin))
        if role not in VECTORS and len(found[role]) > 1:
            raise InputError(f"{role} is one column; found {', '.join(found[role])}")
    taken = {name for names in found.values() for name in names}
    for role, usual in ROLES.items():
        if role not in told:
            found[role] = _usual([name for name in present if name not in taken], role, usual, origin)
    for role, otherwise in REQUIRED.items():
        if not found[role] and not (otherwise and role in told):
            raise InputError(
                f"{origin} does not say which of its columns are {role}: tell them by such as {EXAMPLE}{otherwise}; "
                f"it has: {_listed(present)}"
            )
    return {role: names for role, names in found.items() if names}


def _usual(present: Sequence[str], role: str, usual: Usual, origin: object) -> tuple[str, ...]:
    """The columns whose names mean ``role``; none where there are none."""
    candidates: list[tuple[str, ...]] = [(name,) for name in usual.whole if name in present]
    candidates += [numbered for stem in usual.numbered if (numbered := _numbered(present, stem))]
    if len(candidates) > 1:
        raise InputError(
            f"{origin} has several columns that may be {role}: {' or '.join(map(_listed, candidates))}; "
            f"tell which by such as {EXAMPLE}"
        )
    return candidates[0] if candidates else ()


def _numbered(present: Sequence[str], stem: str) -> tuple[str, ...]:
    """The columns called ``stem`` with a number behind it, if they are numbered from 0 or 1 without a gap."""
    form = re.compile(re.escape(stem) + r"(?:[_.]?(\d{1,6})|\[(\d{1,6})\])")
    matches = {name: form.fullmatch(name) for name in present}
    numbers = {int(match[1] or match[2]): name for name, match in matches.items() if match}
    whole = len(numbers) == sum(match is not None for match in matches.values())
    first = min(numbers, default=0)
    if not whole or first > 1 or sorted(numbers) != list(range(first, first + len(numbers))):
        return ()
    return tuple(numbers[number] for number in sorted(numbers))


def _expanded(pattern: str, present: Sequence[str], origin: object) -> list[str]:
    """The columns that ``x``, ``obs_0..obs_16`` or ``obs_*`` name."""
    if pattern in present:
        return [pattern]
    if ".." in pattern:
        names = _range(pattern, len(present))
    elif "*" in pattern:
        form = re.compile("(.*)".join(map(re.escape, pattern.split("*"))))
        names = [name for name in present if form.fullmatch(name)]
        if all(form.sub(r"\1", name).isdecimal() for name in names):
            names.sort(key=lambda name: int(form.sub(r"\1", name)))
    else:
        names = [pattern]
    known = set(present)
    missing = [name for name in names if name not in known]
    if missing or not names:
        absent = missing[0] if missing else pattern
        near = difflib.get_close_matches(absent, present, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{origin} has no column {absent!r}; it has: {_listed(present)}{meant}")
    return names


def _range(pattern: str, most: int) -> list[str]:
    ends = [re.fullmatch(r"(.*?)(\d{1,9})", end.strip()) for end in pattern.split("..", 1)]
    if ends[0] is None or ends[1] is None or ends[0][1] != ends[1][1]:
        raise InputError(f"a range of columns is told as obs_0..obs_16; found {pattern!r}")
    first, last = int(ends[0][2]), int(ends[1][2])
    if not first <= last < first + most:
        raise InputError(f"the range {pattern!r} names {max(0, last - first + 1)} columns, and the file has {most}")
    width = len(ends[0][2])
    return [f"{ends[0][1]}{number:0{width}d}" for number in range(first, last + 1)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
