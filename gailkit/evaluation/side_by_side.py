"""A policy's episode beside one of the expert's, as one animation at the environment's own pace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from io import BytesIO
from statistics import median_low
from time import perf_counter
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gailkit.errors import EnvironmentFailure, InputError
from gailkit.evaluation.retelling import Retelling, draw, retelling
from gailkit.rollouts.environments import environment_failures
from gailkit.rollouts.global_generators import seeded_globally
from gailkit.types import Trajectory
from gailkit.viewing.film import choose_pace, tick_durations
from gailkit.viewing.mujoco_camera import draw_cheaply
from gailkit.viewing.rendering import Filmed, make_drawn, steps_per_second
from gailkit.wording import counted

LONGEST_SECONDS = 11.0  # an episode that takes longer is shown faster
MOST_STARTS = 200  # episodes that are looked at for one that begins alike
HELD_SECONDS = 1.0  # that the last frame stays
RATES = (15.0, 10.0, 5.0)  # most frames a second: the first with which drawing keeps to DRAWING_SECONDS
DRAWING_SECONDS = 30.0
SIDE = 320  # width of a panel, and most height of the picture in it; pixels
BAR, GAP, TEXT = 32, 4, 20  # height of a panel's caption, width of the divider, size of letters; pixels
QUALITIES = (75, 50, 30, 15)  # of WebP: the first that keeps to MOST_BYTES
MOST_BYTES = 1_500_000
GROUND, LETTERS, DIVIDER = (245, 245, 245), (40, 40, 40), (120, 120, 120)
DIMMED = 0.45  # share of GROUND in a picture that stands still


class Animation(NamedTuple):
    """An animated picture, to be kept in a file or within a page."""

    content: bytes
    media_type: str
    width: int
    height: int
    seconds: float
    note: str  # how fast it is, and what a viewer should know; sentences


class Side(NamedTuple):
    """What one of the two panels shows."""

    name: str
    trajectory: Trajectory
    told: Retelling

    @property
    def ending(self) -> str:
        """What is said beneath its last frame."""
        if self.told.steps < len(self.trajectory):
            return f"up to step {self.told.steps} of {len(self.trajectory)}"
        return f"{'terminated' if self.trajectory.terminated else 'truncated'} after {counted(self.told.steps, 'step')}"


def typical(trajectories: Sequence[Trajectory]) -> int:
    """The place of the episode whose return is the median, the lower of two; its length counts where returns lack."""
    if not trajectories:
        raise InputError("a typical episode can only be chosen among some; found none")
    returns = [trajectory.episode_return for trajectory in trajectories]
    known = [value for value in returns if value is not None]
    values = known if len(known) == len(returns) else [float(len(trajectory)) for trajectory in trajectories]
    return values.index(median_low(values))


def begins_like(start: np.ndarray, trajectories: Sequence[Trajectory]) -> int:
    """The place of the episode whose first observation is nearest to ``start`` (*obs), among the first MOST_STARTS.

    Each number is divided by its deviation over the episodes' starts.
    """
    starts = np.array([trajectory.observations[0] for trajectory in trajectories[:MOST_STARTS]], dtype=np.float64)
    width = starts.std(axis=0)
    apart = np.abs(starts - start) / np.where(width > 0, width, 1.0)
    return int(apart.reshape(len(starts), -1).sum(axis=1).argmin())


def side_by_side(env_id: str, env_kwargs: Mapping[str, Any], policy: Trajectory, expert: Trajectory) -> Animation:
    """Both episodes as the environment draws them: the policy's at the left, the expert's at the right.

    Each is replayed from its seed or, where that leads elsewhere, shown state by state (see ``retelling``); actions
    lie in the environment's terms. Where the expert's episode can be shown in neither way, the policy is alone, and
    the note says why. The one that is over first stays on its last frame, dimmed.

    Raises:
        InputError: if the environment cannot be drawn here or the policy's episode not be shown; and as ``make_env``.
        EnvironmentFailure: if the environment raises, or draws what is no frame.
    """
    with seeded_globally(0), closing(make_drawn(env_id, env_kwargs)) as env:
        draw_cheaply(env)
        sides, notes = _sides(env, policy, expert)
        own = steps_per_second(env)
        natural = max(side.told.steps for side in sides) / own
        speed = max(1.0, natural / LONGEST_SECONDS)
        pace = choose_pace(own * speed, _most_frames_a_second(env, len(sides) * natural / speed))
        films = [_film(side, pace.stride) for side in sides]
    count = max(map(len, films))
    panels = [_panels(side, film, pace.stride, count) for side, film in zip(sides, films, strict=True)]
    pictures = [_joined(row) for row in zip(*panels, strict=True)]
    durations = tick_durations([*(index / pace.fps for index in range(count)), (count - 1) / pace.fps + HELD_SECONDS])
    width, height = pictures[0].size
    note = " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in (_speed_sentence(own, speed), *notes))
    return Animation(_encoded(pictures, durations), "image/webp", width, height, sum(durations) / 1e3, note)


def _sides(env: gymnasium.Env[Any, Any], policy: Trajectory, expert: Trajectory) -> tuple[list[Side], list[str]]:
    """What can be shown, and what a viewer should know of it."""
    sides = [Side("policy", policy, retelling(env, policy, "policy"))]
    notes = []
    try:
        sides.append(Side("expert", expert, retelling(env, expert, "expert")))
    except (InputError, EnvironmentFailure) as error:
        notes.append(f"the policy is shown alone, for {error}")
    return sides, [*(side.told.note for side in sides if side.told.note), *notes]


def _most_frames_a_second(env: gymnasium.Env[Any, Any], seconds: float) -> float:
    """The highest of RATES at which ``seconds`` are drawn in DRAWING_SECONDS, judged by one frame, or the lowest."""
    filmed = Filmed(env, 1, lambda frame: None)
    with environment_failures("it was reset"):
        filmed.reset(seed=0)  # the first frame takes longer
        start = perf_counter()
        filmed.reset(seed=0)
    if filmed.failure is not None:
        raise filmed.failure
    taken = perf_counter() - start
    return next((rate for rate in RATES if rate * seconds * taken <= DRAWING_SECONDS), RATES[-1])


def _speed_sentence(own: float, speed: float) -> str:
    pace = f"the environment's own pace, {own:g} steps a second"
    return f"at {pace}" if speed == 1.0 else f"{speed:.1f} times as fast as {pace}"


def _film(side: Side, stride: int) -> list[Image.Image]:
    pictures: list[Image.Image] = []
    draw(side.told, side.trajectory, stride, lambda frame: pictures.append(_scaled(frame)))
    return pictures


def _scaled(frame: np.ndarray) -> Image.Image:
    """The frame (H, W, 3) as large as fits into a panel."""
    if frame.ndim != 3 or frame.shape[2] != 3 or not frame.size or frame.dtype != np.uint8:
        found = f"{frame.dtype} of shape {frame.shape}"
        raise EnvironmentFailure(f"the environment drew {found}; a frame is uint8 of shape (H, W, 3)")
    scale = SIDE / max(frame.shape[:2])
    height, width = (max(1, round(scale * size)) for size in frame.shape[:2])
    return Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS)


def _panels(side: Side, film: Sequence[Image.Image], stride: int, count: int) -> Iterator[Image.Image]:
    """``count`` panels: the film, then its last frame, dimmed, for as long as the other side goes on."""
    for index, picture in enumerate(film[:-1]):
        yield _panel(picture, side.name, f"step {index * stride}")
    last = _panel(Image.blend(film[-1], Image.new("RGB", film[-1].size, GROUND), DIMMED), side.name, side.ending)
    yield from [last] * (count - len(film) + 1)


def _panel(picture: Image.Image, name: str, said: str) -> Image.Image:
    """The picture beneath its caption."""
    panel = Image.new("RGB", (SIDE, BAR + picture.height), GROUND)
    panel.paste(picture, ((SIDE - picture.width) // 2, BAR))
    font = ImageFont.load_default(TEXT)
    write = ImageDraw.Draw(panel).text
    write((6, BAR // 2), name, LETTERS, font, anchor="lm")
    write((SIDE - 6, BAR // 2), said, LETTERS, font, anchor="rm")
    return panel


def _joined(panels: Sequence[Image.Image]) -> Image.Image:
    """The panels from left to right, a divider between them."""
    width = len(panels) * (SIDE + GAP) - GAP
    picture = Image.new("RGB", (width, max(panel.height for panel in panels)), DIVIDER)
    for place, panel in enumerate(panels):
        picture.paste(panel, (place * (SIDE + GAP), 0))
    return picture


def _encoded(pictures: Sequence[Image.Image], durations: Sequence[int]) -> bytes:
    """An animated WebP of the best of QUALITIES that keeps to MOST_BYTES, or of the lowest."""
    for quality in QUALITIES:
        file = BytesIO()
        first, *rest = pictures
        first.save(file, "WEBP", save_all=True, append_images=rest, duration=list(durations), loop=0, quality=quality)
        if file.tell() <= MOST_BYTES:
            break
    return file.getvalue()
