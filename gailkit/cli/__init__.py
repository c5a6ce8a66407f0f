"""The command line: one file a command, each reading its configuration, calling one function and printing."""

from gailkit.cli.main import main

__all__ = ["main"]
