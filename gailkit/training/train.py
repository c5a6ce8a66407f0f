"""Imitation from demonstrations to a trained policy, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gailkit.demonstrations import Demonstrations
from gailkit.devices import AUTO
from gailkit.errors import InputError
from gailkit.generator import OnCloning
from gailkit.recording.recorded_in import check_recorded_in
from gailkit.rollouts.global_generators import undisturbed
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.stepping import Stepping
from gailkit.simulators.protocol import Simulator
from gailkit.training.build import build_trainer
from gailkit.training.compared import digest_of, require_same
from gailkit.training.config import TrainConfig
from gailkit.training.describe import describe_demonstrations
from gailkit.training.iteration import OnIteration
from gailkit.training.parts import Parts
from gailkit.training.running import Plan, TrainingResult, fitted_to_envs, run_to_the_end
from gailkit.training.tracked import Track


def train(
    env: str | Simulator,
    demonstrations: Demonstrations,
    config: TrainConfig | None = None,
    *,
    parts: Parts | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    env_kwargs: Mapping[str, Any] | None = None,
    on_iteration: OnIteration | None = None,
    on_cloning: OnCloning | None = None,
    command: str | None = None,
    stepping: Stepping | None = None,
    track: Track | None = None,
    device: str = AUTO,
    held_out: int = 0,
    source: Mapping[str, Any] | None = None,
    other_environment: bool = False,
) -> TrainingResult:
    """Train a policy that imitates ``demonstrations`` in the environment ``env``.

    It learns from all of them, to the last episode. So that there are some to compare it with that are new to it, hold
    them out before (``demonstrations.hold_out``), as the command ``gailkit train`` does.

    Args:
        env: the id of an environment, ``module:attribute`` that makes a simulator of tensors, or such a simulator.
        config: every setting; the defaults serve all tasks.
        parts: objects that take the place of those that ``config`` names.
        out: the run folder; nothing is written when None.
        overwrite: replace a run that ``out`` already holds, or use it although something else lies there.
        on_iteration: is called after every iteration with its metrics, a dict, which may also be asked for the policy,
            for an end, a checkpoint or another setting (``training.iteration.Iteration``). What it draws from global
            generators makes no difference to the run. What it raises ends the training, after a checkpoint.
        on_cloning: is called now and then while a clone is made for it to begin with, which may take minutes, with how
            many pairs were learned from, each as often as it was, and how many that will be at most.
        command: the command line that asked for the run, for the record.
        stepping: where the environments run, which makes no difference to the result, and how often they may fail.
        track: where the numbers are shown beside ``metrics.jsonl``: some of tensorboard, wandb and trackio,
            ``package.module:attribute`` or what makes a ``tracking.Tracker``; TensorBoard where it is None, nowhere
            where it is empty. One that fails is told of, and the run goes on without it.
        device: where it learns: "cpu", "cuda", "cuda:1", or "auto", which is a card where there is one and pictures are
            seen. Another device computes other last digits, and draws other random numbers.
        held_out: how many episodes were kept back from ``demonstrations``, for the record.
        source: where the demonstrations come from, in plain JSON values, for the record.
        other_environment: learn although they were recorded in another version, time limit or wrappers than the
            environment has.

    Raises:
        InputError: if the environment does not exist, the demonstrations do not fit it or come from another form of it,
            a name is not known, ``out`` is not empty, there is no such device, or ``held_out`` is negative.
        EnvironmentFailure: if the environment fails more often than is accepted; what was learned is in ``out``.
        StorageError: if the disk refuses.
        DivergenceError: if a number becomes NaN; the last checkpoint was written before that.
    """
    if not isinstance(env, str | Simulator) or not isinstance(demonstrations, Demonstrations):
        raise InputError(
            "train takes the id of a registered environment, or a simulator of tensors, and Demonstrations "
            f"(Demonstrations.load reads a file); found {type(env).__name__} and {type(demonstrations).__name__}"
        )
    if not isinstance(held_out, int) or held_out < 0:
        raise InputError(f"the number of episodes held out must be a whole number, 0 or more; found {held_out!r}")
    config, parts = TrainConfig() if config is None else config, parts or Parts()
    if not isinstance(config, TrainConfig):
        raise InputError(f"train takes its settings in a TrainConfig; found {type(config).__name__}")
    config = config.with_actions(demonstrations.has_actions)

    def plan(envs: Environments, device: torch.device) -> Plan:
        fitted = fitted_to_envs(demonstrations, envs, config)
        require_same(lambda: {"demonstrations": digest_of(fitted.digests(), fitted.stride, list(fitted.offsets))})
        if not other_environment:
            check_recorded_in(demonstrations.about, envs.about)
        described = {**describe_demonstrations(fitted, held_out, source), "other_environment": other_environment}
        return Plan(
            build_trainer(config, envs, fitted, parts, device=device, on_cloning=_undisturbing(on_cloning)),
            {"demonstrations": described},
            fitted,
            parts,
        )

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


def _undisturbing(on_cloning: OnCloning | None) -> OnCloning | None:
    """The same, but what it draws from global generators makes no difference to the run."""
    if on_cloning is None:
        return None

    def told(learned: int, at_most: int) -> None:
        with undisturbed():
            on_cloning(learned, at_most)

    return told
