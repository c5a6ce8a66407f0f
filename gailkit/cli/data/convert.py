"""``gailkit data convert``: a file of any format that is read into a native one or a Minari data set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import PATH, env_kwargs_option, printable, typed_command
from gailkit.cli.data.watching import watched
from gailkit.cli.data.writing import check_new, output_option, overwrite_option, prepare_new_file
from gailkit.cli.demonstrations import ReadingOptions, format_options, say_notes
from gailkit.cli.examples import examples
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.demonstrations.editing.convert import Target, Write
    from gailkit.demonstrations.file_contents import About
    from gailkit.types import Trajectory

EXAMPLES = examples(
    "gailkit data convert demos.hdf5 -o folder --to minari",
    "- makes the data set folder, for Minari",
    "gailkit data convert folder -o native.hdf5",
    "- makes native.hdf5, a native file, of it",
    "gailkit data convert d4rl.hdf5 -o mine.hdf5 --max-episode-steps 1000",
    "- makes mine.hdf5 of a D4RL file of yours with a time limit of 1000 steps",
    "gailkit data convert demos.hdf5 -o states.hdf5 --without-actions",
    "- makes states.hdf5, of which only what was seen can be imitated",
)


@click.command(
    "convert",
    epilog=EXAMPLES,
)
@click.option_panel("Options")
@click.argument("file", type=PATH)
@output_option
@click.option(
    "--to",
    "kind",
    type=click.Choice(["native", "minari"]),
    default="native",
    show_default=True,
    help="What to write: gailkit's own file, or a Minari data set, which is a folder.",
)
@click.option("--env", "env_id", metavar="ENV_ID", help="State that the episodes come from here; checks that they fit.")
@env_kwargs_option
@click.option("--clip-actions", is_flag=True, help="Clip actions to the Box, as environments do before they act.")
@click.option("--without-actions", is_flag=True, help="Leave the actions out, to imitate what was seen alone.")
@overwrite_option
@format_options
def convert(
    file: Path,
    output: Path,
    kind: str,
    env_id: str | None,
    env_kwargs: dict[str, Any],
    clip_actions: bool,
    without_actions: bool,
    overwrite: bool,
    options: ReadingOptions,
) -> None:
    """Write the episodes of FILE in another format, once what FILE does not say has been said.

    Native files, Minari data sets and robomimic files of any size are converted in bounded memory; files of other
    formats are read whole. What the new file cannot hold is named.
    """
    if clip_actions and without_actions:
        raise click.UsageError(
            "--clip-actions changes the actions that --without-actions leaves out; give one of them."
        )
    if kind == "native":
        prepare_new_file(output, [file], overwrite)
    else:
        check_new(output, [file], overwrite)

    from gailkit.demonstrations.editing.convert import Target
    from gailkit.demonstrations.editing.convert import convert as run_conversion

    written = Target(
        output, _writer(kind), clip_actions=clip_actions, without_actions=without_actions, step=typed_command()
    )
    target = written if env_id is None else _said_to_come_from(written, env_id, env_kwargs)
    with watched(f"converting {file}") as on_episode:
        done = run_conversion(file, options.read_options(env_id), target, on_episode)
    say_notes(file, done.notes)
    clipped = f", {counted(done.clipped, 'action')} clipped" if done.clipped else ""
    click.echo(
        printable(
            f"converted {file} ({done.format}) into {output}: {counted(done.episodes, 'episode')}, "
            f"{counted(done.steps, 'step')}"
        )
        + clipped
    )


def _said_to_come_from(target: Target, env_id: str, env_kwargs: dict[str, Any]) -> Target:
    from gailkit.rollouts.environments import canonical_id, make_env

    env = make_env(canonical_id(env_id), env_kwargs)
    env.close()
    return target._replace(
        env_id=canonical_id(env_id),
        env_kwargs=env_kwargs,
        observation_space=env.observation_space,
        action_space=env.action_space,
    )


def _writer(kind: str) -> Write:
    from gailkit.demonstrations.native import writing

    if kind == "native":
        return writing.write
    from gailkit.demonstrations.formats import minari_writing

    def write(path: Path, about: About, trajectories: Iterable[Trajectory]) -> int:
        count = minari_writing.write(path, about, trajectories)
        if lost := minari_writing.losses(about):
            click.echo(printable(f"note: a Minari data set does not hold {'; '.join(lost)}"), err=True)
        return count

    return write
