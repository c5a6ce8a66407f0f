"""Stable-Baselines3 or sb3-contrib learns a task with its default settings.

``python -m benchmarks.reinforcement_peers --help`` with the Python of the peers' virtual environment; gailkit is not
needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.trial import Learned, Trial, main

ALGORITHMS = {
    "ppo-clip": ("stable_baselines3", "PPO"),
    "trpo": ("sb3_contrib", "TRPO"),
    **{name: ("stable_baselines3", name.upper()) for name in ("dqn", "ddpg", "td3", "sac")},
}


def learn(trial: Trial) -> Learned:
    """As in the peers' own examples: ``make_vec_env``, "MlpPolicy", and nothing set but the seed and the processor."""
    package, name = ALGORITHMS[trial.optimiser]
    algorithm: Any = getattr(import_module(package), name)
    envs = import_module("stable_baselines3.common.env_util").make_vec_env(
        trial.env_id, n_envs=trial.num_envs, seed=trial.seed
    )
    model = algorithm("MlpPolicy", envs, seed=trial.seed, device="cpu")
    model.learn(trial.steps)
    envs.close()

    def policy(observations: np.ndarray) -> np.ndarray:
        actions: np.ndarray = model.predict(observations, deterministic=True)[0]
        return actions

    return Learned(policy, model.num_timesteps, [float(episode["r"]) for episode in model.ep_info_buffer])


if __name__ == "__main__":
    main(learn, "stable-baselines3", "sb3-contrib")
