"""Demonstrations: reading them from files, choosing among them, and drawing transitions to imitate."""

from gailkit.demonstrations.dataset import Demonstrations

__all__ = ["Demonstrations"]
