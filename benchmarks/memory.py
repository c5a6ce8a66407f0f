"""How much memory the start of training takes, beside the demonstrations that it starts from, and a run on pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from benchmarks.tasks import REPOSITORY

if TYPE_CHECKING:
    from gailkit.rollouts.protocol import Environments

STEPS = 100  # of an episode
ACTIONS = 4
MOST = 1.5  # times the demonstrations
MOST_OF_RUN = 2000  # MB in all, of a run on pictures by default settings
RUN_MEGABYTES = 60  # of its demonstrations
STAGES = ("loaded", "trainer built", "described")
RESULTS = REPOSITORY / "benchmarks" / "results" / "memory.txt"


class Kind(NamedTuple):
    """What is observed."""

    name: str
    shape: tuple[int, ...]
    dtype: str


KINDS = {
    "images": Kind("uint8 images", (84, 84, 4), "uint8"),
    "vectors": Kind("float32 vectors", (2000,), "float32"),
}

FEW = Kind("numbers", (2,), "float32")


@click.command()
@click.option("--megabytes", default=400, show_default=True, help="Of each set of demonstrations.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the files go for the time being.")
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def memory(megabytes: int, folder: Path | None, keep: bool) -> None:
    """Load demonstrations and build a trainer, with a warm start of one pass, each in a process of its own; and two
    iterations on pictures by default settings, another."""
    lines = [f"Peak memory of the start of training, a warm start of one pass, one thread, {os.cpu_count()} cores:"]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for name, kind in KINDS.items():
            path = Path(scratch) / f"{name}.hdf5"
            size = write_demonstrations(path, kind, megabytes * 10**6)
            lines += (measured := [*told(kind, size, _in_a_process(path, name))])
            click.echo("\n".join(measured))
            path.unlink()
        write_demonstrations(path, KINDS["images"], RUN_MEGABYTES * 10**6)
        lines += (measured := list(told_of_run(_in_a_process(path, "run"))))
        click.echo("\n".join(measured))
    if keep:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def told(kind: Kind, size: int, measured: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Lines on demonstrations of ``size`` bytes: peak bytes above an empty process, and seconds, until each stage."""
    peaks, seconds = measured["peaks"], measured["seconds"]
    yield f"{size / 1e6:.0f} MB of {kind.name} {kind.shape}:"
    for stage, peak, taken in zip(STAGES, peaks, seconds, strict=True):
        yield f"  {stage:<15}{taken:7.1f} s  {peak / 1e6:7.0f} MB"
    yield f"  peak / demonstrations   {max(peaks) / size:6.2f}         (at most {MOST:g})"


