"""The averaged policy: the closed form of an exponential average, apart from what it averages."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from gailkit.training.averaging import MEMORY, AveragedParameters, memory_of


class Thermometer(nn.Module):
    """A parameter, a statistic and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0]))
        self.register_buffer("mean", torch.tensor(10.0, dtype=torch.float64))
        self.register_buffer("count", torch.tensor(3))

    def show(self, value: float, count: int) -> None:
        with torch.no_grad():
            self.weight.fill_(value)
        self.mean.fill_(10 * value)
        self.count.fill_(count)


@pytest.mark.parametrize(
    ("memory", "weights"),
    [
        (0.0, [0.0, 0.0, 0.0, 1.0]),  # of what was shown, one after another: the last
        (0.5, [0.125, 0.125, 0.25, 0.5]),  # from the third on half is past
        (0.75, [0.25, 0.25, 0.25, 0.25]),  # the past has 0, 1/2, 2/3 and 3/4: the mean
        (1.0, [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_an_average_in_closed_form(memory: float, weights: list[float]) -> None:
    module = Thermometer()
    averaged = AveragedParameters(module, memory)
    shown = (2.0, 5.0, -4.0, 3.0)
    for count, value in enumerate(shown):
        module.show(value, count)
        averaged.update()
    expected = sum(weight * value for weight, value in zip(weights, shown, strict=True))
    torch.testing.assert_close(averaged.mean["weight"], torch.full((2,), expected))
    torch.testing.assert_close(averaged.mean["mean"], torch.tensor(10 * expected, dtype=torch.float64))
    assert averaged.mean["count"] == 3  # a whole number has no average: the latest
    assert averaged.mean["count"].dtype == torch.int64


def test_in_the_long_run_the_past_fades_exponentially() -> None:
    # 1 for 30 updates, then 0 for five: m^5
    module = Thermometer()
    averaged = AveragedParameters(module)
    for number in range(35):
        module.show(float(number < 30), number)
        averaged.update()
    assert averaged.mean["mean"].item() == pytest.approx(10 * MEMORY**5)


def test_an_average_of_what_stays_is_what_stays() -> None:
    module = Thermometer()
    averaged = AveragedParameters(module)
    for _ in range(50):
        averaged.update()
    torch.testing.assert_close(averaged.mean["weight"], module.weight.detach())


def test_the_average_and_the_module_do_not_touch_each_other() -> None:
    module = Thermometer()
    averaged = AveragedParameters(module)
    module.show(7.0, 9)
    assert averaged.mean["weight"].tolist() == [1.0, -2.0]
    averaged.update()
    assert module.weight.tolist() == [7.0, 7.0]
    assert not averaged.mean["weight"].requires_grad


def test_a_stored_average_goes_on_as_if_it_had_never_stopped() -> None:
    module = Thermometer()
    original, restored = AveragedParameters(module), AveragedParameters(Thermometer())
    module.show(7.0, 9)
    original.update()
    stored = copy.deepcopy(original.state_dict())
    restored.module = module
    restored.load_state_dict(stored)
    assert restored.updates == 1
    module.show(-1.0, 10)
    for averaged in (original, restored):
        averaged.update()
    assert all(torch.equal(original.mean[name], tensor) for name, tensor in restored.mean.items())
    assert not torch.equal(stored["mean"]["weight"], restored.mean["weight"])  # what was stored is not what goes on


def test_short_iterations_are_averaged_over_as_many_steps_and_long_ones_over_ten_of_them() -> None:
    assert memory_of(2048) == memory_of(100_000) == MEMORY
    assert memory_of(64) == 1 - 64 / 2048  # the mean age of what counts is 2048 steps
