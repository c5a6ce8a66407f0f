"""What the policies of a command line are called beside each other."""

from __future__ import annotations

import json
import os
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from gailkit.cli.specs import is_run
from gailkit.errors import InputError


def refuse_twice(specs: Sequence[str]) -> None:
    """Raise InputError where two of ``specs`` are one policy, however they are written."""
    first: dict[str, str] = {}
    for spec in specs:
        place = os.path.realpath(spec) if _is_path(spec) else spec
        if place in first:
            same = "is named twice" if first[place] == spec else f"and {spec} are the same"
            raise InputError(f"{first[place]} {same}; each policy is evaluated once")
        first[place] = spec


def method_names(specs: Sequence[str]) -> list[str]:
    """What each of ``specs`` is a run of: runs of one configuration that differ only in their seed share a name.

    A second run of the same seed tells nothing of other seeds, and goes by its own name.
    """
    short = short_names(specs)
    groups: dict[tuple[str, int], list[str]] = {}
    times: Counter[tuple[str, str]] = Counter()
    for spec, name in zip(specs, short, strict=True):
        configuration, seed = _configuration(spec)
        groups.setdefault((configuration, times[configuration, seed]), []).append(name)
        times[configuration, seed] += 1
    shared = {name: _of_all(own, set(short) - set(own)) for own in groups.values() for name in own}
    return [shared[name] for name in short]


def short_names(specs: Sequence[str]) -> list[str]:
    """Of each of ``specs`` that is a path its last parts, as many as tell all of them apart."""
    parts = [Path(os.path.abspath(spec)).parts if _is_path(spec) else (spec,) for spec in specs]
    for count in range(1, max(map(len, parts))):
        names = [os.path.join(*each[-count:]) for each in parts]
        if len(set(names)) == len(specs):
            return names
    return list(specs)


def _of_all(own: Sequence[str], others: set[str]) -> str:
    """``run-*`` for run-0 and run-1, unless that would take in one of the ``others``."""
    if len(own) == 1:
        return own[0]
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*own, strict=False))
    stem = "".join(first for first, *_ in alike).rstrip(string.digits)
    if stem and not any(other.startswith(stem) for other in others):
        return f"{stem}*"
    return f"{own[0]} and {len(own) - 1} more"


def _configuration(spec: str) -> tuple[str, str]:
    """All that a run folder says of how it was made but for the seed, and that; of any other policy its name."""
    if not is_run(spec):
        return spec, ""
    from gailkit.training.run import RunFolder

    described = RunFolder.open(Path(spec)).description()
    made = {name: described.get(name) for name in ("env_id", "env_kwargs", "parts")}
    config = dict(_mapping(described.get("config")))
    seed = config.pop("seed", None)
    shown = _mapping(described.get("demonstrations"))
    taught = {name: shown.get(name) for name in ("digests", "stride")}
    return json.dumps([made, config, taught], sort_keys=True), json.dumps(seed)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _is_path(spec: str) -> bool:
    return spec != "random" and Path(spec).exists()
