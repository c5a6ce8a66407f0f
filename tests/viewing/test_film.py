"""A film plays as fast as what it shows, in the colours it had, and costs no more memory the longer it is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gailkit.errors import EnvironmentFailure, InputError, StorageError
from gailkit.viewing import film as film_module
from gailkit.viewing.film import LONGEST_SIDE, Film, VideoFile, check_film, choose_pace, open_film, tick_durations

WriteFilm = Callable[..., Path]


def plain(red: int, green: int, blue: int, height: int = 20, width: int = 30) -> np.ndarray:
    """A frame (height, width, 3) of one colour."""
    return np.full((height, width, 3), (red, green, blue), dtype=np.uint8)


@pytest.fixture
def write_film(tmp_path: Path) -> WriteFilm:
    """``write_film("a.gif", 25, frames)``: the file, saved."""

    def write(name: str, fps: float, frames: list[np.ndarray]) -> Path:
        film = open_film(tmp_path / name, fps)
        for frame in frames:
            film.add(frame)
        assert film.save()
        return tmp_path / name

    return write


def played(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """The frames (H, W, 3) of an animated image, and how long each is shown, in ms."""
    frames, durations = [], []
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
            durations.append(int(image.info["duration"]))
    return frames, durations


class Video(NamedTuple):
    frames: list[np.ndarray]  # (H, W, 3)
    about: str  # what ffmpeg says of the file


def played_video(path: Path) -> Video:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="NOT TESTED what an MP4 holds: no imageio-ffmpeg")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    (about,) = re.findall(r"Video: (h264.*)", done.stderr.decode().partition("Stream mapping")[0])
    (size,) = re.findall(r", (\d+)x(\d+)", about)
    width, height = map(int, size)
    return Video(list(np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)), about)


@given(st.floats(0.1, 1000), st.sampled_from([30.0, 60.0]))
def test_a_pace_shows_all_steps_of_a_second_in_a_second_with_no_frame_too_many(steps: float, most: float) -> None:
    pace = choose_pace(steps, most)
    assert pace.stride * pace.fps == pytest.approx(steps)
    assert pace.fps <= most * (1 + 1e-9)
    assert pace.stride == 1 or steps / (pace.stride - 1) > most


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_durations_in_ticks_never_drift_from_the_truth(gaps: list[float]) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    durations = tick_durations(list(times))
    assert all(duration % 10 == 0 for duration in durations)
    assert np.abs(np.cumsum(durations) - 1000 * times[1:]).max() <= 5 + 1e-6


def test_a_third_of_a_tenth_is_shown_in_ticks_of_ten() -> None:
    assert tick_durations([0, 1 / 30, 2 / 30, 3 / 30]) == [30, 40, 30]  # ends at 3.33, 6.67 and 10 ticks: 3, 7, 10


@pytest.mark.parametrize("suffix", ["gif", "GIF", "webp"])
def test_an_animation_holds_its_frames_in_their_colours_for_their_time(write_film: WriteFilm, suffix: str) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)] * 5
    frames, durations = played(write_film(f"a.{suffix}", 30, [plain(*colour) for colour in colours]))
    assert [frame.shape for frame in frames] == [(20, 30, 3)] * 15
    assert sum(durations) == 500
    assert set(durations) == {30, 40}
    for frame, colour in zip(frames, colours, strict=True):
        assert np.abs(frame.astype(int) - colour).max() <= 8


def test_a_colour_that_comes_late_is_in_the_palette_too(write_film: WriteFilm) -> None:
    noise = np.random.default_rng(0).integers(0, 100, (16, 20, 30, 3), dtype=np.uint8)  # more than 256 dark colours
    late = [plain(255, 200, 0), plain(254, 200, 0)] * 8
    frames, _ = played(write_film("a.gif", 10, [*noise, *late]))
    assert np.abs(frames[-1].astype(int) - (254, 200, 0)).max() <= 8


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_pictures_that_do_not_change_take_their_time_nevertheless(write_film: WriteFilm, suffix: str) -> None:
    frames = [plain(9, 9, 9)] * 10 + [plain(200, 9, 9)] * 10
    _, durations = played(write_film(f"a.{suffix}", 10, frames))
    assert sum(durations) == 2000


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4"])
def test_a_film_may_be_of_one_frame(write_film: WriteFilm, suffix: str) -> None:
    path = write_film(f"a.{suffix}", 10, [plain(200, 9, 9)])
    frames, _ = played_video(path) if suffix == "mp4" else played(path)
    assert [frame.shape for frame in frames] == [(20, 30, 3)]


@pytest.mark.parametrize(("height", "width", "size"), [(400, 800, (360, 180)), (720, 36, (18, 360)), (5, 9, (9, 5))])
def test_a_large_animation_is_scaled_down_and_keeps_its_shape(
    write_film: WriteFilm, height: int, width: int, size: tuple[int, int]
) -> None:
    with Image.open(write_film("a.gif", 10, [plain(9, 9, 9, height, width), plain(99, 9, 9, height, width)])) as image:
        assert image.size == size
        assert max(image.size) <= LONGEST_SIDE


@pytest.mark.parametrize("count", [99, 100, 101, 116, 117, 128])
def test_a_long_animation_keeps_fewer_frames_and_all_of_its_time(
    write_film: WriteFilm, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Room for less than 30 frames: the 30th comes as frames 29, 58 and 116. Frame k is white in column k alone."""
    monkeypatch.setattr(film_module, "MOST_PIXELS", 30 * 20 * 130)
    shown = [np.zeros((20, 130, 3), np.uint8) for _ in range(count)]
    for k, frame in enumerate(shown):
        frame[:, k] = 255
    frames, durations = played(write_film("a.gif", 20, shown))
    every = 8 if count > 116 else 4
    assert [int(frame.sum(axis=(0, 2)).argmax()) for frame in frames] == list(range(0, count, every))
    assert sum(durations) == 50 * count


