"""Results of the reinforcement-learning benchmark as a table in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

Rows = Sequence[Mapping[str, Any]]

HIGHEST_RATIO = 0.7  # of our wall time to the peer's
TRAINING_EPISODES = 50  # as many of the last as a run of gailkit remembers
HEAD = f"""# Reinforcement learning on the true reward

gailkit's `ppo-clip`, `dqn`, `ddpg`, `td3` and `sac` beside those of Stable-Baselines3, and `trpo` beside sb3-contrib's,
every setting of either its default, for as many steps: on-policy in as many environments, for those that the peer's
whole rollouts come to; from a replay each in its own number of environments, 8 and 1, with as many gradient steps (for
`dqn` one for four steps, which is the peer's default and not ours). Each return is the
median over seeds, with the least and the greatest in brackets, of the mean over 100 episodes (20 in MuJoCo) of the
last policy's likeliest actions, from the same seeds of the environment for both; below it, in italics, the mean
return of the last {TRAINING_EPISODES} training episodes. Seconds are the wall time of training on one thread,
without imports and evaluation; ours writes its run folder meanwhile. The two sides of a pair ran directly one after
the other, in turns which first; the ratio is the median over pairs of our seconds to the peer's, and should be at
most {HIGHEST_RATIO}. Where the machine has other work the wall time holds that too; CPU time does not.
Where the JSON file says `peer, earlier`, the peer's run is an earlier one, beside which ours was measured anew.
Made by `python -m benchmarks reinforcement`; every command and the versions stand in `reinforcement.json`.

"""


def write_table(rows: Rows, path: Path) -> None:
    """Write a line for each task, optimiser and number of environments in ``rows``, which are sorted by them."""
    lines = [
        "| task | environments | steps | optimiser | gailkit | peer | reached | seconds, gailkit / peer | ratio "
        "| ratio of CPU time | seeds |",
        "|---|--:|--:|---|--:|--:|---|--:|--:|--:|--:|",
        *(_line(list(group)) for _, group in groupby(rows, key=_configuration)),
        "",
        *_versions(rows),
    ]
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _configuration(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["task"], row["optimiser"], row["num_envs"]


def _line(runs: Rows) -> str:
    """One configuration; ``runs`` differ by their seeds."""
    task, optimiser, num_envs = _configuration(runs[0])
    steps = " / ".join(sorted({f"{run[side]['steps']:,}" for run in runs for side in ("ours", "peer")}))
    reached = _median(runs, "ours", "return_mean") >= _median(runs, "peer", "return_mean")
    seconds = " / ".join(f"{_median(runs, side, 'seconds'):.0f}" for side in ("ours", "peer"))
    ratio = median(run["ratio"] for run in runs)
    cpu = median(run["ours"]["cpu_seconds"] / run["peer"]["cpu_seconds"] for run in runs)
    fast = f"**{ratio:.2f}**" if ratio <= HIGHEST_RATIO else f"{ratio:.2f}"
    entries = f"{_returns(runs, 'ours')} | {_returns(runs, 'peer')} | {'yes' if reached else 'no'}"
    return f"| {task} | {num_envs} | {steps} | {optimiser} | {entries} | {seconds} | {fast} | {cpu:.2f} | {len(runs)} |"


def _returns(runs: Rows, side: str) -> str:
    """The return of the last policy over seeds, and below it that of training."""
    finals = [run[side]["return_mean"] for run in runs]
    trainings = [run[side]["training_return_mean"] for run in runs if run[side]["training_return_mean"] is not None]
    shown = f"**{median(finals):.1f}** ({min(finals):.1f} to {max(finals):.1f})"
    return f"{shown}<br>*{median(trainings):.1f}*" if trainings else shown


def _median(runs: Rows, side: str, name: str) -> float:
    return float(median(run[side][name] for run in runs))


def _versions(rows: Rows) -> list[str]:
    """A sentence for each side, where all its runs had the same versions; otherwise the JSON file has to be asked."""
    sentences = []
    for name, side in (("gailkit", "ours"), ("peer", "peer")):
        found = {", ".join(f"{package} {number}" for package, number in row[side]["versions"].items()) for row in rows}
        sentences.append(f"Versions, {name}: {found.pop() if len(found) == 1 else 'not the same in all runs'}.\n")
    return sentences
