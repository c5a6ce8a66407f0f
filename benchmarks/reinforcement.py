"""Reinforcement learning on the true reward, beside Stable-Baselines3's algorithms and sb3-contrib's TRPO.

Both sides learn the same task from the same seed in the same worker, one directly after the other.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmarks.commands import make_environment, run, shown
from benchmarks.reinforcement_table import TRAINING_EPISODES, write_table
from benchmarks.tasks import REPOSITORY, WORK

RESULTS = Path("benchmarks") / "results" / "reinforcement.json"
PEERS = Path(os.environ.get("GAILKIT_PEERS_VENV", WORK / "peers-venv"))
REQUIREMENTS = ("stable-baselines3>=2.9,<2.10", "sb3-contrib>=2.9,<2.10", "gymnasium[mujoco]")
TESTED = ("-c", "constraints.txt")
NAMED = {"GAILKIT_PEERS_VENV": PEERS} if "GAILKIT_PEERS_VENV" in os.environ else {}
ON_POLICY = ("ppo-clip", "trpo")
BOX_REPLAY = ("sac", "td3", "ddpg")
OPTIMISERS = (*ON_POLICY, "dqn", *BOX_REPLAY)
PEER_ROLLOUT = 2048  # steps in each environment between updates, by default, in both PPO and TRPO of the peers

MEASURED = "measured.json"  # in the folder of a run

Row = dict[str, Any]


class Task(NamedTuple):
    """An environment, for how many steps and by whom it is learned, and over how many episodes that is judged."""

    env_id: str
    steps: int
    episodes: int
    optimisers: tuple[str, ...] = ON_POLICY


TASKS = (
    Task("CartPole-v1", 100_000, 100),
    Task("Pendulum-v1", 300_000, 100),
    Task("Hopper-v5", 500_000, 20),
    Task("HalfCheetah-v5", 500_000, 20),
    Task("CartPole-v1", 50_000, 100, ("dqn",)),
    Task("Pendulum-v1", 20_000, 100, BOX_REPLAY),
    Task("Hopper-v5", 200_000, 20, BOX_REPLAY),
    Task("HalfCheetah-v5", 200_000, 20, BOX_REPLAY),
)


class Pair(NamedTuple):
    """What ours and the peer's optimiser both do."""

    task: Task
    optimiser: str
    seed: int
    num_envs: int

    @property
    def key(self) -> list[object]:
        """What tells its row from others."""
        return [self.task.env_id, self.optimiser, self.num_envs, self.seed]

    @property
    def steps(self) -> int:
        """Those of the task, or rounded up to the peers' whole rollouts, which they take anyway: the same for both."""
        if self.optimiser not in ON_POLICY:
            return self.task.steps
        rollout = PEER_ROLLOUT * self.num_envs
        return -(-self.task.steps // rollout) * rollout

    @property
    def order(self) -> tuple[str, str]:
        """Who learns first; it alternates with the seed, and between optimisers."""
        turned = (self.seed + OPTIMISERS.index(self.optimiser)) % 2
        return ("peer", "ours") if turned else ("ours", "peer")


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Runs of each task and optimiser.")
@click.option("--jobs", default=1, show_default=True, help="Pairs of runs at a time; more than 1 share the machine.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--optimisers", default=",".join(OPTIMISERS), show_default=True, help="Which, with commas between them.")
@click.option("--num-envs", default=4, show_default=True, help="Of on-policy pairs; 4 in the peers' own examples.")
@click.option("--again", is_flag=True, help="Also what the results hold already.")
@click.option("--keep-peers", is_flag=True, help="Take what a peer's run has measured before, if its files are there.")
def reinforcement(
    seeds: int, jobs: int, only: str, optimisers: str, num_envs: int, again: bool, keep_peers: bool
) -> None:
    """Learn every task on its own reward, ours beside the peers', and write the table to benchmarks/results/."""
    os.chdir(REPOSITORY)
    rows: list[Row] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    wanted = [
        Pair(task, optimiser, seed, num_envs if optimiser in ON_POLICY else 1)
        for seed in range(seeds)
        for task in TASKS
        for optimiser in task.optimisers
        if only in task.env_id and optimiser in optimisers.split(",")
    ]
    measured = [] if again else [_key(row) for row in rows]
    missing = [pair for pair in wanted if pair.key not in measured]
    if missing:
        installed = {"stable-baselines3": "2.9.", "sb3-contrib": "2.9."}
        make_environment(PEERS, installed, [[*TESTED, "torch==2.13.0"], [*TESTED, *REQUIREMENTS]], NAMED)
    with ThreadPoolExecutor(jobs) as pool:
        for row in pool.map(partial(_measure, keep_peers=keep_peers), missing):
            rows = sorted([*(old for old in rows if _key(old) != _key(row)), row], key=_key)
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            ours, peer = (row[side]["return_mean"] for side in ("ours", "peer"))
            click.echo(
                f"{row['task']}, {row['optimiser']}, seed {row['seed']}: "
                f"return {ours:.1f} beside {peer:.1f}, time {row['ratio']:.2f} of the peer's"
            )
    write_table(rows, RESULTS.with_suffix(".md"))


def _measure(pair: Pair, keep_peers: bool) -> Row:
    """One run of ours and one of the peer's, in the pair's order."""
    kept = keep_peers and (_folder(pair, "peer") / MEASURED).is_file()
    sides = {side: _learned(pair, side, kept and side == "peer") for side in pair.order}
    return {
        "task": pair.task.env_id,
        "optimiser": pair.optimiser,
        "num_envs": pair.num_envs,
        "seed": pair.seed,
        "ratio": round(sides["ours"]["seconds"] / sides["peer"]["seconds"], 3),
        "first": "peer, earlier" if kept else pair.order[0],
        "cores": os.cpu_count(),
        "ours": sides["ours"],
        "peer": sides["peer"],
    }


def _learned(pair: Pair, side: str, keep: bool) -> Row:
    """What one side measured, and the command that did; to ``keep`` is to let what it measured before stand."""
    python, module = (sys.executable, "learn") if side == "ours" else (PEERS / "bin" / "python", "reinforcement_peers")
    out = _folder(pair, side)
    asked = ["--optimiser", pair.optimiser, "--steps", pair.steps, "--seed", pair.seed, "--num-envs", pair.num_envs]
    words = [python, "-m", f"benchmarks.{module}", pair.task.env_id, *asked, "--episodes", pair.task.episodes]
    words += ["--training-episodes", TRAINING_EPISODES, "--out", out]
    if not keep:
        run(words, NAMED)
    measured: Row = json.loads((out / MEASURED).read_text(encoding="utf-8"))
    return {**measured, "command": shown(words, NAMED)}


def _folder(pair: Pair, side: str) -> Path:
    return WORK / "-".join(("reinforcement", side, *map(str, pair.key)))


def _key(row: Row) -> list[object]:
    return [row["task"], row["optimiser"], row["num_envs"], row["seed"]]
