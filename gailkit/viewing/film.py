"""Frames of an environment into a file that plays at the right speed: GIF, WebP or MP4."""

from __future__ import annotations

import math
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from gailkit.errors import EnvironmentFailure, InputError, StorageError
from gailkit.importing import require
from gailkit.storage import write_atomically
from gailkit.wording import counted

SUFFIXES = (".gif", ".webp", ".mp4")
LONGEST_SIDE = 360  # of a GIF or WebP, pixels: a larger one takes many megabytes
MOST_PIXELS = 2**27  # that a GIF or WebP may hold in all; Pillow keeps 4 bytes of each in memory
PALETTE_FRAMES = 16
MOST_FRAMES_A_SECOND = {".gif": 30, ".webp": 30, ".mp4": 60}  # viewers slow down a GIF of more than 50


class Pace(NamedTuple):
    """Which steps a film shows, and how fast."""

    stride: int  # every stride-th step gives a frame
    fps: float  # frames a second, so that stride * fps steps pass in one


def choose_pace(steps_per_second: float, most: float) -> Pace:
    """The smallest stride that keeps ``steps_per_second`` with at most ``most`` frames a second."""
    stride = max(1, math.ceil(steps_per_second / most))
    return Pace(stride, steps_per_second / stride)


def tick_durations(times: Sequence[float]) -> list[int]:
    """How long each frame is shown, in ms: multiples of 10, as a GIF counts, whose sums are within 5 ms of the truth.

    ``times`` (n + 1,) are the seconds at which the n frames begin, and the end of the last one.
    """
    ticks = [round(100 * time) for time in times]
    return [10 * (end - start) for start, end in pairwise(ticks)]


def check_film(path: Path) -> None:
    """Raise InputError unless a film can be written to a file of this name here."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} does not end in the name of a film; accepted are {', '.join(SUFFIXES)}")
    if path.suffix.lower() == ".mp4":
        require(f"{path}, unlike a .gif,", "video", "imageio_ffmpeg")


def open_film(path: Path, fps: float) -> Film:
    """The film that will stand in ``path``, of ``fps`` frames a second. Raises InputError as ``check_film``."""
    check_film(path)
    return VideoFile(path, fps) if path.suffix.lower() == ".mp4" else AnimatedImage(path, fps)


class Film(ABC):
    """Takes frames one by one and, when it is saved, writes those it has; without any it writes nothing."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        self.frames = 0
        self.shape: tuple[int, ...] | None = None
        self.note = ""  # what a viewer should know, once the film is saved

    def add(self, frame: np.ndarray) -> None:
        """Take one more ``frame`` (H, W, 3) uint8, RGB.

        Raises:
            EnvironmentFailure: if it is none, or not of the size of those before.
            StorageError: if it cannot be written.
        """
        expected = self.shape or ("H", "W", 3)
        known = frame.ndim == 3 and frame.shape[2] == 3 and frame.size > 0 and frame.dtype == np.uint8
        if not known or self.shape not in (None, frame.shape):
            found = f"{frame.dtype} of shape {frame.shape}"
            raise EnvironmentFailure(f"the environment drew {found}; a film takes uint8 of shape {expected}")
        self.shape = frame.shape
        self._append(frame)
        self.frames += 1

    def save(self) -> bool:
        """Write the file and say whether there was anything to write. Raises StorageError if it cannot be written."""
        if not self.frames:
            return False
        write_atomically(self.path, self._encoded())
        return True

    def summary(self) -> str:
        """What was written, for the person who asked for it."""
        kilobytes = self.path.stat().st_size / 1e3
        said = (
            f"wrote {self.path}: {self.frames / self.fps:.1f} s, {counted(self.frames, 'frame')}, {kilobytes:,.0f} kB"
        )
        return f"{said} ({self.note})" if self.note else said

    @abstractmethod
    def _append(self, frame: np.ndarray) -> None: ...

    @abstractmethod
    def _encoded(self) -> bytes: ...


