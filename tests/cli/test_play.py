"""``gailkit play`` as a user meets it: what it says, the film it leaves, and what it does where nothing can be shown."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from gailkit.cli import main
from gailkit.rollouts import rendering
from gailkit.rollouts.envs import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes

THEATRE = """
import time
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


RunHere = Callable[..., Done]


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a module of environments and policies, on a machine without a display."""
    (tmp_path / "theatre.py").write_text(THEATRE)
    (tmp_path / "players.py").write_text(PLAYERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # the command adds the current folder; this puts sys.path back afterwards
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "MUJOCO_GL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str]) -> RunHere:
    """``run_here(...)``: the command in this process, which saves the seconds it takes to load torch."""

    def run(*arguments: str | Path) -> Done:
        for name in ("theatre", "players"):
            sys.modules.pop(name, None)
        with pytest.raises(SystemExit) as leaving:
            main(["play", *map(str, arguments)])
        assert isinstance(leaving.value.code, int)
        return Done(leaving.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A short run in CartPole-v1, made by the command."""
    folder = tmp_path_factory.mktemp("play") / "run"
    demos = ["--demos", str(repository / "datasets" / "cartpole-v1.hdf5"), "--trajectories", "1"]
    with pytest.raises(SystemExit) as leaving:
        main(["train", "CartPole-v1", *demos, "--steps", "64", "--seed", "0", "--out", str(folder)])
    assert leaving.value.code == 0
    return folder


class Shown(NamedTuple):
    frames: int
    size: tuple[int, int]
    milliseconds: int


def shown(path: str) -> Shown:
    milliseconds = 0
    with Image.open(path) as image:
        frames = getattr(image, "n_frames", 1)
        for index in range(frames):
            image.seek(index)
            image.load()
            milliseconds += int(image.info["duration"])
        return Shown(frames, image.size, milliseconds)


def test_a_film_of_cartpole_lasts_as_long_as_what_it_shows(run_here: RunHere) -> None:
    done = run_here("players:left", "--env", "CartPole-v1", "--episodes", "2", "--video", "new/a.gif")
    assert (done.returncode, done.stderr) == (0, "")
    lengths = [int(steps) for steps in re.findall(r"episode \d: return .*, (\d+) steps", done.stdout)]
    assert len(lengths) == 2
    states = sum(lengths) + 2  # an episode begins with one
    film = shown("new/a.gif")
    assert film.size == (360, 240)
    assert film.milliseconds == pytest.approx(1000 * states / 50, abs=40)  # 50 steps a second, every second is shown
    assert film.frames == (states + 1) // 2
    assert f"wrote new/a.gif: {film.milliseconds / 1000:.1f} s, {(states + 1) // 2} frames, " in done.stdout


def test_a_pendulum_plays_at_the_speed_that_is_asked_for(run_here: RunHere) -> None:
    done = run_here("random", "--env", "Pendulum-v1", "--video", "a.webp", "--fps", "60", "--max-steps", "59")
    assert done.returncode == 0, done.stderr
    assert shown("a.webp") == (30, (360, 360), 1000)  # 60 states in a second, every second one is shown
    assert "59 steps, truncated\n" in done.stdout


def test_an_mp4_is_written(run_here: RunHere, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="NOT TESTED whether an MP4 is written: no imageio-ffmpeg")
    done = run_here("random", "--env", "CartPole-v1", "--video", "a.mp4")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_the_episodes_are_those_of_evaluate_and_so_are_their_returns(run_here: RunHere) -> None:
    def left(observations: np.ndarray) -> np.ndarray:
        return np.zeros(len(observations), np.int64)

    seeds = SeedStream(3, "evaluation").take(2)
    one, other = collect_episodes(left, lambda: make_env("CartPole-v1"), seeds)
    done = run_here("players:left", "--env", "CartPole-v1", "--episodes", "2", "--seed", "3", "--video", "a.gif")
    lines = done.stdout.splitlines()[:3]
    for number, played in enumerate((one, other), start=1):
        ending = "terminated" if played.terminated else "truncated"
        assert lines[number - 1] == f"episode {number}: return {len(played)}.0, {len(played)} steps, {ending}"
    mean = (len(one) + len(other)) / 2
    assert lines[2] == f"mean: return {mean:.1f}, {mean:.1f} steps"


def test_a_run_plays_where_it_was_trained(run_here: RunHere, trained: Path) -> None:
    done = run_here(trained, "--video", "a.gif", "--max-steps", "5")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "episode 1: return 5.0, 5 steps, truncated")
    again = run_here(trained, "--video", "b.gif", "--max-steps", "5")
    assert Path("a.gif").read_bytes() == Path("b.gif").read_bytes()
    sampled = [run_here(trained, "--stochastic", "--seed", seed, "--video", "c.gif", "--overwrite") for seed in "01"]
    assert {again.returncode, *(each.returncode for each in sampled)} == {0}
    assert sampled[0].stdout != sampled[1].stdout


