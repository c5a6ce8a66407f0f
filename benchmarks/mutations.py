"""A valid file, damaged a thousand times: each time the same data comes out, or one sentence, and nothing else."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from benchmarks.tasks import REPOSITORY

RESULTS = REPOSITORY / "benchmarks" / "results" / "mutations.txt"
SLOW_SECONDS = 10.0


class Mutation(NamedTuple):
    """A kind of damage, and the bytes that it leaves."""

    kind: str
    content: bytes


@click.command()
@click.option("--count", default=1000, show_default=True, help="How many mutations.")
@click.option("--seed", default=0, show_default=True, help="Decides which.")
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def mutations(count: int, seed: int, keep: bool) -> None:
    """Flip bits of a valid file, cut it, overwrite parts of it; read each of the results."""
    from gailkit import Demonstrations

    original = Demonstrations.load(REPOSITORY / "datasets" / "cartpole-v1.hdf5")
    outcomes: dict[str, Counter[str]] = {}
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        original.save(Path(folder) / "whole.hdf5")
        content, digests = (Path(folder) / "whole.hdf5").read_bytes(), original.digests()
        for mutation in _mutations(content, count, np.random.default_rng(seed)):
            path = Path(folder) / "mutated.hdf5"
            path.write_bytes(mutation.content)
            started = time.perf_counter()
            outcome = _outcome(path, digests)
            slowest = max(slowest, time.perf_counter() - started)
            outcomes.setdefault(mutation.kind, Counter())[outcome] += 1
    lines = [f"{count:,} mutations of a file of {len(content):,} bytes, seed {seed}:"]
    names = ("identical", "one sentence", "OTHER DATA", "ANOTHER ERROR")
    lines += [
        f"  {kind:<24}" + ", ".join(f"{found[name]} {name}" for name in names if found[name])
        for kind, found in sorted(outcomes.items())
    ]
    lines.append(f"  slowest {slowest:.2f} s")
    click.echo("\n".join(lines))
    bad = sum(found[name] for found in outcomes.values() for name in names[2:])
    if keep:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if bad or slowest > SLOW_SECONDS:
        raise click.ClickException(f"{bad} gave other data or another error; the slowest took {slowest:.2f} s")


def _outcome(path: Path, digests: list[str]) -> str:
    from gailkit import Demonstrations
    from gailkit.errors import DataError

    try:
        found = Demonstrations.load(path)
    except DataError as error:
        return "one sentence" if str(path) in str(error) and "\n" not in str(error) else "ANOTHER ERROR"
    except Exception:  # a benchmark that counts them must see every one
        return "ANOTHER ERROR"
    return "identical" if found.digests() == digests else "OTHER DATA"


def _mutations(content: bytes, count: int, random: np.random.Generator) -> Iterator[Mutation]:
    """Of each kind in turn: one bit, eight bits, a bit among the first and last KiB, a cut, a run of zeros or noise."""
    size = len(content)
    for index in range(count):
        changed = bytearray(content)
        place = int(random.integers(size))
        match index % 6:
            case 0:
                changed[place] ^= 1 << int(random.integers(8))
                yield Mutation("one bit", bytes(changed))
            case 1:
                for other in random.integers(size, size=8).tolist():
                    changed[other] ^= 1 << int(random.integers(8))
                yield Mutation("eight bits", bytes(changed))
            case 2:
                edge = int(random.integers(1024))
                changed[edge if index % 4 else size - 1 - edge] ^= 1 << int(random.integers(8))
                yield Mutation("one bit at an end", bytes(changed))
            case 3:
                yield Mutation("cut off", bytes(changed[:place]))
            case 4:
                length = min(int(random.integers(1, 4096)), size - place)
                changed[place : place + length] = bytes(length)
                yield Mutation("a run of zeros", bytes(changed))
            case _:
                length = min(int(random.integers(1, 64)), size - place)
                changed[place : place + length] = random.bytes(length)
                yield Mutation("a run of noise", bytes(changed))
