"""Where a run is shown: what trackers are told, and that none of them can end a run or change its numbers."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gailkit.errors import InputError, UntrustedError
from gailkit.rollouts.stepping import Stepping
from gailkit.tracking import TrackedRun, Tracking, named_trackers
from gailkit.tracking.on_tensorboard import OnTensorBoard
from gailkit.training.config import ExpertConfig
from gailkit.training.expert import train_expert
from gailkit.training.iteration import Iteration
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.resuming import resume

CONFIG = ExpertConfig(steps=192, num_envs=2, rollout_size=64, policy=PolicyConfig(hidden=(8,), batch_size=32))


@pytest.fixture(autouse=True, scope="module")
def quick(quickly: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    with quickly():
        yield


class Told:
    """Remembers what it was told; raises in its ``fails_at``-th row."""

    def __init__(self, run: TrackedRun, fails_at: int = 0) -> None:
        self.run, self.fails_at = run, fails_at
        self.rows: list[Mapping[str, float]] = []
        self.closed = False

    def write(self, metrics: Mapping[str, float]) -> None:
        torch.randn(3)
        np.random.rand()
        self.rows.append(metrics)
        if len(self.rows) == self.fails_at:
            raise ConnectionError("the network is down")

    def film(self, path: Path, steps: int) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def told(fails_at: int = 0) -> tuple[list[Told], Callable[[TrackedRun], Told]]:
    made: list[Told] = []

    def factory(run: TrackedRun) -> Told:
        made.append(Told(run, fails_at))
        return made[-1]

    return made, factory


def timeless(rows: Any) -> list[dict[str, float]]:
    return [{name: each for name, each in row.items() if name not in ("seconds", "steps_per_second")} for row in rows]


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of protobuf and numpy, old habits
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_a_tracker_is_told_what_the_metrics_say_and_changes_nothing(tmp_path: Path) -> None:
    made, factory = told()
    result = train_expert("CartPole-v1", CONFIG, out=tmp_path / "run", track=[factory])
    (tracker,) = made
    assert tracker.rows == result.metrics
    assert tracker.closed
    assert timeless(result.metrics) == timeless(train_expert("CartPole-v1", CONFIG).metrics)
    assert (tracker.run.folder, tracker.run.steps) == (tmp_path / "run", 0)
    assert tracker.run.settings["env_id"] == "CartPole-v1" and tracker.run.settings["gamma"] == 0.99
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_one_that_fails_is_told_of_once_and_the_run_goes_on(tmp_path: Path) -> None:
    (made, factory), said = told(fails_at=2), []
    both = ["tensorboard", factory]
    result = train_expert("CartPole-v1", CONFIG, out=tmp_path / "run", track=both, stepping=Stepping(tell=said.append))
    assert len(result.metrics) == 3
    assert len(made[0].rows) == 2 and made[0].closed
    (sentence,) = said
    assert "is not told any more how the run goes: ConnectionError: the network is down" in sentence
    assert [step for step, _ in scalars(tmp_path / "run", "policy/kl")] == [64, 128, 192]


def test_one_that_cannot_begin_is_one_that_fails(tmp_path: Path) -> None:
    said: list[str] = []

    def factory(run: TrackedRun) -> Told:
        raise OSError("no route to host")

    tracking = Tracking({"mine": factory}, TrackedRun(tmp_path, "1", {}), said.append)
    tracking.write({"steps": 1.0})
    tracking.close()
    assert len(said) == 1 and said[0].startswith("mine is not told any more how the run goes: OSError: no route to")


MODULE = """
RUNS = []

class Tracker:
    def __init__(self, run):
        RUNS.append((run.id, run.steps))
    def write(self, metrics):
        pass
    def film(self, path, steps):
        pass
    def close(self):
        pass
