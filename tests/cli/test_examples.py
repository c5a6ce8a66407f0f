"""The examples of every help text work as they are printed, and make what they say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import rich_click as click

from gailkit.cli.data import COMMANDS as DATA_COMMANDS
from gailkit.cli.lazy import load_command
from gailkit.cli.main import COMMANDS, EXAMPLES
from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.evaluate import evaluate
from gailkit.hub.pushing import push
from gailkit.training.config import TrainConfig
from gailkit.training.run import load_policy
from gailkit.training.train import train
from tests.hub.stand_in import standing_in

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
WriteD4rl = Callable[[Path, list[int]], Path]
NAMES = [*COMMANDS, *(f"data {name}" for name in DATA_COMMANDS)]
SMALL = {  # what makes an example quick; later options win
    "train": ("--rollout-size", "64", "--num-envs", "2", "--steps", "128", "--subsample", "100"),
    "expert": ("--rollout-size", "64", "--num-envs", "2", "--steps", "128"),
    "control": ("--episodes", "2", "--steps", "64"),
    "evaluate": ("--episodes", "1"),
    "record": ("--episodes", "2"),
}
SWEEP = """
seeds = 1
episodes = 2
[[task]]
env = "CartPole-v1"
demos = "demos.hdf5"
steps = 128
num-envs = 2
rollout-size = 64
subsample = 100
"""


def command_of(name: str) -> click.Command:
    first, *rest = name.split()
    return load_command(DATA_COMMANDS[rest[0]] if rest else COMMANDS[first])


def lines_of(name: str) -> list[str]:
    head, *lines = (command_of(name).epilog or "").split("\n\n")
    assert head == "Examples:"
    return lines


@pytest.mark.parametrize("name", NAMES)
def test_each_example_fits_80_columns_and_says_what_it_makes(name: str) -> None:
    lines = lines_of(name)
    assert max(map(len, lines)) <= 78
    assert (
        all(line.startswith(f"gailkit {name} ") or line == f"gailkit {name}" for line in lines[::2]) or name == "data"
    )
    assert lines and all(line.startswith("- ") for line in lines[1::2]) and len(lines) % 2 == 0


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, quickly: Callable[[], AbstractContextManager[None]]
) -> Path:
    """A folder with all that the examples speak of."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "datasets").symlink_to(repository / "datasets")
    cartpole = Demonstrations.load(repository / "datasets" / "cartpole-v1.hdf5").choose(12)
    monday, tuesday = cartpole.split(0.5)
    for name, episodes in {"demos": cartpole, "monday": monday, "tuesday": tuesday, "damaged": cartpole}.items():
        episodes.save(folder / f"{name}.hdf5")
    content = (folder / "damaged.hdf5").read_bytes()
    (folder / "damaged.hdf5").write_bytes(content[: len(content) * 9 // 10])
    (folder / "my.toml").write_text("steps = 60000\n")
    (folder / "sweep.toml").write_text(SWEEP)
    shown = cartpole.choose(5).subsample(100)
    for name in ("run", "short", "agent"):
        with quickly():
            train("CartPole-v1", shown, TrainConfig(steps=128, num_envs=2, rollout_size=64), out=folder / name)
    with quickly():
        found = evaluate(load_policy(folder / "run"), cartpole, "CartPole-v1", episodes=2)
    (folder / "numbers.json").write_text(json.dumps(found.to_dict()))
    return folder


@pytest.fixture
def published(request: pytest.FixtureRequest, prepared: Path) -> Iterator[None]:
    """A hub, for the examples that speak to one, which holds what they fetch."""
    if request.node.callspec.params["name"] not in ("push", "pull"):
        yield
        return
    with standing_in():
        for revision in (None, "v2"):
            push(prepared / "run", "me/cartpole", demonstrations=prepared / "demos.hdf5", revision=revision)
        yield


@pytest.fixture
def examples(prepared: Path, tmp_path: Path, write_d4rl: WriteD4rl) -> Callable[[str], Iterator[list[str]]]:
    """``examples("train")``: the words of each, in a folder that has all but what they make."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True, symlinks=True)
    write_d4rl(tmp_path / "d4rl.hdf5", [5, 3])

    def each(name: str) -> Iterator[list[str]]:
        for line in lines_of(name)[::2]:
            words = shlex.split(line)
            for made in made_by(words):
                path = tmp_path / made
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            yield words

    return each


def made_by(words: list[str]) -> list[str]:
    """What a command is told to write."""
    found = re.findall(r"(?:-o|--out|--report|--json|--video) ([\w./]+)(?: ([\w./]+\.hdf5))?", " ".join(words[2:]))
    return [name for pair in found for name in pair if name and "--json demos.hdf5" not in " ".join(words)]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("demo", "data")])  # demo has a test of its own
def test_the_examples_work_and_make_what_they_say(
    name: str, examples: Callable[[str], Iterator[list[str]]], run_here: RunHere, tmp_path: Path, published: None
) -> None:
    for words in examples(name):
        if "keyboard" in words:
            continue
        small = ("--steps", "256") if "--resume" in words and name != "sweep" else SMALL.get(name, ())
        done = run_here(*words[1:], *small)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
        assert all((tmp_path / made).exists() for made in made_by(words)), words


def test_the_examples_of_the_whole_lead_from_nothing_to_a_verdict(run_here: RunHere) -> None:
    said = ""
    for line in EXAMPLES.split("\n\n")[1:-2:2]:
        words = shlex.split(line)[1:]
        done = run_here(*words, *SMALL[words[0]])
        assert done.returncode == 0, done.stderr
        said += done.stdout
    assert "verdict: not enough" in said and "wrote closeness.html" in said
