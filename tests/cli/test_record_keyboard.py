"""A person records through a real window on a virtual display: every key below is pressed on an X server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from gailkit.cli.record_keyboard import record_from_keyboard
from gailkit.errors import EnvironmentFailure, InputError
from gailkit.rollouts.keyboard import KeyboardSession
from gailkit.rollouts.keyboard_window import Window
from gailkit.types import Trajectory

SEEDS = [3, 4, 5]
PATIENCE = 30.0

PROGRAM = """
import json, os, sys
from gailkit.cli.record_keyboard import record_from_keyboard
from test_record_keyboard import Notes
notes = Notes("kept.json")
record_from_keyboard(notes, *json.loads(sys.argv[1]))
print(notes.summary())
"""

PICTURES = """
import gymnasium, json, sys
from gailkit.rollouts.keyboard import KeyboardSession
from gailkit.rollouts.keyboard_window import Window
from gailkit.rollouts.rendering import make_drawn
with Window("pictures", []) as window:
    env = make_drawn("InvertedPendulum-v5", {})
    env.reset(seed=0)
    before = env.render()
    window.show(before)
    print(before.mean(), env.render().mean())
"""


class Notes:
    """Stands in for a recording: what was kept, as JSON, whole at every moment."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.kept: list[tuple[int, Trajectory]] = []

    def add(self, index: int, trajectory: Trajectory) -> None:
        self.kept.append((index, trajectory))

    def flush(self) -> None:
        told = [[index, episode.seed, episode.actions.tolist(), episode.terminated] for index, episode in self.kept]
        self.path.with_suffix(".tmp").write_text(json.dumps(told))
        self.path.with_suffix(".tmp").replace(self.path)

    def undo(self) -> Trajectory | None:
        _, trajectory = self.kept.pop()
        self.flush()
        return trajectory

    def summary(self) -> str:
        return f"recorded {len(self.kept)} episodes"


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual display of its own, on a number that is free."""
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(f"NOT TESTED with real keys in a real window: no {program} here")
    pytest.importorskip("pygame", reason="NOT TESTED with real keys in a real window: no pygame here")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=[writing], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    assert number, "Xvfb has not started"
    yield f":{number}"
    server.terminate()
    server.wait(PATIENCE)


class Person:
    """Somebody in front of the display, playing what ``words`` ask ``record_from_keyboard`` for."""

    def __init__(self, display: str, folder: Path, *words: Any) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if name != "WAYLAND_DISPLAY"}
        paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
        self.environment = {**kept, "DISPLAY": display, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
        self.environment.pop("SDL_VIDEODRIVER", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(words)],
            cwd=folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._until(lambda: "gailkit record" in self._xdotool("getwindowfocus", "getwindowname"))

    def taps(self, key: str, times: int = 1) -> None:
        self._xdotool("key", "--delay", "50", *[key] * times)

    def plays(self, key: str) -> None:
        """Taps ``key`` until the pole has fallen for sure, and waits until answers count."""
        self.taps(key, 12)
        time.sleep(1.0)

    def kept(self) -> list[Any]:
        path = self.folder / "kept.json"
        return list(json.loads(path.read_text())) if path.exists() else []

    def taps_until_kept(self, key: str, count: int) -> None:
        def tapped() -> bool:
            self.taps(key)
            time.sleep(0.1)
            return len(self.kept()) == count

        self._until(tapped)

    def leaves(self) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output, errors

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    def _xdotool(self, *words: str) -> str:
        done = subprocess.run(["xdotool", *words], env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout


@pytest.fixture
def sits_down(display: str, tmp_path: Path) -> Iterator[Callable[..., Person]]:
    """``sits_down("CartPole-v1", {}, [3, 4], fps, keys)``: a person in front of the window."""
    people: list[Person] = []

    def begin(*words: Any) -> Person:
        people.append(Person(display, tmp_path, *words))
        return people[-1]

    yield begin
    for person in people:
        if person.process.poll() is None:
            person.process.kill()
            person.process.communicate()


def replayed(seed: int, action: int) -> list[int]:
    """Actions of the CartPole episode from ``seed`` that does nothing but ``action``."""
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=seed)
    actions, ended = [], False
    while not ended:
        _, _, terminated, truncated, _ = env.step(np.int64(action))
        actions.append(action)
        ended = terminated or truncated
    return actions


KEYS = "a=0,d=1,none=wait"  # with which CartPole waits for the next key, and time decides nothing


def test_a_person_keeps_tries_again_takes_back_and_quits(sits_down: Callable[..., Person]) -> None:
    person = sits_down("CartPole-v1", {}, SEEDS, 50.0, KEYS)
    person.plays("a")
    person.taps_until_kept("Right", 1)
    person.plays("a")
    person.taps("Left", 2)  # again; the second means nothing any more
    person.plays("d")
    person.taps_until_kept("Return", 2)
    assert person.kept() == [[0, 3, replayed(3, 0), True], [1, 4, replayed(4, 1), True]]
    person.taps("u")
    person.taps_until_kept("x", 1)
    person.taps("a", 3)  # an episode that is under way when the person quits
    person.taps("Escape")
    code, output, errors = person.leaves()
    assert (code, output.splitlines()[-1], errors) == (0, "recorded 1 episodes", "")
    assert person.kept() == [[0, 3, replayed(3, 0), True]]


def test_ctrl_c_keeps_what_was_kept(sits_down: Callable[..., Person]) -> None:
    person = sits_down("CartPole-v1", {}, SEEDS, 50.0, KEYS)
    person.plays("d")
    person.taps_until_kept("Right", 1)
    person.process.send_signal(signal.SIGINT)
    found, _, errors = person.leaves()
    assert (found, errors) == (130, "stopped early: recorded 1 episodes\n")
    assert person.kept() == [[0, 3, replayed(3, 1), True]]


def test_the_window_leaves_the_pictures_of_mujoco_alone(display: str) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED MuJoCo's pictures beside the window: no mujoco here")
    environment = {**os.environ, "DISPLAY": display}
    done = subprocess.run(
        [sys.executable, "-c", PICTURES], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if "MuJoCo can draw in no way here" in done.stderr:
        pytest.skip("NOT TESTED MuJoCo's pictures beside the window: MuJoCo can draw in no way here")
    before, beside = map(float, done.stdout.split())
    assert beside == pytest.approx(before, rel=0.01)
    assert before > 1


def test_without_a_display_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Window, "deliver", lambda window, session: session.close())  # should one open after all
    with pytest.raises(InputError, match="a person at the keyboard needs a window, and there is no display here"):
        record_from_keyboard(Notes(tmp_path / "kept.json"), "CartPole-v1", {}, SEEDS)


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows open where nobody sees them."""
    pytest.importorskip("pygame", reason="NOT TESTED what the keyboard refuses: no pygame here")
    monkeypatch.setenv("DISPLAY", ":54321")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.usefixtures("unseen")
