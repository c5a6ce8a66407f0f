"""The command ``gailkit pull``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gailkit.cli.common import PATH, printable
from gailkit.cli.examples import examples
from gailkit.wording import counted

EXAMPLES = examples(
    "gailkit pull me/cartpole",
    "- makes the run folder cartpole, for gailkit play, evaluate and export",
    "gailkit pull me/cartpole --revision v2 --out second --demos",
    "- makes the run folder second of what v2 holds, with its demonstrations",
)


@click.command("pull", epilog=EXAMPLES)
@click.argument("repo", metavar="OWNER/NAME")
@click.option("--out", metavar="FOLDER", type=PATH, help="The run folder to make. [default: NAME]")
@click.option("--revision", metavar="NAME", help="A branch, tag or commit. [default: main]")
@click.option("--demos", is_flag=True, help="Take the demonstrations too, where they were published.")
def pull(repo: str, out: Path | None, revision: str | None, demos: bool) -> None:
    """Get the policy OWNER/NAME from the Hugging Face Hub, as a run folder.

    Of what is there only files of a run are taken, and nothing in them is executed. An environment or network of its
    author's own is not imported before you say that it may be (--env, --trust).
    """
    from gailkit.hub.pulling import pull as get

    pulled = get(repo, out, revision=revision, demonstrations=demos)
    left = f"; left {counted(len(pulled.left), 'other file')} there" if pulled.left else ""
    click.echo(printable(f"pulled {repo} at {pulled.commit[:12]}: {pulled.folder}{left}"))
