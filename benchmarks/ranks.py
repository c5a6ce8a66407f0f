"""``python -m benchmarks ranks``: several processes that train together, as torchrun starts them, on one machine."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks.sleeping import Sleeping
from benchmarks.tasks import REPOSITORY
from gailkit.rollouts.machine import usable_processors
from gailkit.wording import counted

COUNTS = (1, 2, 4)
ON_PAPER = (1, 2, 4, 8, 32, 128, 512, 1000)
NUM_ENVS, ROLLOUT, SLEEP = 2, 256, 0.01
LATENCY, BANDWIDTH = 30e-6, 1.25e9  # seconds a message, bytes a second: Ethernet of 10 Gbit/s
EXCHANGES = ("all_reduce", "all_gather", "broadcast")
RESULTS = REPOSITORY / "benchmarks" / "results" / "ranks.txt"


@click.command()
@click.option("--iterations", default=6, show_default=True, help="Of each number of processes; the first counts not.")
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def ranks(iterations: int, keep: bool) -> None:
    """Processes that train together: how many steps a second, what they exchange, and what that is for a thousand."""
    lines = measured(iterations)
    click.echo("\n".join(lines))
    if keep:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def measured(iterations: int) -> list[str]:
    """What there is to say of so many ``iterations``."""
    found = {count: _of(count, iterations) for count in COUNTS}
    alone, busy = found[1], os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    lines = [
        f"Imitation by ppo-clip, every setting its default but {NUM_ENVS} environments a rank, which sleep "
        f"{SLEEP * 1e3:g} ms in a step, and rollouts of {ROLLOUT} steps a rank;",
        f"gloo on one machine of {usable_processors()} processors, not idle (load {busy:.1f}); medians of "
        f"{iterations - 1} iterations, all ranks' steps together:",
    ]
    for count, each in found.items():
        share = each["rate"] / alone["rate"] / count
        lines.append(f"  {counted(count, 'rank')}: {each['rate']:.1f} steps/s, {share:.2f} of {count} times one")
    lines += ["What a rank hands over in an iteration, in so many exchanges:"]
    for count in COUNTS[1:]:
        told = (f"{n:g} times {name}, {size:,.0f} bytes" for name, (n, size) in found[count]["exchanged"].items())
        lines.append(f"  {count} ranks: {', '.join(told)}")
    return lines + on_paper(found[2]["exchanged"], ROLLOUT / alone["rate"])


def on_paper(exchanged: dict[str, tuple[float, float]], seconds: float) -> list[str]:
    """What ``exchanged`` takes of an iteration of so many ``seconds`` alone, where nothing but the wire limits it."""
    times, size = exchanged["all_reduce"]
    lines = [
        f"On paper, {LATENCY * 1e6:g} us a message and {BANDWIDTH / 1e9:g} GB/s: "
        f"{times:.0f} sums of {size / 1e3:,.0f} kB in all",
        f"in an iteration of {seconds:.2f} s. A sum takes 2 (R - 1) messages in a ring, "
        "2 log2 R by halving, of R ranks:",
        "  ranks   kB moved by a rank   ring ms   share of R times one   halving ms   share",
    ]
    for count in ON_PAPER:
        moved = 2 * (count - 1) / count * size
        ring = times * 2 * (count - 1) * LATENCY + moved / BANDWIDTH
        halving = times * 2 * math.ceil(math.log2(count)) * LATENCY + moved / BANDWIDTH
        shares = [seconds / (seconds + each) for each in (ring, halving)]
        lines.append(
            f"  {count:5d}   {moved / 1e3:18,.0f}   {ring * 1e3:7.1f}   {shares[0]:20.2f}   {halving * 1e3:10.1f}   "
            f"{shares[1]:5.2f}"
        )
    return lines


def _of(count: int, iterations: int) -> dict[str, Any]:
    """What so many processes found."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "found.json"
        words = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        own = ["-m", "benchmarks.ranks", str(result), str(iterations)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, *words, *own], check=True, cwd=REPOSITORY, env=environment)
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


def _on_a_rank(result: Path, iterations: int) -> None:
    """Iterate on this rank; the first writes down what all found."""
    import torch

    from gailkit.demonstrations import Demonstrations
    from gailkit.ranks.group import is_first, joined, rank, size
    from gailkit.rollouts.stepping import Stepping
    from gailkit.rollouts.vector import stepped_together
    from gailkit.training.all_ranks import begin_alike
    from gailkit.training.build import build_trainer
    from gailkit.training.config import TrainConfig
    from gailkit.types import Trajectory

    torch.set_num_threads(1)
    with joined(), closing(stepped_together(partial(Sleeping, SLEEP), NUM_ENVS, Stepping())) as envs:
        torch.manual_seed(rank())
        steps = ROLLOUT * size() * (iterations + 1)
        config = TrainConfig(steps=steps, num_envs=NUM_ENVS, rollout_size=ROLLOUT, seed=0)
        shown = Trajectory(np.zeros((65, 4), np.float32), np.arange(64) % 2, None, terminated=False)
        spaces = Sleeping.observation_space, Sleeping.action_space
        trainer = build_trainer(config, envs, Demonstrations((shown,), *spaces))
        begin_alike(trainer)
        given: Counter[str] = Counter()
        if size() > 1:
            for name in EXCHANGES:
                setattr(torch.distributed, name, _counting(getattr(torch.distributed, name), name, given))
        trainer.iterate()
        given.clear()
        rates = [trainer.iterate()["steps_per_second"] for _ in range(iterations - 1)]
        exchanged = {
            name: (given[f"{name} times"] / (iterations - 1), given[name] / (iterations - 1))
            for name in EXCHANGES
            if given[name]
        }
        if is_first():
            result.write_text(json.dumps({"rate": median(rates), "exchanged": exchanged}), encoding="utf-8")


def _counting(exchange: Callable[..., Any], name: str, given: Counter[str]) -> Callable[..., Any]:
    """``exchange``, which counts how often it is asked for and how many bytes it is given."""

    def counting(*arguments: Any) -> Any:
        given[name] += (arguments[1] if name == "all_gather" else arguments[0]).nbytes
        given[f"{name} times"] += 1
        return exchange(*arguments)

    return counting


if __name__ == "__main__":
    _on_a_rank(Path(sys.argv[1]), int(sys.argv[2]))