"""


def test_a_run_that_goes_on_goes_on_with_its_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_tracker.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    run = tmp_path / "run"
    train_expert(
        "CartPole-v1", CONFIG, out=run, track=["my_tracker:Tracker"], on_iteration=lambda iteration: iteration.stop()
    )
    resume(run)
    (first, began), (second, went_on) = sys.modules["my_tracker"].RUNS
    assert (began, went_on) == (0, 64)
    assert first == second and first.isalnum()
    described = json.loads((run / "config.json").read_text())
    assert described["track"] == {"id": first, "names": ["my_tracker:Tracker"]}


def test_a_run_of_a_stranger_imports_no_tracker(tmp_path: Path) -> None:
    def stop(iteration: Iteration) -> None:
        iteration.stop()

    run = tmp_path / "run"
    train_expert("CartPole-v1", CONFIG, out=run, on_iteration=stop)
    described = json.loads((run / "config.json").read_text())
    described["track"]["names"] = ["antigravity:geohash"]
    (run / "config.json").write_text(json.dumps(described))
    with pytest.raises(UntrustedError, match="names 'antigravity:geohash', which would import a module"):
        resume(run)
    assert "antigravity" not in sys.modules
    assert len(resume(run, track=["tensorboard"], trust=["antigravity:geohash"]).metrics) == 3


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_package_that_is_missing_is_named_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda asked, *rest: None if asked == name else find(asked, *rest))
    needed = rf"^tracking by {name} needs a package that is not installed: pip install 'gailkit\[{name}\]'$"
    with pytest.raises(InputError, match=needed):
        train_expert("CartPole-v1", CONFIG, out=tmp_path / "run", track=[name])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("track", "sentence"),
    [
        (
            ["tensorbord"],
            r"^no tracker is called 'tensorbord'; known are tensorboard, wandb, trackio, none and package",
        ),
        (["none", "tensorboard"], "^none stands alone; found it among none, tensorboard$"),
        ("wandb", "^trackers are given as a list of names or callables; found 'wandb'$"),
        (
            [partial(dict), partial(list)],
            "^each tracker needs a name .*; found functools:partial more than once$",
        ),
        (["math:pi"], "^the tracker 'math:pi' must be callable; found float$"),
    ],
)
def test_a_name_that_is_none_is_refused(track: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        named_trackers(track)
    assert named_trackers(["none"]) == {}


def test_a_run_without_a_folder_has_no_trackers() -> None:
    with pytest.raises(InputError, match=r"^trackers are those of a run folder, which `out` names; found none$"):
        train_expert("CartPole-v1", CONFIG, track=["tensorboard"])


def test_tensorboard_leaves_out_what_a_stopped_run_wrote_behind_its_checkpoint(tmp_path: Path) -> None:
    for steps, rows in ((0, [(1, 0.5), (2, 9.0), (3, 9.0)]), (1, [(2, 1.5), (3, 2.5)])):
        tracker = OnTensorBoard(TrackedRun(tmp_path, "1", {}, steps))
        for step, value in rows:
            tracker.write({"steps": step, "policy/kl": value})
        tracker.close()
    assert scalars(tmp_path, "policy/kl") == [(1, 0.5), (2, 1.5), (3, 2.5)]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.gif"
    frames = [Image.new("RGB", (6, 4), (shade, 0, 0)) for shade in (0, 100, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


def test_tensorboard_shows_a_film(tmp_path: Path, film: Path) -> None:
    tracker = OnTensorBoard(TrackedRun(tmp_path, "1", {}))
    tracker.film(film, 64)
    tracker.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (shown,) = events.Images("eval/film")
    assert (shown.step, shown.width, shown.height) == (64, 6, 4)
    assert shown.encoded_image_string == film.read_bytes()


def test_wandb_takes_a_run_without_a_network(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="NOT TESTED: tracking by wandb; pip install 'gailkit[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    said: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own
        run = TrackedRun(tmp_path, "abc123", {"gamma": 0.99})
        tracking = Tracking(named_trackers(["wandb"]), run, said.append)
        for steps in (64.0, 128.0):
            tracking.write({"steps": steps, "policy/kl": 0.5 / steps})
        tracking.film(film, 128)
        tracking.close()
    assert said == []
    (kept,) = (tmp_path / "wandb").glob("offline-run-*-abc123/run-abc123.wandb")
    words = (b"policy/kl", b"eval/film", b"gamma")
    until = time.monotonic() + 20  # another process writes them, and may not be done
    while time.monotonic() < until and any(word not in kept.read_bytes() for word in words):
        time.sleep(0.05)
    assert [word for word in words if word not in kept.read_bytes()] == []


def test_wandb_without_a_login_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="NOT TESTED: tracking by wandb; pip install 'gailkit[wandb]'")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    said: list[str] = []
    Tracking(named_trackers(["wandb"]), TrackedRun(tmp_path, "abc123", {}), said.append).close()
    assert len(said) == 1 and "nobody is logged in; `wandb login` logs in, and WANDB_MODE=offline does" in said[0]


def test_trackio_takes_a_run_and_goes_on_with_it(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio", reason="NOT TESTED: tracking by trackio; pip install 'gailkit[trackio]'")
    from trackio import Api

    for steps in (0, 64):
        said: list[str] = []
        tracking = Tracking(named_trackers(["trackio"]), TrackedRun(tmp_path / "one", "abc", {}, steps), said.append)
        tracking.write({"steps": steps + 64.0, "policy/kl": 0.5})
        tracking.film(film, steps + 64)
        tracking.close()
        assert said == []
    (run,) = Api().runs("gailkit")
    assert run.name == "one-abc"
    assert capsys.readouterr().out == ""
