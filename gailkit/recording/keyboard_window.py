"""The window in which a person plays: the environment's picture, how it stands, and what the keys do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from gailkit.errors import InputError
from gailkit.importing import require
from gailkit.recording.keyboard_session import KeyboardSession, Phase, Standing
from gailkit.recording.keyboard_words import headline, prompt, session_legend, wrapped
from gailkit.viewing.rendering import has_display

if TYPE_CHECKING:
    import pygame

LOOKS_PER_SECOND = 60  # at the keys, however slow the environment is
PICTURE = (900, 600)  # largest at first; the window can be made larger
LEAST_WIDTH = 720  # of the window, so that the text has room beside a narrow picture
SHARE_OF_SCREEN = 0.85
MARGIN, LARGE, SMALL = 14, 34, 24

BACKGROUND, STRIP, TEXT, FAINT = (12, 13, 16), (28, 31, 38), (240, 242, 245), (176, 182, 192)
PROMPT_COLOURS = {
    Phase.READY: (255, 205, 96),
    Phase.PLAYING: (128, 222, 150),
    Phase.PAUSED: (255, 205, 96),
    Phase.ENDED: (120, 200, 255),
    Phase.COMPLETE: (128, 222, 150),
    Phase.CLOSED: (128, 222, 150),
}


class Line(NamedTuple):
    """One line of text."""

    text: str
    points: int
    colour: tuple[int, int, int]


class Screen(Protocol):
    """What ``play`` needs of a window."""

    def deliver(self, session: KeyboardSession) -> None:
        """Hand the keys pressed and released since the last time to the session."""

    def draw(self, standing: Standing) -> None:
        """Show the picture and how it stands."""


def play(session: KeyboardSession, screen: Screen, fps: float, check: Callable[[], None]) -> None:
    """Run the session at ``fps`` steps a second until it is closed; ``check`` is called often and may raise to stop.

    A step that comes late is not made up for: nobody can play faster than time.
    """
    due = time.monotonic()
    while session.phase is not Phase.CLOSED:
        check()
        screen.deliver(session)
        now = time.monotonic()
        if now >= due:
            session.tick()
            due = max(due + 1 / fps, now)
        screen.draw(session.standing())
        time.sleep(max(0.0, min(due - time.monotonic(), 1 / LOOKS_PER_SECOND)))


def check_for_window() -> None:
    """Raise InputError if there can be no window: without a display, or without pygame."""
    if not has_display():
        raise InputError("a person at the keyboard needs a window, and there is no display here (DISPLAY is not set)")
    require("a window for the keyboard", "classic", "pygame")


class Window:
    """A window of pygame; opens with the first picture that it is shown, closes at the end of a ``with`` block."""

    def __init__(self, title: str, legend: Sequence[str]) -> None:
        import pygame

        self._pygame = pygame
        self._title = title
        self._legend = legend
        self._picture: pygame.Surface | None = None
        self._fonts: dict[int, pygame.font.Font] = {}
        self._drawn: tuple[object, ...] = ()

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pygame.display.quit()

    def show(self, frame: np.ndarray) -> None:
        """Take the picture (H, W, 3) uint8 of a new state. Raises InputError if the window cannot be opened."""
        pixels = np.ascontiguousarray(frame, dtype=np.uint8)
        size = (pixels.shape[1], pixels.shape[0])
        if self._picture is None:
            self._open(size)
        self._picture = self._pygame.image.frombuffer(pixels.tobytes(), size, "RGB")

    def deliver(self, session: KeyboardSession) -> None:
        """Hand the keys pressed and released since the last time to the session; closing the window closes it."""
        pygame = self._pygame
        for event in pygame.event.get():
            match event.type:
                case pygame.QUIT:
                    session.close()
                case pygame.WINDOWFOCUSLOST:
                    session.pause()
                case pygame.KEYDOWN:
                    session.press(pygame.key.name(event.key))
                case pygame.KEYUP:
                    session.release(pygame.key.name(event.key))

    def draw(self, standing: Standing) -> None:
        """Show the picture and how it stands, if any of it has changed."""
        surface = self._pygame.display.get_surface()
        if surface is None or self._picture is None or standing.phase is Phase.CLOSED:
            return
        what = (standing, self._picture, surface.get_size())
        if what == self._drawn:
            return
        self._drawn = what
        surface.fill(BACKGROUND)
        lines = self._lines(standing, surface.get_width() - 2 * MARGIN)
        height = surface.get_height() - _strip_height(lines)
        self._draw_picture(surface, self._picture, max(height, 1))
        self._draw_strip(surface, lines, height)
        self._pygame.display.flip()

    def _open(self, size: tuple[int, int]) -> None:
        pygame = self._pygame
        try:
            pygame.display.init()
            pygame.font.init()
            self._fonts = {points: pygame.font.Font(None, points) for points in (LARGE, SMALL)}
            if pygame.display.get_driver() == "x11":  # else SDL draws with OpenGL, and MuJoCo's pictures turn black
                os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
            screen = pygame.display.get_desktop_sizes()[0]
            pygame.display.set_mode(self._first_size(size, screen), pygame.RESIZABLE)
        except pygame.error as error:
            raise InputError(f"a person at the keyboard needs a window, and none can be opened: {error}") from error
        if "SDL_VIDEODRIVER" not in os.environ and pygame.display.get_driver() in ("offscreen", "dummy"):
            raise InputError("a person at the keyboard needs a window, and pygame cannot reach the display")
        pygame.display.set_caption(self._title)

    def _first_size(self, picture: tuple[int, int], screen: tuple[int, int]) -> tuple[int, int]:
        """Of the window: room for the picture, enlarged, and for the longest text under it, on this screen."""
        most = (SHARE_OF_SCREEN * screen[0], SHARE_OF_SCREEN * screen[1])
        scale = min(min(PICTURE[0], most[0]) / picture[0], min(PICTURE[1], most[1]) / picture[1])
        width = round(min(max(scale * picture[0], LEAST_WIDTH), most[0]))
        strip = max(
            _strip_height(self._lines(Standing(phase, 0, 0.0, False, 1, 1), width - 2 * MARGIN)) for phase in Phase
        )
        return width, round(min(scale * picture[1] + strip, most[1]))

    def _lines(self, standing: Standing, width: int) -> list[Line]:
        """The text in lines (words, size, colour) that fit ``width``."""
        parts = (
            (headline(standing), LARGE, TEXT),
            (prompt(standing), SMALL, PROMPT_COLOURS[standing.phase]),
            (self._legend, SMALL, TEXT),
            (session_legend(standing), SMALL, FAINT),
        )
        return [
            Line(text, points, colour)
            for entries, points, colour in parts
            for text in wrapped(entries, width, partial(self._width, points))
        ]

    def _width(self, points: int, text: str) -> int:
        return self._fonts[points].size(text)[0]

    def _draw_picture(self, surface: pygame.Surface, picture: pygame.Surface, height: int) -> None:
        """As large as fits above the strip, in the middle."""
        width = surface.get_width()
        scale = min(width / picture.get_width(), height / picture.get_height())
        size = (max(round(scale * picture.get_width()), 1), max(round(scale * picture.get_height()), 1))
        scaled = self._pygame.transform.smoothscale(picture, size)
        surface.blit(scaled, ((width - size[0]) // 2, (height - size[1]) // 2))

    def _draw_strip(self, surface: pygame.Surface, lines: Sequence[Line], top: int) -> None:
        surface.fill(STRIP, (0, top, surface.get_width(), surface.get_height() - top))
        y = top + MARGIN
        for text, points, colour in lines:
            surface.blit(self._fonts[points].render(text, True, colour), (MARGIN, y))
            y += points


def _strip_height(lines: Sequence[Line]) -> int:
    return 2 * MARGIN + sum(line.points for line in lines)
