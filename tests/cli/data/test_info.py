"""``gailkit data info``, through click, and the sentences it says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gailkit.cli.data import data
from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.summary import ending
from gailkit.errors import DataError, InputError

Make = Callable[..., Demonstrations]


def output(*arguments: str | Path) -> str:
    result = CliRunner().invoke(data, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_info_says_what_the_file_holds(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    make_demonstrations([2, 4, 9, 5]).save(path)
    lines = dict(line.split(": ", 1) for line in output("info", path).splitlines())
    assert lines["format"] == f"gailkit native, {path.stat().st_size:,} bytes"
    assert lines["digests"] == "4 of 4 episodes verified"
    assert lines["environment"] == 'Numbers-v0 {"size": 3}'
    assert lines["observation space"] == "Box(-1000.0, 1000.0, (2,), float32)"
    assert lines["action space"] == "Discrete(2)"
    assert (lines["episodes"], lines["steps"]) == ("4", "20")
    assert lines["lengths"] == "min 2, median 4.5, max 9"
    assert lines["returns"] == "mean 5.0, sd 2.9, min 2.0, max 9.0"  # sqrt((9 + 1 + 16 + 0) / 3) = 2.94
    assert lines["endings"].startswith("2 terminated, 2 truncated. Where an episode terminated")
    assert lines["provenance source"] == "made by hand"


def test_json_holds_the_numbers(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    make_demonstrations([2, 4]).save(path)
    found = json.loads(output("info", "--json", path))
    assert found["path"] == str(path)
    assert (found["episodes"], found["steps"], found["terminated"], found["truncated"]) == (2, 6, 1, 1)
    assert (found["return_mean"], found["return_min"], found["return_max"]) == (3.0, 2.0, 4.0)
    assert found["return_sd"] == pytest.approx(2**0.5)
    assert found["digests_verified"] == 2


def test_what_is_not_known_is_said_to_be_so(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    silent = replace(make_demonstrations([3]).trajectories[0], rewards=None)
    Demonstrations((silent,)).save(path)
    said = output("info", path)
    assert "environment: not stated" in said
    assert "observation space: not stated; observations are float32 of shape (2,)" in said
    assert "returns: not recorded" in said
    assert json.loads(output("info", "--json", path))["return_mean"] is None


def test_a_foreign_file_has_no_digests(experts_folder: Path) -> None:
    said = output("info", experts_folder / "paper" / "CartPole-v1.hdf5")
    assert "digests: none in this format" in said
    assert "returns: mean 440.5" in said


def test_characters_in_a_file_do_not_steer_the_terminal(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    replace(make_demonstrations([3]), provenance={"note": "\x1b[2J\nformat: forged", "[red]x": "[/]"}).save(path)
    said = output("info", path)
    assert r"provenance note: \x1b[2J\nformat: forged" in said
    assert "provenance [red]x: [/]" in said


def test_a_terminal_gets_a_table(make_demonstrations: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "d.hdf5"
    replace(make_demonstrations([3]), provenance={"[red]x": "[/]"}).save(path)
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    said = output("info", path)
    assert "Numbers-v0" in said and "[red]x" in said and "\x1b[1" in said


@pytest.mark.parametrize("terminated, said", [(0, "No episode"), (3, "Where"), (5, "Every episode terminated")])
def test_the_sentence_on_endings(terminated: int, said: str) -> None:
    assert ending(terminated, 5).startswith(said)


def test_errors_are_left_to_the_entry_point(make_demonstrations: Make, tmp_path: Path) -> None:
    make_demonstrations([3]).save(tmp_path / "d.hdf5")
    (tmp_path / "broken").write_bytes((tmp_path / "d.hdf5").read_bytes()[:3000])
    for path, error in ((tmp_path / "none", InputError), (tmp_path / "broken", DataError)):
        with pytest.raises(error, match=path.name):
            CliRunner().invoke(data, ["info", str(path)], catch_exceptions=False)


def test_help_shows_an_example() -> None:
    assert "gailkit data info demos.hdf5" in output("info", "--help")


def test_what_is_open_about_endings_is_asked_and_the_rest_is_told(
    run_here: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    starts = np.arange(9) % 3 == 0
    np.savez(
        tmp_path / "old.npz",
        obs=np.arange(9.0)[:, None],
        actions=np.ones((9, 1)) / 2,
        rewards=np.ones(9),
        episode_starts=starts,
        episode_returns=np.full(3, 3.0),
    )
    done = run_here("data", "info", "old.npz")
    assert done.returncode == 0, done.stderr
    assert "episodes: 3\n" in done.stdout
    assert "endings: open. old.npz does not say how its episodes ended (3 of 3 after 3 steps" in done.stdout
    assert "provenance format" in done.stdout and "provenance endings" not in done.stdout  # nobody has told them
    assert json.loads(run_here("data", "info", "old.npz", "--json").stdout)["endings_known"] is False
    told = run_here("data", "info", "old.npz", "--max-episode-steps", "3")
    assert "endings: 0 terminated, 3 truncated." in told.stdout