class AnimatedImage(Film):
    """A GIF or WebP, scaled down to LONGEST_SIDE.

    Its frames wait in memory, for the colours of a GIF are chosen to suit them all. When there are MOST_PIXELS, every
    second one goes and from then on half as many are kept, so that a long film covers all of its time.
    """

    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path, fps)
        self.images: list[Image.Image] = []
        self.every = 1  # one frame out of so many is kept

    def _append(self, frame: np.ndarray) -> None:
        if self.frames % self.every:
            return
        self.images.append(_scaled_down(Image.fromarray(frame)))
        width, height = self.images[0].size
        if len(self.images) * width * height >= MOST_PIXELS and len(self.images) > 1:
            self.images = self.images[::2]
            self.every *= 2
            self.note = f"only every {_ordinal(self.every)} frame is kept of so long a film; .mp4 keeps all"

    def _encoded(self) -> bytes:
        starts = [index * self.every / self.fps for index in range(len(self.images))]
        durations = tick_durations([*starts, self.frames / self.fps])
        file = BytesIO()
        if self.path.suffix.lower() == ".gif":
            first, *rest = with_common_palette(self.images)
            options = {"optimize": False, "disposal": 1}  # optimising would give frames palettes of their own
        else:
            first, *rest = self.images
            options = {"quality": 80}
        kind = self.path.suffix[1:]
        duration = durations if rest else durations[0]
        first.save(file, kind, save_all=True, append_images=rest, duration=duration, loop=0, **options)
        return file.getvalue()


class VideoFile(Film):
    """An MP4 (H.264) that ffmpeg writes while the frames come, so that its length costs no memory."""

    def _append(self, frame: np.ndarray) -> None:
        height, width = (size - size % 2 for size in frame.shape[:2])  # H.264 halves the resolution of colours
        if not self.frames:
            self._start(width, height)
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(frame[:height, :width].tobytes())
            self.process.stdin.flush()
        except OSError as error:
            if not self.frames:  # there will be nothing to save
                self._give_up()
            raise StorageError(f"{self.path} could not be written: {error}") from error

    def _start(self, width: int, height: int) -> None:
        from imageio_ffmpeg import get_ffmpeg_exe

        self.folder = tempfile.TemporaryDirectory(prefix="gailkit-")
        coming = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{self.fps:.6f}", "-i", "-"]
        going = ["-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
        self.process = subprocess.Popen(
            [get_ffmpeg_exe(), "-v", "error", *coming, *going, str(Path(self.folder.name) / "film.mp4")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for gailkit, which then still wants its film
        )

    def _encoded(self) -> bytes:
        try:
            _, complaints = self.process.communicate()
            if self.process.returncode != 0:
                last = complaints.decode(errors="replace").strip().rpartition("\n")[2]
                raise StorageError(f"{self.path} could not be written: {last or 'ffmpeg failed'}")
            return (Path(self.folder.name) / "film.mp4").read_bytes()
        finally:
            self._give_up()

    def _give_up(self) -> None:
        self.process.kill()  # nothing happens where it has ended
        self.process.wait()
        self.folder.cleanup()


def with_common_palette(images: Sequence[Image.Image]) -> Iterator[Image.Image]:
    """The RGB ``images``, all of one size, in the 256 colours that suit a sample of them from start to end best."""
    sample = images[:: math.ceil(len(images) / PALETTE_FRAMES)]
    width, height = images[0].size
    mosaic = Image.new("RGB", (width, height * len(sample)))
    for row, image in enumerate(sample):
        mosaic.paste(image, (0, row * height))
    palette = mosaic.quantize(256)
    return (image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images)


def _ordinal(number: int) -> str:
    """Of a power of two: 2nd, 4th, 8th, 16th, 32nd."""
    return f"{number}{'nd' if number % 10 == 2 and number % 100 != 12 else 'th'}"


def _scaled_down(image: Image.Image) -> Image.Image:
    scale = min(1.0, LONGEST_SIDE / max(image.size))
    if scale == 1.0:
        return image
    width, height = (max(1, round(scale * size)) for size in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)
