"""Environments to look at: in a window, or as a film."""
