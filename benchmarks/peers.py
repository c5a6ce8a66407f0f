"""gailkit beside GAIL of the package ``imitation``: the same demonstrations, environments, steps and threads.

gailkit has its defaults, ``imitation`` what its authors publish for these tasks (``benchmarks.peers_settings``). Both
sides of a pair learn in the same worker, one directly after the other, in turns which first.

``imitation`` needs gymnasium 0.29, which has Hopper and HalfCheetah as version 4. Their dynamics are those of version
5: from 14,437 states of the demonstrations the next observation was the same but for rounding. So are the rewards, but
for one: Hopper-v4 gives 1 for staying healthy also in the step in which it falls. An episode that ends in a fall
returns 1 more there; the expert's mean return is 3376.

The return is that of training, with sampled actions: the mean of the last 50 episodes, or of as many as have ended but
at least five, at the end of each round of training; from gailkit's own metrics, and from the ``Monitor`` around each
environment of the peer. Seconds are those of training, from before the environments are made, a warm start from the
demonstrations included; a short run before them takes imports and first calls out of them.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from benchmarks.commands import make_environment, run, shown
from benchmarks.peers_settings import SETTINGS
from benchmarks.peers_table import SHARES, reached, thinned, write_table
from benchmarks.peers_trial import MEASURED
from benchmarks.tasks import EXPERTS, REPOSITORY, WORK
from gailkit.storage import write_atomically

RESULTS = Path("benchmarks") / "results" / "peers.json"
PEER = Path(os.environ.get("GAILKIT_IMITATION_VENV", WORK / "imitation-venv"))
FOLDERS = {"GAILKIT_EXPERTS": EXPERTS} | (
    {"GAILKIT_IMITATION_VENV": PEER} if "GAILKIT_IMITATION_VENV" in os.environ else {}
)
INSTALLED = {  # the newest MuJoCo that gymnasium 0.29 and NumPy 1 go with
    "imitation": "1.0.1",
    "stable-baselines3": "2.2.1",
    "gymnasium": "0.29.1",
    "numpy": "1.26.4",
    "mujoco": "3.17.0",
    "imageio": "2.38.1",  # which MuJoCo of gymnasium 0.29 imports
}
TORCH = "torch==2.13.0"  # the one of constraints.txt

Row = dict[str, Any]


class Task(NamedTuple):
    """What both imitate, and for how long."""

    env_id: str
    peer_env_id: str  # the same in gymnasium 0.29
    demos: Path  # relative to the repository where they are shipped
    trajectories: int  # the first ones, whole
    steps: int
    random_return: float  # mean over 5000 (CartPole), 2000 (Hopper), 200 (HalfCheetah) episodes of random actions


TASKS = (
    Task("CartPole-v1", "CartPole-v1", Path("datasets/cartpole-v1.hdf5"), 10, 100_000, 22.2),
    Task("Hopper-v5", "Hopper-v4", EXPERTS / "paper" / "Hopper-v5.hdf5", 4, 400_000, 17.5),
    Task("HalfCheetah-v5", "HalfCheetah-v4", EXPERTS / "paper" / "HalfCheetah-v5.hdf5", 4, 300_000, -282.7),
)


class Pair(NamedTuple):
    """What gailkit and its peer both do."""

    task: Task
    seed: int
    num_envs: int

    @property
    def steps(self) -> int:
        """Those of the task rounded up to whole rollouts of the peer, which takes no others: the same for both."""
        rollout = SETTINGS[self.task.peer_env_id].rollout // self.num_envs * self.num_envs
        return -(-self.task.steps // rollout) * rollout

    @property
    def order(self) -> tuple[str, str]:
        """Who learns first; it alternates with the seed."""
        return ("peer", "ours") if self.seed % 2 else ("ours", "peer")

    def folder(self, side: str) -> Path:
        """Where the run of one side goes."""
        return WORK / f"peers-{side}-{self.task.env_id}-{self.seed}"


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Pairs of runs of each task.")
@click.option("--jobs", default=2, show_default=True, help="Pairs at a time; the two runs of one take turns.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--again", is_flag=True, help="Also what the results hold already.")
def peers(seeds: int, jobs: int, only: str, again: bool) -> None:
    """Learn from demonstrations beside the package imitation, and write the table to benchmarks/results/."""
    from gailkit import TrainConfig

    os.chdir(REPOSITORY)
    measured = [] if again else [_key(row) for row in _kept()]
    tasks = [task for task in TASKS if only in task.env_id]
    for path in (task.demos for task in tasks if not task.demos.is_file()):
        click.echo(f"NOT MEASURED: {shown([path], FOLDERS)} is not there; GAILKIT_EXPERTS names the folder of experts")
    missing = [
        Pair(task, seed, TrainConfig().num_envs)
        for seed in range(seeds)
        for task in tasks
        if task.demos.is_file() and (task.env_id, seed) not in measured
    ]
    if missing:
        pins = [f"{name}=={version}" for name, version in INSTALLED.items()]
        make_environment(PEER, INSTALLED, [[TORCH], [TORCH, *pins]], FOLDERS)
    expert_returns = {task: write_demonstrations(task) for task in {pair.task for pair in missing}}
    with ThreadPoolExecutor(jobs) as pool:
        for row in pool.map(lambda pair: _measure(pair, expert_returns[pair.task]), missing):
            _keep(row)
            ends = [row[side]["return_at_end"] for side in ("ours", "peer")]
            click.echo(f"{row['task']}, seed {row['seed']}: return at the end {ends[0]} beside {ends[1]}")
    write_table(_kept(), RESULTS.with_suffix(".md"))


def write_demonstrations(task: Task) -> float:
    """Write what the peer learns from, as ``peers_imitation.demonstrations`` reads it; the file's mean return."""
    from gailkit import Demonstrations

    demonstrations = Demonstrations.load(task.demos)
    returns = demonstrations.returns()
    assert returns is not None
    chosen = demonstrations.trajectories[: task.trajectories]
    path = arrays_path(task)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        lengths=np.array([len(trajectory) for trajectory in chosen]),
        terminated=np.array([trajectory.terminated for trajectory in chosen]),
        observations=np.concatenate([trajectory.observations for trajectory in chosen]),
        actions=np.concatenate([trajectory.actions for trajectory in chosen]),
    )
    return float(returns.mean())


