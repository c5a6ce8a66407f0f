"""gailkit learns a task with its default settings: ``python -m benchmarks.learn --help``.

See ``benchmarks.reinforcement_peers``.
"""

from __future__ import annotations

from benchmarks.trial import Learned, Trial, main
from gailkit import ExpertConfig, PolicyConfig, load_policy, train_expert
from gailkit.training.policy_config import OFF_POLICY

PEERS_UPDATES = {"dqn": 0.25, "ddpg": 1.0, "td3": 1.0, "sac": 1.0}  # gradient steps for each step, by default


def learn(trial: Trial) -> Learned:
    """As ``gailkit expert ENV_ID --steps N --seed S --num-envs K --generator NAME --out RUN`` does.

    Those that learn from a replay step their own number of environments, and take as many gradient steps as the peer's.
    """
    config = ExpertConfig(steps=trial.steps, seed=trial.seed, num_envs=trial.num_envs, generator=trial.optimiser)
    if trial.optimiser in OFF_POLICY:
        policy = PolicyConfig(updates_per_step=PEERS_UPDATES[trial.optimiser])
        config = ExpertConfig(steps=trial.steps, seed=trial.seed, generator=trial.optimiser, policy=policy)
    result = train_expert(trial.env_id, config, out=trial.out / "run", overwrite=True)
    returns = [episode.true_return for episode in result.trainer.recent]
    return Learned(load_policy(trial.out / "run"), result.trainer.steps, returns)


if __name__ == "__main__":
    main(learn, "gailkit")
