"""Kill recordings at random moments, and look whether anything that was acknowledged is gone."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click

from benchmarks.tasks import REPOSITORY

CHAIN = 10  # kills of one file, each recording continuing what the one before has left
LENGTHS = (5, 300, 100_000)  # episodes asked for: some recordings end by themselves, some while they are written
LONGEST = 1.0  # seconds before the kill
RESULTS = REPOSITORY / "benchmarks" / "results" / "kills.txt"


@dataclass
class Tally:
    """What the kills have shown so far."""

    kills: int = 0
    ended: int = 0  # recordings that were done before they could be killed
    acknowledged: int = 0  # episodes, in recordings that were killed
    faults: list[str] = field(default_factory=list)
    beyond: list[int] = field(default_factory=list)  # episodes found that had not been acknowledged yet, by kill


@click.command()
@click.option("--kills", "wanted", default=200, show_default=True, help="How many recordings to kill.")
@click.option("--seed", default=0, show_default=True, help="Decides when.")
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def kills(wanted: int, seed: int, keep: bool) -> None:
    """Kill `gailkit record` (SIGKILL) again and again; exits with 1 if an acknowledged episode is lost."""
    _load_everything()
    draw, tally = random.Random(seed), Tally()
    while tally.kills < wanted:
        with tempfile.TemporaryDirectory() as folder:
            _chain(Path(folder) / "a.hdf5", min(CHAIN, wanted - tally.kills), draw, tally)
    lines = [
        f"{tally.kills} recordings of CartPole-v1 killed within {LONGEST:g} s, {tally.ended} others done before:",
        f"  {tally.acknowledged:,} episodes acknowledged before a kill, at most {max(tally.beyond)} more on the disk,",
        f"  {len(tally.faults)} faults (acknowledged but gone, unreadable, there twice, not to be continued)",
        *(f"  {fault}" for fault in tally.faults),
    ]
    click.echo("\n".join(lines))
    if keep:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(1 if tally.faults else 0)


def _chain(path: Path, count: int, draw: random.Random, tally: Tally) -> None:
    """Kill ``count`` recordings of one file, look after each, and let a last one come to its end."""
    held: set[str] = set()
    killed = 0
    while killed < count:
        code, acknowledged = _record(path, draw.choice(LENGTHS), draw.uniform(0, LONGEST))
        found = _digests(path, tally)
        if held - found:
            tally.faults.append(f"{len(held - found)} of {len(held)} episodes of earlier recordings are gone")
        if len(found) < len(held) + acknowledged:
            tally.faults.append(f"{acknowledged} episodes were acknowledged, {len(found) - len(held)} are there")
        if code == -signal.SIGKILL:
            killed += 1
            tally.acknowledged += acknowledged
            tally.beyond.append(len(found) - len(held) - acknowledged)
        elif code:
            tally.faults.append(f"a recording ended with {code}")
            return
        else:
            tally.ended += 1
        held = found
    tally.kills += killed
    code, _ = _record(path, 3, delay=None)
    names = sorted(entry.name for entry in path.parent.iterdir())
    found = _digests(path, tally)
    if code or not held <= found or len(found) != len(held) + 3 or names != ["a.hdf5", "log"]:
        tally.faults.append(f"continued to its end: exit code {code}, {len(held)} + 3 = {len(found)} episodes, {names}")


def _record(path: Path, episodes: int, delay: float | None) -> tuple[int, int]:
    """Continue the recording in a process of its own; its exit code, and how many episodes it has acknowledged."""
    log = path.with_name("log")
    child = os.fork()  # of a process that has loaded everything: what is killed is the recording, not an import
    if child == 0:
        _record_here(path, episodes, log)
    if delay is not None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    lines = [line for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    said = [re.search(r": (\d+)/\d+ episodes", line) for line in lines]
    return os.waitstatus_to_exitcode(status), max((int(match[1]) for match in said if match), default=0)


def _record_here(path: Path, episodes: int, log: Path) -> NoReturn:
    from gailkit.cli import common, main

    with log.open("w") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    common.SECONDS_BETWEEN_LINES = common.SECONDS_BETWEEN_UPDATES = 0.0  # every word it says is to be held to
    try:
        options = ["--policy", "random", "--episodes", str(episodes), "--seed", "0", "-o", str(path), "--append"]
        main(["record", "CartPole-v1", *options])
    except SystemExit as leaving:
        os._exit(leaving.code if isinstance(leaving.code, int) else 1)
    os._exit(0)


def _digests(path: Path, tally: Tally) -> set[str]:
    """Of every episode that continuing would find; a file that cannot be read is a fault."""
    from gailkit.errors import GailkitError
    from gailkit.recording.earlier import earlier_episodes
    from gailkit.recording.shard_folder import Shards

    with closing(Shards(path)) as shards:
        try:
            found = earlier_episodes(shards)
        except GailkitError as error:
            tally.faults.append(f"what a kill has left cannot be read: {error}")
            return set()
    digests = found.digests() if found else []
    if len(set(digests)) != len(digests):
        tally.faults.append(f"{len(digests) - len(set(digests))} episodes are there twice")
    return set(digests)


def _load_everything() -> None:
    import torch

    for name in ("cli.record.command", "experts.resolve", "rollouts.episodes", "recording.recorder"):
        import_module(f"gailkit.{name}")
    torch.set_num_threads(1)
