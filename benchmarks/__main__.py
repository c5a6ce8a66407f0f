"""``python -m benchmarks``: speed as ratios measured in one run; ``--help`` lists the other commands."""

from __future__ import annotations

import click

from benchmarks.calibration import calibration
from benchmarks.curves import curves
from benchmarks.data import data
from benchmarks.device import device
from benchmarks.evaluation import evaluation
from benchmarks.figure3 import figure3
from benchmarks.goals import goals
from benchmarks.imitation import imitation
from benchmarks.kills import kills
from benchmarks.looking_back import looking_back
from benchmarks.memory import memory
from benchmarks.mutations import mutations
from benchmarks.paper import paper
from benchmarks.peers import peers
from benchmarks.pictures import pictures
from benchmarks.ranks import ranks
from benchmarks.recording import recording
from benchmarks.reinforcement import reinforcement
from benchmarks.replay import replay
from benchmarks.resuming import resuming
from benchmarks.speed import speed
from benchmarks.states import states
from benchmarks.study import study
from benchmarks.updates import updates
from benchmarks.workers import workers


@click.group(invoke_without_command=True)
@click.pass_context
def benchmarks(context: click.Context) -> None:
    """Measure gailkit. Without a command: its speed."""
    if context.invoked_subcommand is None:
        context.invoke(speed)


benchmarks.add_command(calibration)
benchmarks.add_command(curves)
benchmarks.add_command(data)
benchmarks.add_command(device)
benchmarks.add_command(evaluation)
benchmarks.add_command(figure3)
benchmarks.add_command(goals)
benchmarks.add_command(imitation)
benchmarks.add_command(kills)
benchmarks.add_command(looking_back)
benchmarks.add_command(memory)
benchmarks.add_command(mutations)
benchmarks.add_command(paper)
benchmarks.add_command(peers)
benchmarks.add_command(pictures)
benchmarks.add_command(ranks)
benchmarks.add_command(recording)
benchmarks.add_command(reinforcement)
benchmarks.add_command(replay)
benchmarks.add_command(resuming)
benchmarks.add_command(speed)
benchmarks.add_command(states)
benchmarks.add_command(study)
benchmarks.add_command(updates)
benchmarks.add_command(workers)

if __name__ == "__main__":
    benchmarks(prog_name="python -m benchmarks")
