"""Reinforcement learning on the environment's own reward, to obtain an expert where there are no demonstrations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gailkit.devices import AUTO
from gailkit.errors import InputError
from gailkit.networks.convolutions import ImageEncoder
from gailkit.networks.mlp import NetworkFactory
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.stepping import Stepping
from gailkit.simulators.protocol import Simulator
from gailkit.training.build import build_expert_trainer
from gailkit.training.config import ExpertConfig
from gailkit.training.iteration import OnIteration
from gailkit.training.parts import GeneratorFactory, Parts
from gailkit.training.running import Plan, TrainingResult, run_to_the_end
from gailkit.training.tracked import Track


def train_expert(
    env: str | Simulator,
    config: ExpertConfig | None = None,
    *,
    generator: GeneratorFactory | None = None,
    policy_network: NetworkFactory | None = None,
    image_encoder: ImageEncoder | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    env_kwargs: Mapping[str, Any] | None = None,
    on_iteration: OnIteration | None = None,
    command: str | None = None,
    stepping: Stepping | None = None,
    track: Track | None = None,
    device: str = AUTO,
) -> TrainingResult:
    """Train a policy in the environment ``env`` on its own reward, by the loop that imitation runs on.

    Args:
        config: every setting; the defaults serve all tasks.
        generator, policy_network, image_encoder: take the place of those that ``config`` names.

    The others, and what may be raised, are those of ``training.train.train``.
    """
    if not isinstance(env, str | Simulator):
        raise InputError(
            "train_expert takes the id of a registered environment, or a simulator of tensors; "
            f"found {type(env).__name__}"
        )
    config = ExpertConfig() if config is None else config
    if not isinstance(config, ExpertConfig):
        raise InputError(f"train_expert takes its settings in a ExpertConfig; found {type(config).__name__}")

    def plan(envs: Environments, device: torch.device) -> Plan:
        parts = Parts(generator=generator, policy_network=policy_network, image_encoder=image_encoder)
        return Plan(build_expert_trainer(config, envs, parts, device), {"demonstrations": None}, parts=parts)

    return run_to_the_end(
        env,
        config,
        plan,
        out=out,
        overwrite=overwrite,
        env_kwargs=env_kwargs,
        on_iteration=on_iteration,
        command=command,
        stepping=stepping,
        track=track,
        device=device,
    )
