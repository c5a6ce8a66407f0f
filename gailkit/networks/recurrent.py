"""Networks that remember: what was seen earlier in an episode, as a state beside the present observation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gailkit.networks.convolutions import Eyes, nature
from gailkit.networks.encoders import ObservationEncoder

REMEMBERS = 1.0  # by how much the gates lean at first towards keeping what there is


@dataclass(frozen=True)
class Memory:
    """Which memory a policy and its value function have, one each."""

    kind: str  # a name in CELLS
    units: int
    length: int  # most steps that a gradient goes back through


@dataclass(frozen=True)
class Sequences:
    """S runs of steps, one behind the other, each within one episode: B steps in all, the lengths' sum."""

    features: Tensor  # (B, size)
    lengths: Tensor  # (S,) int64, at least 1 each
    states: Tensor  # (S, M), what is remembered before the first step of each run; 0 where that begins an episode

    def __len__(self) -> int:
        return len(self.features)


Features = Tensor | Sequences
"""Features (B, size) of steps to a network without memory, and runs of them to one with."""


def alone(features: Tensor, states: Tensor | None) -> Features:
    """Steps each by itself, B runs of one with ``states`` (B, M) before them; without any the features themselves."""
    return (
        features
        if states is None
        else Sequences(features, torch.ones(len(features), dtype=torch.int64, device=features.device), states)
    )


class Cell(nn.Module, ABC):
    """One step of a memory: what is seen of x and remembered h to what is remembered after it."""

    def __init__(self, inputs: int, units: int, gates: int, state_size: int) -> None:
        super().__init__()
        self.units, self.state_size = units, state_size
        self.seen, self.kept = nn.Linear(inputs, gates * units), nn.Linear(units, gates * units)
        for layer in (self.seen, self.kept):
            for block in layer.weight.split(units):
                nn.init.orthogonal_(block)
            nn.init.zeros_(layer.bias)

    @abstractmethod
    def forward(self, seen: Tensor, state: Tensor) -> Tensor:
        """What ``self.seen`` made of inputs, (S, gates * units), and states (S, state_size) to the states after them.

        The first ``units`` numbers of a state are what is shown of it.
        """


class GRU(Cell):
    """h' = (1 - z) n + z h, n = tanh(W x + r (U h)), with gates z and r. Cho et al. 2014."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__(inputs, units, 3, units)
        nn.init.constant_(self.seen.bias[units : 2 * units], REMEMBERS)

    def forward(self, seen: Tensor, state: Tensor) -> Tensor:
        """See ``Cell``; the gates are r, z, and then n."""
        kept = self.kept(state)
        resets, updates = (seen + kept)[:, : 2 * self.units].sigmoid().chunk(2, -1)
        new = (seen[:, 2 * self.units :] + resets * kept[:, 2 * self.units :]).tanh()
        return torch.lerp(new, state, updates)


class LSTM(Cell):
    """c' = f c + i g, h' = o tanh c', with gates i, f and o and g = tanh(W x + U h). Gers et al. 2000."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__(inputs, units, 4, 2 * units)
        nn.init.constant_(self.seen.bias[units : 2 * units], REMEMBERS)

    def forward(self, seen: Tensor, state: Tensor) -> Tensor:
        """See ``Cell``; the gates are i, f, g and o, and a state is h and c."""
        shown, kept = state.chunk(2, -1)
        i, f, g, o = (seen + self.kept(shown)).chunk(4, -1)
        cell = f.sigmoid() * kept + i.sigmoid() * g.tanh()
        return torch.cat([o.sigmoid() * cell.tanh(), cell], -1)


CELLS: dict[str, Callable[[int, int], Cell]] = {"gru": GRU, "lstm": LSTM}


class Recurrent(nn.Module):
    """Sequences to what is seen in each step beside what is remembered after it, (B, seen + units)."""

    def __init__(self, cell: Cell, eyes: Eyes | None, first: int) -> None:
        """``first`` is the number in states (S, M) at which its own begin: others may lie beside them."""
        super().__init__()
        self.cell, self.eyes = cell, eyes
        self.own = slice(first, first + cell.state_size)

    def forward(self, sequences: Sequences) -> Tensor:
        seen = self.sight(sequences.features)
        return self.shown(seen, self.run(seen, sequences.lengths, sequences.states))

    def sight(self, features: Tensor) -> Tensor:
        """Features (B, size) with what convolutions make of the pictures among them, (B, seen)."""
        seen: Tensor = features if self.eyes is None else self.eyes(features)
        return seen

    def shown(self, seen: Tensor, states: Tensor) -> Tensor:
        """What is seen (B, seen) beside what own states (B, state_size) show, (B, seen + units)."""
        return torch.cat([seen, states[:, : self.cell.units]], -1)

    def step(self, seen: Tensor, states: Tensor) -> Tensor:
        """Own states (N, state_size) after a step in which (N, seen) is seen, with ``states`` (N, M) before it."""
        after: Tensor = self.cell(self.cell.seen(seen), states[:, self.own])
        return after

    def run(self, seen: Tensor, lengths: Tensor, states: Tensor) -> Tensor:
        """Own states (B, state_size) after every step, of runs with ``states`` (S, M) before them.

        Shorter runs are filled up with steps that nobody looks at.
        """
        if len(seen) == len(lengths):
            return self.step(seen, states)
        projected, state = self.cell.seen(seen), states[:, self.own]
        times, offsets = torch.arange(int(lengths.max()), device=lengths.device), lengths.cumsum(0) - lengths
        rows = (offsets[:, None] + times).clamp(max=len(projected) - 1)
        after = []
        for step in projected[rows].unbind(1):
            state = self.cell(step, state)
            after.append(state)
        return torch.stack(after, 1)[times < lengths[:, None]]


def states_along(remember: Callable[[Tensor, Tensor], Tensor], lengths: Tensor, states: Tensor) -> Tensor:
    """What is remembered before every step (B, M) of runs, with ``states`` (S, M) before their first steps.

    Args:
        remember: rows (K,) int64 among the B steps, and the states (K, M) before these, to the states after them.
    """
    offsets, state = lengths.cumsum(0) - lengths, states.clone()
    before = torch.empty(int(lengths.sum()), states.shape[1], device=states.device)
    for time in range(int(lengths.max())):
        going = torch.nonzero(lengths > time).squeeze(1)
        rows = offsets[going] + time
        before[rows] = state[going]
        state[going] = remember(rows, state[going])
    return before


def remembering(
    encoder: ObservationEncoder, network: Callable[..., nn.Module], memory: Memory, place: int
) -> Callable[..., nn.Sequential]:
    """``network``, a factory of (inputs, outputs, ...), of networks that take Sequences and see the pictures in them.

    Args:
        place: of the network among those whose states lie side by side: 0, 1, ...
    """

    def make(inputs: int, outputs: int, *arguments: Any, **settings: Any) -> nn.Sequential:
        eyes = Eyes(encoder.pictures, inputs, encoder.image_encoder or nature) if encoder.pictures else None
        seen = inputs if eyes is None else eyes.outputs
        cell = CELLS[memory.kind](seen, memory.units)
        decides = network(seen + memory.units, outputs, *arguments, **settings)
        layers = decides if isinstance(decides, nn.Sequential) else (decides,)
        return nn.Sequential(Recurrent(cell, eyes, place * cell.state_size), *layers)

    return make
