"""The keyboard's window off screen: its text fits and is told apart, its clock neither runs nor catches up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete
from hypothesis import given
from hypothesis import strategies as st

from gailkit.errors import InputError
from gailkit.experts.keys_to_actions import choose_keys
from gailkit.recording.keyboard_session import KeyboardSession, Phase, Standing
from gailkit.recording.keyboard_window import BACKGROUND, PROMPT_COLOURS, STRIP, Window, check_for_window, play
from gailkit.recording.keyboard_words import headline, prompt, session_legend, wrapped
from gailkit.rollouts.environments import make_env
from gailkit.types import Trajectory

LONG_LEGEND = [f"key {number}: a[{number}] = -1" for number in range(40)]


def standing(phase: Phase, kept: int = 1) -> Standing:
    return Standing(phase, 12, 3.25, True, kept, 5)


class Nowhere:
    """A ledger that keeps nothing."""

    def add(self, index: int, trajectory: Trajectory) -> None: ...
    def flush(self) -> None: ...
    def undo(self) -> Trajectory | None: ...


class Script:
    """A screen whose keys are pressed by ``hands``, which is told the session each time it is looked at."""

    def __init__(self, hands: Callable[[KeyboardSession], None]) -> None:
        self.hands = hands
        self.drawn: list[Standing] = []

    def deliver(self, session: KeyboardSession) -> None:
        self.hands(session)

    def draw(self, standing: Standing) -> None:
        self.drawn.append(standing)


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Opens windows that nobody sees: ``window(legend, (height, width))``."""
    pytest.importorskip("pygame", reason="NOT TESTED what the keyboard's window draws: no pygame here")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    opened: list[Window] = []

    def open_window(legend: list[str], size: tuple[int, int] = (40, 60)) -> Window:
        opened.append(Window("title", legend))
        opened[-1].show(np.full((*size, 3), 200, np.uint8))
        return opened[-1]

    yield open_window
    for each in opened:
        each.__exit__(None, None, None)


def pixels() -> np.ndarray:
    """(H, W, 3) of the window as it is."""
    import pygame

    surface = pygame.display.get_surface()
    assert surface is not None
    return pygame.surfarray.array3d(surface).transpose(1, 0, 2)


@given(st.lists(st.text("abc", min_size=1, max_size=12), min_size=1), st.integers(12, 60))
def test_lines_hold_every_entry_once_in_order_and_fit(entries: list[str], width: int) -> None:
    lines = wrapped(entries, width, len)
    assert [entry for line in lines for entry in line.split()] == entries
    assert max(map(len, lines)) <= width
    for line, following in pairwise(lines):  # no line ends before it must
        assert len(line) + 4 + len(following.split()[0]) > width


def test_every_phase_says_what_it_is_and_offers_only_what_it_does() -> None:
    assert len({tuple(prompt(standing(phase))) for phase in Phase if phase is not Phase.CLOSED}) == len(Phase) - 1
    assert not any("U:" in words for words in session_legend(standing(Phase.READY, kept=0)))
    assert any("U:" in words for words in session_legend(standing(Phase.READY, kept=1)))
    assert not any("U:" in words for words in session_legend(standing(Phase.PLAYING)))
    assert headline(standing(Phase.PLAYING, kept=2)) == ["return 3.2", "step 12", "kept 2 of 5"]


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance of WCAG 2."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_words_can_be_read_on_their_ground() -> None:
    for colour in PROMPT_COLOURS.values():
        assert (luminance(colour) + 0.05) / (luminance(STRIP) + 0.05) >= 7  # the stricter of WCAG's two limits


