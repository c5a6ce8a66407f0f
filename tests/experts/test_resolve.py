"""A SPEC leads to the policy it names, or to a sentence that lists what is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError
from gailkit.experts.function import function_policy
from gailkit.experts.random import random_policy
from gailkit.experts.resolve import ACCEPTED, expert_files, expert_policy

PLANE = Box(-np.inf, np.inf, (2,), np.float32)
SLIDER = Box(np.float32(-1.0), np.float32(3.0), (1,), np.float32)
LATE = Discrete(3, start=5)

MODULE = """
import numpy as np

def steer(observation):
    assert observation.shape == (2,)
    return observation[:1] + 0.25

class Driver:
    speed = 2
    def __call__(self, observation):
        return np.array([1.0])
    def coast(self, observation):
        return [0.0]

driver = Driver()
answer = 42

def first(observation): return 5
def true(observation): return observation[0] > 0
def beyond(observation): return 8
def half(observation): return 5.0
def wide(observation): return np.zeros(2)
def ragged(observation): return [[1.0], [1.0, 2.0]]
def far(observation): return [3.5]
def lost(observation): return [float("nan")]
def nothing(observation): return None
class Model:
    def predict(self, observation, state=None, episode_start=None, deterministic=False): return np.zeros(1), state
model = Model()
def fails(observation): raise KeyError("no idea")
"""


@pytest.fixture(autouse=True)
def current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder that holds a module; sys.path is put back afterwards."""
    (tmp_path / "my_drivers.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.delitem(__import__("sys").modules, "my_drivers", raising=False)
    return tmp_path


def rows(count: int) -> np.ndarray:
    return np.arange(2 * count, dtype=np.float32).reshape(count, 2) / 10


def test_random_actions_cover_the_space_evenly_and_repeat_with_the_seed() -> None:
    draws = random_policy(LATE, seed=0)(rows(3000))
    counts = np.bincount(draws, minlength=8)
    assert counts[:5].sum() == 0
    assert np.all(np.abs(counts[5:] - 1000) < 4 * np.sqrt(3000 * 2 / 9))  # four standard deviations of the binomial
    np.testing.assert_array_equal(draws, random_policy(LATE, seed=0)(rows(3000)))
    assert not np.array_equal(draws, random_policy(LATE, seed=1)(rows(3000)))


def test_random_actions_of_a_box_are_uniform() -> None:
    draws = random_policy(SLIDER, seed=0)(rows(3000))
    assert (draws.shape, draws.dtype) == ((3000, 1), np.float32)
    assert -1 <= draws.min() < -0.99 < 2.99 < draws.max() <= 3
    assert abs(draws.mean() - 1) < 4 * 4 / np.sqrt(12 * 3000)


def test_two_policies_do_not_disturb_each_other_or_the_space() -> None:
    first, second = random_policy(SLIDER, 3), random_policy(SLIDER, 3)
    first(rows(5))
    np.testing.assert_array_equal(second(rows(2)), random_policy(SLIDER, 3)(rows(2)))


def test_a_function_sees_one_observation_at_a_time() -> None:
    np.testing.assert_allclose(expert_policy("my_drivers:steer", PLANE, SLIDER, 0)(rows(3)), [[0.25], [0.45], [0.65]])


@pytest.mark.parametrize(("attribute", "action"), [("driver", [[1.0]]), ("driver.coast", [[0.0]])])
def test_any_callable_will_do(attribute: str, action: list[list[float]]) -> None:
    np.testing.assert_array_equal(function_policy(f"my_drivers:{attribute}", PLANE, SLIDER)(rows(1)), action)


def test_discrete_actions_are_integers_of_the_space() -> None:
    assert function_policy("my_drivers:first", PLANE, LATE)(rows(2)).tolist() == [5, 5]
    assert function_policy("my_drivers:true", PLANE, Discrete(2))(rows(2)).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("attribute", "space", "shown"),
    [
        ("beyond", LATE, r"8 \(int\).*Discrete\(3, start=5\)"),
        ("half", LATE, r"5\.0 \(float\).*Discrete"),
        ("wide", SLIDER, r"array\(\[0\., 0\.\]\) of shape \(2,\).*\(1,\)"),
        ("ragged", SLIDER, r"\[\[1\.0\], \[1\.0, 2\.0\]\] \(list\)"),
        ("far", SLIDER, r"\[3\.5\] \(list\).*3"),
        ("lost", SLIDER, r"\[nan\]"),
        ("nothing", SLIDER, r"None \(NoneType\)"),
        (
            "model.predict",
            SLIDER,
            r"\(array\(\[0\.\]\), None\) .*; lambda observation: .*\[0\] gives the action alone$",
        ),
    ],
)
def test_what_is_no_action_is_printed_beside_the_space(attribute: str, space: Any, shown: str) -> None:
    with pytest.raises(InputError, match=f"my_drivers:{attribute} returned {shown}"):
        function_policy(f"my_drivers:{attribute}", PLANE, space)(rows(1))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("my_drivers:ster", r"no attribute 'ster'; it has: steer"),
        ("my_drivers:driver.sped", r"it has: speed"),
        ("my_drivers:answer", r"answer is 42 \(int\); it must be a callable: [^;]*; [^;]*$"),
        (
            "my_drivers:model",
            r"\(Model\); it must be a callable.*; lambda observation: .*\[0\] makes one of what has a",
        ),
        ("my_driver:steer", r"no module 'my_driver'.*near matches: my_drivers"),
        ("nothing_like_it:steer", r"no module 'nothing_like_it'.*installed$"),
        ("broken:steer", r"broken cannot be imported: SyntaxError"),
        ("needy:steer", r"needy cannot be imported: No module named 'nosuch_dependency'"),
    ],
)
def test_a_function_that_cannot_be_had_is_explained(spec: str, said: str, current_folder: Path) -> None:
    (current_folder / "broken.py").write_text("def steer(:\n")
    (current_folder / "needy.py").write_text("import nosuch_dependency\n")
    with pytest.raises(InputError, match=said):
        expert_policy(spec, PLANE, SLIDER, 0)


