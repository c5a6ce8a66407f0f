"""Measurements of gailkit: how well it imitates, and how fast. Run ``python -m benchmarks --help``."""
