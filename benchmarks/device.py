"""How fast imitation is in simulators of tensors, by the number of environments, on every device that is here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import click
import torch

from benchmarks.tasks import REPOSITORY
from gailkit import Demonstrations, TrainConfig
from gailkit.experts.random import random_policy
from gailkit.generator import WarmStart
from gailkit.generator.cloning import CloningResult
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.simulated import Simulated
from gailkit.rollouts.vector import Given
from gailkit.simulators import CartPole, Pendulum, Simulation
from gailkit.training.build import build_trainer
from gailkit.training.loop import Trainer
from gailkit.wording import counted

TASKS: Mapping[str, type[Any]] = {"CartPole": CartPole, "Pendulum": Pendulum}
COUNTS = (16, 64, 256, 1024, 4096)
TARGET = 1_000_000  # steps a second of 4096 environments on an H100
RESULTS = REPOSITORY / "benchmarks" / "results" / "device.txt"
NOT_CLONED = WarmStart(CloningResult(0, 0.0, 0.0, 0.0, None), used=False)


@dataclass(frozen=True)
class Speed:
    """Of the whole loop, and where its time goes."""

    task: str
    device: str
    num_envs: int
    steps_per_second: float
    shares: Mapping[str, float]


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Of training for each line, at least two iterations.")
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def device(seconds: float, keep: bool) -> None:
    """GAIL by the default method in CartPole and Pendulum of tensors, on the CPU and every card that is here."""
    lines = []
    for line in _lines([_measured(*case, seconds) for case in _cases()]):
        click.echo(line)
        lines.append(line)
    if keep:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cases() -> Iterator[tuple[str, torch.device, int]]:
    cards = [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    return ((task, where, n) for task in TASKS for where in (torch.device("cpu"), *cards) for n in COUNTS)


def _measured(task: str, where: torch.device, num_envs: int, seconds: float) -> Speed:
    torch.manual_seed(0)
    simulator: Simulation = TASKS[task](num_envs, where)
    shown = _demonstrations(TASKS[task](2))
    envs = Simulated(simulator, task, own=False)
    fitted = shown.fitted_to(envs.single_observation_space, envs.single_action_space)
    trainer = build_trainer(TrainConfig(num_envs=num_envs), envs, fitted, began=NOT_CLONED, device=where)
    trainer.iterate()
    speed = _speed(trainer, where, seconds)
    return Speed(task, _name(where), num_envs, speed, _shares(trainer, simulator, where))


def _demonstrations(simulator: Simulation) -> Demonstrations:
    """Random episodes: what is imitated makes no difference to how long it takes."""
    space = simulator.single_action_space
    return Demonstrations(tuple(collect_episodes(random_policy(space, 0), Given(simulator), range(4), num_envs=2)))


def _speed(trainer: Trainer, where: torch.device, seconds: float) -> float:
    """Steps a second over so many seconds."""
    _wait(where)
    began, first = time.perf_counter(), trainer.steps
    iterations = 0
    while iterations < 2 or time.perf_counter() - began < seconds:
        trainer.iterate()
        iterations += 1
    _wait(where)
    return (trainer.steps - first) / (time.perf_counter() - began)


def _shares(trainer: Trainer, simulator: Simulation, where: torch.device) -> dict[str, float]:
    """Shares of the time of an iteration in which every part is waited for."""
    clock = _Clock(where)
    parts: list[tuple[Any, str, str]] = [
        (simulator, "step", "simulation"),
        (simulator, "reset", "simulation"),
        (trainer.generator, "act", "policy"),
        (trainer.teacher, "learn", "discriminator"),
        (trainer.teacher, "rewards", "discriminator"),
        (trainer.generator, "update", "update"),
    ]
    for owner, method, part in parts:
        setattr(owner, method, clock.around(getattr(owner, method), part))
    whole = clock.around(trainer.iterate, "whole")
    whole()
    for owner, method, _ in parts:
        delattr(owner, method)
    seconds = dict(clock.seconds)
    seconds["update"] -= clock.within.get("update", 0.0)  # in which the teacher is asked for rewards
    total = seconds.pop("whole")
    return {**{part: each / total for part, each in seconds.items()}, "rest": 1.0 - sum(seconds.values()) / total}


@dataclass
class _Clock:
    """Seconds by part, waiting for the device; what a part does for another that is going on counts once."""

    where: torch.device
    seconds: dict[str, float] = field(default_factory=dict)
    within: dict[str, float] = field(default_factory=dict)  # of other parts, by the part that they ran in
    running: list[str] = field(default_factory=list)

    def around(self, call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **settings: Any) -> Any:
            outer = self.running[-1] if self.running else None
            self.running.append(part)
            _wait(self.where)
            began = time.perf_counter()
            try:
                return call(*arguments, **settings)
            finally:
                _wait(self.where)
                spent = time.perf_counter() - began
                self.running.pop()
                self.seconds[part] = self.seconds.get(part, 0.0) + spent
                if outer is not None:
                    self.within[outer] = self.within.get(outer, 0.0) + spent

        return timed


def _wait(where: torch.device) -> None:
    if where.type == "cuda":
        torch.cuda.synchronize(where)


def _name(where: torch.device) -> str:
    return str(where) if where.type == "cpu" else f"{where} {torch.cuda.get_device_name(where)}"


def _lines(found: list[Speed]) -> Iterator[str]:
    parts = list(found[0].shares)
    yield "GAIL, default settings, in simulators of tensors; steps a second of the whole loop, and shares of its time"
    yield f"CPU: {counted(torch.get_num_threads(), 'thread')}"
    yield f"{'task':9} {'device':24} {'environments':>12} {'steps/s':>10}  " + " ".join(f"{part:>13}" for part in parts)
    for each in found:
        shares = " ".join(f"{each.shares[part]:13.0%}" for part in parts)
        yield f"{each.task:9} {each.device:24} {each.num_envs:12,} {each.steps_per_second:10,.0f}  {shares}"
    for task in TASKS:
        yield from _told_of(task, [each for each in found if each.task == task])


def _told_of(task: str, found: list[Speed]) -> Iterator[str]:
    """From how many environments on each card is faster than the CPU, and how far the target is."""
    own = {each.num_envs: each.steps_per_second for each in found if each.device == "cpu"}
    for card in dict.fromkeys(each.device for each in found if each.device != "cpu"):
        there = {each.num_envs: each.steps_per_second for each in found if each.device == card}
        least = pays_from(own, there)
        pays = "pays for none of these" if least is None else f"pays from {least:,} environments on"
        most = max(there)
        share = there[most] / TARGET
        yield f"{task}: {card} {pays}; with {most:,} it takes {there[most]:,.0f} steps/s, {share:.2f} of a million"
    if len({each.device for each in found}) == 1:
        yield f"{task}: no card is here"


def pays_from(cpu: Mapping[int, float], card: Mapping[int, float]) -> int | None:
    """The number of environments from which on a card is faster, by speeds for each number; None where it never is."""
    slower = [n for n in cpu if card[n] <= cpu[n]]
    faster = [n for n in cpu if n > max(slower, default=0)]
    return min(faster, default=None)
