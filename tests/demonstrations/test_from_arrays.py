"""Episodes out of arrays of somebody's own: held as those of files are, and refused with the place of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Tuple

from gailkit import Demonstrations
from gailkit.errors import InputError
from gailkit.rollouts.environments import make_env

PARTS = Dict({"z": Box(-1, 1, (2,), np.float64), "a": Tuple((Discrete(3), Box(0, 255, (2, 2), np.uint8)))})
ACTIONS = Box(np.array([-4, 0], np.float32), np.array([7.5, 0.35], np.float32))


def in_parts(rows: int) -> dict[str, Any]:
    """Time by time, the parts in another order than the space has them."""
    times = np.arange(rows)
    return {"z": np.stack([times, -times], 1) / 10, "a": (times % 3, np.full((rows, 2, 2), 7, np.uint8))}


def episode(steps: int, with_last: bool = True, **others: Any) -> dict[str, Any]:
    acted = np.arange(2.0 * steps).reshape(steps, 2).tolist()
    return {"observations": in_parts(steps + with_last), "actions": acted, "terminated": False, **others}


def test_what_is_given_in_parts_comes_back_from_the_file(tmp_path: Path) -> None:
    given = [episode(3, rewards=[1, 2, 3], seed=np.int64(5)), episode(2, rewards=[4, 5], terminated=np.True_)]
    made = Demonstrations.from_episodes(given, PARTS, ACTIONS, "mine:Mine-v0", {"load": 3})
    made.save(tmp_path / "mine.hdf5")
    read = Demonstrations.load(tmp_path / "mine.hdf5")
    assert read.digests() == made.digests() and (read.env_id, read.env_kwargs) == ("mine:Mine-v0", {"load": 3})
    first, second = read.trajectories
    assert first.observations["z"].tolist() == [[0, 0], [0.1, -0.1], [0.2, -0.2], [0.3, -0.3]]
    assert first.observations["a"]["0"].tolist() == [0, 1, 2, 0] and first.observations["a"]["1"].dtype == np.uint8
    assert first.actions.tolist() == [[0, 1], [2, 3], [4, 5]] and (first.seed, first.terminated) == (5, False)
    assert (second.seed, second.terminated, second.episode_return) == (None, True, 9)


def test_they_fit_an_environment_of_those_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are learned from as a recording of it would be: flattened in the order of the space."""
    (tmp_path / "parted.py").write_text(
        "import gymnasium\nfrom gymnasium.spaces import *\nimport numpy as np\n"
        "class Parted(gymnasium.Env):\n"
        "    observation_space = Dict({'z': Box(-1, 1, (2,), np.float64), 'a': Discrete(3)})\n"
        "    action_space = Discrete(2)\n"
        "gymnasium.register('Parted-v0', Parted)\n"
    )
    monkeypatch.chdir(tmp_path)
    env = make_env("parted:Parted-v0")
    seen = {"z": [[0.1, 0.2], [0.3, 0.4]], "a": [2, 0]}
    made = Demonstrations.from_episodes(
        [{"observations": seen, "actions": [1], "terminated": False}], env.unwrapped.observation_space, Discrete(2)
    )
    flat = made.fitted_to(env.observation_space, env.action_space).trajectories[0].observations
    assert np.allclose(flat, [[0, 0, 1, 0.1, 0.2], [1, 0, 0, 0.3, 0.4]])  # Gymnasium sorts a, z; a is one-hot


def test_without_the_last_observation_nothing_is_made_up_unseen() -> None:
    made = Demonstrations.from_episodes([episode(3, False), episode(2, False, terminated=True)], PARTS, ACTIONS)
    assert [len(each) for each in made.trajectories] == [2, 2]  # the last action of the first has no successor
    assert "the last step of 1 truncated episode was dropped" in made.provenance["conversion"]
    with pytest.raises(InputError, match="what was given holds no step whose successor is known: 1 of 1 episode left"):
        Demonstrations.from_episodes([episode(1, False)], PARTS, ACTIONS)


def test_spaces_need_not_be_told_of_plain_arrays_and_actions_not_be_known() -> None:
    made = Demonstrations.from_episodes([{"observations": [[0.0], [1.0], [2.0]], "terminated": True}])
    assert not made.has_actions and made.num_steps == 2 and made.observation_space is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dones": 1}, r"^episode 1 must be a dict of observations, actions, .* are needed; found actions, dones, obs"),
        ({"terminated": None}, "observations and terminated are needed; found actions, observations$"),
        ({"terminated": 1}, "episode 1: terminated must be True or False; found 1"),
        ({"observations": in_parts(3)["z"]}, r"episode 1: of its observations, an element must be a dict of .*z"),
        ({"observations": {**in_parts(4), "z": np.zeros((3, 2))}}, r"'z' must have the shape \(4, 2\); found \(3, 2\)"),
        ({"actions": [[1.0], [2.0], [3.0]]}, r"of its actions, the array must have the shape \(3, 2\); found \(3, 1\)"),
        ({"actions": [[1.0], [2.0, 3.0]]}, r"episode 1: of its actions, it is list, which is no array"),
        ({"actions": 4.0}, "episode 1: of its actions, there must be a row for each step; found a single number"),
        ({"actions": [[np.nan, 0]] * 3}, "episode 1: actions of a trajectory hold a number that is not finite"),
        ({"observations": in_parts(7)}, "episode 1: a trajectory needs at least one action and one more observation"),
        ({"rewards": ["a", "b", "c"]}, "episode 1: of its rewards, they are no numbers"),
    ],
)
def test_what_is_wrong_is_said_with_its_episode(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Demonstrations.from_episodes([episode(3), episode(3, **wrong)], PARTS, ACTIONS)


def test_parts_without_a_space_are_refused() -> None:
    with pytest.raises(InputError, match="episode 0: of observations in several parts the space must be told"):
        Demonstrations.from_episodes([episode(3)])
    with pytest.raises(InputError, match=r"episode 0 must be a dict of .*; found Trajectory"):
        Demonstrations.from_episodes(Demonstrations.load("datasets/pendulum-v1.hdf5").trajectories[:1])
