"""GAIL of the package ``imitation`` learns a task from demonstrations; its settings: ``benchmarks.peers_settings``.

``python -m benchmarks.peers_imitation --help`` with the Python of its virtual environment; gailkit is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers_settings import NORM, SETTINGS, Settings
from benchmarks.peers_trial import FEWEST_EPISODES, Asked, Clocked, main

EPISODES_REMEMBERED = 50  # whose mean return is reported, as in gailkit


def learn(asked: Asked) -> Clocked:
    """GAIL for as many steps as are asked, rounded up to whole rollouts.

    The clock runs from before the environments are made.
    """
    clocked = Clocked()
    trainer = _trainer(asked)
    rollout = trainer.gen_train_timesteps

    def remember(_: int) -> None:
        last = [episode["r"] for episode in trainer.gen_algo.ep_info_buffer][-EPISODES_REMEMBERED:]
        if len(last) >= FEWEST_EPISODES:
            clocked.append(trainer.gen_algo.num_timesteps, float(np.mean(last)))

    trainer.train(-(-asked.steps // rollout) * rollout, remember)
    return clocked


def demonstrations(path: Path, space: Any, dtype: np.dtype[Any]) -> list[Any]:
    """The episodes in ``path`` as ``imitation`` takes them, actions clipped to the Box ``space``.

    ``path`` holds plain arrays, one episode after another: lengths (K,), terminated (K,), actions (sum of lengths,
    *act), and observations, one more of each episode.
    """
    with np.load(path, allow_pickle=False) as arrays:
        lengths, terminated, acts, obs = (arrays[name] for name in ("lengths", "terminated", "actions", "observations"))
    if hasattr(space, "low"):
        acts = np.clip(acts, space.low, space.high)
    ends = np.cumsum(lengths)[:-1]
    by_episode = zip(
        np.split(obs.astype(dtype), np.cumsum(lengths + 1)[:-1]),
        np.split(acts.astype(space.dtype), ends),
        terminated,
        strict=True,
    )
    trajectory = _named("imitation.data.types:Trajectory")
    return [trajectory(obs=seen, acts=done, infos=None, terminal=bool(end)) for seen, done, end in by_episode]


def _trainer(asked: Asked) -> Any:
    """As ``imitation.scripts.train_adversarial`` puts it together, in one process and quiet."""
    settings = SETTINGS[asked.env_id]
    torch.manual_seed(asked.seed)
    envs = _named("imitation.util.util:make_vec_env")(
        asked.env_id, rng=np.random.default_rng(asked.seed), n_envs=asked.num_envs
    )
    episodes = demonstrations(asked.demos, envs.action_space, envs.observation_space.dtype)[: asked.trajectories]
    copies = -(-settings.demo_batch_size // sum(map(len, episodes)))
    return _named("imitation.algorithms.adversarial.gail:GAIL")(
        demonstrations=episodes * copies,
        demo_batch_size=settings.demo_batch_size,
        gen_replay_buffer_capacity=settings.gen_replay_buffer_capacity,
        n_disc_updates_per_round=settings.n_disc_updates_per_round,
        venv=envs,
        gen_algo=_generator(settings, envs, asked.seed),
        reward_net=_reward(settings, envs),
        custom_logger=_named("imitation.util.logger:configure")(asked.out / "log", []),
        allow_variable_horizon=True,
    )


def _generator(settings: Settings, envs: Any, seed: int) -> Any:
    return _named("stable_baselines3:PPO")(
        _named(settings.policy),
        envs,
        n_steps=settings.rollout // envs.num_envs,
        seed=seed,
        device="cpu",
        policy_kwargs=_filled_in(settings.policy_kwargs),
        **settings.ppo,
    )


def _reward(settings: Settings, envs: Any) -> Any:
    """The network that is D."""
    nets = "imitation.rewards.reward_nets"
    network = _named(f"{nets}:BasicRewardNet")(
        envs.observation_space, envs.action_space, normalize_input_layer=_named(NORM)
    )
    return _named(f"{nets}:NormalizedRewardNet")(network, _named(NORM)) if settings.normalised_reward else network


def _filled_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with the objects in the place of their names."""
    nested = {name: _filled_in(value) for name, value in values.items() if isinstance(value, Mapping)}
    return {**{name: _named(value) if isinstance(value, str) else value for name, value in values.items()}, **nested}


def _named(name: str) -> Any:
    """What ``package.module:attribute`` stands for."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


if __name__ == "__main__":
    main(learn, "imitation", "stable-baselines3")
