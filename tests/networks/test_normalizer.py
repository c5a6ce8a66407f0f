"""The running normaliser against numpy on everything it was given."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from gailkit.memory import blocks
from gailkit.networks.normalizer import RunningNormalizer


def fed(*batches: torch.Tensor, limit: float = 10.0) -> RunningNormalizer:
    """A normaliser that was given ``batches`` (B, size) one after another."""
    normalizer = RunningNormalizer(batches[0].shape[1], limit)
    for batch in batches:
        normalizer.update(batch)
    return normalizer


def stream() -> torch.Tensor:
    """500 vectors whose features differ in place, in spread, and drift as they come."""
    noise = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    drift = torch.linspace(0, 1, 500).unsqueeze(-1)
    return noise * torch.tensor([1e-3, 1.0, 300.0]) + torch.tensor([0.5, -2.0, 1e4]) + drift


@pytest.mark.parametrize("sizes", [[500], [1] * 500, [1, 499], [250, 250], [7, 93, 300, 100]], ids=len)
def test_in_any_batching_it_is_numpy_on_the_concatenated_data(sizes: list[int]) -> None:
    data = stream()
    normalizer = fed(*data.split(sizes))
    everything = data.double().numpy()
    mean, deviation = everything.mean(0), everything.std(0)
    np.testing.assert_allclose(normalizer.mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(normalizer.variance.sqrt().numpy(), deviation, rtol=1e-9)
    assert normalizer.count == 500
    np.testing.assert_allclose(normalizer(data).numpy(), (everything - mean) / deviation, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0, 1e6, 1e-30])
def test_a_constant_feature_maps_to_zero_whatever_its_value(constant: float) -> None:
    varying = torch.linspace(-1, 1, 50)
    normalizer = fed(*torch.stack((varying, torch.full((50,), constant)), dim=1).split([1, 20, 29]))
    seen, unseen = normalizer(torch.tensor([[1.0, constant], [1.0, constant + 1.0]]))
    assert seen[1] == 0.0
    assert unseen[1] == 0.0
    assert seen[0] > 1.0  # its neighbour is not


@pytest.mark.parametrize(("place", "variation"), [(1.0, 1e-6), (1e6, 1.0), (0.0, 1e-20), (-0.3, 1e-5)])
def test_a_small_but_real_variation_is_kept(place: float, variation: float) -> None:
    data = torch.tensor([[place - variation], [place + variation]] * 10)
    torch.testing.assert_close(fed(data)(data), torch.tensor([[-1.0], [1.0]] * 10), rtol=0.1, atol=0.0)


def test_a_feature_counts_from_the_batch_in_which_it_first_varies() -> None:
    normalizer = fed(torch.full((10, 1), 5.0))
    assert normalizer(torch.tensor([[6.0]])) == 0.0
    normalizer.update(torch.full((10, 1), 7.0))  # mean 6, deviation 1
    assert normalizer(torch.tensor([[8.0]])).item() == pytest.approx(2.0)


def test_the_output_stays_within_the_limit() -> None:
    normalizer = fed(torch.tensor([[-1.0], [1.0]]), limit=2.5)
    assert normalizer(torch.tensor([[-1e9], [-2.0], [2.0], [1e9]])).flatten().tolist() == [-2.5, -2.0, 2.0, 2.5]


def test_before_the_first_update_everything_is_dropped() -> None:
    assert torch.equal(RunningNormalizer(2)(torch.ones(3, 2)), torch.zeros(3, 2))


def test_a_stored_normaliser_goes_on_as_if_it_had_never_stopped() -> None:
    first, second = stream().split(250)
    original = fed(first)
    restored = RunningNormalizer(3)
    restored.load_state_dict(original.state_dict())
    assert torch.equal(restored(second), original(second))
    for normalizer in (original, restored):
        normalizer.update(second)
    assert torch.equal(restored(second), original(second))
    assert restored(second).abs().max() > 0.5


@pytest.mark.parametrize("most", [1, 3 * 7, 3 * 499, 3 * 500])
def test_in_any_blocks_it_is_numpy_on_all_of_them(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.networks.normalizer.blocks", partial(blocks, most=most))
    everything = stream().double().numpy()
    normalizer = fed(stream())
    np.testing.assert_allclose(normalizer.mean.numpy(), everything.mean(0), rtol=1e-12)
    np.testing.assert_allclose(normalizer.variance.numpy(), everything.var(0), rtol=1e-12)


def test_many_bytes_are_not_widened_at_once(largest_tensor: Any) -> None:
    images = torch.arange(256, dtype=torch.uint8).repeat(2**14).reshape(-1, 256)  # 4 million, 32 MB in float64
    with largest_tensor() as made:
        normalizer = fed(images)
    assert made.bytes <= 8 * 2**20
    torch.testing.assert_close(normalizer.mean, torch.arange(256.0, dtype=torch.float64), rtol=1e-15, atol=0.0)
    assert normalizer.count == 2**14
