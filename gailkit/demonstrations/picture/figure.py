"""A data set as one picture: what its episodes earned, how they ended, and what was seen and done in them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.demonstrations.picture import panels
from gailkit.demonstrations.picture.images import frames_of, is_image
from gailkit.demonstrations.picture.marginals import (
    LARGEST,
    Feature,
    Leaf,
    Marginals,
    Sample,
    leaves,
    marginals,
    sample,
)
from gailkit.errors import InputError
from gailkit.spaces import leaves as space_leaves
from gailkit.storage import write_atomically
from gailkit.wording import counted

FORMATS = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""The endings of a picture's name, and what is left out so that equal data give equal pictures."""

MOST = 12  # features of observations, and of actions
COLUMNS = 6
PANEL_TITLE = 20
TITLE = 80  # letters that fit the width, however wide they are
FRAMES = 6
WIDTH, EPISODES_HEIGHT, LINE_HEIGHT = 13.0, 3.2, 1.9  # inches
LARGEST_BOUND = 1e6  # a bound beyond it stands for none
MOST_CHOICES = 60  # more than these are drawn as other numbers are

Draw = Callable[[Axes], None]


class Block(NamedTuple):
    """Panels under one title."""

    title: str
    panels: Sequence[Draw]

    @property
    def columns(self) -> int:
        return len(self.panels) if len(self.panels) <= COLUMNS + 1 else COLUMNS

    @property
    def lines(self) -> int:
        return -(-len(self.panels) // self.columns)


def check_picture_name(path: Path) -> None:
    """Raise InputError unless the ending of ``path`` names a format that can be drawn."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path} does not end in the name of a format of pictures; accepted are {', '.join(FORMATS)}")


def draw_demonstrations(demonstrations: Demonstrations, path: Path) -> None:
    """Draw ``picture`` into a file, whose format is that of its name.

    Raises:
        InputError: if the name has another ending than those of ``FORMATS``.
        StorageError: if the disk refuses.
    """
    check_picture_name(path)
    ending = path.suffix.lower()
    content = io.BytesIO()
    picture(demonstrations).savefig(content, format=ending[1:], dpi=120, metadata=FORMATS[ending])
    write_atomically(path, content.getvalue())


def picture(demonstrations: Demonstrations) -> Figure:
    """Returns, lengths and endings of all episodes; below, the values of observations and actions, or sample images."""
    observations, actions = _observations(demonstrations), _actions(demonstrations)
    blocks = [*observations, *actions]
    together = len(blocks) == 2 and sum(len(block.panels) for block in blocks) <= COLUMNS
    rows = [[_episodes(demonstrations)], *([blocks] if together else [[block] for block in blocks])]
    heights = [EPISODES_HEIGHT, *(0.4 + LINE_HEIGHT * row[0].lines for row in rows[1:])]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.7), layout="constrained")
    figure.suptitle(_title(demonstrations), parse_math=False)
    places = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
    for place, row in zip(places, rows, strict=True):
        parts = place.subfigures(1, len(row), squeeze=False, width_ratios=[len(block.panels) for block in row])[0]
        for part, block in zip(parts, row, strict=True):
            _fill(part, block)
    return figure


def _fill(part: SubFigure, block: Block) -> None:
    if block.title:
        part.suptitle(block.title, fontsize="medium", fontweight="bold")
    for number, draw in enumerate(block.panels, start=1):
        draw(part.add_subplot(block.lines, block.columns, number))


def _title(demonstrations: Demonstrations) -> str:
    arguments = f" {json.dumps(dict(demonstrations.env_kwargs))}" if demonstrations.env_kwargs else ""
    name = _short(f"{demonstrations.env_id or 'environment not stated'}{arguments}", TITLE)
    count, terminated = len(demonstrations.trajectories), demonstrations.num_terminated
    return (
        f"{name}\n{counted(count, 'episode')}, {terminated:,} terminated and "
        f"{count - terminated:,} truncated; {counted(demonstrations.num_steps, 'step')}{_earned(demonstrations)}"
    )


def _returns(demonstrations: Demonstrations) -> np.ndarray | None:
    returns = demonstrations.returns()
    return None if returns is None else returns.clip(-LARGEST, LARGEST)


def _earned(demonstrations: Demonstrations) -> str:
    returns = _returns(demonstrations)
    if returns is None:
        return ""
    spread = f", sd {returns.std(ddof=1):.3g}" if len(returns) > 1 else ""
    return f"; mean return {returns.mean():.5g}{spread}"


def _episodes(demonstrations: Demonstrations) -> Block:
    lengths, terminated = demonstrations.episodes.lengths, demonstrations.episodes.terminated
    draw_lengths = partial(panels.draw_lengths, lengths=lengths, terminated=terminated)
    returns = _returns(demonstrations)
    if returns is None:
        return Block(
            "", [partial(panels.draw_nothing, title="Returns", reason="no rewards were recorded"), draw_lengths]
        )
    draw_order = partial(panels.draw_order, returns=returns, terminated=terminated)
    return Block("", [partial(panels.draw_returns, returns=returns), draw_lengths, draw_order])


def _observations(demonstrations: Demonstrations) -> list[Block]:
    arrays = (episode.observations for episode in demonstrations.trajectories)
    found = sample(arrays, demonstrations.episodes.lengths + 1)
    return _blocks("observation", found, demonstrations.observation_space)


def _actions(demonstrations: Demonstrations) -> list[Block]:
    """None where no actions are known."""
    if not demonstrations.has_actions:
        return []
    arrays = (episode.actions for episode in demonstrations.trajectories)
    return _blocks("action", sample(arrays, demonstrations.episodes.lengths), demonstrations.action_space)


def _blocks(role: str, found: Sample, space: Space[Any] | None) -> list[Block]:
    """One block for every part that is an image, and one for all numbers beside."""
    parts = leaves(found.rows)
    images = [part for part in parts if is_image(part.values.shape[1:])]
    others = [part for part in parts if not is_image(part.values.shape[1:])]
    blocks = [_images(role, found, part) for part in images]
    return [*blocks, _features(role, found, others, space)] if others else blocks


def _images(role: str, found: Sample, part: Leaf) -> Block:
    draw: list[Draw] = [
        partial(panels.draw_frame, title=f"episode {frame.episode}, step {frame.step}", image=frame.image)
        for frame in frames_of(found, part.values, FRAMES)
    ]
    intensity = part.values.reshape(len(part.values), -1).mean(axis=1, dtype=np.float64)
    draw.append(partial(panels.draw_feature, title="mean of an image", values=intensity))
    size = " x ".join(map(str, part.values.shape[1:]))
    name = _short(".".join((f"{role.capitalize()}s", *part.path)), TITLE)
    return Block(f"{name}: images of {size}, {part.values.dtype}; means of {len(part.values):,}", draw)


def _features(role: str, found: Sample, parts: Sequence[Leaf], space: Space[Any] | None) -> Block:
    spaces = {} if space is None else dict(space_leaves(space))
    shown = marginals(parts, MOST)
    draw = [_drawing(role, feature, spaces.get(feature.path)) for feature in shown.features]
    if not draw:
        return Block("", [partial(panels.draw_nothing, title=f"{role.capitalize()}s", reason="arrays without numbers")])
    return Block(_features_title(role, shown, found), draw)


def _drawing(role: str, feature: Feature, space: Space[Any] | None) -> Draw:
    at = f"[{', '.join(map(str, feature.at))}]" if feature.at else ""
    title = _short(".".join(feature.path) or role, PANEL_TITLE) + at
    choices = None if feature.at else _choices(feature.values, space)
    if choices is not None:
        return partial(panels.draw_choices, title=title, values=feature.values, choices=choices)
    bounds = _bounds(space, feature.at) if role == "action" else None
    return partial(panels.draw_feature, title=title, values=feature.values, bounds=bounds)


def _short(name: str, most: int) -> str:
    """``name`` in letters that every font has, and not more than ``most`` of them."""
    plain = ascii(name)[1:-1]
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."


def _choices(values: np.ndarray, space: Space[Any] | None) -> range | None:
    """What there was to choose from, as far as it is known; None where that is too much, or no matter of choice."""
    if values.dtype.kind == "f":
        return None
    first, last = int(values.min()), int(values.max())
    if isinstance(space, Discrete):
        first, last = min(first, int(space.start)), max(last, int(space.start + space.n) - 1)
    return range(first, last + 1) if last - first < MOST_CHOICES else None


def _bounds(space: Space[Any] | None, at: tuple[int, ...]) -> tuple[float, float] | None:
    if not isinstance(space, Box):
        return None
    low, high = float(space.low[at]), float(space.high[at])
    return (low, high) if max(-low, high) <= LARGEST_BOUND else None


def _features_title(role: str, shown: Marginals, found: Sample) -> str:
    count, rows = len(shown.features), len(found.rows)
    plural = "s" * (shown.total > 1)
    most = (
        f"the {count} of {shown.total} features that vary most" if count < shown.total else f"{count} feature{plural}"
    )
    constant = f", {shown.constant} of {shown.total} never vary" if shown.constant else ""
    sampled = f"; of {rows:,} out of {found.total:,}" if rows < found.total else ""
    return f"{role.capitalize()}s: {most}{constant}{sampled}"