@pytest.mark.parametrize("size", [(400, 600), (500, 500), (96, 96), (210, 160), (2000, 3000)])
@pytest.mark.parametrize("legend", [["left: 0", "right: 1"], LONG_LEGEND])
def test_picture_and_words_share_the_window_without_touching(window: Any, size: tuple[int, int], legend: Any) -> None:
    shown = window(legend, size)
    for phase in (Phase.PLAYING, Phase.ENDED):  # the fewest and the most words
        shown.draw(standing(phase))
        frame = pixels()
        strip = (frame == STRIP).all(axis=2)
        top = int(np.flatnonzero(strip[:, 0])[0])
        assert top > 100  # the picture has room
        assert strip[-1].all() and strip[top].all() and strip[:, -1].sum() == len(frame) - top  # margins are free
        grey = abs(frame[:top].astype(int) - 200).max(axis=2) <= 5  # to scale it is to round
        assert (grey | (frame[:top] == BACKGROUND).all(axis=2)).all()
        assert grey.any(axis=0).mean() > 0.2


def test_it_is_drawn_again_only_when_something_has_changed(window: Any) -> None:
    import pygame

    shown = window(["left: 0"])
    shown.draw(standing(Phase.READY))
    surface = pygame.display.get_surface()
    assert surface is not None
    surface.fill((1, 2, 3))
    shown.draw(standing(Phase.READY))
    assert (pixels() == (1, 2, 3)).all()
    shown.draw(standing(Phase.PLAYING))
    assert not (pixels() == (1, 2, 3)).any(axis=2).all()


def test_keys_and_the_closing_of_the_window_reach_the_session(window: Any) -> None:
    import pygame

    session = KeyboardSession(make_env("CartPole-v1"), choose_keys(None, Discrete(2), ""), [0], Nowhere(), 1)
    shown = window(["left: 0"])
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_RIGHT))
    shown.deliver(session)
    session.tick()
    assert (session.phase, session.standing().steps) == (Phase.PLAYING, 1)
    pygame.event.post(pygame.event.Event(pygame.WINDOWFOCUSLOST))
    shown.deliver(session)
    assert session.phase is Phase.PAUSED
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    shown.deliver(session)
    assert session.phase is Phase.CLOSED


def idling() -> KeyboardSession:
    env = make_env("MountainCar-v0")  # lasts 200 steps
    session = KeyboardSession(env, choose_keys(None, env.action_space, ""), [0], Nowhere(), 1)
    session.press("down")
    return session


def test_the_clock_keeps_its_pace() -> None:
    session, started = idling(), time.monotonic()

    def hands(session: KeyboardSession) -> None:
        if session.standing().steps == 20:
            session.close()

    play(session, Script(hands), 100.0, lambda: None)
    assert 0.18 <= time.monotonic() - started < 1.0  # 20 steps, the first at once: 0.19 s


def test_late_steps_are_not_made_up_for() -> None:
    session = idling()
    looks, woke = 0, 0.0

    def hands(session: KeyboardSession) -> None:
        nonlocal looks, woke
        looks += 1
        if looks == 3:
            time.sleep(0.5)  # 50 steps would have been due
            woke = time.monotonic()
        if looks > 3 and time.monotonic() - woke > 0.1:
            session.close()

    play(session, Script(hands), 100.0, lambda: None)
    assert session.standing().steps <= 25


def test_keys_are_looked_at_often_however_slow_the_environment_is() -> None:
    session, started = idling(), time.monotonic()
    looks = 0

    def hands(session: KeyboardSession) -> None:
        nonlocal looks
        looks += 1
        if time.monotonic() - started > 0.4:
            session.close()

    play(session, Script(hands), 0.5, lambda: None)
    assert looks >= 8
    assert session.standing().steps == 1


def test_whoever_checks_can_stop_it() -> None:
    def check() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(idling(), Script(lambda session: None), 10.0, check)


def test_without_a_display_or_pygame_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.recording.keyboard_window.has_display", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'gailkit\[classic\]'"):
        check_for_window()
    monkeypatch.setattr("gailkit.recording.keyboard_window.has_display", lambda: False)
    with pytest.raises(InputError, match="there is no display here"):
        check_for_window()