def test_what_a_function_raises_is_told_with_its_place() -> None:
    line = 1 + MODULE.splitlines().index('def fails(observation): raise KeyError("no idea")')
    with pytest.raises(InputError, match=rf"shape \(2,\): KeyError: 'no idea' \(my_drivers\.py, line {line}\)"):
        function_policy("my_drivers:fails", PLANE, SLIDER)(rows(1))


@pytest.mark.parametrize("spec", ["", "rndom", "nothing", "a/b:c", "my_drivers:", ":steer", "policy.pt"])
def test_an_unknown_spec_is_answered_with_what_is_accepted(spec: str) -> None:
    with pytest.raises(InputError) as refusal:
        expert_policy(spec, PLANE, SLIDER, 0)
    assert ACCEPTED in str(refusal.value)
    assert ("near matches: random" in str(refusal.value)) == (spec == "rndom")


def test_a_zip_that_is_not_there_is_answered_with_near_matches(current_folder: Path) -> None:
    (current_folder / "hopper.zip").touch()
    with pytest.raises(InputError, match=r"no file hoper\.zip; near matches: hopper\.zip"):
        expert_policy("hoper.zip", PLANE, SLIDER, 0)


def test_a_zip_is_a_stable_baselines_policy(write_zip: Callable[..., Path]) -> None:
    path = write_zip(PLANE, SLIDER, {"action_net.weight": [[2.0, 0.0]]})
    np.testing.assert_allclose(expert_policy(str(path), PLANE, SLIDER, 0)(rows(2)), [[0.0], [0.4]])


def test_the_files_of_a_policy_are_known(current_folder: Path) -> None:
    (current_folder / "hopper").mkdir()
    assert expert_files("random") == []
    assert expert_files("hopper.zip") == [Path("hopper.zip")]
    (current_folder / "hopper/vecnormalize.pkl").touch()
    assert expert_files("hopper.zip") == [Path("hopper.zip"), Path("hopper/vecnormalize.pkl")]
    assert [path.name for path in expert_files("my_drivers:steer")] == ["my_drivers.py"]
    assert expert_files("time:sleep") == []
