"""gailkit learns a task from demonstrations with its defaults: ``python -m benchmarks.peers_gailkit --help``."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import lcm

from benchmarks.peers_trial import FEWEST_EPISODES, Asked, Clocked, main
from gailkit import Demonstrations, TrainConfig, train

MOST_EPISODES = 50  # that a mean in gailkit's metrics is over


def learn(asked: Asked) -> Clocked:
    """As ``gailkit train ENV_ID --demos FILE --trajectories K --steps N --seed S --out RUN`` does.

    The clock runs from before the environments are made. What comes before the first iteration, a warm start, is in it,
    which the ``seconds`` of gailkit's metrics leave out; and so is the writing of the run folder.
    """
    demonstrations = Demonstrations.load(asked.demos).choose(asked.trajectories)
    config = TrainConfig(steps=asked.steps, seed=asked.seed, num_envs=asked.num_envs)
    clocked = Clocked()
    enough = False

    def remember(metrics: Mapping[str, float]) -> None:
        nonlocal enough
        enough = enough or ended_at_least(metrics, asked.num_envs) >= FEWEST_EPISODES
        if enough:
            clocked.append(int(metrics["steps"]), metrics["episode/true_return"])

    train(asked.env_id, demonstrations, config, out=asked.out / "run", overwrite=True, on_iteration=remember)
    return clocked


def ended_at_least(metrics: Mapping[str, float], num_envs: int) -> int:
    """How many episodes the means in a row of metrics are over, at least.

    The row does not say it. But a mean length and a share of terminated episodes, both of whole numbers, are fractions
    whose denominators divide the count. And while none has terminated, those that ended did so at the time limit, which
    all environments reach together, for they began together.
    """
    if "episode/length" not in metrics:
        return 0
    if metrics["episode/terminated"] == 0:
        return num_envs
    means = (metrics["episode/length"], metrics["episode/terminated"])
    return lcm(*(Fraction(mean).limit_denominator(MOST_EPISODES).denominator for mean in means))


if __name__ == "__main__":
    main(learn, "gailkit")
