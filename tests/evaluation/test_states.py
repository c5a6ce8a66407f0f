"""Without the expert's actions: what they changed is compared, nothing is said of them, and everybody is told."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation import classifier, occupancy
from gailkit.evaluation.closeness import closeness
from gailkit.evaluation.evaluate import evaluate
from gailkit.evaluation.held_out import held_out_from
from gailkit.evaluation.retelling import StateByState, draw, retelling
from gailkit.evaluation.steps_as_points import Description
from gailkit.generator import TrainedPolicy
from gailkit.rollouts.environments import make_env
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium
from gailkit.types import Batched, Trajectory
from gailkit.viewing.rendering import make_drawn

PLACES, WAYS = Discrete(6), Discrete(2)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps, resamples and labellings than a user gets."""
    for name, number in {"POINTS": 64, "SPLITS": 4, "RESAMPLES": 10, "RESAMPLED_POINTS": 32, "SPLITS_EACH": 2}.items():
        monkeypatch.setattr(occupancy, name, number)
    for name, number in {"WAVES": 40, "PERMUTATIONS": 99}.items():
        monkeypatch.setattr(classifier, name, number)


def test_a_step_is_what_was_seen_and_how_far_it_went() -> None:
    """Of a choice it is the next one, by its name."""
    space = flattened_space(Dict({"a": Box(-99, 99, (1,), np.float32), "b": Discrete(2, start=3)}))
    parts = [{"a": np.array([a], np.float32), "b": b} for a, b in ((1.0, 3), (4.0, 4), (2.0, 4))]
    stated = Dict({"a": Box(-99, 99, (1,), np.float32), "b": Discrete(2, start=3)})
    seen = flatten_values(stated, from_gymnasium(stated, parts))
    episode = Trajectory(seen, np.zeros((2, 0)), None, False)
    description = Description(space, None)
    assert description.rows(episode, np.arange(2)).tolist() == [[1, 1, 0, 3, 0, 1], [4, 0, 1, -2, 0, 1]]
    named = [(each.name, each.columns, each.is_choice, each.is_change, each.start) for each in description.features()]
    assert named == [
        ("observation/a", (0,), False, False, 0),
        ("observation/b", (1, 2), True, False, 3),
        ("change of observation/a", (3,), False, True, 0),
        ("next observation/b", (4, 5), True, True, 3),
    ]


def walks(way: int, episodes: int, first: int = 0) -> list[Trajectory]:
    """Round a ring of six places, from each of them in turn; now and then a step is a rest."""
    random = np.random.default_rng(first)
    found = []
    for episode in range(episodes):
        steps = way * (random.random(30) < 0.9)
        places = (first + episode + np.concatenate([[0], np.cumsum(steps)])).astype(np.int64) % 6
        found.append(Trajectory(places, np.full(30, int(way > 0)), np.ones(30), False))
    return found


def test_who_goes_where_the_expert_is_another_way_is_told_apart_by_what_changes() -> None:
    """Places alone do not tell, and actions are not known: the way is seen in the next place."""
    expert = [each.without_actions() for each in walks(1, 12)]
    here, there = (walks(way, 12, first=100) for way in (1, -1))
    idle = walks(0, 12, first=200)
    same, other = (closeness(side, expert, idle, PLACES, WAYS) for side in (here, there))
    assert same.occupancy.by_changes and other.occupancy.by_changes
    assert same.verdict.verdict == "indistinguishable" and other.verdict.verdict != "indistinguishable"
    assert other.occupancy.distance > 3 * same.occupancy.distance
    assert other.occupancy.state_distance < 0.5 * other.occupancy.distance
    assert {each.name for each in same.steps.features} == {"observation", "next observation"}
    for found in (same, other):
        assert found.verdict.sentence.endswith("for these demonstrations hold no actions to compare.")
    # where any side holds none, none are compared; where all do, they are
    alone = closeness([each.without_actions() for each in here], walks(1, 12), idle, PLACES, WAYS)
    assert alone.occupancy.by_changes
    assert not closeness(here, walks(1, 12), idle, PLACES, WAYS).occupancy.by_changes


@pytest.fixture(scope="module")
def cartpole(repository: Path) -> Demonstrations:
    return Demonstrations.load(repository / "datasets" / "cartpole-v1.hdf5").choose(4)


@Batched
def balancing(observations: np.ndarray) -> np.ndarray:
    return (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)


def test_an_evaluation_says_that_there_are_no_actions_and_makes_none_up(cartpole: Demonstrations) -> None:
    found = evaluate(balancing, cartpole.without_actions(), "CartPole-v1", episodes=3, seed=1)
    values = found.to_dict()
    assert values["action_episodes"] == 0
    assert [values[f"action_{name}"] for name in ("agreement", "mse", "log_likelihood", "by_expert")] == [None] * 4
    assert values["occupancy"]["by_changes"] is True
    names = [each["name"] for each in values["occupancy"]["features"]]
    assert names[4:] == [f"change of {name}" for name in names[:4]] and names[0] == "cart position"
    said = found.statement()
    assert "Its actions are not compared: the demonstrations hold none of the expert's." in said
    assert "Its observations, and what its actions change in them, lie" in said
    known = evaluate(balancing, cartpole, "CartPole-v1", episodes=3, seed=1)
    assert (known.return_mean, known.normalised_score) == (found.return_mean, found.normalised_score)
    assert known.to_dict()["occupancy"]["by_changes"] is False


def test_a_policy_knows_the_states_it_has_learned_from_also_beside_their_actions(
    cartpole: Demonstrations, tmp_path: Path
) -> None:
    """Of four episodes it was shown the states of two."""
    policy = object.__new__(TrainedPolicy)
    seen = frozenset(cartpole.pick([0, 2]).without_actions().digests())
    object.__setattr__(policy, "trained_on", seen)
    cartpole.save(tmp_path / "d.hdf5")
    for whole in (cartpole, Demonstrations.load(tmp_path / "d.hdf5", memory=0)):
        shown, further, held_out = held_out_from(policy, whole, ())
        assert held_out and further is not None
        assert sorted(shown.digests()) == sorted(cartpole.pick([1, 3]).digests())
    assert held_out_from(policy, cartpole.pick([0, 2]), ())[2] is False
    # beside another policy that has seen what was done in one more
    shown, _, _ = held_out_from(policy, cartpole, cartpole.pick([3]).digests())
    assert shown.digests() == cartpole.pick([1]).digests()
    object.__setattr__(policy, "trained_on", frozenset({"others"}))
    assert len(held_out_from(policy, cartpole, ())[0].trajectories) == 4


def test_an_episode_without_actions_is_drawn_state_by_state(cartpole: Demonstrations) -> None:
    whole = cartpole.trajectories[0]
    episode = dataclasses.replace(
        whole, observations=whole.observations[:9], actions=np.zeros((8, 0)), rewards=None, terminated=False
    )
    with closing(make_env("CartPole-v1")) as env:
        told = retelling(env, episode, "expert")
    assert isinstance(told.env, StateByState) and "holds no actions that could be replayed" in told.note
    frames: list[np.ndarray] = []
    with closing(make_drawn("CartPole-v1", {})) as env:
        draw(retelling(env, episode, "expert"), episode, 4, frames.append)
    assert len(frames) == 3 and not np.array_equal(frames[0], frames[-1])
