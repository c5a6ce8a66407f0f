"""The command ``gailkit evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import (
    PATH,
    device_option,
    env_kwargs_option,
    prepare_extra_output,
    stopped_at_once,
    use_one_thread,
    write_json,
)
from gailkit.cli.demonstrations import ReadingOptions, reading_options
from gailkit.cli.evaluate.method_names import refuse_twice
from gailkit.cli.evaluate.policies import Request, run_policies, said_to_be
from gailkit.cli.evaluate.printing import show_comparison, show_evaluation, show_rule
from gailkit.cli.examples import examples
from gailkit.cli.specs import CHECKPOINT_HELP, clip_actions_option, trust_option
from gailkit.cli.stepping_options import stepping_options
from gailkit.training.config import CHECKPOINTS

if TYPE_CHECKING:
    from gailkit.evaluation.compare import Candidate, Comparison

PAGES = (".html", ".htm")
EXAMPLES = examples(
    "gailkit evaluate run --demos demos.hdf5",
    "- prints the verdict on the policy in the run folder run, and its numbers",
    "gailkit evaluate run --demos demos.hdf5 --report page.html --json numbers.json",
    "- also makes page.html to look at, and numbers.json",
    "gailkit evaluate run short random --demos demos.hdf5 --report compared.html",
    "- compares three policies",
    "gailkit evaluate run --demos demos.hdf5 --checkpoint last",
    "- judges the policy as training left it, not the one that the run chose",
)


@click.command("evaluate", epilog=EXAMPLES)
@click.option_panel("Options")
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
    type=click.Choice(CHECKPOINTS),
    help=CHECKPOINT_HELP,
)
@click.option(
    "--stochastic/--deterministic",
    default=None,
    help="Sample a run's actions, or take the likeliest. [default: as the expert did; where the demonstrations do not "
    "say, the likeliest, and a word on sampled ones]",
)
@clip_actions_option
@click.option(
    "--env",
    "env_id",
    help="The environment, if not the one that the run or the demonstrations name; needed for module:ENV_ID.",
)
@click.option("--num-envs", type=click.IntRange(1), default=8, show_default=True, help="Episodes run side by side.")
@trust_option
@env_kwargs_option
@device_option
@stepping_options
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

    SPEC is random, a run folder, a Stable-Baselines3 .zip, an .onnx model, or module:attribute. Runs that differ
    only in their seed count as one method. A run is compared with the episodes that it was not trained on.
    """
    request = Request(specs, demos, filmed=report is not None and len(specs) == 1, **given)
    request.stepping.check(request.num_envs)
    refuse_twice(specs)
    _check_outputs(json_file, report, [demos, *map(Path, specs)])
    with stopped_at_once():
        _evaluate(request, (env_id, env_kwargs, options), json_file, report)


def _evaluate(
    request: Request,
    environment: tuple[str | None, dict[str, Any], ReadingOptions],
    json_file: Path | None,
    report: Path | None,
) -> None:
    from gailkit.evaluation.compare import compare

    use_one_thread()
    candidates, env_kwargs = run_policies(request, *environment)
    show_rule()
    for index, candidate in enumerate(candidates):
        with said_to_be(f"measuring the closeness of {candidate.spec}"):
            found = candidate.evaluation.closeness
        show_evaluation(candidate.spec, candidate.evaluation, found, explained=index == 0)
    comparison = compare(candidates, request.seed)
    if len(candidates) > 1:
        show_comparison(comparison)
    if json_file is not None:
        _write_json(json_file, request, candidates, comparison)
    if report is not None:
        from gailkit.cli.evaluate.html_page import report_on

        report_on(report, comparison, request, env_kwargs)


def _check_outputs(json_file: Path | None, report: Path | None, inputs: Sequence[Path]) -> None:
    """Refuse now what could not be written later, or should not be."""
    if report is not None and report.suffix.lower() not in PAGES:
        raise click.UsageError(f"--report writes a web page, whose name ends in .html; found {report}.")
    outputs = {"--json": json_file, "--report": report}
    given = {option: path for option, path in outputs.items() if path is not None}
    if len({path.resolve() for path in given.values()}) < len(given):
        raise click.UsageError(f"--json and --report are one file, {report}; each needs its own.")
    for option, path in given.items():
        if path.resolve() in [read.resolve() for read in inputs]:
            raise click.UsageError(f"{option} would overwrite {path}, which is read here; name another file.")
        prepare_extra_output(path)


def _write_json(path: Path, request: Request, candidates: Sequence[Candidate], comparison: Comparison) -> None:
    """Of one policy its numbers; of several those of each under ``policies``, and the comparison beside them."""
    from gailkit.evaluation.plain import as_plain

    shared = {"demonstrations": str(request.demos)}
    numbers = [{"policy": each.spec, **shared, **each.evaluation.to_dict()} for each in candidates]
    values: dict[str, Any] = numbers[0]
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
        alike = {name: numbers[0][name] for name in ("env_id", "episodes", "seed", "demonstrations")}
        values = {**alike, "policies": numbers, "methods": methods, "contrasts": as_plain(comparison.contrasts)}
    write_json(path, values)
