"""The command ``gailkit``: subcommands that load only when they run, and one exit code for each kind of failure.

Nothing here may import torch, h5py, gymnasium or numpy, directly or through a module it imports: ``gailkit --help``,
shell completion and a mistyped command have to answer at once.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import rich_click as click
from click.exceptions import Exit, NoArgsIsHelpError
from click.shell_completion import shell_complete

from gailkit import __version__
from gailkit.cli.common import printable
from gailkit.cli.examples import examples
from gailkit.cli.lazy import Lazy, LazyGroup
from gailkit.errors import GailkitError, SaidElsewhereError, StorageError, UntrustedError
from gailkit.ranks.joining import announced, speaks

COMMANDS = {  # by name
    "record": Lazy("gailkit.cli.record.command:record", "Record demonstrations of a policy in an environment."),
    "train": Lazy("gailkit.cli.train:train", "Train a policy that imitates demonstrations."),
    "evaluate": Lazy(
        "gailkit.cli.evaluate.command:evaluate", "Measure how closely a policy matches the demonstrations."
    ),
    "sweep": Lazy(
        "gailkit.cli.sweep.command:sweep", "Compare methods over tasks and seeds, on every core or a cluster."
    ),
    "control": Lazy("gailkit.cli.control:control", "See whether a method scores without being taught."),
    "play": Lazy("gailkit.cli.play:play", "Watch a policy, in a window or as a film."),
    "export": Lazy("gailkit.cli.export:export", "Write a policy to a file that acts without gailkit."),
    "push": Lazy("gailkit.cli.push:push", "Publish the policy of a run on the Hugging Face Hub."),
    "pull": Lazy("gailkit.cli.pull:pull", "Get a policy that somebody has published there."),
    "expert": Lazy("gailkit.cli.expert:expert", "Train an expert on the environment's own reward."),
    "data": Lazy("gailkit.cli.data:data", "Look into files of demonstrations, and make new ones of them."),
    "doctor": Lazy("gailkit.cli.doctor:doctor", "Say what there is on this machine, and what is missing for what."),
    "demo": Lazy("gailkit.cli.demo:demo", "Imitate a CartPole expert, start to end, in a few minutes."),
}
TOGETHER = ("train", "expert")  # that several processes run, started by torchrun

EXAMPLES = examples(
    "gailkit expert CartPole-v1 --steps 60000 --out agent",
    "- makes the run folder agent: a policy that learned from the task's reward",
    "gailkit record CartPole-v1 --policy agent --episodes 30 --seed 0 -o demos.hdf5",
    "- makes demos.hdf5: demonstrations of that policy",
    "gailkit train CartPole-v1 --demos demos.hdf5 --steps 100000 --out run",
    "- makes the run folder run: a policy that imitates them",
    "gailkit evaluate run --demos demos.hdf5 --report closeness.html",
    "- says how closely it matches, and makes closeness.html, a page to look at",
    "gailkit COMMAND --help",
    "- says more of a command, with examples",
)

# A column for the value's type would leave too little room for the names; it goes behind the help instead.
click.rich_click.OPTIONS_TABLE_COLUMN_TYPES = ["required", "opt_short", "opt_long", "help"]
click.rich_click.OPTIONS_TABLE_HELP_SECTIONS = ["help", "deprecated", "envvar", "metavar", "default", "required"]

STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}
INTERNAL_ERROR, INTERRUPTED, BROKEN_PIPE = 70, 130, 141
MOST_SAID = 4000  # characters of an error
COMPLETE_VARIABLE = "_GAILKIT_COMPLETE"


@dataclass
class Settings:
    """What the options before the command's name have set; ``context.obj`` of every command."""

    debug: bool = False


