"""Statistics are picked from a pickle that is recorded and never obeyed."""

from __future__ import annotations

import os
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gailkit.errors import DataError, InputError
from gailkit.experts.vecnormalize import ObservationNormalizer, read_vecnormalize

MEAN = np.array([1.0, -2.0])
VARIANCE = np.array([4.0, 0.25])


class RunningMeanStd:
    def __init__(self, mean: Any, var: Any) -> None:
        self.mean, self.var, self.count = mean, var, 12.5


class VecNormalize:
    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


@pytest.fixture(autouse=True)
def foreign_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the classes above be pickled under a name that only the writing side can import."""
    module = types.ModuleType("stable_baselines3_stand_in")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for stand_in in (RunningMeanStd, VecNormalize):
        monkeypatch.setattr(stand_in, "__module__", module.__name__)
        setattr(module, stand_in.__name__, stand_in)


def state(**changes: Any) -> dict[str, Any]:
    kept = {"ret_rms": RunningMeanStd(0.0, 1.0), "training": True, "extras": OrderedDict(a={1, 2}), "list": [1, [2]]}
    own = {"obs_rms": RunningMeanStd(MEAN, VARIANCE), "clip_obs": 10.0, "epsilon": 1e-8, "norm_obs": True}
    return {**kept, **own, **changes}


def written(folder: Path, content: Any, protocol: int = 4) -> Path:
    path = folder / "vecnormalize.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def read(folder: Path, content: Any, protocol: int = 4) -> ObservationNormalizer:
    normalizer = read_vecnormalize(written(folder, content, protocol))
    assert normalizer is not None
    return normalizer


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_statistics_are_those_that_were_written(tmp_path: Path, protocol: int) -> None:
    normalizer = read(tmp_path, VecNormalize(**state()), protocol)
    np.testing.assert_array_equal(normalizer.mean, MEAN)
    np.testing.assert_array_equal(normalizer.variance, VARIANCE)
    assert (normalizer.clip, normalizer.epsilon) == (10.0, 1e-8)


@pytest.mark.parametrize("dtype", [">f8", "<f4", "float16", "int64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_plain_array_is_read(tmp_path: Path, dtype: str, order: Any) -> None:
    table = np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype, order=order)
    normalizer = read(tmp_path, VecNormalize(**state(obs_rms=RunningMeanStd(table, table))))
    np.testing.assert_array_equal(normalizer.mean, [[1, 2, 3], [4, 5, 6]])


def test_numpy_scalars_are_read(tmp_path: Path) -> None:
    normalizer = read(tmp_path, VecNormalize(**state(clip_obs=np.float32(5.0), epsilon=np.float64(1e-4))))
    assert (normalizer.clip, normalizer.epsilon) == (5.0, 1e-4)


def test_observations_are_standardised_and_clipped() -> None:
    normalizer = ObservationNormalizer(MEAN, VARIANCE, clip=3.0, epsilon=0.0)
    rows = np.array([[1.0, -2.0], [5.0, -1.0], [1.0, 100.0]], np.float32)  # (5 - 1) / 2 = 2, (-1 + 2) / 0.5 = 2
    np.testing.assert_allclose(normalizer(rows), [[0, 0], [2, 2], [0, 3]])


def test_statistics_of_rewards_only_leave_observations_alone(tmp_path: Path) -> None:
    assert read_vecnormalize(written(tmp_path, VecNormalize(**state(norm_obs=False)))) is None


class Malicious:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("place", ["root", "mean", "beside"])
def test_nothing_is_executed(tmp_path: Path, place: str) -> None:
    trap = Malicious(os.system, f"touch {tmp_path / 'executed'}")
    contents = {
        "root": trap,
        "mean": VecNormalize(**state(obs_rms=RunningMeanStd(trap, VARIANCE))),
        "beside": VecNormalize(**state(extras=trap)),
    }
    path = written(tmp_path, contents[place])
    if place == "beside":
        read_vecnormalize(path)  # the trap is recorded, and nobody asks for it
    else:
        with pytest.raises(DataError):
            read_vecnormalize(path)
    assert not (tmp_path / "executed").exists()
    pickle.loads(path.read_bytes())
    assert (tmp_path / "executed").exists()  # the trap is a real one


def test_object_arrays_are_refused(tmp_path: Path) -> None:
    objects = np.array([None, 1], dtype=object)
    with pytest.raises(DataError, match="damaged or is not"):
        read_vecnormalize(written(tmp_path, VecNormalize(**state(obs_rms=RunningMeanStd(objects, VARIANCE)))))


@pytest.mark.parametrize("place", ["name", "order", "number"])
def test_a_small_pickle_that_would_print_without_end_is_refused_at_once(tmp_path: Path, place: str) -> None:
    nested: Any = ("x",)
    for _ in range(60):
        nested = (nested, nested)  # shared in the pickle, 2**60 times "x" when printed
    name, order = ("f8" if place != "name" else nested), ("<" if place != "order" else nested)
    dtype = Reduced(np.dtype, (name, False, True), (3, order, None, None, None, -1, -1, 0))
    clip = nested if place == "number" else Reduced(np.float64(1.0).__reduce__()[0], (dtype, bytes(8)))
    path = written(tmp_path, VecNormalize(**state(clip_obs=clip)))
    assert path.stat().st_size < 3000
    with pytest.raises(DataError, match="damaged or is not"):
        read_vecnormalize(path)


class Reduced:
    """Is pickled as a call with these arguments, and a state that the result is given."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps({}),
        pickle.dumps([1, 2]),
        b"\x80\x04K\x01r\xff\xff\xff\xff.",  # stores in slot 4294967295 of the memo: 32 GiB for one number
        b"\x80\x04c__main__\nnosuch\n.",
    ],
)
def test_what_is_no_vecnormalize_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vecnormalize.pkl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"vecnormalize\.pkl is damaged or is not"):
        read_vecnormalize(path)


def test_a_file_that_is_cut_short_is_damaged(tmp_path: Path) -> None:
    path = written(tmp_path, VecNormalize(**state()))
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            read_vecnormalize(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"obs_rms": RunningMeanStd(MEAN, np.array([1.0, -1.0]))},
        {"obs_rms": RunningMeanStd(MEAN, np.ones(3))},
        {"obs_rms": RunningMeanStd(np.array([np.nan, 0.0]), VARIANCE)},
        {"clip_obs": -1.0},
    ],
)
def test_statistics_that_cannot_be_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="cannot be"):
        read_vecnormalize(written(tmp_path, VecNormalize(**state(**changes))))


def test_a_dictionary_of_observations_is_not_supported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="dictionary"):
        read_vecnormalize(written(tmp_path, VecNormalize(**state(obs_rms={"image": RunningMeanStd(MEAN, MEAN)}))))


def test_a_file_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_vecnormalize(tmp_path / "vecnormalize.pkl")