def test_a_run_imports_no_module_by_itself(run_here: RunHere, trained: Path, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    shutil.copytree(trained, planted)
    described = json.loads((planted / "config.json").read_text())
    (planted / "config.json").write_text(json.dumps({**described, "env_id": "bomb:Painting-v0"}))
    (tmp_path / "bomb.py").write_text("import os\nos.mkdir('crater')\n")
    done = run_here(planted)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'bomb:Painting-v0', which would import a module; if you trust it, say --env bomb:Painting-v0" in done.stderr
    assert not (tmp_path / "crater").exists()


def test_without_a_display_a_gif_is_left_in_the_current_folder(run_here: RunHere, tmp_path: Path) -> None:
    command = ("players:balance", "--env", "CartPole-v1", "--max-steps", "9")
    done = run_here(*command)
    assert done.returncode == 0
    assert done.stderr == "note: no window, for there is no display; this becomes a film\n"
    assert "wrote players_balance-CartPole-v1.gif" in done.stdout
    assert shown("players_balance-CartPole-v1.gif").milliseconds == 200
    refused = run_here(*command)
    assert refused.returncode == 2
    assert "players_balance-CartPole-v1.gif exists; --overwrite replaces it, --video names another" in refused.stderr
    assert run_here(*command, "--overwrite").returncode == 0


@pytest.mark.parametrize(
    ("spec", "name"), [("./pieces", "pieces-theatre_Painting-v0"), ("random", "random-theatre_Painting-v0")]
)
def test_the_film_of_a_folder_bears_its_last_name(
    run_here: RunHere, trained: Path, tmp_path: Path, spec: str, name: str
) -> None:
    shutil.copytree(trained, tmp_path / "pieces")
    done = run_here(spec, "--env", "theatre:Painting-v0")
    if spec == "random":
        assert f"wrote {name}.gif" in done.stdout
    else:  # the run does not fit the painting, and is refused before anything is opened
        assert (done.returncode, list(tmp_path.glob("*.gif"))) == (2, [])
        assert "wrote pieces-CartPole-v1.gif" in run_here(spec, "--max-steps", "2").stdout


def test_on_a_display_a_window_opens_and_nothing_is_written(
    run_here: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SDL's dummy driver stands in for the screen."""
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    started = time.monotonic()
    done = run_here("random", "--env", "CartPole-v1", "--max-steps", "8")
    assert (done.returncode, done.stdout, done.stderr) == (0, "episode 1: return 8.0, 8 steps, truncated\n", "")
    assert time.monotonic() - started > 0.15  # eight steps at 50 a second
    assert list(tmp_path.glob("*.gif")) == []


def test_a_display_that_cannot_be_reached_makes_it_a_film(run_here: RunHere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":77")
    done = run_here("random", "--env", "CartPole-v1", "--max-steps", "5")
    assert done.returncode == 0
    assert "note: no window, for pygame cannot reach the display; this becomes a film" in done.stderr
    assert shown("random-CartPole-v1.gif").milliseconds == 120


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["random"], 2, r"nothing says which environment random is to act in; name it with --env"),
        (["rndom", "--env", "CartPole-v1"], 2, r"'rndom' names no policy; accepted are random, a run"),
        (["random", "--env", "CartPol-v1"], 2, r"near matches: CartPole-v1"),
        (["random", "--env", "theatre:Blind-v0", "--video", "a.gif"], 2, r"render_mode 'rgb_array'; .* are: none"),
        (["random", "--env", "CartPole-v1", "--video", "a.avi"], 2, r"a\.avi .*accepted are \.gif, \.webp, \.mp4"),
        (["random", "--env", "CartPole-v1", "--video", "theatre.py/a.gif"], 5, r"nothing can be written into"),
        (["random", "--env", "CartPole-v1", "--video", "folder.gif"], 5, r"folder\.gif is a folder"),
        (["random", "--env", "CartPole-v1", "--video", "old.gif"], 2, r"old\.gif exists; --overwrite replaces it"),
        (["random", "--env", "CartPole-v1", "--fps", "9"], 2, r"--fps is the speed of a film.*add --video FILE"),
        (["random", "--env", "CartPole-v1", "--fps", "0", "--video", "a.gif"], 2, r"0 is not in the range 1<=x<=1000"),
        (["random", "--env", "CartPole-v1", "--episodes", "0"], 2, r"0 is not in the range x>=1"),
        (["random", "--env", "CartPole-v1", "--max-steps", "0"], 2, r"0 is not in the range x>=1"),
        (["random", "--env", "CartPole-v1", "--seed", "-1"], 2, r"-1 is not in the range x>=0"),
        (["random", "--env", "CartPole-v1", "--stochastic"], 2, r"random is not a run directory"),
        (["random", "--env", "CartPole-v1", "--checkpoint", "best"], 2, r"random is not a run directory"),
        (["random", "--env", "CartPole-v1", "--checkpoint", "first"], 2, r"'first' is not one of 'last', 'best'"),
        (["random", "--env", "CartPole-v1", "--env-kwargs", "[1]"], 2, r"a JSON object is expected"),
        (["random", "--env", "CartPole-v1", "--env-kwargs", '{"nosuch": 1}'], 2, r"nosuch"),
        (["folder.gif"], 2, r"folder\.gif holds no run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_its_exit_code(
    run_here: RunHere, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "old.gif").write_text("precious")
    done = run_here(*words)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "old.gif").read_text() == "precious"
    assert {path.name for path in tmp_path.glob("*.gif")} == {"folder.gif", "old.gif"}


