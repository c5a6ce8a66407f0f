"""What the window says under the picture, in words and lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gailkit.recording.keyboard_session import Phase, Standing

GAP = "    "  # between two entries of a line


def headline(standing: Standing) -> list[str]:
    """The numbers: return and steps of the episode, and how many are kept."""
    return [
        f"return {standing.episode_return:.1f}",
        f"step {standing.steps}",
        f"kept {standing.kept} of {standing.wanted}",
    ]


def prompt(standing: Standing) -> list[str]:
    """How the episode stands, and what the person is to do next."""
    match standing.phase:
        case Phase.READY:
            return ["Ready.", "Your first key begins the episode.", "Enter: begin without a key."]
        case Phase.PLAYING:
            return ["Playing."]
        case Phase.PAUSED:
            return ["Paused."]
        case Phase.ENDED:
            how = "terminated" if standing.terminated else "truncated"
            return [f"The episode has ended, {how}.", "Right or Enter: keep it.", "Left or Backspace: try again."]
        case _:
            return ["All episodes are kept and saved."]


def session_legend(standing: Standing) -> list[str]:
    """What the other keys do now that steer the recording."""
    undo = [f"U: take back episode {standing.kept}, kept last"] if standing.kept else []
    match standing.phase:
        case Phase.PLAYING:
            return ["P: pause", "Backspace: start over", "Esc: save and quit"]
        case Phase.PAUSED:
            return ["P: go on", "Backspace: start over", "Esc: save and quit"]
        case Phase.COMPLETE:
            return [*undo, "Enter or Esc: quit"]
        case _:
            return [*undo, "Esc: save and quit"]


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
