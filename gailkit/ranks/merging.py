"""Numbers of all ranks in the place of this one's. A process that is alone gets its own back, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gailkit.ranks.group import add_up, gathered, size


def averaged(tensor: Tensor) -> Tensor:
    """``tensor`` itself, in which the mean of all ranks' now stands: each has seen as much as any other."""
    return add_up(tensor).div_(size()) if size() > 1 else tensor


def averaged_each(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Likewise of several tensors, in one exchange."""
    if size() == 1:
        return tensors
    flat = averaged(torch.cat([tensor.flatten() for tensor in tensors]))
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


def total(*numbers: float) -> Sequence[float]:
    """The sums of all ranks' numbers."""
    return numbers if size() == 1 else add_up(torch.tensor(numbers, dtype=torch.float64)).tolist()


def moments(values: Tensor, dim: int | None = None) -> tuple[float, Tensor, Tensor]:
    """Count, mean and population variance along ``dim``, or of all numbers, over the values of all ranks.

    The variance of the whole is that within the ranks and that between their means. Chan et al. 1979.
    """
    mean, variance = values.mean(dim), values.var(dim, correction=0)
    count = values.numel() if dim is None else values.shape[dim]
    if size() == 1:
        return count, mean, variance
    own = torch.full_like(mean, float(count))
    whole = add_up(torch.stack((own, own * mean)))
    merged = whole[1] / whole[0]
    squares = add_up(own * (variance + (mean - merged).square()))
    return float(whole[0].flatten()[0]), merged, squares / whole[0]


def deviation(values: Tensor) -> Tensor:
    """Standard deviation, without bias, of the numbers of all ranks."""
    if size() == 1:
        return values.std()
    count, _, variance = moments(values)
    return (variance * count / (count - 1)).sqrt()


def rows(values: Tensor) -> Tensor:
    """The rows (K, ...) of all ranks, in the order of these; each may have another number of them."""
    if size() == 1:
        return values
    if 0 in values.shape[1:]:  # there is nothing to send but how many they are
        return values.new_zeros((int(total(len(values))[0]), *values.shape[1:]))
    parts = (content for content in gathered(values.contiguous().cpu().numpy().tobytes()) if content)
    found = [torch.frombuffer(bytearray(part), dtype=values.dtype).reshape(-1, *values.shape[1:]) for part in parts]
    return torch.cat(found).to(values.device) if found else values