def test_what_a_long_animation_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_module, "MOST_PIXELS", 10 * 20 * 30)
    film = open_film(tmp_path / "a.gif", 10)
    for brightness in range(12):
        film.add(plain(brightness, 0, 0))
    film.save()
    assert film.summary().startswith(f"wrote {tmp_path / 'a.gif'}: 1.2 s, 12 frames, ")
    assert "(only every 2nd frame is kept of so long a film; .mp4 keeps all)" in film.summary()


def test_an_mp4_holds_every_frame_at_its_speed(write_film: WriteFilm) -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)] * 5
    frames, about = played_video(write_film("a.mp4", 12.5, [plain(*colour, 64, 96) for colour in colours]))
    assert " 12.50 fps" in about
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 15
    for frame, colour in zip(frames, colours, strict=True):
        assert np.abs(frame[8:-8, 8:-8].astype(int) - colour).max() <= 25


def test_an_mp4_of_odd_size_loses_its_last_row_and_column(write_film: WriteFilm) -> None:
    frames, _ = played_video(write_film("a.mp4", 10, [plain(9, 9, 9, 75, 101)] * 3))
    assert [frame.shape for frame in frames] == [(74, 100, 3)] * 3


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4"])
def test_without_frames_nothing_is_written(tmp_path: Path, suffix: str) -> None:
    assert not open_film(tmp_path / f"a.{suffix}", 10).save()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (np.zeros((4, 6, 3), np.float64), r"float64 of shape \(4, 6, 3\)"),
        (np.zeros((4, 6), np.uint8), r"uint8 of shape \(4, 6\)"),
        (np.zeros((4, 6, 4), np.uint8), r"uint8 of shape \(4, 6, 4\)"),
        (np.zeros((0, 6, 3), np.uint8), r"uint8 of shape \(0, 6, 3\)"),
        (np.asarray(None), r"object of shape \(\)"),
    ],
)
def test_what_is_no_frame_is_refused(tmp_path: Path, frame: np.ndarray, found: str) -> None:
    with pytest.raises(EnvironmentFailure, match=rf"drew {found}; a film takes uint8 of shape \('H', 'W', 3\)"):
        open_film(tmp_path / "a.gif", 10).add(frame)


def test_a_frame_of_another_size_is_refused_with_both(tmp_path: Path) -> None:
    film = open_film(tmp_path / "a.gif", 10)
    film.add(plain(0, 0, 0))
    with pytest.raises(EnvironmentFailure, match=r"\(30, 30, 3\).*\(20, 30, 3\)"):
        film.add(plain(0, 0, 0, 30))


@pytest.mark.parametrize("name", ["a.avi", "a", "gif", ".gif", "a.gif.txt"])
def test_a_name_that_is_no_film_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(InputError, match=r"accepted are \.gif, \.webp, \.mp4"):
        check_film(Path(name))


def test_an_mp4_without_its_package_is_refused_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(InputError, match=r"pip install 'gailkit\[video\]'"):
        check_film(Path("a.mp4"))
    check_film(Path("a.gif"))


def fail_to_save(film: Film, folder: Path) -> None:
    with pytest.raises(StorageError, match=r"could not be written"):
        film.save()
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    film = open_film(tmp_path / "gone" / "a.gif", 10)
    film.add(plain(0, 0, 0))
    fail_to_save(film, tmp_path)


def test_an_encoder_that_died_is_a_storage_error_and_leaves_nothing(tmp_path: Path) -> None:
    film = open_film(tmp_path / "a.mp4", 10)
    assert isinstance(film, VideoFile)
    film.add(plain(0, 0, 0))
    film.process.kill()
    film.process.wait()
    with pytest.raises(StorageError, match=r"could not be written"):
        film.add(plain(0, 0, 0, 20, 30))
    fail_to_save(film, tmp_path)
    assert not Path(film.folder.name).exists()
