"""``python -m gailkit`` is the command ``gailkit``."""

from gailkit.cli import main

main()
