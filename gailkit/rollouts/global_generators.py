"""Random numbers that an environment, or a policy that somebody wrote, takes from where everybody takes them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.random import mtrand


@contextmanager
def seeded_globally(seed: int | Sequence[int]) -> Iterator[None]:
    """Inside the block the global generators of Python, NumPy and torch begin where ``seed`` says; each stands
    afterwards where it stood before, whatever ended the block.

    Blocks may lie in one another: each begins anew, and the outer one then goes on as if the inner had not been. What
    gailkit itself draws comes from generators of its own, but for training, which draws from torch's inside a block.

    Args:
        seed: 0 or positive; of several numbers all count.
    """
    sequence = np.random.SeedSequence(seed)
    bits, numpy_state = mtrand.get_bit_generator(), np.random.get_state(legacy=False)
    python_state = random.getstate()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        try:
            random.seed(int(sequence.generate_state(1, np.uint64)[0]))
            mtrand.set_bit_generator(np.random.MT19937(sequence))
            torch.manual_seed(seed if isinstance(seed, int) else int(sequence.generate_state(2, np.uint64)[1] >> 1))
            yield
        finally:
            random.setstate(python_state)
            mtrand.set_bit_generator(bits)
            np.random.set_state(numpy_state)


def global_state(device: torch.device | None = None) -> dict[str, Any]:
    """Where the three generators stand, and that of a ``device`` which has its own, in plain values and tensors.

    NumPy's is that inside ``seeded_globally``.
    """
    version, numbers, gauss = random.getstate()
    numpy_state: Any = np.random.get_state(legacy=False)
    key = torch.from_numpy(numpy_state["state"]["key"].astype(np.int64))
    return {
        "python": [version, list(numbers), gauss],
        "numpy": {**numpy_state, "state": {**numpy_state["state"], "key": key}},
        "torch": torch.get_rng_state(),
        **({} if device is None or device.type != "cuda" else {"cuda": torch.cuda.get_rng_state(device)}),
    }


@contextmanager
def undisturbed() -> Iterator[None]:
    """Whatever the block draws from the three generators, they go on afterwards as if it had not."""
    before = global_state()
    with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()):
        try:
            yield
        finally:
            set_global_state(before)


def set_global_state(state: Mapping[str, Any], device: torch.device | None = None) -> None:
    """Let the generators go on from what ``global_state`` returned; that of another kind of device stays as it is."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    key = state["numpy"]["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state({**state["numpy"], "state": {**state["numpy"]["state"], "key": key}})
    torch.set_rng_state(state["torch"])
    if device is not None and device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
