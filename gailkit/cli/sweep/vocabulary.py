"""The options of ``gailkit train`` as the file of a sweep may name them, and what that command makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import rich_click as click

from gailkit.cli.demonstrations import ReadingOptions
from gailkit.cli.learned_from import LearnedFrom
from gailkit.cli.options import Sizes, Whole, config_from_options
from gailkit.cli.train import refuse_two_hold_outs, train
from gailkit.errors import InputError
from gailkit.sweep.config import ELSEWHERE, Option, Vocabulary
from gailkit.sweep.plan import Understood
from gailkit.training.config import TrainConfig
from gailkit.training.own_runs import named_in
from gailkit.training.policy_config import EVERY

TABLES = ("env_kwargs",)
WHOLE = ("workers", "read_max_episode_steps")  # beside those that can be nothing else


@cache
def vocabulary() -> Vocabulary:
    """Every option of ``gailkit train`` that a file may name, without its dashes."""
    found = {}
    for option in train.params:
        name = option.opts[0].removeprefix("--")
        if isinstance(option, click.Option) and name not in (*ELSEWHERE, "demos"):
            found[name] = Option(_kind(option), evaluates=(option.name or "").startswith("read_"))
    return found


def _kind(option: click.Option) -> str:
    if option.is_flag:
        return "flag"
    if option.name in TABLES:
        return "table"
    if isinstance(option.type, Sizes):
        return "sizes"
    return "whole" if isinstance(option.type, Whole | click.IntRange) or option.name in WHOLE else "value"


def understand(words: Sequence[str]) -> Understood:
    """What ``gailkit train`` makes of the ``words`` behind it, of which nothing is run.

    Raises:
        InputError: for what that command would refuse, as it would.
    """
    try:
        given = train.make_context("train", [*words, "--out", "run"]).params
        refuse_two_hold_outs(given["trajectories"], given["hold_out"])
    except click.UsageError as error:
        raise InputError(error.format_message().rstrip(".")) from error
    config = config_from_options(given, None, TrainConfig)
    if config.generator not in EVERY and ":" not in config.generator:
        raise InputError(
            f"--generator must be one of {', '.join(EVERY)}, or module:attribute; found {config.generator}"
        )
    options = ReadingOptions(**{name.removeprefix("read_"): given[name] for name in given if name.startswith("read_")})
    chosen = {name: given[name] for name in ("trajectories", "hold_out", "subsample")}
    taught_by = LearnedFrom(given["demos"], options, seed=config.seed, **chosen).record()
    made = {name: given[name] for name in ("env_id", "env_kwargs", "other_environment")}
    settings = config.to_dict()
    identity = {**made, "demonstrations": taught_by, "config": settings}
    imports = tuple(dict.fromkeys(named_in([given["env_id"], settings])))
    return Understood(identity, config.steps, imports)
