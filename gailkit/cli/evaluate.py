"""The command ``gailkit evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import (
    PATH,
    EpisodeProgress,
    env_kwargs_option,
    interruptible,
    note_differences,
    prepare_output,
    show_progress,
    use_one_thread,
)
from gailkit.cli.evaluation_view import show_comparison, show_evaluation
from gailkit.cli.reading import ReadingOptions, load, reading_options
from gailkit.cli.specs import choose_environment, method_names, resolve_policy
from gailkit.errors import InputError

if TYPE_CHECKING:
    from gailkit.evaluation.compare import Candidate, Comparison
    from gailkit.types import Policy

EXAMPLES = (
    "Examples:",
    "gailkit evaluate run --demos demos.hdf5 --report closeness.html",
    "gailkit evaluate run --demos demos.hdf5 --checkpoint best --json result.json",
    "gailkit evaluate run-0 run-1 run-2 cloned.zip --demos demos.hdf5 --report comparison.html",
    "gailkit evaluate expert.zip --demos demos.hdf5 --env Hopper-v5",
)


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    specs: tuple[str, ...]
    demos: Path
    episodes: int
    seed: int
    checkpoint: str
    stochastic: bool
    num_envs: int


@click.command("evaluate", epilog="\n\n".join(EXAMPLES))
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@click.option("--demos", required=True, type=PATH, help="The expert's demonstrations.")
@click.option(
    "--episodes",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="How many to run, of each policy and of random actions.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Decides how the episodes start, sampled and random actions, and what is drawn to compare them.",
)
@click.option("--json", "json_file", type=PATH, help="Write the numbers to a JSON file.")
@click.option("--report", metavar="FILE.html", type=PATH, help="Write a page with the numbers and pictures of them.")
@click.option(
    "--checkpoint",
    type=click.Choice(["last", "best"]),
    default="last",
    show_default=True,
    help="Of a run; best is from when its true return in training was highest.",
)
@click.option("--stochastic", is_flag=True, help="Sample a run's actions instead of taking the likeliest.")
@click.option(
    "--env",
    "env_id",
    help="The environment, if not the one that the run or the demonstrations name; needed for module:ENV_ID.",
)
@click.option("--num-envs", type=click.IntRange(1), default=8, show_default=True, help="Episodes run side by side.")
@env_kwargs_option
@reading_options
def evaluate(
    specs: tuple[str, ...],
    demos: Path,
    json_file: Path | None,
    report: Path | None,
    env_id: str | None,
    env_kwargs: dict[str, Any],
    options: ReadingOptions,
    **given: Any,
) -> None:
    """Say how closely the policy SPEC matches the expert of the demonstrations; several are also compared.

    SPEC is random, a run directory, a Stable-Baselines3 .zip, an .onnx model, or module:attribute. Runs that differ
    only in their seed count as one method. A run is compared with the episodes that it was not trained on.
    """
    request = Request(specs, demos, **given)
    _refuse_twice(specs)
    for path in (json_file, report):
        if path is not None:
            prepare_output(path)

    from gailkit.evaluation.compare import compare

    use_one_thread()
    candidates, env_kwargs = _candidates(request, env_id, env_kwargs, options)
    show_evaluation(candidates[0].spec, candidates[0].evaluation)
    comparison = compare(candidates, request.seed)
    if len(candidates) > 1:
        for candidate in candidates[1:]:
            show_evaluation(candidate.spec, candidate.evaluation)
        show_comparison(comparison)
    if json_file is not None:
        _write_json(json_file, request, comparison)
    if report is not None:
        from gailkit.cli.evaluation_report import report_on

        report_on(report, comparison, request.demos, env_kwargs)


def _candidates(
    request: Request, env_id: str | None, env_kwargs: dict[str, Any], options: ReadingOptions
) -> tuple[list[Candidate], dict[str, Any]]:
    """Every policy, run and compared with what none of them was trained on; the arguments of the environment."""
    from gailkit.evaluation.compare import Candidate
    from gailkit.evaluation.evaluate import Reference
    from gailkit.generator import TrainedPolicy
    from gailkit.rollouts.envs import make_env

    demonstrations = load(request.demos, options, env_id)
    env_id, env_kwargs = _environment(request.specs, env_id, env_kwargs, demonstrations.env_id)
    env = make_env(env_id, env_kwargs)
    policies = [_policy(request, spec, env) for spec in request.specs]
    demonstrations = demonstrations.fitted_to(env.observation_space, env.action_space)
    env.close()
    note_differences(demonstrations, env_id, env_kwargs)
    seen = [policy.trained_on for policy in policies if isinstance(policy, TrainedPolicy)]
    with interruptible() as interruption:
        candidates = []
        reference = Reference(
            demonstrations,
            env_id,
            episodes=request.episodes,
            seed=request.seed,
            env_kwargs=env_kwargs,
            num_envs=request.num_envs,
            on_steps=lambda count: interruption.check(),
            trained_on=frozenset().union(*seen),
        )
        for spec, method, policy in zip(request.specs, method_names(request.specs), policies, strict=True):
            with show_progress(f"evaluating {spec}", request.episodes, "episodes") as update:
                progress = EpisodeProgress(update)
                evaluation = reference.evaluate(policy, progress.on_episode)
                progress.show()
            candidates.append(Candidate(spec, method, evaluation))
    return candidates, env_kwargs


def _environment(
    specs: Sequence[str], env_id: str | None, env_kwargs: dict[str, Any], recorded_in: str | None
) -> tuple[str, dict[str, Any]]:
    """The one environment of all policies."""
    chosen = [choose_environment(spec, env_id, env_kwargs, recorded_in) for spec in specs]
    for spec, environment in zip(specs, chosen, strict=True):
        if environment != chosen[0]:
            raise InputError(
                f"policies are compared in one environment; {specs[0]} is for {_shown(chosen[0])}, "
                f"{spec} for {_shown(environment)}"
            )
    return chosen[0]


def _shown(environment: tuple[str, dict[str, Any]]) -> str:
    return f"{environment[0]} {environment[1] or ''}".rstrip()


def _policy(request: Request, spec: str, env: Any) -> Policy:
    return resolve_policy(spec, env, request.seed, deterministic=not request.stochastic, checkpoint=request.checkpoint)


def _refuse_twice(specs: Sequence[str]) -> None:
    twice = [spec for spec in dict.fromkeys(specs) if specs.count(spec) > 1]
    if twice:
        raise InputError(f"{twice[0]} is named twice; each policy is evaluated once")


def _write_json(path: Path, request: Request, comparison: Comparison) -> None:
    """Of one policy its numbers; of several those of each under ``policies``, and the comparison beside them."""
    import json

    from gailkit.evaluation.plain import as_plain
    from gailkit.storage import write_atomically

    numbers = [
        {"policy": candidate.spec, "demonstrations": str(request.demos), **candidate.evaluation.to_dict()}
        for method in comparison.methods
        for candidate in method.candidates
    ]
    values = numbers[0]
    if len(numbers) > 1:
        methods = [
            {
                "name": method.name,
                "policies": [candidate.spec for candidate in method.candidates],
                "closeness": as_plain(method.closeness),
                "returns": as_plain(method.returns),
                "verdicts": method.verdicts,
            }
            for method in comparison.methods
        ]
        values = {"policies": numbers, "methods": methods, "contrasts": as_plain(comparison.contrasts)}
    write_atomically(path, (json.dumps(values, indent=2, allow_nan=False) + "\n").encode())
