"""Reinforcement learning on the environment's own reward, to obtain an expert where there are no demonstrations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gailkit.errors import InputError
from gailkit.rollouts.envs import make_vector_env
from gailkit.training.build import build_expert_trainer
from gailkit.training.config import ExpertConfig
from gailkit.training.describe import describe_run, trained_policy, where_defined
from gailkit.training.parts import GeneratorFactory
from gailkit.training.run import RunFolder
from gailkit.training.running import OnIteration, TrainingResult, run_to_the_end


def train_expert(
    env_id: str,
    config: ExpertConfig | None = None,
    *,
    generator: GeneratorFactory | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    env_kwargs: Mapping[str, Any] | None = None,
    on_iteration: OnIteration | None = None,
    command: str | None = None,
) -> TrainingResult:
    """Train a policy in the environment ``env_id`` on its own reward, by the loop that imitation runs on.

    Args:
        config: every setting; the defaults serve all tasks.
        generator: takes the place of the one that ``config`` names.

    The others, and what may be raised, are those of ``training.train.train``.
    """
    if not isinstance(env_id, str):
        raise InputError(f"train_expert takes the id of a registered environment; found {type(env_id).__name__}")
    config = config or ExpertConfig()
    envs = make_vector_env(env_id, config.num_envs, env_kwargs)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            trainer = build_expert_trainer(config, envs, generator)
            description = {
                **describe_run(env_id, env_kwargs or {}, envs, config, command),
                "demonstrations": None,
                "parts": {"generator": where_defined(generator)},
            }
            folder = None if out is None else RunFolder.create(Path(out), description, overwrite)
            return run_to_the_end(trainer, trained_policy(trainer, env_id, env_kwargs or {}), folder, on_iteration)
    finally:
        envs.close()
