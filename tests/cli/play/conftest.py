"""What the tests of ``gailkit play`` share: environments that paint numbers, policies, and the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from gailkit.cli import main

THEATRE = """
import time
from pathlib import Path
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

class Painting(gymnasium.Env):
    observation_space = Box(-1, 1, (1,), np.float32)
    action_space = Discrete(2)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, render_mode=None, length=4, pause=0.0, paint=1000, breaks_at=None):
        self.render_mode, self.length, self.pause = render_mode, length, pause
        self.paint, self.breaks_at, self.steps = paint, breaks_at, 0

    def reset(self, *, seed=None, options=None):
        self.left = self.length
        return np.zeros(1, np.float32), {}

    def step(self, action):
        if self.pause:
            Path("on").touch()  # tells that an episode is under way
            time.sleep(self.pause)
        self.steps += 1
        self.left -= 1
        if self.steps == self.breaks_at:
            raise RuntimeError("a fuse blew")
        return np.zeros(1, np.float32), 1.0, self.left == 0, False, {}

    def render(self):
        if self.paint == 0:
            raise RuntimeError("out of paint")
        self.paint -= 1
        return np.full((20, 30, 3), self.steps % 250, np.uint8)

class Blind(Painting):
    metadata = {"render_modes": []}

gymnasium.register("Painting-v0", entry_point=Painting)
gymnasium.register("Blind-v0", entry_point=Blind)
"""

PLAYERS = """
def balance(observation):
    return int(observation[2] + observation[3] > 0)

def left(observation):
    return 0
"""


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Play = Callable[..., Done]


@pytest.fixture
def theatre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a module of environments, one of policies, and no display."""
    (tmp_path / "theatre.py").write_text(THEATRE)
    (tmp_path / "players.py").write_text(PLAYERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # the command adds the current folder; this puts sys.path back afterwards
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "MUJOCO_GL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def play(theatre: Path, capsys: pytest.CaptureFixture[str]) -> Play:
    """``play("random", "--env", ...)``: the command in this process, which saves the seconds it takes to load torch."""

    def run(*arguments: str | Path) -> Done:
        for name in ("theatre", "players"):
            sys.modules.pop(name, None)
        with pytest.raises(SystemExit) as leaving:
            main(["play", *map(str, arguments)])
        assert isinstance(leaving.value.code, int)
        return Done(leaving.value.code, *capsys.readouterr())

    return run


class Shown(NamedTuple):
    frames: int
    size: tuple[int, int]
    milliseconds: int


@pytest.fixture
def shown() -> Callable[[str], Shown]:
    """``shown("a.gif")``: how many frames an animated image has, of which size, and how long it lasts."""

    def look(path: str) -> Shown:
        milliseconds = 0
        with Image.open(path) as image:
            frames = getattr(image, "n_frames", 1)
            for index in range(frames):
                image.seek(index)
                image.load()
                milliseconds += int(image.info["duration"])
            return Shown(frames, image.size, milliseconds)

    return look
