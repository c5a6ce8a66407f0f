"""The command ``gailkit push``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gailkit.cli.common import PATH
from gailkit.cli.examples import examples
from gailkit.cli.specs import CHECKPOINT_HELP, is_run
from gailkit.errors import InputError
from gailkit.training.config import CHECKPOINTS

EXAMPLES = examples(
    "gailkit push run me/cartpole --private",
    "- publishes the policy in the run folder run, for nobody else to see",
    "gailkit push run me/cartpole --evaluation numbers.json",
    "- and says how close it is, by numbers.json of gailkit evaluate --json",
)


@click.command("push", epilog=EXAMPLES)
@click.argument("run", type=PATH)
@click.argument("repo", metavar="OWNER/NAME")
@click.option("--evaluation", metavar="FILE", type=PATH, help="What gailkit evaluate --json wrote, for the card.")
@click.option(
    "--film",
    metavar="FILE",
    type=PATH,
    help="A film for the card, as gailkit play --video makes it. [default: the newest that the run has made itself]",
)
@click.option("--demos", metavar="FILE", type=PATH, help="Publish these demonstrations, a native file, too.")
@click.option("--checkpoint", type=click.Choice(CHECKPOINTS), help=CHECKPOINT_HELP)
@click.option("--private", is_flag=True, help="Make the repository one that only you see; one that is there stays.")
@click.option("--revision", metavar="BRANCH", help="The branch to publish on, made if need be. [default: main]")
def push(
    run: Path,
    repo: str,
    evaluation: Path | None,
    film: Path | None,
    demos: Path | None,
    checkpoint: str | None,
    private: bool,
    revision: str | None,
) -> None:
    """Publish the policy of RUN on the Hugging Face Hub, with a card that says what it is and how close it comes.

    The policy goes there, its settings, metrics and learning curves: not the demonstrations, unless --demos names them,
    nor what training alone needs, nor where files lie on this machine. Who you are, `hf auth login` says.
    """
    if not is_run(str(run)):
        raise InputError(f"{run} is not a run folder, as gailkit train makes it")

    from gailkit.hub.pushing import push as publish

    where = publish(
        run,
        repo,
        checkpoint=checkpoint,
        evaluation=evaluation,
        film=film,
        demonstrations=demos,
        private=private,
        revision=revision,
    )
    click.echo(f"published {run}: {where}")
