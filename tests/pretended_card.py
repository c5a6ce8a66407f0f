"""A card that is not there: tensors lie on the CPU and count as on ``CARD``, and what would go wrong on a card does.

Nothing is simulated but places. Two places in one operation, a tensor that is made where nobody said, and everything
for which the processor would have to wait are found as they would be on a card; the numbers are real ones.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map_only

from gailkit.networks import products

CARD = torch.device("cuda:0")
CPU = torch.device("cpu")
WAITS = {"_local_scalar_dense", "nonzero", "equal", "is_nonzero", "unique_dim", "_unique2", "masked_select"}
"""Operations whose result the processor has to know before it can go on."""


class TwoPlaces(AssertionError):
    """An operation was given tensors of the card and of the CPU."""


class PretendedCard:
    """Which storages lie on the card, and for what the processor had to wait."""

    def __init__(self) -> None:
        self.storages: dict[int, Any] = {}  # kept alive, so that no address comes again
        self.waits: Counter[str] = Counter()  # by the place in gailkit, with what it was
        self.sent: Counter[str] = Counter()  # likewise, tensors that went from one place to the other
        self.inside = False  # whether an operation on the card is going on
        self.noting = True

    def holds(self, tensor: Tensor) -> bool:
        """Whether a tensor lies on the card."""
        return tensor.untyped_storage()._cdata in self.storages

    def take(self, tensor: Tensor) -> Tensor:
        """Let a tensor lie on the card."""
        storage = tensor.untyped_storage()
        self.storages[storage._cdata] = storage
        return tensor

    def note(self, counter: Counter[str], what: str) -> None:
        """Count something at the place in gailkit where it happened."""
        if not self.noting:
            return
        frame = sys._getframe(1)
        while frame.f_back is not None and "/gailkit/" not in frame.f_code.co_filename:
            frame = frame.f_back
        counter[f"{frame.f_code.co_filename.rpartition('/gailkit/')[2]}:{frame.f_lineno} {what}"] += 1


class _Named(TorchFunctionMode):
    """Where tensors say that they are, and where they are asked to be."""

    def __init__(self, card: PretendedCard) -> None:
        super().__init__()
        self.card = card

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name == "__get__" and getattr(func, "__self__", None) is Tensor.device:
            return CARD if self.card.holds(args[0]) else CPU
        if name == "__get__" and getattr(func, "__self__", None) is Tensor.is_cuda:
            return self.card.holds(args[0])
        if name == "__get__" and getattr(func, "__self__", None) is Tensor.is_cpu:
            return not self.card.holds(args[0])
        if func in (Tensor.to, Tensor.cpu, Tensor.cuda):
            return self._sent(func, args, kwargs)
        if func is Tensor.numpy and self.card.holds(args[0]):
            raise TypeError("can't convert a tensor of the card to numpy; use Tensor.cpu() first")
        if func is Tensor.tolist and self.card.holds(args[0]):
            self.card.note(self.card.waits, "tolist")
        if kwargs.get("device") is not None and torch.device(kwargs["device"]).type == CARD.type:
            made = func(*args, **{**kwargs, "device": CPU})
            if func in (torch.tensor, torch.as_tensor):
                self.card.note(self.card.sent, "tensor")
                made = made.clone()
            return self.card.take(made)
        if func is Tensor.__deepcopy__:
            with _disable_current_modes():
                copied = func(*args, **kwargs)
            return self.card.take(copied) if self.card.holds(args[0]) else copied
        return self._called(func, args, kwargs)

    def _called(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """What an operation makes for itself on the way lies where it was given something.

        ``one_hot`` looks at its numbers on the CPU alone.
        """
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        before = self.card.inside, self.card.noting
        self.card.inside = any(map(self.card.holds, given))
        self.card.noting = before[1] and getattr(func, "__name__", "") != "one_hot"
        try:
            return func(*args, **kwargs)
        finally:
            self.card.inside, self.card.noting = before

    def _sent(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        tensor, rest = args[0], args[1:]
        named = [*rest, kwargs.get("device")]
        wanted = (
            CPU if func is Tensor.cpu else next((each for each in named if isinstance(each, torch.device | str)), None)
        )
        here = CARD if self.card.holds(tensor) else CPU
        if wanted is None or torch.device(wanted).type == here.type:
            return func(*((CPU if isinstance(each, torch.device | str) else each) for each in args), **_on_cpu(kwargs))
        self.card.note(self.card.sent, f"to {torch.device(wanted).type}")
        dtype = next((each for each in (*rest, kwargs.get("dtype")) if isinstance(each, torch.dtype)), tensor.dtype)
        with _disable_current_modes():
            moved = tensor.detach().to(dtype, copy=True)
        if torch.device(wanted).type == CARD.type:
            self.card.take(moved)
        return moved.requires_grad_(tensor.requires_grad)


def _on_cpu(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**kwargs, "device": CPU} if "device" in kwargs else kwargs


class _Done(TorchDispatchMode):
    """Operations, in which all tensors have to lie in one place; so does what comes out of them."""

    def __init__(self, card: PretendedCard) -> None:
        super().__init__()
        self.card = card

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [each for each in tree_leaves((args, kwargs or {})) if isinstance(each, Tensor)]
        on_card = [each for each in given if self.card.holds(each)]
        out = func(*args, **(kwargs or {}))
        if not on_card:
            return tree_map_only(Tensor, self.card.take, out) if self.card.inside and not given else out
        name = func._schema.name.partition("::")[2]
        if name in WAITS or (name.startswith("index") and _of_masks(args[1:2])):
            self.card.note(self.card.waits, name)
            if name in ("_local_scalar_dense", "equal", "is_nonzero"):
                return out
        elsewhere = [each for each in given if not self.card.holds(each) and each.dim() and each.numel()]
        if elsewhere and name in ("copy_", "index", "index_put_", "index_put"):
            self.card.note(self.card.sent, name)
            if name == "copy_":
                return out
        elif elsewhere:
            shapes = [tuple(each.shape) for each in elsewhere]
            raise TwoPlaces(f"{name} is given tensors of the card and, of the shapes {shapes}, of the CPU")
        return tree_map_only(Tensor, self.card.take, out)


def _of_masks(indices: Any) -> bool:
    """Whether places are chosen by truth values, whose number the processor has to know."""
    return any(isinstance(each, Tensor) and each.dtype == torch.bool for each in tree_leaves(indices))


@contextmanager
def pretended_card(monkeypatch: Any) -> Iterator[PretendedCard]:
    """Inside the block torch has a card, ``CARD``."""
    card = PretendedCard()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "pretended")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (2**30, 2**30))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device=None: torch.get_rng_state())
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device=None: torch.set_rng_state(state))
    products._sizes.cache_clear()  # of another card
    with _Done(card), _Named(card):
        yield card
    products._sizes.cache_clear()
