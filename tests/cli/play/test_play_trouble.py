"""``gailkit play`` where something is wrong: mistakes, drawing that fails, an interruption; the film so far stays."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gailkit.errors import StorageError
from gailkit.viewing import rendering
from gailkit.viewing.film import Film

Play = Callable[..., Any]
Look = Callable[[str], Any]


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
        (["random", "--env", "CartPole-v1", "--stochastic"], 2, r"random is not a run folder"),
        (["random", "--env", "CartPole-v1", "--checkpoint", "best"], 2, r"random is not a run folder"),
        (
            ["random", "--env", "CartPole-v1", "--checkpoint", "first"],
            2,
            r"'first' is not one of 'chosen', 'last'",
        ),
        (["random", "--env", "CartPole-v1", "--env-kwargs", "[1]"], 2, r"a JSON object is expected"),
        (["random", "--env", "CartPole-v1", "--env-kwargs", '{"nosuch": 1}'], 2, r"nosuch"),
        (["folder.gif"], 2, r"folder\.gif holds no run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_its_exit_code(
    play: Play, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "old.gif").write_text("precious")
    done = play(*words)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "old.gif").read_text() == "precious"
    assert {path.name for path in tmp_path.glob("*.gif")} == {"folder.gif", "old.gif"}


def painted(play: Play, *words: str, **arguments: float) -> Any:
    options = ("--env-kwargs", json.dumps(arguments), "--video", "a.gif", "--episodes", "3")
    return play("random", "--env", "theatre:Painting-v0", *options, *words)


def test_an_environment_that_stops_drawing_is_played_to_the_end(play: Play, shown: Look) -> None:
    done = painted(play, paint=8)  # of which one goes into looking whether it draws at all
    assert done.returncode == 4
    assert done.stdout.splitlines()[:4] == [
        *(f"episode {number}: return 4.0, 4 steps, terminated" for number in (1, 2, 3)),
        "mean: return 4.0, 4.0 steps",
    ]
    assert "wrote a.gif: 0.7 s, 7 frames" in done.stdout
    assert re.fullmatch(r"Error: .*failed while it was drawn: RuntimeError: out of paint .*\n", done.stderr)
    assert shown("a.gif").milliseconds == 700


def test_an_environment_that_fails_leaves_the_film_until_then(play: Play, shown: Look) -> None:
    done = painted(play, breaks_at=7)
    assert done.returncode == 4
    stopped, error = done.stderr.splitlines()
    assert stopped == "stopped early: 1 of 3 episodes were finished"
    assert "RuntimeError: a fuse blew" in error
    assert shown("a.gif").milliseconds == 800  # two first states and six steps


def test_without_pygame_nothing_is_played_and_the_extra_named(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    done = play("random", "--env", "CartPole-v1", "--max-steps", "5", "--video", "a.gif")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: drawing needs a package that is not installed: pip install 'gailkit[classic]'\n"
    assert not (tmp_path / "a.gif").exists()


def test_where_mujoco_cannot_draw_one_sentence_says_so(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED how MuJoCo fails to draw: it is not installed")
    monkeypatch.setattr(rendering, "_mujoco_draws_with", lambda name: False)
    done = play("random", "--env", "Hopper-v5", "--video", "a.gif")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: MuJoCo can draw in no way here: .*\n", done.stderr)


@pytest.mark.parametrize(("name", "number", "code"), [("a.mp4", signal.SIGINT, 130), ("a.gif", signal.SIGTERM, 143)])
def test_an_interruption_keeps_the_film_of_what_was_played(
    theatre: Path, shown: Look, name: str, number: signal.Signals, code: int
) -> None:
    if name.endswith("mp4"):
        pytest.importorskip("imageio_ffmpeg", reason="NOT TESTED what an interruption leaves of an MP4: no encoder")
    options = ["--video", name, "--episodes", "100000", "--env-kwargs", '{"pause": 0.01, "paint": -1}']
    process = subprocess.Popen(
        [sys.executable, "-m", "gailkit", "play", "random", "--env", "theatre:Painting-v0", *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (theatre / "on").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    os.killpg(process.pid, number)  # as a terminal does it: to everything that runs there
    printed, errors = process.communicate(timeout=30)
    assert process.returncode == code, errors
    assert re.fullmatch(r"stopped early: \d+ of 100,000 episodes were finished\n", errors)
    seconds, frames = re.search(rf"wrote {name}: ([\d.]+) s, (\d+) frames", printed).groups()
    assert 5 <= int(frames) == pytest.approx(10 * float(seconds))
    if name.endswith("gif"):
        assert shown(name).milliseconds == 100 * int(frames)
    assert not list(theatre.glob(".gailkit*"))


def test_a_film_that_cannot_be_saved_does_not_take_the_returns_with_it(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(film: Film) -> bool:
        raise StorageError("the disk is full")

    monkeypatch.setattr(Film, "save", fail)
    done = painted(play)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (5, "Error: the disk is full")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["episode 1", "episode 2", "episode 3", "mean"]
