"""Jobs as tasks of a Ray cluster that is started here."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gailkit.errors import InputError
from gailkit.sweep.backends import Ended, Job
from gailkit.sweep.on_ray import RayTasks, run_job

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="NOT TESTED on a Ray cluster: no ray; pip install 'gailkit[ray]'")


def job(folder: Path, name: str, *words: str) -> Job:
    return Job(name, words, folder / f"{name}.log", threads=1)


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs a package that is not installed: pip install 'gailkit\[ray\]'"):
        RayTasks("local", None, 1, tmp_path)


def test_a_task_runs_its_command_and_tells_how_it_ended(tmp_path: Path) -> None:
    assert run_job(job(tmp_path, "version", "--version"), str(tmp_path), tmp_path) == (0, "")
    assert run_job(job(tmp_path, "wrong", "nosuch"), str(tmp_path), tmp_path) == (2, "")
    assert "gailkit, version" in (tmp_path / "version.log").read_text()


def test_a_machine_that_does_not_share_the_folder_says_so(tmp_path: Path) -> None:
    code, sentence = run_job(job(tmp_path, "a", "--version"), str(tmp_path), tmp_path / "elsewhere")
    assert code == 5 and "the machines of a cluster must share the folder of a sweep" in sentence


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RayTasks]:
    tasks = RayTasks("local", None, 1, tmp_path)
    yield tasks
    tasks.close()


def all_ended(tasks: RayTasks, count: int) -> list[Ended]:
    found: list[Ended] = []
    while len(found) < count:
        found += tasks.ended()
        time.sleep(0.05)
    return sorted(found)


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_jobs_run_beside_each_other_and_end_when_they_are_asked_to(
    cluster: RayTasks, tmp_path: Path, repository: Path
) -> None:
    assert cluster.slots >= 1
    for name, words in {"right": ("--version",), "wrong": ("nosuch",)}.items():
        cluster.start(job(tmp_path, name, *words))
    assert all_ended(cluster, 2) == [Ended("right", 0), Ended("wrong", 2)]
    demos = repository / "datasets" / "cartpole-v1.hdf5"
    words = ("train", "CartPole-v1", "--demos", str(demos), "--subsample", "50", "--out", str(tmp_path / "run"))
    cluster.start(job(tmp_path, "long", *words))
    while not (tmp_path / "run" / "metrics.jsonl").is_file():
        time.sleep(0.05)
    cluster.stop()
    assert all_ended(cluster, 1) == [Ended("long", 143)]
    assert (tmp_path / "run" / "checkpoints" / "last.safetensors").is_file()
