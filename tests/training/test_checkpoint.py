"""Checkpoints: whatever was put in comes out, damage is noticed, nothing in a file is ever executed."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gailkit.errors import DataError, InputError, StorageError
from gailkit.training.checkpoint import load_checkpoint, save_checkpoint

DTYPES = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool,
)  # fmt: skip
STATE: dict[str, Any] = {
    "weights": torch.arange(12, dtype=torch.float32).reshape(3, 4),
    "steps": torch.tensor([7, 8, 9]),
    "iteration": 3,
    "name": "run",
    "recent": [[1, 2.5, True]],
}


def tensors() -> st.SearchStrategy[torch.Tensor]:
    shapes = st.sampled_from([(), (0,), (1,), (5,), (2, 3), (2, 0, 4), (2, 2, 2)])
    return st.builds(
        lambda shape, dtype, seed: (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 9).to(dtype),
        shapes, st.sampled_from(DTYPES), st.integers(0, 99),
    )  # fmt: skip


def trees() -> st.SearchStrategy[Any]:
    plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    words = st.text("abcdefgh._ äß", max_size=5)
    return st.recursive(
        plain | tensors(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(words, inner, max_size=3)
            | st.dictionaries(st.integers(-3, 99), inner, max_size=3)
        ),
        max_leaves=12,
    )


def same(found: Any, expected: Any) -> bool:
    """Equal in value and type, tensors in dtype and shape too; a tuple may have become a list."""
    if isinstance(expected, torch.Tensor):
        alike = isinstance(found, torch.Tensor) and found.dtype == expected.dtype and found.shape == expected.shape
        return alike and torch.equal(found, expected)
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and list(found) == list(expected)
            and all(same(found[k], expected[k]) for k in found)
        )
    if isinstance(expected, list | tuple):
        return isinstance(found, list) and len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and found == expected


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints") / "state.safetensors"


@settings(deadline=None, max_examples=60)
@given(state=st.dictionaries(st.text("xyz", max_size=3), trees(), max_size=4))
def test_whatever_is_put_in_comes_out(path: Path, state: dict[str, Any]) -> None:
    save_checkpoint(path, state)
    assert same(load_checkpoint(path), state)


@pytest.mark.parametrize(
    "state",
    [
        {"a/b": torch.zeros(1), "a": {"b": torch.ones(1)}},
        {"group": {1: torch.zeros(1), "1": torch.ones(1)}},
        {"": {"a": torch.zeros(1)}, "/a": torch.ones(1)},
    ],
    ids=["slash in a key", "a number and its text", "empty key"],
)
def test_tensors_at_paths_that_read_alike_stay_apart(path: Path, state: dict[str, Any]) -> None:
    save_checkpoint(path, state)
    assert same(load_checkpoint(path), state)


def test_a_view_a_parameter_and_a_shared_tensor_are_stored_by_value(path: Path) -> None:
    matrix = torch.arange(6.0).reshape(2, 3)
    parameter = torch.nn.Parameter(torch.ones(2))
    save_checkpoint(path, {"turned": matrix.T, "column": matrix[:, 1], "twice": [matrix, matrix], "trained": parameter})
    expected = {"turned": matrix.T, "column": matrix[:, 1], "twice": [matrix, matrix], "trained": torch.ones(2)}
    loaded = load_checkpoint(path)
    assert same(loaded, expected)
    assert not loaded["trained"].requires_grad


def test_a_tensor_of_one_number_that_strides_nowhere_is_stored_too(path: Path) -> None:
    one = torch.as_strided(torch.tensor([2.5], dtype=torch.float64), (1,), (0,))  # as reductions leave it
    save_checkpoint(path, {"deviation": one})
    assert torch.equal(load_checkpoint(path)["deviation"], one)


def test_an_optimiser_goes_on_as_if_nothing_had_happened(path: Path) -> None:
    def step(optimiser: torch.optim.Optimizer, parameter: torch.nn.Parameter) -> None:
        optimiser.zero_grad()
        parameter.square().sum().backward()
        optimiser.step()

    first, second = (torch.nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2))
    original, restored = torch.optim.Adam([first], 0.1), torch.optim.Adam([second], 0.9)
    step(original, first)
    save_checkpoint(path, {"optimiser": original.state_dict()})
    restored.load_state_dict(load_checkpoint(path)["optimiser"])
    second.data.copy_(first.data)
    step(original, first)
    step(restored, second)
    assert torch.equal(first, second)


def test_a_file_cut_short_anywhere_is_damaged(path: Path) -> None:
    save_checkpoint(path, STATE)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="damaged or not a gailkit checkpoint"):
            load_checkpoint(path)


def test_a_flipped_bit_is_noticed_or_changes_nothing(path: Path) -> None:
    save_checkpoint(path, STATE)
    whole = path.read_bytes()
    for position in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            loaded = load_checkpoint(path)
        except DataError:
            continue
        assert same(loaded, STATE), f"a bit of byte {position} of {len(whole)} was flipped unnoticed"


@pytest.mark.parametrize(
    "metadata",
    [None, {"state": "{"}, {"state": '{"$tensor": "x"}'}, {"state": '{"$tensor": [1]}'}, {"state": '{"$pairs": 3}'}],
)
def test_a_safetensors_file_of_somebody_else_is_no_checkpoint(path: Path, metadata: dict[str, str] | None) -> None:
    path.write_bytes(safetensors.torch.save({"weight": torch.ones(2)}, metadata=metadata))
    with pytest.raises(DataError, match="not a gailkit checkpoint"):
        load_checkpoint(path)


def test_a_header_nested_without_end_is_damaged(path: Path) -> None:
    path.write_bytes(safetensors.torch.save({}, metadata={"state": "[" * 100_000}))
    with pytest.raises(DataError):
        load_checkpoint(path)


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("write", [pickle.dumps, None], ids=["pickle", "torch.save"])
def test_nothing_in_a_file_is_executed(tmp_path: Path, write: Any) -> None:
    path, crater = tmp_path / "last.safetensors", tmp_path / "crater"
    bomb = Bomb(str(crater))
    if write is None:
        torch.save({"generator": bomb}, path)
    else:
        path.write_bytes(write(bomb))
    with pytest.raises(DataError):
        load_checkpoint(path)
    assert not crater.exists()
    os.mkdir(crater)  # what the bomb would have done, and could


@pytest.mark.parametrize("name", ["nothing", "."])
def test_where_there_is_no_file_there_is_no_checkpoint(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"^no checkpoint at "):
        load_checkpoint(tmp_path / name)


def test_what_cannot_be_stored_is_named_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, STATE)
    with pytest.raises(TypeError, match=r"cannot hold set"):
        save_checkpoint(path, {"learner": [0, {1, 2}]})
    assert same(load_checkpoint(path), STATE)


def test_a_disk_that_refuses_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, STATE)

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(StorageError, match="No space left"):
        patched.setattr(os, "fsync", refuse)
        save_checkpoint(path, {"iteration": 4})
    assert same(load_checkpoint(path), STATE)
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_that_are_not_finite_survive(path: Path) -> None:
    save_checkpoint(path, {"best": float("-inf"), "tensor": torch.tensor([float("nan"), float("inf")])})
    loaded = load_checkpoint(path)
    assert loaded["best"] == float("-inf")
    assert json.dumps(loaded["tensor"].tolist()) == "[NaN, Infinity]"
