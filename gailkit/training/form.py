"""Whether a state that was read, which may be anybody's, has the form of a run's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor

FREE = 2**22  # numbers that networks may have whatever is stored


def require_form(found: object, own: object, where: str = "its state") -> None:
    """Raise ValueError, naming where, unless ``found`` can take the place of ``own``, the state of a run that begins.

    What begins empty, or as None, may have become anything of its kind; where mappings are of names, those that are
    not in both are a matter of who loads them.
    """
    if isinstance(own, Mapping) and isinstance(found, Mapping):
        for name in own.keys() & found.keys():
            require_form(found[name], own[name], f"{where}/{name}")
    elif isinstance(own, list | tuple) and isinstance(found, list | tuple):
        if own and len(own) != len(found):
            raise ValueError(f"{where} has {len(found)} entries, not {len(own)}")
        for index, pair in enumerate(zip(found, own, strict=False)):
            require_form(*pair, f"{where}/{index}")
    elif own is not None and not _alike(found, own):
        raise ValueError(f"{where} is {_words(found)} in the place of {_words(own)}")


def require_networks_stored(hidden: Sequence[Sequence[int]], state: object) -> None:
    """Raise ValueError if networks with these widths have more numbers than ``state``, before any room is taken."""
    stored = max(FREE, _numbers(state))
    for widths in hidden:
        needed = sum(widths) + sum(first * second for first, second in pairwise(widths))
        if needed > stored:
            raise ValueError(f"layers of {list(widths)} units have more numbers than are stored")


def _alike(found: object, own: object) -> bool:
    if isinstance(own, Tensor):
        if not isinstance(found, Tensor) or found.dtype != own.dtype or found.dim() != own.dim():
            return False
        begun_empty = own.dim() > 0 and len(own) == 0
        return found.shape[begun_empty:] == own.shape[begun_empty:]
    if isinstance(own, float):
        return isinstance(found, float) or _is_whole(found)
    return _is_whole(found) if _is_whole(own) else type(found) is type(own)


def _is_whole(value: object) -> bool:
    return type(value) is int and abs(value) < 2**128  # as large as the state of a generator of random numbers


def _words(value: object) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else f"{value!r:.80}"


def _numbers(state: object) -> int:
    if isinstance(state, Tensor):
        return state.numel()
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list) else ()
    return sum(map(_numbers, parts))
