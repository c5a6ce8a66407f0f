"""How long the evaluation of a policy takes beyond stepping the environment, and which part of it how long."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from benchmarks.draws import work_alone
from benchmarks.tasks import EXPERTS, REPOSITORY

if TYPE_CHECKING:
    from gailkit.evaluation.closeness import Closeness
    from gailkit.evaluation.evaluate import Reference
    from gailkit.evaluation.evaluation import Evaluation
    from gailkit.evaluation.side_by_side import Animation

ENV_ID = "HalfCheetah-v5"
EXPERT, FAR = "zoo/tqc/HalfCheetah-v3.zip", "zoo/trpo/HalfCheetah-v3.zip"
NOISE = 0.1
EPISODES = 20  # of policy, expert and random actions each
MOST_SECONDS = 30
RESULTS = REPOSITORY / "benchmarks" / "results" / "evaluation.txt"

T = TypeVar("T")


class Spent(NamedTuple):
    """Seconds on the wall, and of computing: only the latter say something on a machine that does other things too."""

    wall: float
    computing: float

    def __str__(self) -> str:
        return f"{self.wall:6.2f} s  {self.computing:6.2f} s"


class Stopwatch:
    """What was spent, by what it was spent on."""

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = {}

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        wall, computing = time.perf_counter(), time.process_time()
        done = work()
        self.spent[name] = Spent(time.perf_counter() - wall, time.process_time() - computing)
        return done

    def total(self, *names: str) -> Spent:
        """Of several together."""
        return Spent(*(sum(part) for part in zip(*(self.spent[name] for name in names), strict=True)))


@click.command()
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def evaluation(keep: bool) -> None:
    """Closeness, its statement and its page, of 20 + 20 episodes of 1000 steps in 17 + 6 dimensions."""
    for path in (EXPERTS / EXPERT, EXPERTS / FAR):
        if not path.is_file():
            raise click.ClickException(f"{path} is not there; GAILKIT_EXPERTS names the folder of foreign experts")
    work_alone()  # before the libraries are imported
    lines = [
        f"{ENV_ID}, {EPISODES} + {EPISODES} episodes of 1000 steps and {EPISODES} of random actions, one thread,",
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it began:",
    ]
    for name, spec, noise in ((f"its expert with noise {NOISE:g}", EXPERT, NOISE), ("a poorer network", FAR, 0.0)):
        lines += [f"{name}:", *_lines(spec, noise)]
    click.echo("\n".join(lines))
    if keep:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(spec: str, noise: float) -> list[str]:
    from gailkit.experts.noise import noisy
    from gailkit.experts.resolve import expert_policy

    timed, reference = Stopwatch(), _reference()
    policy = noisy(expert_policy(str(EXPERTS / spec), *reference.spaces, 0), reference.spaces[1], noise, 0)
    timed("stepping, random actions", lambda: reference.at_random())
    found = timed("stepping, the policy", lambda: reference.evaluate(policy))
    timed("closeness", lambda: found.closeness)
    timed("statement", found.statement)
    animation = timed("animation", lambda: _animation(found))
    sizes = [
        timed("page", lambda: _page_bytes(found, None)),
        timed("page with the animation", lambda: _page_bytes(found, animation)),
    ]
    parts = Stopwatch()
    _measure_parts(found.closeness, parts)
    beyond = ("closeness", "statement", "page")
    verdict = found.closeness.verdict.verdict
    return [
        f"  {verdict}, closeness {found.to_dict()['closeness']:.3f}",
        f"  {'':30}    wall computing",
        *(f"  {name:30} {spent}" for name, spent in timed.spent.items()),
        *(f"    of closeness: {name:14} {spent}" for name, spent in parts.spent.items()),
        f"  closeness, statement, page     {timed.total(*beyond)}   (below {MOST_SECONDS} s)",
        f"  and with the animation         {timed.total(*beyond, 'animation')}",
        f"  page {sizes[0] / 1e3:,.0f} kB, with the animation {sizes[1] / 1e3:,.0f} kB",
    ]


def _reference() -> Reference:
    """The expert's episodes, from other starts than the policy's."""
    from functools import partial

    from gailkit import Demonstrations
    from gailkit.evaluation.evaluate import Reference
    from gailkit.experts.resolve import expert_policy
    from gailkit.rollouts.environments import SeedStream, make_env
    from gailkit.rollouts.episodes import collect_episodes

    env = make_env(ENV_ID)
    spaces = env.observation_space, env.action_space
    env.close()
    expert = expert_policy(str(EXPERTS / EXPERT), *spaces, 0)
    shown = collect_episodes(expert, partial(make_env, ENV_ID), SeedStream(0, "recording").take(EPISODES))
    return Reference(Demonstrations(tuple(shown)), ENV_ID, episodes=EPISODES)


def _measure_parts(found: Closeness, timed: Stopwatch) -> None:
    """Each part of ``closeness`` again, by itself."""
    from gailkit.evaluation.classifier import tell_apart
    from gailkit.evaluation.coverage import measure_coverage
    from gailkit.evaluation.occupancy import compare_occupancy

    steps = found.steps
    policy, expert, random = (steps.scale.apply(side) for side in (steps.policy, steps.expert, steps.random))
    timed("occupancy", lambda: compare_occupancy(policy, expert, random, steps.features))
    timed("classifier", lambda: tell_apart(policy, expert, steps.features))
    timed("coverage", lambda: measure_coverage(policy, expert, steps.features))


def _animation(found: Evaluation) -> Animation:
    from gailkit.evaluation.side_by_side import side_by_side, typical

    played, shown = (episodes[typical(episodes)] for episodes in (found.played, found.shown))
    return side_by_side(ENV_ID, {}, played, shown)


def _page_bytes(found: Evaluation, animation: Animation | None) -> int:
    from gailkit.report.report import write_report

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        write_report(path, found, spec="policy", demos="expert.hdf5", animation=animation)
        return path.stat().st_size