def play_painting(run_here: RunHere, *words: str, **arguments: float) -> Done:
    options = ("--env-kwargs", json.dumps(arguments), "--video", "a.gif", "--episodes", "3")
    return run_here("random", "--env", "theatre:Painting-v0", *options, *words)


def test_an_environment_that_stops_drawing_is_played_to_the_end(run_here: RunHere) -> None:
    done = play_painting(run_here, paint=7)
    assert done.returncode == 4
    assert done.stdout.splitlines()[:4] == [
        *(f"episode {number}: return 4.0, 4 steps, terminated" for number in (1, 2, 3)),
        "mean: return 4.0, 4.0 steps",
    ]
    assert "wrote a.gif: 0.7 s, 7 frames" in done.stdout
    assert re.fullmatch(r"Error: .*failed while it was drawn: RuntimeError: out of paint .*\n", done.stderr)
    assert shown("a.gif").milliseconds == 700


def test_an_environment_that_fails_leaves_the_film_until_then(run_here: RunHere) -> None:
    done = play_painting(run_here, breaks_at=7)
    assert done.returncode == 4
    stopped, error = done.stderr.splitlines()
    assert stopped == "stopped early: 1 of 3 episodes were finished"
    assert "RuntimeError: a fuse blew" in error
    assert shown("a.gif").milliseconds == 800  # two first states and six steps


def test_without_pygame_the_return_is_printed_and_the_extra_named(
    run_here: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    done = run_here("random", "--env", "CartPole-v1", "--max-steps", "5", "--video", "a.gif")
    assert (done.returncode, done.stdout) == (2, "episode 1: return 5.0, 5 steps, truncated\n")
    assert done.stderr == "Error: drawing needs a package that is not installed: pip install 'gailkit[classic]'\n"
    assert not (tmp_path / "a.gif").exists()


def test_where_mujoco_cannot_draw_one_sentence_says_so(run_here: RunHere, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED how MuJoCo fails to draw: it is not installed")
    monkeypatch.setattr(rendering, "_mujoco_draws_with", lambda name: False)
    done = run_here("random", "--env", "Hopper-v5", "--video", "a.gif")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: MuJoCo can draw in no way here: .*\n", done.stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("name", ["a.gif", "a.mp4"])
def test_an_interruption_keeps_the_film_of_what_was_played(
    tmp_path: Path, name: str, number: signal.Signals, code: int
) -> None:
    if name.endswith("mp4"):
        pytest.importorskip("imageio_ffmpeg", reason="NOT TESTED what an interruption leaves of an MP4: no encoder")
    # the file "on" tells that episodes are under way
    (tmp_path / "theatre.py").write_text(THEATRE.replace("self.steps += 1", "self.steps += 1; open('on', 'w')"))
    options = ["--video", name, "--episodes", "100000", "--env-kwargs", '{"pause": 0.01, "paint": -1}']
    process = subprocess.Popen(
        [sys.executable, "-m", "gailkit", "play", "random", "--env", "theatre:Painting-v0", *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "on").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    os.killpg(process.pid, number)  # as a terminal does it: to everything that runs there
    printed, errors = process.communicate(timeout=30)
    assert process.returncode == code, errors
    assert re.fullmatch(r"stopped early: \d+ of 100000 episodes were finished\n", errors)
    seconds, frames = re.search(rf"wrote {name}: ([\d.]+) s, (\d+) frames", printed).groups()
    assert 5 <= int(frames) == pytest.approx(10 * float(seconds))
    if name.endswith("gif"):
        assert shown(name).milliseconds == 100 * int(frames)
    assert not list(tmp_path.glob(".gailkit*"))


def test_help_answers_without_loading_anything_heavy() -> None:
    program = (
        "import sys\nfrom gailkit.cli.play import play\n"
        "print(sorted({'torch', 'h5py', 'gymnasium', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
