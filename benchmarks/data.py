"""How fast demonstrations come out of a file: loaded at once, and drawn from one that is larger than memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks.tasks import REPOSITORY

STEPS = 1000  # of an episode
SHORT_STEPS = 100  # of an episode that ends early, as those of Hopper may
OBSERVED, ACTED = 17, 6
BATCH_SIZE = 256
DRAWING_ROUNDS = 3
RESULTS = REPOSITORY / "benchmarks" / "results" / "data.txt"


@click.command()
@click.option("--transitions", default=1_000_000, show_default=True, help="Of the file that is loaded at once.")
@click.option("--gigabytes", default=5.0, show_default=True, help="Size of the file that is drawn from.")
@click.option("--batches", default=20_000, show_default=True, help="How many to draw, of 256 transitions each.")
@click.option("--rounds", default=7, show_default=True, help="How often each way of loading is timed, in turn.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the files go for the time being.")
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def data(transitions: int, gigabytes: float, batches: int, rounds: int, folder: Path | None, keep: bool) -> None:
    """Load a million transitions, beside h5py and Minari; draw from a file of 5 GB."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        lines: list[str] = []
        for steps in (STEPS, SHORT_STEPS):
            lines += (loaded := [*_loading(Path(scratch) / f"{steps}", transitions, steps, rounds)])
            click.echo("\n".join(loaded))
        lines += (drawn := [*_drawing(Path(scratch), gigabytes, batches)])
        click.echo("\n".join(drawn))
    if keep:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _loading(folder: Path, transitions: int, steps: int, rounds: int) -> Iterator[str]:
    from gailkit import Demonstrations

    native, foreign = folder / "native.hdf5", folder / "minari"
    folder.mkdir()
    _write_native(native, transitions // steps, steps)
    _write_minari(foreign, transitions // steps, steps)
    ways: dict[str, Callable[[], object]] = {
        "h5py": lambda: _read_flat(native),
        "gailkit": lambda: Demonstrations.load(native),
        "Minari": lambda: _iterate_minari(foreign),
        "gailkit, a Minari folder": lambda: Demonstrations.load(foreign),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(_seconds(way))
    beside = {
        name: median(one / other for one, other in zip(times["gailkit"], times[name], strict=True)) for name in ways
    }
    numbers = f"{OBSERVED} float64 and {ACTED} float32"
    yield f"{transitions:,} transitions of {numbers}, {steps} an episode, medians of {rounds} rounds in turn:"
    yield from (f"  {name:<26}{median(taken):6.2f} s" for name, taken in times.items())
    yield f"  gailkit / h5py, flat      {beside['h5py']:6.2f}         (at most 1.5)"
    yield f"  Minari / gailkit          {1 / beside['Minari']:6.1f}         (at least 10)"
    sizes = [_size(path) / 1e6 for path in (native, foreign)]
    yield f"  file, native and Minari   {sizes[0]:6.0f} MB, {sizes[1]:.0f} MB (no larger)"


def _drawing(folder: Path, gigabytes: float, batches: int) -> Iterator[str]:
    large = folder / "large.hdf5"
    row_bytes = OBSERVED * 8 + ACTED * 4 + 8
    _write_native(
        large, int(gigabytes * 1e9 / row_bytes / STEPS * 1.06), STEPS
    )  # packing takes that much off such numbers
    rounds = [[_in_a_process(large, memory, batches) for memory in (2**28, 2**40)] for _ in range(DRAWING_ROUNDS)]
    yield from _drawn(_size(large), batches, rounds)


def _drawn(size: int, batches: int, rounds: Sequence[Sequence[dict[str, float]]]) -> Iterator[str]:
    stored, held = (median(measured["rate"] for measured in way) for way in zip(*rounds, strict=True))
    ratio = median(file["rate"] / memory["rate"] for file, memory in rounds)
    peak = max(file["peak"] for file, _ in rounds)
    drawn = f"{batches:,} of them, {len(rounds)} rounds in turn"
    yield f"batches of {BATCH_SIZE} from a file of {size / 1e9:.1f} GB, {drawn}:"
    yield f"  from the file {stored:,.0f} batches/s, from memory {held:,.0f}"
    yield f"  file / memory             {ratio:6.2f}         (at least 0.3)"
    yield f"  peak resident memory      {peak / 1e6:6.0f} MB      (below 500), all processes"
    yield f"  opening, every digest     {median(file['opening'] for file, _ in rounds):6.1f} s"


def _in_a_process(path: Path, memory: int, batches: int) -> dict[str, float]:
    """What ``draw`` measures in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.data", str(path), str(memory), str(batches)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY).stdout
    found: dict[str, float] = json.loads(said)
    return found


def draw(path: Path, memory: int, batches: int) -> dict[str, float]:
    """Batches a second, the peak resident memory of this process and the one that reads, seconds of opening."""
    import torch

    from gailkit import Demonstrations

    torch.set_num_threads(1)
    peak = _Peak()
    started = time.perf_counter()
    demonstrations = Demonstrations.load(path, memory=memory)
    opening = time.perf_counter() - started
    generator = torch.Generator().manual_seed(0)
    demonstrations.sample(BATCH_SIZE, generator)
    started = time.perf_counter()
    for _ in range(batches):
        demonstrations.sample(BATCH_SIZE, generator)
    return {"rate": batches / (time.perf_counter() - started), "peak": peak.stop(), "opening": opening}


class _Peak:
    """Watches the resident memory of this process and its children, in bytes."""

    def __init__(self) -> None:
        self.found = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self.found

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.found = max(self.found, sum(map(_resident, [os.getpid(), *_children(os.getpid())])))


def _resident(process: int) -> int:
    """Bytes; 0 for a child that has just been made and still shares all it has with its parent, or has just ended."""
    try:
        if process != os.getpid() and _words(process) == _words(os.getpid()):
            return 0
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _words(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def _children(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            found += [int(number) for number in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _episodes(count: int, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    for _ in range(count):
        actions = random.normal(size=(steps, ACTED)).astype(np.float32)
        yield random.normal(size=(steps + 1, OBSERVED)), actions, random.normal(size=steps)


def _write_native(path: Path, episodes: int, steps: int) -> None:
    from gailkit import Trajectory
    from gailkit.demonstrations.file_contents import About
    from gailkit.demonstrations.native import writing

    writing.write(path, About(*_spaces()), (Trajectory(*arrays, False) for arrays in _episodes(episodes, steps)))


def _write_minari(path: Path, episodes: int, steps: int) -> None:
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    data = path / "data"
    data.mkdir(parents=True)
    storage = MinariStorage.new(data, *_spaces(), data_format="hdf5")
    storage.update_metadata({"dataset_id": "benchmark/normal-v0", "minari_version": "0.5.4"})
    ends = np.arange(steps) == steps - 1
    storage.update_episodes(
        EpisodeBuffer(
            observations=observed,
            actions=acted,
            rewards=rewards,
            terminations=np.zeros(steps, bool),
            truncations=ends,
            infos={},
        )
        for observed, acted, rewards in _episodes(episodes, steps)
    )


def _spaces() -> tuple[Any, Any]:
    from gymnasium.spaces import Box

    return Box(-np.inf, np.inf, (OBSERVED,), np.float64), Box(-1, 1, (ACTED,), np.float32)


def _read_flat(path: Path) -> list[np.ndarray]:
    import h5py

    with h5py.File(path) as file:
        return [file[name][:] for name in ("observations", "actions", "rewards")]


def _iterate_minari(path: Path) -> int:
    from minari import MinariDataset

    return sum(len(episode) for episode in MinariDataset(path / "data").iterate_episodes())


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _size(path: Path) -> int:
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


if __name__ == "__main__":
    print(json.dumps(draw(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
