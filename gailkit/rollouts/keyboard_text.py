"""What the window says under the picture, in words and lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gailkit.rollouts.keyboard import Phase, Standing

GAP = "    "  # between two entries of a line

SESSION_LEGEND = {
    Phase.READY: ("U: take back the last kept", "Esc: save and quit"),
    Phase.PLAYING: ("P: pause", "Backspace: start over", "Esc: save and quit"),
    Phase.PAUSED: ("P: go on", "Backspace: start over", "Esc: save and quit"),
    Phase.ENDED: ("U: take back the one kept before", "Esc: save and quit"),
    Phase.COMPLETE: ("U: take back the last kept", "Enter or Esc: quit"),
}


def headline(standing: Standing) -> list[str]:
    """The numbers: return and steps of the episode, and how many are kept."""
    return [
        f"return {standing.episode_return:.1f}",
        f"step {standing.steps}",
        f"kept {standing.kept} of {standing.wanted}",
    ]


def prompt(standing: Standing) -> str:
    """What the person is to do next."""
    match standing.phase:
        case Phase.READY:
            return "Ready: the first key begins (Enter: begin without one)"
        case Phase.PLAYING:
            return "Playing"
        case Phase.PAUSED:
            return "Paused"
        case Phase.ENDED:
            how = "terminated" if standing.terminated else "cut off by its limit"
            return f"Episode {how}.  Keep it: Right or Enter.  Try again: Left or Backspace."
        case _:
            return "All episodes are kept and saved."


def wrapped(entries: Sequence[str], width: int, measure: Callable[[str], int]) -> list[str]:
    """The ``entries``, none broken, in as few lines as fit ``width`` as ``measure`` sees it, in their order."""
    lines: list[str] = []
    for entry in entries:
        longer = f"{lines[-1]}{GAP}{entry}" if lines else entry
        if lines and measure(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(entry)
    return lines
