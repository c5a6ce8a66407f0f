"""gailkit learns a task with its default settings: ``python -m benchmarks.learn --help``.

See ``benchmarks.reinforcement_peers``.
"""

from __future__ import annotations

from benchmarks.trial import Learned, Trial, main
from gailkit import ExpertConfig, load_policy, train_expert


def learn(trial: Trial) -> Learned:
    """As ``gailkit expert ENV_ID --steps N --seed S --num-envs K --generator NAME --out RUN`` does."""
    config = ExpertConfig(steps=trial.steps, seed=trial.seed, num_envs=trial.num_envs, generator=trial.optimiser)
    result = train_expert(trial.env_id, config, out=trial.out / "run", overwrite=True)
    returns = [episode.true_return for episode in result.trainer.recent]
    return Learned(load_policy(trial.out / "run"), result.trainer.steps, returns)


if __name__ == "__main__":
    main(learn, "gailkit")
