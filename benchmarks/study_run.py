"""One run of the study: ``python -m benchmarks.study_run --help``."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks.curves import steps_to_share
from benchmarks.study_variants import BY_NAME, begin_cold
from gailkit import Demonstrations
from gailkit.evaluation.evaluate import Reference
from gailkit.rollouts.protocol import Environments
from gailkit.training.build import build_trainer
from gailkit.training.choosing import with_state
from gailkit.training.config import TrainConfig
from gailkit.training.running import Plan, TrainingResult, run_to_the_end
from gailkit.training.settings import config_from_dict

EPISODES = 30  # of an evaluation
EVALUATION_SEED = 1


@click.command()
@click.argument("env_id")
@click.option("--demos", required=True, type=click.Path(path_type=Path))
@click.option("--trajectories", required=True, type=int)
@click.option("--subsample", required=True, type=int)
@click.option("--steps", required=True, type=int)
@click.option("--variant", required=True, type=click.Choice(list(BY_NAME)))
@click.option("--seed", required=True, type=int)
@click.option("--stochastic", is_flag=True, help="Sample actions, as the expert did.")
@click.option("--json", "json_file", required=True, type=click.Path(path_type=Path))
def study_run(
    env_id: str,
    demos: Path,
    trajectories: int,
    subsample: int,
    steps: int,
    variant: str,
    seed: int,
    stochastic: bool,
    json_file: Path,
) -> None:
    """Train with one thing changed, and evaluate the policies that the run ends with."""
    torch.set_num_threads(1)
    whole = Demonstrations.load(demos)
    shown = whole.choose(trajectories).subsample(subsample, seed)
    result = _train(env_id, shown, variant, steps, seed)
    reference = Reference(whole, env_id, episodes=EPISODES, seed=EVALUATION_SEED, trained_on=shown.digests())
    found = {name: _measured(reference, result, name, stochastic) for name in ("chosen", "last", "averaged")}
    evaluation = reference.evaluate(result.policy, actions="likeliest")
    assert evaluation.expert_return_mean is not None
    reached = steps_to_share(result.metrics, evaluation.random_return_mean, evaluation.expert_return_mean)
    assert result.choice is not None
    row = {**found, "steps_to_90": reached, "choice": result.choice.policy, "seconds": result.metrics[-1]["seconds"]}
    json_file.write_text(json.dumps(row))


def _train(env_id: str, shown: Demonstrations, name: str, steps: int, seed: int) -> TrainingResult:
    variant = BY_NAME[name]
    config = config_from_dict({"steps": steps, "seed": seed, **variant.settings}, TrainConfig)

    def plan(envs: Environments, device: torch.device) -> Plan:
        fitted = shown.fitted_to(envs.single_observation_space, envs.single_action_space)
        with begin_cold() if variant.cold else nullcontext():
            trainer = build_trainer(config, envs, fitted, variant.parts, device=device)
        if variant.change is not None:
            variant.change(trainer)
        return Plan(trainer, {}, fitted)

    return run_to_the_end(
        env_id, config, plan, out=None, overwrite=False, env_kwargs=None, on_iteration=None, command=None
    )


def _measured(reference: Reference, result: TrainingResult, name: str, stochastic: bool) -> dict[str, Any]:
    """Score, closeness and AUC of one of the policies that a run ends with."""
    candidates = result.trainer.candidates
    assert candidates is not None
    policy = result.policy if name == "chosen" else with_state(result.policy, candidates.states()[name])
    evaluation = reference.evaluate(
        policy.sampling(0) if stochastic else policy, actions="sampled" if stochastic else "likeliest"
    )
    closeness = evaluation.closeness
    value, test = closeness.occupancy.closeness, closeness.two_sample
    return {
        "score": evaluation.normalised_score,
        "closeness": None if value is None else value.value,
        "auc": None if test is None else test.auc,
        "verdict": closeness.verdict.verdict,
    }


if __name__ == "__main__":
    study_run()
