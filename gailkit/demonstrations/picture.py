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

from gailkit.demonstrations import panels
from gailkit.demonstrations.dataset import Demonstrations
from gailkit.demonstrations.frames import is_image, sample_frames
from gailkit.demonstrations.marginals import LARGEST, Marginals, evenly, fitting, marginals
from gailkit.errors import InputError
from gailkit.storage import write_atomically

FORMATS = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""The endings of a picture's name, and what is left out so that equal data give equal pictures."""

MOST = 12  # features of observations, and of actions
COLUMNS = 6
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
    together = len(observations.panels) + len(actions.panels) <= COLUMNS
    rows = [[_episodes(demonstrations)], *([[observations, actions]] if together else [[observations], [actions]])]
    heights = [EPISODES_HEIGHT, *(0.4 + LINE_HEIGHT * row[0].lines for row in rows[1:])]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.7), layout="constrained")
    figure.suptitle(_title(demonstrations), parse_math=False)
    for place, row in zip(
        figure.subfigures(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0], rows, strict=True
    ):
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
    name = ascii(f"{demonstrations.env_id or 'environment not stated'}{arguments}")[1:-1]  # no font has every letter
    count, terminated = len(demonstrations.trajectories), demonstrations.num_terminated
    short = name if len(name) <= TITLE else f"{name[: TITLE - 3]}..."
    return (
        f"{short}\n{count:,} episode{'s' * (count > 1)}, {terminated:,} terminated and "
        f"{count - terminated:,} truncated; {demonstrations.num_steps:,} steps{_earned(demonstrations)}"
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
    lengths = np.array([len(episode) for episode in demonstrations.trajectories])
    terminated = np.array([episode.terminated for episode in demonstrations.trajectories])
    draw_lengths = partial(panels.draw_lengths, lengths=lengths, terminated=terminated)
    returns = _returns(demonstrations)
    if returns is None:
        return Block(
            "", [partial(panels.draw_nothing, title="Returns", reason="no rewards were recorded"), draw_lengths]
        )
    draw_order = partial(panels.draw_order, returns=returns, terminated=terminated)
    return Block("", [partial(panels.draw_returns, returns=returns), draw_lengths, draw_order])


def _observations(demonstrations: Demonstrations) -> Block:
    arrays = [episode.observations for episode in demonstrations.trajectories]
    if is_image(arrays[0].shape[1:]):
        return _images(arrays)
    return _features("observation", arrays, demonstrations.observation_space)


def _actions(demonstrations: Demonstrations) -> Block:
    return _features(
        "action", [episode.actions for episode in demonstrations.trajectories], demonstrations.action_space
    )


def _images(arrays: Sequence[np.ndarray]) -> Block:
    frames = sample_frames(arrays, FRAMES)
    draw = [
        partial(panels.draw_frame, title=f"episode {frame.episode}, step {frame.step}", image=frame.image)
        for frame in frames
    ]
    rows = evenly(arrays, fitting(arrays[0].shape[1:]))
    intensity = rows.reshape(len(rows), -1).mean(axis=1, dtype=np.float64)
    size = " x ".join(map(str, arrays[0].shape[1:]))
    return Block(
        f"Observations: images of {size}, {arrays[0].dtype}; means of {len(rows):,}",
        [*draw, partial(panels.draw_feature, title="mean of an image", values=intensity)],
    )


def _features(role: str, arrays: Sequence[np.ndarray], space: Space[Any] | None) -> Block:
    found = marginals(arrays, MOST)
    draw: list[Draw] = []
    for at, values in found.features:
        title = f"{role}[{', '.join(map(str, at))}]" if at else role
        choices = _choices(values, space) if not at else None
        if choices is not None:
            draw.append(partial(panels.draw_choices, title=title, values=values, choices=choices))
        else:
            bounds = _bounds(space, arrays[0].shape[1:], at) if role == "action" else None
            draw.append(partial(panels.draw_feature, title=title, values=values, bounds=bounds))
    if not draw:
        return Block("", [partial(panels.draw_nothing, title=f"{role.capitalize()}s", reason="arrays without numbers")])
    return Block(_features_title(role, found, sum(map(len, arrays))), draw)


def _choices(values: np.ndarray, space: Space[Any] | None) -> range | None:
    """What there was to choose from, as far as it is known; None where that is too much, or no matter of choice."""
    if values.dtype.kind == "f":
        return None
    first, last = int(values.min()), int(values.max())
    if isinstance(space, Discrete):
        first, last = min(first, int(space.start)), max(last, int(space.start + space.n) - 1)
    return range(first, last + 1) if last - first < MOST_CHOICES else None


def _bounds(space: Space[Any] | None, shape: tuple[int, ...], at: tuple[int, ...]) -> tuple[float, float] | None:
    if not isinstance(space, Box) or space.shape != shape:
        return None
    low, high = float(space.low[at]), float(space.high[at])
    return (low, high) if max(-low, high) <= LARGEST_BOUND else None


def _features_title(role: str, found: Marginals, rows: int) -> str:
    shown = len(found.features)
    most = (
        f"the {shown} of {found.total} features that vary most"
        if shown < found.total
        else f"{shown} feature{'s' * (shown > 1)}"
    )
    constant = f", {found.constant} of {found.total} never vary" if found.constant else ""
    steps = len(found.features[0].values)
    sampled = f"; {steps:,} of {rows:,} steps" if steps < rows else ""
    return f"{role.capitalize()}s: {most}{constant}{sampled}"
