"""A clamp that lets back in what has strayed."""

from __future__ import annotations

import torch

from gailkit.functional.bounds import clamp_inward


def test_values_are_clamped_and_inside_the_gradient_is_untouched() -> None:
    values = torch.tensor([-3.0, -0.5, 0.5, 3.0], requires_grad=True)
    kept = clamp_inward(values, torch.tensor(-1.0), torch.tensor(1.0))
    assert kept.tolist() == [-1.0, -0.5, 0.5, 1.0]
    kept[1:3].backward(torch.tensor([2.0, -3.0]))
    assert values.grad is not None and values.grad.tolist() == [0.0, 2.0, -3.0, 0.0]


def test_outside_only_the_gradient_that_leads_back_gets_through() -> None:
    # descending: a positive gradient lowers the value
    values = torch.tensor([3.0, 3.0, -3.0, -3.0], requires_grad=True)
    slopes = torch.tensor([1.0, -1.0, 1.0, -1.0])
    clamp_inward(values, torch.tensor(-1.0), torch.tensor(1.0)).backward(slopes)
    assert values.grad is not None and values.grad.tolist() == [1.0, 0.0, 0.0, -1.0]


def test_unbounded_dimensions_and_values_without_gradient() -> None:
    low, high = torch.tensor([-torch.inf, 0.0]), torch.tensor([torch.inf, 1.0])
    assert clamp_inward(torch.tensor([[50.0, 50.0]]), low, high).tolist() == [[50.0, 1.0]]