def test_a_display_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(InputError, match=r"needs a window, and (pygame cannot reach the display|none can be opened)"):
        record_from_keyboard(Notes(tmp_path / "kept.json"), "CartPole-v1", {}, SEEDS)


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize(
    ("env_kwargs", "keys", "said"),
    [
        ({}, "lef=0", "no key is called 'lef'; near matches: left"),
        ({}, "left=2", "left=2 names no action; those of this environment are 0 to 1"),
        ({"render_mode": "human"}, None, "how an environment is shown is not for its arguments to say"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, env_kwargs: dict[str, Any], keys: str | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        record_from_keyboard(Notes(tmp_path / "kept.json"), "CartPole-v1", env_kwargs, SEEDS, keys=keys)


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_between_two_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, number: int, code: int
) -> None:
    looks = count()

    def deliver(window: Window, session: KeyboardSession) -> None:
        if next(looks) == 0:
            os.kill(os.getpid(), number)
        else:
            session.close()

    monkeypatch.setattr(Window, "deliver", deliver)
    with pytest.raises(SystemExit) as leaving:
        record_from_keyboard(Notes(tmp_path / "kept.json"), "CartPole-v1", {}, SEEDS)
    assert leaving.value.code == code
    assert capsys.readouterr().err == "stopped early: recorded 0 episodes\n"


class Broken(gymnasium.Env[np.ndarray, np.int64]):
    """It cannot be drawn."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, **kwargs: Any) -> None:
        self.render_mode = kwargs["render_mode"]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        return np.zeros(1, np.float32), {}

    def render(self) -> Any:
        raise RuntimeError("out of paint")


@pytest.mark.usefixtures("unseen")
def test_an_environment_that_cannot_be_drawn_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(gymnasium.registry, "Broken-v0", gymnasium.envs.registration.EnvSpec("Broken-v0", Broken))
    with pytest.raises(EnvironmentFailure, match="failed while it was drawn: RuntimeError: out of paint"):
        record_from_keyboard(Notes(tmp_path / "kept.json"), "Broken-v0", {}, SEEDS)
