"""Observations of several parts and pictures as features: by hand, and whatever way they are written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.networks.encoders import ObservationEncoder
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium

PARTS = {"at": Box(-9, 9, (2,), np.float32), "bits": MultiBinary(2), "door": Discrete(3, start=1)}
PICTURE = Box(0, 255, (16, 16, 2), np.uint8)


def observed(space: Space[Any], elements: list[Any]) -> torch.Tensor:
    return torch.from_numpy(flatten_values(space, from_gymnasium(space, elements)))


def test_numbers_are_standardised_and_what_is_chosen_stays_0_and_1() -> None:
    space = Dict(PARTS)
    encoder = ObservationEncoder(flattened_space(space))
    obs = observed(space, [{"at": [1, 7], "bits": [1, 0], "door": 3}, {"at": [5, 7], "bits": [1, 1], "door": 1}])
    encoder.update(obs.float())
    # at: mean 3, deviation 2; the other number never changes, and is dropped; a bit that never changes is none of these
    assert encoder(obs.float()).tolist() == [[-1, 0, 1, 0, 0, 0, 1], [1, 0, 1, 1, 1, 0, 0]]


@pytest.mark.parametrize("see", [False, True], ids=["numbers", "with a picture"])
def test_the_order_in_which_parts_are_written_down_makes_no_difference(see: bool) -> None:
    parts: dict[str, Space[Any]] = PARTS | ({"eye": PICTURE, "back": Box(0, 255, (17, 16), np.uint8)} if see else {})
    here, there = Dict(sorted(parts.items())), Dict(sorted(parts.items(), reverse=True))
    here.seed(0)
    elements = [here.sample() for _ in range(20)]
    features = []
    for space in (here, there):
        encoder, obs = ObservationEncoder(flattened_space(space)), observed(space, elements)
        assert list(space.spaces) == sorted(parts, reverse=space is there)
        encoder.update(obs if see else obs.float())
        features.append(encoder(obs if see else obs.float()))
    assert torch.equal(*features)
    assert features[0].std() > 0.1


def test_a_picture_is_standardised_by_its_channels_and_a_constant_one_dropped() -> None:
    encoder = ObservationEncoder(PICTURE)
    obs = torch.full((2, 16, 16, 2), 7, dtype=torch.uint8)
    obs[0, ..., 0], obs[1, ..., 0] = 50, 150  # mean 100, deviation 50; the other channel never changes
    encoder.update(obs)
    features = encoder(obs).reshape(2, 2, 16, 16)
    assert encoder.size == 512
    assert (features[0, 0] == -1).all() and (features[1, 0] == 1).all() and (features[:, 1] == 0).all()


def test_statistics_of_channels_are_those_of_all_pixels_in_any_batches() -> None:
    obs = torch.randint(0, 256, (40, 16, 16, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    whole, split = ObservationEncoder(PICTURE), ObservationEncoder(PICTURE)
    whole.update(obs)
    for some in obs.split(7):
        split.update(some)
    torch.testing.assert_close(split(obs), whole(obs), atol=1e-4, rtol=0)
    pixels = obs.double().flatten(0, 2)
    expected = (obs.double() - pixels.mean(0)) / pixels.std(0, correction=0)
    torch.testing.assert_close(whole(obs), expected.permute(0, 3, 1, 2).flatten(1).float(), atol=1e-4, rtol=0)


def test_colours_first_or_last_give_the_same_features() -> None:
    last = torch.randint(0, 256, (5, 16, 16, 2), dtype=torch.uint8)
    first = last.permute(0, 3, 1, 2).contiguous()
    one, other = ObservationEncoder(PICTURE), ObservationEncoder(Box(0, 255, (2, 16, 16), np.uint8))
    one.update(last)
    other.update(first)
    assert torch.equal(one(last), other(first))


def test_pictures_are_held_as_bytes_and_vectors_as_features() -> None:
    seen, plain = ObservationEncoder(PICTURE), ObservationEncoder(Box(-1, 1, (3,)))
    obs, vectors = torch.randint(0, 256, (4, 16, 16, 2), dtype=torch.uint8), torch.rand(4, 3)
    seen.update(obs)
    plain.update(vectors)
    assert seen.held(obs) is obs and torch.equal(seen.features(obs), seen(obs))
    assert torch.equal(plain.held(vectors), plain(vectors)) and plain.features(vectors) is vectors


def test_a_picture_that_is_not_to_be_seen_is_a_vector_whose_every_number_is_standardised() -> None:
    encoder = ObservationEncoder(PICTURE, see=False)
    obs = torch.randint(0, 256, (30, 16, 16, 2), dtype=torch.uint8)
    encoder.update(obs)
    assert encoder.pictures == ()
    torch.testing.assert_close(encoder(obs).mean(0), torch.zeros(512), atol=1e-5, rtol=0)


def test_pictures_and_the_rest_are_found_again_in_the_bytes() -> None:
    space = Tuple([Discrete(2), PICTURE, Box(-1, 1, (), np.float64)])
    space.seed(1)
    elements = [space.sample() for _ in range(6)]
    encoder, obs = ObservationEncoder(flattened_space(space)), observed(space, elements)
    encoder.update(obs)
    features = encoder(obs)
    assert obs.dtype == torch.uint8 and encoder.size == 512 + 3
    assert features[:, 512:514].argmax(-1).tolist() == [int(element[0]) for element in elements]
    order = np.argsort([float(element[2]) for element in elements])
    assert (features[order, 514].diff() > 0).all()
    alone = ObservationEncoder(PICTURE)
    alone.update(torch.from_numpy(np.stack([element[1] for element in elements])))
    assert torch.equal(features[:, :512], alone(torch.from_numpy(np.stack([element[1] for element in elements]))))


def test_a_choice_out_of_very_many_is_shown_as_two_digits() -> None:
    """By hand: the base of 10,000 is 100, and 7,305 is 73 and 5; that of 1,025 is 33, whose last number is 31 and 1."""
    encoder = ObservationEncoder(Discrete(10_000, start=3))
    features = encoder(torch.tensor([3 + 7305, 3]))
    assert encoder.size == 200 and encoder.marks.all()
    assert [each.nonzero().flatten().tolist() for each in features] == [[73, 105], [0, 100]]
    last = ObservationEncoder(Discrete(1025))(torch.tensor([1024]))
    assert last.shape == (1, 32 + 33) and last.nonzero()[:, 1].tolist() == [31, 32 + 1]
    assert ObservationEncoder(Discrete(1024))(torch.tensor([1023])).nonzero().tolist() == [[0, 1023]]


@pytest.mark.parametrize("numbers", [1025, 1089, 1090, 10_000])
def test_no_two_choices_look_alike_and_no_column_is_of_none(numbers: int) -> None:
    features = ObservationEncoder(Discrete(numbers))(torch.arange(numbers))
    assert (features.sum(1) == 2).all() and (features.sum(0) > 0).all()
    assert len(features.unique(dim=0)) == numbers


@pytest.mark.parametrize("see", [False, True], ids=["numbers", "with a picture"])
def test_large_choices_are_digits_wherever_they_stand_and_the_rest_is_as_without_them(see: bool) -> None:
    """Beside numbers and small choices, several in one part, and after a picture."""
    large, small = {"c": Discrete(2000), "e": MultiDiscrete([3, 1500, 1100])}, {"a": Box(-9, 9, (2,)), "d": Discrete(4)}
    picture = {"f": PICTURE} if see else {}
    space = Dict([*large.items(), *small.items(), *picture.items()])
    space.seed(0)
    elements = [space.sample() for _ in range(9)]
    encoder, obs = ObservationEncoder(flattened_space(space)), observed(space, elements)
    encoder.update(obs if see else obs.float())
    features = encoder(obs if see else obs.float())[:, encoder.size - len(encoder.marks) :]
    assert features.shape[1] == len(encoder.marks) == 2 + 90 + 4 + 3 + 78 + 67 and (~encoder.marks).sum() == 2
    a, c, d, one, two, three = features.split([2, 90, 4, 3, 78, 67], 1)

    def alone(part: Space[Any], values: list[Any]) -> torch.Tensor:
        return ObservationEncoder(part)(torch.tensor(values))

    assert torch.equal(c, alone(Discrete(2000), [each["c"] for each in elements]))
    assert torch.equal(d, alone(Discrete(4), [each["d"] for each in elements]))
    for shown, index, numbers in ((one, 0, 3), (two, 1, 1500), (three, 2, 1100)):
        assert torch.equal(shown, alone(Discrete(numbers), [int(each["e"][index]) for each in elements]))
    torch.testing.assert_close(a.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    numbers = torch.tensor(np.array([each["a"] for each in elements]))
    torch.testing.assert_close(encoder.numbers(obs if see else obs.float()), numbers)
