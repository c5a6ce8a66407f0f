"""The command ``gailkit export``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gailkit.cli.common import PATH
from gailkit.cli.data.writing import overwrite_option, prepare_new_file
from gailkit.cli.examples import examples
from gailkit.cli.specs import CHECKPOINT_HELP, is_run, loaded_run, trust_option
from gailkit.errors import InputError
from gailkit.training.config import CHECKPOINTS

EXAMPLES = examples(
    "gailkit export run -o policy.onnx",
    "- makes policy.onnx, which acts wherever there is an ONNX runtime",
    "gailkit export run -o policy.pt2 --stochastic",
    "- makes policy.pt2, for torch.export.load; it samples its actions",
)


@click.command("export", epilog=EXAMPLES)
@click.argument("run", type=PATH)
@click.option("-o", "--out", metavar="FILE", type=PATH, required=True, help="Ends in .onnx, or in .pt2 for torch.")
@overwrite_option
@click.option("--checkpoint", type=click.Choice(CHECKPOINTS), help=CHECKPOINT_HELP)
@click.option("--stochastic", is_flag=True, help="Sample actions; else the file takes the likeliest.")
@trust_option
def export(
    run: Path, out: Path, overwrite: bool, checkpoint: str | None, stochastic: bool, trust: tuple[str, ...]
) -> None:
    """Write the policy of RUN to a file that acts without gailkit.

    Observations go in as the environment gives them, N at a time, and actions come out as it takes them: the scale of
    observations and the bounds of actions are inside. The file is written when it has acted as the policy does on 1,000
    observations.
    """
    if not is_run(str(run)):
        raise InputError(f"{run} is not a run folder, as gailkit train makes it")
    prepare_new_file(out, [run], overwrite)

    from gailkit.exporting import export as export_policy

    policy = loaded_run(run, checkpoint, trust)
    done = export_policy(policy.sampling(0) if stochastic else policy, out)
    agreed = "means of sampled actions" if stochastic else "actions"
    given = f"observation {done.observation}"
    given += f" (the last {policy.frames} observations as one, the oldest first)" if policy.frames > 1 else ""
    taken = f"action {done.action}"
    if done.state is not None:
        given, taken = f"{given} and state {done.state} (0 where an episode begins)", f"{taken} and next_state"
    click.echo(
        f"wrote {out}: {given} to {taken}; {agreed} within {done.difference:.2g} of the policy's on 1,000 observations"
    )
