"""The settings with which the package ``imitation`` learns: those that its authors publish for GAIL.

- Hopper, HalfCheetah: what its authors' tuning found, in HumanCompatibleAI/imitation under ``benchmarking/``:
  ``example_gail_seals_hopper_best_hp_eval.json``, ``example_gail_seals_half_cheetah_best_hp_eval.json``. They are tuned
  on the tasks of the package ``seals``, whose episodes all have one length, for 10 million steps.
- CartPole: its tutorial on GAIL, ``docs/tutorials/3_train_gail.ipynb``, which learns ``seals/CartPole-v0`` in 8
  environments with the 2048 steps in each between updates that Stable-Baselines3 has by default.

Three things differ from those. The steps between updates keep their total and are shared by as many environments as
gailkit has. ``allow_variable_horizon`` is on, without which it refuses tasks whose episodes may end early. And the
batch of 8192 expert transitions for HalfCheetah, more than four episodes have, is drawn from copies of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NORM = "imitation.util.networks:RunningNorm"  # all are named, for this module is read where they are not installed
NORMALISED_INPUT = {
    "features_extractor_class": "imitation.policies.base:NormalizeFeaturesExtractor",
    "features_extractor_kwargs": {"normalize_class": NORM},
}


@dataclass(frozen=True)
class Settings:
    """What is set for one task; the rest are defaults of ``imitation`` and Stable-Baselines3."""

    rollout: int  # steps between updates, of all environments together
    demo_batch_size: int  # expert transitions in an update of D, and as many of the policy's
    gen_replay_buffer_capacity: int
    n_disc_updates_per_round: int
    ppo: Mapping[str, float]
    policy: str = "stable_baselines3.ppo:MlpPolicy"
    policy_kwargs: Mapping[str, Any] = field(default_factory=dict)
    normalised_reward: bool = True


SETTINGS = {
    "CartPole-v1": Settings(
        rollout=8 * 2048,
        demo_batch_size=1024,
        gen_replay_buffer_capacity=512,
        n_disc_updates_per_round=8,
        ppo={"batch_size": 64, "ent_coef": 0.0, "learning_rate": 0.0004, "gamma": 0.95, "n_epochs": 5},
        normalised_reward=False,
    ),
    "Hopper-v4": Settings(
        rollout=4096,
        demo_batch_size=128,
        gen_replay_buffer_capacity=4096,
        n_disc_updates_per_round=8,
        ppo={
            "batch_size": 512,
            "clip_range": 0.1,
            "ent_coef": 0.001255299425412744,
            "gae_lambda": 0.98,
            "gamma": 0.995,
            "learning_rate": 4.3984856156897565e-5,
            "max_grad_norm": 0.9,
            "n_epochs": 20,
            "vf_coef": 0.20315938606555833,
        },
        policy_kwargs={
            "activation_fn": "torch.nn:ReLU",
            "net_arch": {"pi": [64, 64], "vf": [64, 64]},
            **NORMALISED_INPUT,
        },
    ),
    "HalfCheetah-v4": Settings(
        rollout=4096,
        demo_batch_size=8192,
        gen_replay_buffer_capacity=512,
        n_disc_updates_per_round=8,
        ppo={
            "batch_size": 64,
            "clip_range": 0.1,
            "ent_coef": 3.992371122209408e-6,
            "gae_lambda": 0.95,
            "gamma": 0.95,
            "learning_rate": 0.00026250519057717037,
            "max_grad_norm": 0.8,
            "n_epochs": 5,
            "vf_coef": 0.11483689492120866,
        },
        policy="imitation.policies.base:FeedForward32Policy",
        policy_kwargs=NORMALISED_INPUT,
    ),
}