def arrays_path(task: Task) -> Path:
    """Where they lie."""
    return WORK / f"peers-{task.env_id}.npz"


def _measure(pair: Pair, expert_return: float) -> Row:
    """One run of each side, in the pair's order."""
    sides = {side: _learned(pair, side) for side in pair.order}
    settings = json.loads((pair.folder("ours") / "run" / "config.json").read_text(encoding="utf-8"))["config"]
    return {
        "task": pair.task.env_id,
        "seed": pair.seed,
        "trajectories": pair.task.trajectories,
        "num_envs": pair.num_envs,
        "steps": pair.steps,
        "random_return": pair.task.random_return,
        "expert_return": expert_return,
        "first": pair.order[0],
        "cores": os.cpu_count(),
        "settings": settings,  # gailkit's defaults, which change
        **{side: _judged(sides[side], pair.task.random_return, expert_return) for side in ("ours", "peer")},
    }


def _learned(pair: Pair, side: str) -> Row:
    """What one side measured, and the command that did."""
    out, task = pair.folder(side), pair.task
    python, module, env_id, demos = (
        (sys.executable, "peers_gailkit", task.env_id, task.demos)
        if side == "ours"
        else (PEER / "bin" / "python", "peers_imitation", task.peer_env_id, arrays_path(task))
    )
    words = [python, "-m", f"benchmarks.{module}", env_id, "--demos", demos, "--trajectories", task.trajectories]
    words += ["--steps", pair.steps, "--seed", pair.seed, "--num-envs", pair.num_envs, "--out", out]
    run(words, FOLDERS)
    measured: Row = json.loads((out / MEASURED).read_text(encoding="utf-8"))
    return {"command": shown(words, FOLDERS), **measured}


def _judged(side: Row, random: float, expert: float) -> Row:
    """A side with when it reached each share of the way from random to expert, and where it ended."""
    curve = side["curve"]
    return {
        **side,
        "reached": {str(share): reached(curve, random, expert, share) for share in SHARES},
        "steps": curve["steps"][-1],
        "return_at_end": round(curve["true_return"][-1], 1),
        "seconds": round(curve["seconds"][-1], 2),
        "curve": thinned(curve),
    }


def _key(row: Row) -> tuple[str, int]:
    return row["task"], row["seed"]


def _kept() -> list[Row]:
    return list(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else []


def _keep(row: Row) -> None:
    """Put a row in its place among the results, which have a line for each."""
    rows = sorted([*(old for old in _kept() if _key(old) != _key(row)), row], key=_key)
    lines = ",\n".join(json.dumps(kept, separators=(",", ":")) for kept in rows)
    write_atomically(RESULTS, f"[\n{lines}\n]\n".encode())
