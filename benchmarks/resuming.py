"""Kill trainings at random moments and go on with them: is the end that of a run that was never killed?"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click
import torch

from benchmarks.tasks import REPOSITORY
from gailkit.demonstrations import Demonstrations
from gailkit.training.config import DiscriminatorConfig, TrainConfig
from gailkit.training.metrics import read_metrics
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder
from gailkit.training.train import train

POLICIES = {
    "ppo-clip": PolicyConfig(hidden=(16,), epochs=2),
    "sac": PolicyConfig(
        hidden=(16,), critic_hidden=(16,), batch_size=32, warm_up=256, updates_per_step=0.1, replay_size=3000
    ),  # which is overwritten before the run ends
}
CONFIGS = {
    name: TrainConfig(
        steps=6_000,
        num_envs=4,
        rollout_size=256,
        checkpoint_every=0.0,
        generator=name,
        discriminator=DiscriminatorConfig(hidden=(16,), updates=4),
        policy=policy,
    )
    for name, policy in POLICIES.items()
}
LATE = 0.9  # share of the kills that wait for a first checkpoint: a run of this size mostly gets ready
CLOCK = ("seconds", "steps_per_second")
RESULTS = REPOSITORY / "benchmarks" / "results"


class Asked(NamedTuple):
    """What is trained."""

    shown: Demonstrations
    config: TrainConfig


class Moment(NamedTuple):
    """When to kill."""

    late: bool  # not before there is a checkpoint
    seconds: float  # from then, or from the start


@dataclass
class Tally:
    """What the kills have shown so far."""

    kills: int = 0
    done_before: int = 0  # processes that ended before they could be killed
    nothing_kept: int = 0  # kills before the first checkpoint
    runs: int = 0  # that came to their end
    faults: list[str] = field(default_factory=list)


@click.command()
@click.option("--kills", "wanted", default=100, show_default=True, help="How many trainings to kill.")
@click.option("--seed", default=0, show_default=True, help="Decides when.")
@click.option("--generator", type=click.Choice(list(CONFIGS)), default="ppo-clip", show_default=True)
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def resuming(wanted: int, seed: int, generator: str, keep: bool) -> None:
    """Kill `gailkit train` (SIGKILL) again and again, go on, and compare the end; exits with 1 if it is another."""
    torch.set_num_threads(1)
    draw, tally = random.Random(seed), Tally()
    shown = Demonstrations.load(REPOSITORY / "datasets" / "cartpole-v1.hdf5").choose(2).subsample(100)  # soon cloned
    asked = Asked(shown, CONFIGS[generator])
    with tempfile.TemporaryDirectory() as folder:
        _go_on(Path(folder) / "whole", asked)
        rows = read_metrics(Path(folder) / "whole")
        longest = 1.5 * float(rows[-1]["seconds"])  # learning and choosing
        expected = _end(Path(folder) / "whole")
        while tally.kills < wanted:
            run = Path(folder) / f"run{tally.runs}"
            _to_its_end(run, asked, lambda: Moment(draw.random() < LATE, draw.uniform(0, longest)), tally, wanted)
            tally.runs += 1
            tally.faults += [f"run {tally.runs}: {name} is another" for name in _differing(expected, _end(run))]
    kept_nothing = f"{tally.nothing_kept} of them before their first checkpoint"
    lines = [
        f"{tally.kills} trainings in CartPole-v1 by {generator} killed within {longest:.1f} s, {kept_nothing};",
        f"{tally.runs} runs were gone on with until they came to their end:",
        f"  {len(tally.faults)} faults (another row, weight, optimiser, random number, choice; not to be gone on with)",
        *(f"  {fault}" for fault in tally.faults),
    ]
    click.echo("\n".join(lines))
    if keep:
        (RESULTS / f"resuming-{generator}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(1 if tally.faults else 0)


def _to_its_end(run: Path, asked: Asked, moment: Callable[[], Moment], tally: Tally, wanted: int) -> None:
    """Kill a run, and go on with it, until it comes to its end or all the kills that are wanted were made."""
    while tally.kills < wanted:
        if not _killed(run, asked, moment(), tally):
            return
    _go_on(run, asked)


def _killed(run: Path, asked: Asked, moment: Moment, tally: Tally) -> bool:
    """Go on with a run in a process of its own, and kill it at a moment; whether it was still at it."""
    child = os.fork()  # of a process that has loaded everything: what is killed is the training, not an import
    if child == 0:
        _go_on_here(run, asked)
    patience = time.monotonic() + 60
    while moment.late and not _begun(run) and time.monotonic() < patience:
        time.sleep(0.005)
    time.sleep(moment.seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL:
        tally.kills += 1
        tally.nothing_kept += not _begun(run)
        return True
    if code:
        tally.faults.append(f"run {tally.runs + 1} cannot be gone on with")
    tally.done_before += 1
    return False


def _go_on_here(run: Path, asked: Asked) -> NoReturn:
    """In the child: the run to its end, and out without what the parent has open."""
    try:
        _go_on(run, asked)
    except BaseException:  # whatever it is: it must not go on in a copy of the parent
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _go_on(run: Path, asked: Asked) -> None:
    """From the last checkpoint where there is one, else from the beginning."""
    if _begun(run):
        resume(run, asked.shown, tell=lambda text: None)
    else:
        train("CartPole-v1", asked.shown, asked.config, out=run, overwrite=True)


def _begun(run: Path) -> bool:
    return (run / "config.json").is_file() and RunFolder(run).checkpoint_path("last").is_file()


def _end(run: Path) -> dict[str, Any]:
    """All that a run leaves behind, clocks aside."""
    folder = RunFolder(run)
    rows = [{name: value for name, value in row.items() if name not in CLOCK} for row in read_metrics(run)]
    return {"metrics": rows, **{name: folder.load(name) for name in ("last", "chosen")}}


def _differing(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two trees of state differ, bit by bit."""
    if isinstance(one, Mapping):
        names = one.keys() - set(CLOCK)
        if names != other.keys() - set(CLOCK):
            return [path]
        pairs = [(one[name], other[name], f"{path}/{name}") for name in sorted(names, key=str)]
        return [found for each in pairs for found in _differing(*each)]
    if isinstance(one, list):
        if len(one) != len(other):
            return [path]
        pairs = [(mine, yours, f"{path}/{i}") for i, (mine, yours) in enumerate(zip(one, other, strict=True))]
        return [found for each in pairs for found in _differing(*each)]
    equal = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if equal else [path]
