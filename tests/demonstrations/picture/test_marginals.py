"""The numbers behind a picture: which rows and features are looked at, and that every value is in one bin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gailkit.demonstrations.picture import marginals as room
from gailkit.demonstrations.picture.images import Frame, frames_of, is_image
from gailkit.demonstrations.picture.marginals import Marginals, Sample, binned, even_rows, leaves, marginals, sample

finite = st.floats(-room.LARGEST, room.LARGEST)


@given(st.one_of(arrays.arrays(np.float64, st.integers(1, 30), elements=finite),
                 arrays.arrays(np.int64, st.integers(1, 30), elements=st.integers(-(2**40), 2**40))))  # fmt: skip
def test_every_value_is_in_one_of_equal_bins(values: np.ndarray) -> None:
    counts, edges = binned(values, 10)
    assert counts.sum() == len(values)
    assert 1 <= len(counts) <= 10
    assert edges[0] <= values.min() and values.max() <= edges[-1]
    np.testing.assert_allclose(np.diff(edges), edges[1] - edges[0], rtol=1e-6)


def test_few_whole_numbers_have_a_bin_each_and_many_are_never_parted() -> None:
    counts, edges = binned(np.array([3, 5, 5]), 10)
    assert (counts.tolist(), edges.tolist()) == ([1, 0, 2], [2.5, 3.5, 4.5, 5.5])
    counts, edges = binned(np.arange(25), 10)
    assert (counts[0], edges[1] - edges[0], len(counts)) == (3, 3, 9)  # 25 numbers in 10 bins: 3 in each of 9


def test_one_value_stands_in_the_middle_of_one_bin() -> None:
    for value in (0.0, 7.0, -1e90, 1e-310):
        counts, edges = binned(np.full(4, value), 10)
        assert counts.tolist() == [4]
        assert edges.mean() == pytest.approx(value) and edges[0] < value < edges[1]


def sampled(*arrays: np.ndarray) -> Sample:
    return sample(iter(arrays), np.array([len(array) for array in arrays]))


def shown(*arrays: np.ndarray, most: int = 12) -> Marginals:
    return marginals(leaves(sampled(*arrays).rows), most)


def test_rows_are_even_over_all_arrays_with_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = np.arange(10), np.arange(10, 11), np.arange(11, 31)
    assert sampled(*parts).rows.tolist() == list(range(31))
    monkeypatch.setattr(room, "MAX_STEPS", 4)
    few = sampled(*parts)
    assert few.rows.tolist() == [0, 10, 20, 30]
    assert (few.episodes.tolist(), few.steps.tolist(), few.total) == ([0, 1, 2, 2], [0, 0, 9, 19], 31)
    assert even_rows(7, 1).tolist() == [0]


def test_features_that_vary_most_are_shown_in_their_order() -> None:
    spread = np.array([[1.0, 0.0, 5.0], [2.0, 4.0, 0.0]])
    rows = np.stack([spread * sign for sign in (-1, 1, -1, 1)])
    found = shown(rows[:3], rows[3:], most=3)
    assert [feature.at for feature in found.features] == [(0, 2), (1, 0), (1, 1)]  # 5, 2 and 4; the 1 is left out
    assert found.features[1].values.tolist() == [-2, 2, -2, 2]
    assert (found.total, found.constant) == (6, 2)


def test_a_scalar_is_one_feature_and_numbers_that_would_overflow_are_cut() -> None:
    found = shown(np.array([1, 2, 3]))
    assert [(feature.at, feature.values.tolist()) for feature in found.features] == [((), [1, 2, 3])]
    assert shown(np.array([1e300, -1e300])).features[0].values.tolist() == [room.LARGEST, -room.LARGEST]
    assert shown(np.array([True, False])).features[0].values.tolist() == [1, 0]
    assert shown(np.zeros((3, 0))).features == ()


def test_the_parts_of_a_space_are_told_apart() -> None:
    dtype = np.dtype([("arm", [("angle", np.float32, (2,)), ("grip", np.int64)]), ("camera", np.uint8, (20, 20))])
    values = np.zeros(5, dtype)
    values["arm"]["angle"] = np.arange(10).reshape(5, 2)
    parts = leaves(values)
    assert [(part.path, part.values.shape) for part in parts] == [
        (("arm", "angle"), (5, 2)), (("arm", "grip"), (5,)), (("camera",), (5, 20, 20)),
    ]  # fmt: skip
    found = marginals(parts[:2], 12)
    assert [(feature.path, feature.at) for feature in found.features] == [
        (("arm", "angle"), (0,)), (("arm", "angle"), (1,)), (("arm", "grip"), ()),
    ]  # fmt: skip
    assert found.features[1].values.tolist() == [1, 3, 5, 7, 9]


def test_large_data_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_STEPS", 50)
    monkeypatch.setattr(room, "MAX_BYTES", 960)
    assert len(sampled(np.zeros((100, 2))).rows) == 50
    assert len(sampled(np.zeros((100, 4))).rows) == 30  # of 32 bytes each
    assert len(sampled(np.zeros((100, 999))).rows) == 1


@pytest.mark.parametrize(
    "shape, image",
    [((84, 84), True), ((84, 84, 3), True), ((4, 84, 84), True), ((16, 20, 1), True),
     ((), False), ((376,), False), ((8, 84), False),
     ((20, 20, 20), False), ((4, 4, 4), False), ((2, 3, 32, 32), False)],
)  # fmt: skip
def test_an_image_has_two_sides_and_perhaps_channels(shape: tuple[int, ...], image: bool) -> None:
    assert is_image(shape) == image


def frames(values: np.ndarray, count: int) -> list[Frame]:
    return frames_of(sampled(values), values, count)


def test_frames_say_where_they_are_from_and_hold_what_is_seen() -> None:
    numbered = np.broadcast_to(np.arange(9, dtype=np.uint8)[:, None, None, None], (9, 20, 20, 3))
    found = frames_of(sampled(numbered[:4], numbered[4:]), numbered, 3)
    assert [(frame.episode, frame.step) for frame in found] == [(0, 0), (1, 0), (1, 4)]
    assert [frame.image.shape for frame in found] == [(20, 20, 3)] * 3
    assert [float(frame.image.max()) for frame in found] == [0, 4 / 255, 8 / 255]


def test_channels_may_come_first_and_the_last_of_a_stack_is_shown() -> None:
    first = np.zeros((1, 3, 20, 30), np.uint8)
    first[0, 0] = 255
    (red,) = frames(first, 1)
    assert red.image.shape == (20, 30, 3) and red.image[0, 0].tolist() == [1, 0, 0]
    stack = np.stack([np.full((20, 30), value, np.uint8) for value in (1, 2, 3, 51)])[None]
    assert frames(stack, 1)[0].image.tolist() == np.full((20, 30), 0.2).tolist()


def test_floating_images_are_spread_over_what_they_hold() -> None:
    image = np.linspace(-3, 5, 400).reshape(1, 20, 20)
    shown = frames(image, 1)[0].image
    assert (shown.min(), shown.max()) == (0, 1)
    assert frames(np.full((1, 20, 20), 7.0), 1)[0].image.max() == 0
