"""Pictures that move: by whole pixels, each its own way, the edge repeated."""

from __future__ import annotations

import torch

from gailkit.functional.shifts import random_shift


def test_every_picture_is_one_of_the_shifted_ones_and_all_of_them_come() -> None:
    torch.manual_seed(0)
    picture = torch.arange(1.0, 13.0).reshape(1, 1, 3, 4)
    padded = torch.nn.functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    places = [(down, right) for down in range(3) for right in range(3)]
    possible = {tuple(padded[0, 0, down : down + 3, right : right + 4].flatten().tolist()) for down, right in places}
    moved = random_shift(picture.expand(300, 2, 3, 4), 1)
    assert torch.equal(moved[:, 0], moved[:, 1])  # the channels of a picture move together
    assert {tuple(each[0].flatten().tolist()) for each in moved} == possible and len(possible) == 9


def test_pictures_of_a_run_move_alike_and_runs_each_their_own_way() -> None:
    torch.manual_seed(0)
    pictures = torch.arange(64.0).reshape(1, 1, 8, 8).expand(60, 1, 8, 8)
    lengths = torch.tensor([20, 1, 39])
    parts = random_shift(pictures, 3, lengths).split(lengths.tolist())
    assert all(torch.equal(part, part[:1].expand_as(part)) for part in parts)
    assert len({tuple(part[0].flatten().tolist()) for part in parts}) == 3


def test_no_shift_leaves_pictures_alone() -> None:
    pictures = torch.randn(2, 3, 4, 4)
    assert random_shift(pictures, 0) is pictures
