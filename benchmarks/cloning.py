"""Behaviour cloning of a task's demonstrations, as a baseline: ``python -m benchmarks.cloning --help``."""

from __future__ import annotations

import json
from pathlib import Path

import click
import torch

from gailkit import Demonstrations, ObservationEncoder, TrainedPolicy, evaluate
from gailkit.generator import clone_behaviour
from gailkit.rollouts.environments import make_env
from gailkit.training.build_policy import build_actor_critic
from gailkit.training.policy_config import PolicyConfig


@click.command()
@click.argument("env_id")
@click.option("--demos", required=True, type=click.Path(path_type=Path))
@click.option("--trajectories", required=True, type=int)
@click.option("--subsample", required=True, type=int)
@click.option("--episodes", required=True, type=int)
@click.option("--seed", required=True, type=int)
@click.option("--stochastic", is_flag=True, help="Sample the policy's actions instead of taking the likeliest.")
@click.option("--json", "json_file", required=True, type=click.Path(path_type=Path))
def cloning(
    env_id: str,
    demos: Path,
    trajectories: int,
    subsample: int,
    episodes: int,
    seed: int,
    stochastic: bool,
    json_file: Path,
) -> None:
    """Clone the chosen pairs with the networks that ``gailkit train`` uses, and evaluate the policy."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    env = make_env(env_id)
    expert = Demonstrations.load(demos).fitted_to(env.observation_space, env.action_space)
    chosen = expert.choose(trajectories).subsample(subsample, seed)
    encoder = ObservationEncoder(env.observation_space)
    for observations in chosen.steps().in_blocks():
        encoder.update(observations)
    actor_critic = build_actor_critic(PolicyConfig(), encoder, env.action_space)
    clone_behaviour(actor_critic, chosen.steps())
    policy = TrainedPolicy(
        actor_critic, env.observation_space, env.action_space, env_id, trained_on=frozenset(chosen.digests())
    )
    actions = "sampled" if stochastic else "likeliest"
    result = evaluate(policy, expert, env_id, episodes=episodes, seed=seed, actions=actions)
    json_file.write_text(json.dumps(result.to_dict()))


if __name__ == "__main__":
    cloning()