@click.group(
    "gailkit",
    cls=LazyGroup,
    table=COMMANDS,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="gailkit")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def gailkit(context: click.Context, debug: bool) -> None:
    """Imitate demonstrations: record an expert, train a policy to behave like it, measure how close it comes."""
    context.obj.debug = debug
    if announced() > 1 and context.invoked_subcommand not in TOGETHER:
        raise click.UsageError(
            f"{context.invoked_subcommand} runs in one process, and WORLD_SIZE says that this is one of {announced()}; "
            f"torchrun is for {' and '.join(TOGETHER)}."
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line ``arguments`` (those of the process when None) and exit with its code.

    0 done; 1 training diverged, runs of a sweep failed, `data check` found something, or `doctor` something to mend;
    2 wrong usage or refused input; 3 unreadable data; 4 environment failure; 5 disk or permission; 6 a process that
    trains with others lost them or differs from them; 7 the hub cannot be reached or refuses; 70 a bug in gailkit;
    130 interrupted; 141 nobody reads the output any more; 143 stopped by SIGTERM.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    settings = Settings()
    try:
        code = _run(words, settings)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _leave_broken_pipe()
    except KeyboardInterrupt:
        code = _fail("interrupted", INTERRUPTED, settings)
    except Exception as error:  # the one place that may catch all: beyond it a user would see a traceback
        code = _report(error, words, settings)
    sys.exit(code)


def _run(words: list[str], settings: Settings) -> int:
    """The exit code of a command that came to its end, or was asked for help or completion."""
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        return shell_complete(gailkit, {"obj": settings}, "gailkit", COMPLETE_VARIABLE, instruction)
    try:
        with gailkit.make_context("gailkit", words, obj=settings) as context:
            gailkit.invoke(context)
    except Exit as leaving:
        return leaving.exit_code
    return 0


def _report(error: Exception, words: list[str], settings: Settings) -> int:
    """Say on stderr, in one sentence, what went wrong; the exit code of its kind."""
    match error:
        case click.Abort():  # a prompt was left with Ctrl-C or Ctrl-D
            return _fail("interrupted", INTERRUPTED, settings)
        case click.UsageError():
            return _explain_usage(error, settings)
        case click.FileError():
            return _fail(error.format_message(), StorageError.exit_code, settings)
        case click.ClickException():
            return _fail(error.format_message(), GailkitError.exit_code, settings)
        case SaidElsewhereError():
            return error.exit_code
        case UntrustedError():
            allowed = shlex.join(["gailkit", *words, error.option, error.name])
            return _fail(f"{error.found}; if you trust it: {allowed}", error.exit_code, settings)
        case GailkitError():
            return _fail(str(error), error.exit_code, settings)
        case OSError() if error.filename is not None or error.errno in STORAGE_ERRORS:
            return _fail(_storage_sentence(error), StorageError.exit_code, settings)
    sentence = f"internal error: {type(error).__name__}: {error}"
    advice = f"This is a bug in gailkit, please report it with what `gailkit --debug {' '.join(words)}` prints."
    return _fail(sentence if settings.debug else f"{sentence}. {advice}", INTERNAL_ERROR, settings)


def _explain_usage(error: click.UsageError, settings: Settings) -> int:
    """What was wrong, near names where there are some, and where to find help; without arguments the help itself."""
    if isinstance(error, NoArgsIsHelpError):
        print(error.message, file=sys.stderr)
        return error.exit_code
    command = "gailkit" if error.ctx is None else error.ctx.command_path
    return _fail(f"{_ended(error.format_message())} See `{command} --help`.", error.exit_code, settings)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


def _storage_sentence(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{reason}: {error.filename}"


def _fail(sentence: str, code: int, settings: Settings) -> int:
    if settings.debug:
        traceback.print_exc()
    if not speaks():
        return code
    shown = sentence if len(sentence) <= MOST_SAID else f"{sentence[:MOST_SAID]} ..."  # a file may have said it
    print(f"Error: {printable(shown)}", file=sys.stderr)
    return code


def _leave_broken_pipe() -> int:
    """Let the interpreter flush what is left to nowhere, so that it does not complain about the pipe on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
