"""A person records through a real window on a virtual display: every key below is pressed on an X server."""

from __future__ import annotations

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

from gailkit.cli.record.keyboard import record_from_keyboard
from gailkit.demonstrations.dataset import Demonstrations
from gailkit.errors import EnvironmentFailure, InputError
from gailkit.recording.keyboard_session import KeyboardSession
from gailkit.recording.keyboard_window import Window
from gailkit.types import Trajectory

SEEDS = [3, 4, 5]
PATIENCE = 30.0

PICTURES = """
from gailkit.recording.keyboard_session import KeyboardSession
from gailkit.recording.keyboard_window import Window
from gailkit.viewing.rendering import make_drawn
with Window("pictures", []) as window:
    env = make_drawn("InvertedPendulum-v5", {})
    env.reset(seed=0)
    before = env.render()
    window.show(before)
    print(before.mean(), env.render().mean())
"""


class Nowhere:
    """Stands in for a recording of which nothing is asked but how it went."""

    def add(self, index: int, trajectory: Trajectory) -> None: ...
    def flush(self) -> None: ...
    def undo(self) -> Trajectory | None: ...
    def summary(self) -> str:
        return "nothing was recorded"


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual display of its own, on a free number, that goes on when its last window closes."""
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(f"NOT TESTED with real keys in a real window: no {program} here")
    pytest.importorskip("pygame", reason="NOT TESTED with real keys in a real window: no pygame here")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-noreset"],
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
    """Somebody in front of the display who has typed ``gailkit record`` and the ``words`` behind it."""

    def __init__(self, display: str, folder: Path, *words: str) -> None:
        unwanted = ("WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        self.environment = {**kept, "DISPLAY": display, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gailkit", "record", *words],
            cwd=folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while "gailkit record" not in self._xdotool("getwindowfocus", "getwindowname"):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "no window has opened"
            time.sleep(0.05)

    def taps(self, key: str, times: int = 1) -> None:
        self._xdotool("key", "--delay", "50", *[key] * times)
        time.sleep(0.2)

    def plays(self, key: str, answer: str) -> None:
        """Taps ``key`` until the pole has fallen for sure, waits until answers count, and taps ``answer``."""
        self.taps(key, 12)
        time.sleep(0.8)
        self.taps(answer, 2)  # where the first has counted the second means nothing

    def leaves(self) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output, errors

    def _xdotool(self, *words: str) -> str:
        done = subprocess.run(["xdotool", *words], env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout


@pytest.fixture
def sits_down(display: str, tmp_path: Path) -> Iterator[Callable[[], Person]]:
    """``sits_down()``: a person in front of the window, recording three episodes into ``a.hdf5``."""
    people: list[Person] = []

    def begin() -> Person:
        # CartPole waits for the next key, so that time decides nothing; a and d are no answers between episodes
        keys = ["--keys", "a=0,d=1,none=wait", "--fps", "50"]
        asked = ["--policy", "keyboard", "--episodes", "3", "--seed", "0", "-o", "a.hdf5"]
        people.append(Person(display, tmp_path, "CartPole-v1", *asked, *keys))
        return people[-1]

    yield begin
    for person in people:
        if person.process.poll() is None:
            person.process.kill()
            person.process.communicate()


def check_replayed(trajectory: Trajectory, action: int) -> None:
    """The episode is what CartPole does from its seed if nothing is done but ``action``."""
    env = gymnasium.make("CartPole-v1")
    observation, _ = env.reset(seed=trajectory.seed)
    observations, ended = [observation], False
    while not ended:
        observation, _, terminated, truncated, _ = env.step(np.int64(action))
        observations.append(observation)
        ended = terminated or truncated
    np.testing.assert_array_equal(trajectory.observations, np.stack(observations))
    assert set(trajectory.actions.tolist()) == {action}
    assert trajectory.terminated


def test_a_person_tries_again_keeps_takes_back_and_quits(sits_down: Callable[[], Person], tmp_path: Path) -> None:
    person = sits_down()
    person.plays("a", answer="Left")
    person.plays("d", answer="Right")
    person.plays("a", answer="Return")
    person.taps("p")
    person.taps("BackSpace")  # had Return been needed only once, the second has begun the next episode
    person.taps("u")
    person.taps("a", 3)  # an episode that is under way when the person quits
    person.taps("Escape")
    code, output, errors = person.leaves()
    assert (code, errors) == (0, "")
    assert output.startswith("recorded 1 episode,")
    loaded = Demonstrations.load(tmp_path / "a.hdf5")
    assert loaded.provenance["source"] == "keyboard"
    (kept,) = loaded.trajectories
    check_replayed(kept, 1)


def test_ctrl_c_keeps_what_was_kept(sits_down: Callable[[], Person], tmp_path: Path) -> None:
    person = sits_down()
    person.plays("d", answer="Right")
    person.process.send_signal(signal.SIGINT)
    code, _, errors = person.leaves()
    assert code == 130
    assert errors.startswith("stopped early: recorded 1 episode,")
    (kept,) = Demonstrations.load(tmp_path / "a.hdf5").trajectories
    check_replayed(kept, 1)


def test_the_window_leaves_the_pictures_of_mujoco_alone(display: str) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED MuJoCo's pictures beside the window: no mujoco here")
    environment = {**os.environ, "DISPLAY": display}
    done = subprocess.run(
        [sys.executable, "-c", PICTURES], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if "MuJoCo can draw in no way here" in done.stderr:
        pytest.skip("NOT TESTED MuJoCo's pictures beside the window: MuJoCo can draw in no way here")
    assert done.returncode == 0, done.stderr
    before, beside = map(float, done.stdout.split())
    assert beside == pytest.approx(before, rel=0.01)
    assert before > 1


def test_without_a_display_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Window, "deliver", lambda window, session: session.close())  # should one open after all
    with pytest.raises(InputError, match="a person at the keyboard needs a window, and there is no display here"):
        record_from_keyboard(Nowhere(), "CartPole-v1", {}, SEEDS)


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
        record_from_keyboard(Nowhere(), "CartPole-v1", {}, SEEDS)


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
        record_from_keyboard(Nowhere(), "CartPole-v1", env_kwargs, SEEDS, keys=keys)


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
        record_from_keyboard(Nowhere(), "CartPole-v1", {}, SEEDS)
    assert leaving.value.code == code
    assert capsys.readouterr().err == "stopped early: nothing was recorded\n"


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
        record_from_keyboard(Nowhere(), "Broken-v0", {}, SEEDS)