def told_of_run(measured: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Lines on a run on pictures, by its peak bytes, those of the whole process, and seconds."""
    (peak,), (taken,) = measured["peaks"], measured["seconds"]
    yield f"Two iterations of a default run on {KINDS['images'].name} {KINDS['images'].shape}, from {RUN_MEGABYTES} MB:"
    yield f"  process in all {taken:7.1f} s  {peak / 1e6:7.0f} MB         (at most {MOST_OF_RUN:g})"


def write_demonstrations(path: Path, kind: Kind, size: int) -> int:
    """Write episodes of noise that take about ``size`` bytes in memory; how many they take."""
    from gymnasium.spaces import Discrete

    from gailkit import Trajectory
    from gailkit.demonstrations.file_contents import About
    from gailkit.demonstrations.native import writing

    random, row = np.random.default_rng(0), int(np.prod(kind.shape)) * np.dtype(kind.dtype).itemsize
    count = max(1, round(size / (row * (STEPS + 1))))
    episodes = (
        Trajectory(random.integers(0, 16, (STEPS + 1, *kind.shape)).astype(kind.dtype), acted, None, False)
        for acted in random.integers(0, ACTIONS, (count, STEPS))
    )
    writing.write(path, About(_space(kind), Discrete(ACTIONS)), episodes)
    return count * ((STEPS + 1) * row + STEPS * 8)


def measure(path: Path, kind: Kind) -> dict[str, list[float]]:
    """Peak resident bytes above those of a process that has imported everything, and seconds, until each stage."""
    import torch

    from gailkit.generator import cloning

    torch.set_num_threads(1)
    torch.manual_seed(0)
    cloning.MOST_UPDATES = 1  # one pass, instead of some hundred that take no more memory
    with tempfile.TemporaryDirectory() as scratch:  # what is imported on the way is not memory of the demonstrations
        write_demonstrations(Path(scratch) / "few.hdf5", FEW, 1)
        list(_stages(Path(scratch) / "few.hdf5", FEW))
    before, started = _resident("VmRSS"), time.perf_counter()
    told = [(_resident("VmHWM") - before, time.perf_counter() - started) for _ in _stages(path, kind)]
    return {"peaks": [peak for peak, _ in told], "seconds": [taken for _, taken in told]}


def measure_run(path: Path) -> dict[str, list[float]]:
    """Peak resident bytes of this process, and seconds, after two iterations."""
    import torch

    from gailkit import Demonstrations, TrainConfig
    from gailkit.generator import cloning
    from gailkit.training.build import build_trainer

    torch.set_num_threads(1)
    cloning.MOST_PICTURES = 1
    started, kind = time.perf_counter(), KINDS["images"]
    config = TrainConfig()
    envs = _environments(kind, config.num_envs)
    fitted = Demonstrations.load(path).fitted_to(envs.single_observation_space, envs.single_action_space)
    trainer = build_trainer(config, envs, fitted)
    for _ in range(2):
        trainer.iterate()
    return {"peaks": [_resident("VmHWM")], "seconds": [time.perf_counter() - started]}


def _stages(path: Path, kind: Kind) -> Iterator[None]:
    """The start of a training, with a pause behind each of STAGES."""
    from gailkit import Demonstrations, TrainConfig
    from gailkit.training.build import build_trainer

    envs = _environments(kind)
    demonstrations = Demonstrations.load(path, memory=2**40)
    fitted = demonstrations.fitted_to(envs.single_observation_space, envs.single_action_space)
    yield
    trainer = build_trainer(TrainConfig(), envs, fitted)
    yield
    fitted.digests()
    yield
    del trainer


def _resident(field: str) -> int:
    """Bytes that this process has in memory (VmRSS), or the most that it ever had (VmHWM)."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields[field].split()[0]) * 1024


def _in_a_process(path: Path, what: str) -> dict[str, list[float]]:
    """What ``measure`` finds of the kind of this name in a process of its own, or ``measure_run`` of a "run"."""
    command = [sys.executable, "-m", "benchmarks.memory", str(path), what]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY).stdout
    found: dict[str, list[float]] = json.loads(said)
    return found


def _space(kind: Kind) -> Any:
    from gymnasium.spaces import Box

    return Box(0, 255, kind.shape, np.dtype(kind.dtype).type)


def _environments(kind: Kind, count: int = 1) -> Environments:
    """Some that show noise."""
    import gymnasium
    from gymnasium.spaces import Discrete

    from gailkit.rollouts.in_process import InProcess

    class Noise(gymnasium.Env[np.ndarray, np.int64]):
        observation_space, action_space = _space(kind), Discrete(ACTIONS)

        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[np.ndarray, dict[str, Any]]:
            super().reset(seed=seed)
            self.taken = 0
            return self._seen(), {}

        def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            self.taken += 1
            return self._seen(), 0.0, self.taken == STEPS, False, {}

        def _seen(self) -> np.ndarray:
            return self.np_random.integers(0, 16, kind.shape).astype(kind.dtype)

    return InProcess(Noise, count)


if __name__ == "__main__":
    file, what = Path(sys.argv[1]), sys.argv[2]
    print(json.dumps(measure_run(file) if what == "run" else measure(file, KINDS[what])))
