"""``gailkit play`` as a user meets it: what it says, and the window or the film that shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gailkit.cli import main
from gailkit.rollouts.environments import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes

Play = Callable[..., Any]
Look = Callable[[str], Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A short run in CartPole-v1, made by the command."""
    folder = tmp_path_factory.mktemp("play") / "run"
    demos = ["--demos", str(repository / "datasets" / "cartpole-v1.hdf5"), "--trajectories", "1"]
    with pytest.raises(SystemExit) as leaving:
        main(["train", "CartPole-v1", *demos, "--steps", "64", "--rollout-size", "64", "--out", str(folder)])
    assert leaving.value.code == 0
    return folder


def test_a_film_of_cartpole_lasts_as_long_as_what_it_shows(play: Play, shown: Look) -> None:
    done = play("players:left", "--env", "CartPole-v1", "--episodes", "2", "--video", "new/a.gif")
    assert (done.returncode, done.stderr) == (0, "")
    lengths = [int(steps) for steps in re.findall(r"episode \d: return .*, (\d+) steps", done.stdout)]
    assert len(lengths) == 2
    states = sum(lengths) + 2  # an episode begins with one
    film = shown("new/a.gif")
    assert film.size == (360, 240)
    assert film.milliseconds == pytest.approx(1000 * states / 50, abs=40)  # 50 steps a second, every second is shown
    assert film.frames == (states + 1) // 2
    assert f"wrote new/a.gif: {film.milliseconds / 1000:.1f} s, {(states + 1) // 2} frames, " in done.stdout


def test_a_pendulum_plays_at_the_speed_that_is_asked_for(play: Play, shown: Look) -> None:
    done = play("random", "--env", "Pendulum-v1", "--video", "a.webp", "--fps", "60", "--max-steps", "59")
    assert done.returncode == 0, done.stderr
    assert shown("a.webp") == (30, (360, 360), 1000)  # 60 states in a second, every second one is shown
    assert "59 steps, truncated\n" in done.stdout


def test_an_mp4_is_written(play: Play, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="NOT TESTED whether an MP4 is written: no imageio-ffmpeg")
    done = play("random", "--env", "CartPole-v1", "--video", "a.mp4")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_the_episodes_are_those_of_evaluate_and_so_are_their_returns(play: Play) -> None:
    def left(observations: np.ndarray) -> np.ndarray:
        return np.zeros(len(observations), np.int64)

    seeds = SeedStream(3, "evaluation").take(2)
    one, other = collect_episodes(left, lambda: make_env("CartPole-v1"), seeds)
    done = play("players:left", "--env", "CartPole-v1", "--episodes", "2", "--seed", "3", "--video", "a.gif")
    lines = done.stdout.splitlines()[:3]
    for number, played in enumerate((one, other), start=1):
        ending = "terminated" if played.terminated else "truncated"
        assert lines[number - 1] == f"episode {number}: return {len(played)}.0, {len(played)} steps, {ending}"
    mean = (len(one) + len(other)) / 2
    assert lines[2] == f"mean: return {mean:.1f}, {mean:.1f} steps"


def test_a_run_plays_where_it_was_trained(play: Play, trained: Path) -> None:
    done = play(trained, "--video", "a.gif", "--max-steps", "5")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "episode 1: return 5.0, 5 steps, truncated")
    again = play(trained, "--video", "b.gif", "--max-steps", "5")
    assert Path("a.gif").read_bytes() == Path("b.gif").read_bytes()
    sampled = [play(trained, "--stochastic", "--seed", seed, "--video", "c.gif", "--overwrite") for seed in "01"]
    assert {again.returncode, *(each.returncode for each in sampled)} == {0}
    assert sampled[0].stdout != sampled[1].stdout


def test_a_run_imports_no_module_by_itself(play: Play, trained: Path, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    shutil.copytree(trained, planted)
    described = json.loads((planted / "config.json").read_text())
    (planted / "config.json").write_text(json.dumps({**described, "env_id": "bomb:Painting-v0"}))
    (tmp_path / "bomb.py").write_text("import os\nos.mkdir('crater')\n")
    done = play(planted)
    assert (done.returncode, done.stdout) == (2, "")
    allowed = f"if you trust it: gailkit play {planted} --env bomb:Painting-v0"
    assert f"'bomb:Painting-v0', which would import a module; {allowed}" in done.stderr
    assert not (tmp_path / "crater").exists()


def test_without_a_display_a_gif_is_left_in_the_current_folder(play: Play, shown: Look, tmp_path: Path) -> None:
    command = ("players:balance", "--env", "CartPole-v1", "--max-steps", "9")
    done = play(*command)
    assert done.returncode == 0
    assert done.stderr == "note: no window, for there is no display; this becomes a film\n"
    assert "wrote players_balance-CartPole-v1.gif" in done.stdout
    assert shown("players_balance-CartPole-v1.gif").milliseconds == 200
    refused = play(*command)
    assert refused.returncode == 2
    assert "players_balance-CartPole-v1.gif exists; --overwrite replaces it, --video names another" in refused.stderr
    assert play(*command, "--overwrite").returncode == 0


@pytest.mark.parametrize(
    ("spec", "name"), [("./pieces", "pieces-theatre_Painting-v0"), ("random", "random-theatre_Painting-v0")]
)
def test_the_film_of_a_folder_bears_its_last_name(
    play: Play, trained: Path, tmp_path: Path, spec: str, name: str
) -> None:
    shutil.copytree(trained, tmp_path / "pieces")
    done = play(spec, "--env", "theatre:Painting-v0")
    if spec == "random":
        assert f"wrote {name}.gif" in done.stdout
    else:  # the run does not fit the painting, and is refused before anything is opened
        assert (done.returncode, list(tmp_path.glob("*.gif"))) == (2, [])
        assert "wrote pieces-CartPole-v1.gif" in play(spec, "--max-steps", "2").stdout


def test_on_a_display_a_window_opens_and_nothing_is_written(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SDL's dummy driver stands in for the screen."""
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    started = time.monotonic()
    done = play("random", "--env", "CartPole-v1", "--max-steps", "8")
    assert (done.returncode, done.stdout, done.stderr) == (0, "episode 1: return 8.0, 8 steps, truncated\n", "")
    assert time.monotonic() - started > 0.15  # eight steps at 50 a second
    assert list(tmp_path.glob("*.gif")) == []


def test_a_display_out_of_reach_makes_it_a_film(play: Play, shown: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":77")
    done = play("random", "--env", "CartPole-v1", "--max-steps", "5")
    assert done.returncode == 0
    assert "note: no window, for pygame cannot reach the display; this becomes a film" in done.stderr
    assert shown("random-CartPole-v1.gif").milliseconds == 120


def test_help_answers_without_loading_anything_heavy() -> None:
    program = (
        "import sys\nfrom gailkit.cli.play import play\n"
        "print(sorted({'torch', 'h5py', 'gymnasium', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
