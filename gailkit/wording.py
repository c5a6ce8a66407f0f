"""How sentences say numbers of things."""

from __future__ import annotations


def counted(count: int, what: str, many: str | None = None) -> str:
    """``1 episode``, ``2 episodes``; ``many`` is the plural where it takes more than an s."""
    return f"{count:,} {what if count == 1 else many or f'{what}s'}"
