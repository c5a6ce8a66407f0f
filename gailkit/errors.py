"""What can go wrong, each with the exit code the command line answers with.

A message is one sentence for the person who typed the command: what was found, and what is accepted.
"""

import shlex


class GailkitError(Exception):
    """Base of every error that gailkit raises on purpose."""

    exit_code = 2


class InputError(GailkitError):
    """A request that cannot be carried out: a wrong name, a bad value, things that do not fit each other."""


class UntrustedError(InputError):
    """A name in a file that would import a module, which only the user can allow: by ``option`` and ``name``."""

    def __init__(self, found: str, option: str, name: str) -> None:
        super().__init__(f"{found}; if you trust it, say {option} {shlex.quote(name)}")
        self.found, self.option, self.name = found, option, name


class UnsupportedSpaceError(InputError):
    """An observation or action space that gailkit has no encoding for."""


class DataError(GailkitError):
    """A data file that is unreadable, damaged, or not of a known format."""

    exit_code = 3


class EnvironmentFailure(GailkitError):
    """The environment itself failed: it raised, or returned something that is not finite."""

    exit_code = 4


class StorageError(GailkitError):
    """A file could not be written: no space, no permission, not a folder."""

    exit_code = 5


class InUseError(InputError):
    """Another process writes to the same place."""


class RankError(GailkitError):
    """Processes that train together cannot reach each other, one of them is lost, or their networks differ."""

    exit_code = 6


class HubError(GailkitError):
    """The hub of policies cannot be reached, or refuses."""

    exit_code = 7


class SaidElsewhereError(GailkitError):
    """Another of the processes that train together says what went wrong; this one ends with it, and its exit code."""

    def __init__(self, sentence: str, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class DivergenceError(GailkitError):
    """A number that must be finite was not; training stopped at the last good checkpoint."""

    exit_code = 1
