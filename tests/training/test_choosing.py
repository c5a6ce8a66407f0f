"""Which policy a run ends with: the one that moves most like the expert, whatever it earns and however it is called."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.generator import TrainedPolicy, WarmStart
from gailkit.generator.cloning import CloningResult
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.training.checkpoint import load_checkpoint
from gailkit.training.choosing import MOST_EPISODES, Candidates, Choice, choose, distances_to, with_state
from gailkit.training.config import ExpertConfig, TrainConfig
from gailkit.training.expert import train_expert
from gailkit.training.run import RunFolder, load_policy
from gailkit.training.train import TrainingResult, train
from gailkit.types import Trajectory

BOUNDS = Box(-3, 3, (2,), np.float32), Box(-2, 2, (1,), np.float32)
CLONED = CloningResult(1, 0.0, 0.0, 0.5, None)
LEFT, MIXED, RIGHT = -8.0, 0.0, 8.0  # log odds of walking right


def circling(speed: float, seed: int, steps: int = 80) -> Trajectory:
    """A point that goes round the unit circle, from a random place; the faster, the more it earns."""
    random = np.random.default_rng(seed)
    angles = random.uniform(0, 2 * math.pi) + speed * np.arange(steps + 1)
    obs = np.stack((np.cos(angles), np.sin(angles)), 1).astype(np.float32)
    act = speed + 0.05 * random.normal(size=(steps, 1))
    return Trajectory(obs, act.astype(np.float32), np.full(steps, 10.0 * speed), terminated=False)


def noise(seed: int, steps: int = 80) -> Trajectory:
    random = np.random.default_rng(seed)
    obs = random.uniform(-1, 1, (steps + 1, 2)).astype(np.float32)
    return Trajectory(obs, random.uniform(-2, 2, (steps, 1)).astype(np.float32), np.zeros(steps), terminated=False)


def standing(seed: int, steps: int = 80) -> Trajectory:
    obs = np.repeat(circling(0.3, seed).observations[:1], steps + 1, axis=0)
    return Trajectory(obs, np.zeros((steps, 1), np.float32), np.zeros(steps), terminated=False)


def expert(episodes: int = 4) -> Demonstrations:
    return Demonstrations(tuple(circling(0.3, seed) for seed in range(episodes)), *BOUNDS)


PLAYED: dict[str, Callable[[int], Trajectory]] = {
    "expert": lambda seed: circling(0.3, seed),
    "noise": noise,
    "standing": standing,
    "faster": lambda seed: circling(0.8, seed),
}


def distances(order: tuple[str, ...], demonstrations: Demonstrations, episodes: int = 4) -> dict[str, float]:
    played = [[PLAYED[name](100 + seed) for seed in range(episodes)] for name in order]
    return dict(zip(order, distances_to(demonstrations, played), strict=True))


@pytest.mark.parametrize("k", [1, 10])
def test_the_expert_itself_is_nearest_whatever_the_others_earn(k: int) -> None:
    found = distances(tuple(PLAYED), expert().subsample(k))
    assert all(found["expert"] < 0.7 * found[name] for name in ("noise", "standing", "faster")), found


def test_the_order_of_the_candidates_does_not_matter() -> None:
    first = distances(tuple(PLAYED), expert())
    for order in (("faster", "standing", "noise", "expert"), ("noise", "expert", "faster", "standing")):
        found = distances(order, expert())
        assert sorted(found, key=found.__getitem__) == sorted(first, key=first.__getitem__)
        assert found == {name: pytest.approx(first[name], rel=0.15) for name in order}


def test_the_same_seed_finds_the_same_distances() -> None:
    played = [[circling(0.3, 100)], [noise(100)]]
    first = distances_to(expert(), played, seed=3)
    assert distances_to(expert(), played, seed=3) == first
    assert distances_to(expert(), played, seed=4) != first


def walker(log_odds: float) -> ActorCritic:
    """A policy for the ring that walks right by these log odds, wherever it is."""
    policy = ActorCritic(ObservationEncoder(Discrete(6)), Discrete(2), ())
    with torch.no_grad():
        policy.policy[-1].weight.zero_()
        policy.policy[-1].bias.copy_(torch.tensor([0.0, log_odds]))
    return policy


def candidates_of(**log_odds: float) -> Candidates:
    """What a run may end with: ``averaged``, ``last`` and, where it began as one, a ``clone``."""
    candidates = Candidates(walker(log_odds["last"]), WarmStart(CLONED, used="clone" in log_odds))
    if "clone" in log_odds:
        candidates.clone = walker(log_odds["clone"]).state_dict()
    candidates.averaged.load_state_dict({"mean": walker(log_odds["averaged"]).state_dict(), "updates": 3})
    return candidates


def walking(action: int, episodes: int = 3, steps: int = 20) -> Demonstrations:
    """Episodes of an expert that always takes ``action``."""
    places = [(start + (2 * action - 1) * np.arange(steps + 1)) % 6 for start in range(episodes)]
    trajectories = (Trajectory(each, np.full(steps, action), None, terminated=False) for each in places)
    return Demonstrations(tuple(trajectories), Discrete(6), Discrete(2))


def wandering(episodes: int = 6, steps: int = 20) -> Demonstrations:
    """Episodes of an expert that acts at random, which are cloned in no time."""
    random = np.random.default_rng(0)
    taken = random.integers(2, size=(episodes, steps))
    places = np.concatenate((np.zeros((episodes, 1), np.int64), (2 * taken - 1).cumsum(1)), 1) % 6
    trajectories = (Trajectory(seen, done, None, terminated=False) for seen, done in zip(places, taken, strict=True))
    return Demonstrations(tuple(trajectories), Discrete(6), Discrete(2))


def chosen(candidates: Candidates, demonstrations: Demonstrations, steps: int = 10_000, seed: int = 0) -> Choice:
    policy = TrainedPolicy(candidates.actor_critic, Discrete(6), Discrete(2), "Ring-v0")
    return choose(candidates, policy, demonstrations, steps, seed)


@pytest.mark.parametrize(
    ("log_odds", "name"),
    [
        ({"averaged": MIXED, "last": LEFT, "clone": RIGHT}, "clone"),
        ({"averaged": MIXED, "last": RIGHT, "clone": LEFT}, "last"),
        ({"averaged": RIGHT, "last": LEFT, "clone": MIXED}, "averaged"),
        ({"averaged": LEFT, "last": RIGHT}, "last"),
    ],
)
def test_the_policy_that_moves_like_the_expert_is_chosen_although_another_earns_more(
    log_odds: Mapping[str, float], name: str
) -> None:
    choice = chosen(candidates_of(**log_odds), walking(1))
    assert choice.policy == name
    assert choice.state["policy.0.bias"].tolist() == [0.0, RIGHT]
    ways = [(each.policy, each.actions) for each in choice.played]
    assert sorted(ways) == sorted(itertools.product(log_odds, ("likeliest", "sampled")))
    means = {who: sum(each.distance for each in choice.played if each.policy == who) for who in log_odds}
    assert min(means, key=means.__getitem__) == name  # by both kinds of actions together
    assert choice.record["policy"] == name
    assert [each["distance"] for each in choice.record["played"]] == [each.distance for each in choice.played]


@pytest.mark.parametrize(
    ("log_odds", "steps", "episodes"),
    [
        ({"averaged": MIXED, "last": LEFT, "clone": RIGHT}, 120, 1),  # of 20 steps, by 3 policies in 2 ways
        ({"averaged": MIXED, "last": LEFT, "clone": RIGHT}, 479, 3),
        ({"averaged": MIXED, "last": LEFT}, 479, 5),
        ({"averaged": MIXED, "last": LEFT}, 1_000_000, MOST_EPISODES // 2),
    ],
)
def test_the_steps_that_are_played_are_as_many_as_there_are_and_are_counted(
    log_odds: Mapping[str, float], steps: int, episodes: int
) -> None:
    choice = chosen(candidates_of(**log_odds), walking(1), steps)
    assert {each.episodes for each in choice.played} == {episodes}
    assert choice.steps == episodes * 20 * 2 * len(log_odds) <= steps


@pytest.mark.parametrize("told", ["likeliest", "sampled"])
def test_where_the_demonstrations_say_which_actions_the_expert_took_no_others_are_played(told: str) -> None:
    """A policy that goes right by its likeliest actions, and hardly oftener than left, is the expert by one of them."""
    shown = dataclasses.replace(walking(1), provenance={"acted": told})
    choice = chosen(candidates_of(averaged=MIXED, last=0.1, clone=RIGHT), shown, steps=479)
    assert {each.actions for each in choice.played} == {told}
    assert {each.episodes for each in choice.played} == {7}  # of 20 steps, by 3 policies in 1 way
    apart = {each.policy: each.distance for each in choice.played}
    assert (abs(apart["last"] - apart["clone"]) < 0.05) is (told == "likeliest")


def test_where_there_are_too_few_steps_nothing_is_played_and_the_last_policy_is_taken() -> None:
    candidates = candidates_of(averaged=RIGHT, last=LEFT, clone=RIGHT)
    choice = chosen(candidates, walking(1), steps=119)
    assert (choice.policy, choice.played, choice.steps) == ("last", (), 0)
    assert choice.state["policy.0.bias"].tolist() == [0.0, LEFT]


def test_to_choose_changes_no_candidate() -> None:
    candidates = candidates_of(averaged=MIXED, last=LEFT, clone=RIGHT)
    before = {name: {key: t.clone() for key, t in state.items()} for name, state in candidates.states().items()}
    chosen(candidates, walking(1))
    assert all(equal(before[name], state) for name, state in candidates.states().items())


def test_a_policy_in_another_state_has_networks_of_its_own() -> None:
    policy = TrainedPolicy(walker(LEFT), Discrete(6), Discrete(2), "Ring-v0")
    state = walker(RIGHT).state_dict()
    other = with_state(policy, state)
    state["policy.0.bias"].fill_(0.0)
    assert other(np.arange(6)).tolist() == [1] * 6
    assert policy(np.arange(6)).tolist() == [0] * 6


def test_stored_candidates_go_on_as_if_they_had_never_stopped() -> None:
    original = candidates_of(averaged=MIXED, last=LEFT, clone=RIGHT)
    restored = Candidates(original.actor_critic, WarmStart(CLONED._replace(gain=0.1), used=True))
    restored.load_state_dict(copy.deepcopy(original.state_dict()))
    for candidates in (original, restored):
        candidates.update()
    assert restored.began.cloning.gain == original.began.cloning.gain
    assert list(original.states()) == list(restored.states())
    assert all(equal(original.states()[name], state) for name, state in restored.states().items())


def equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], tensor) for name, tensor in other.items())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny: TrainConfig) -> TrainingResult:
    """A run with enough steps for an episode of each candidate."""
    config = dataclasses.replace(tiny, steps=2861)
    return train("Ring-v0", wandering(), config, out=tmp_path_factory.mktemp("choosing") / "run")


def test_a_run_chooses_in_the_steps_that_it_did_not_learn_in(run: TrainingResult) -> None:
    assert run.choice is not None
    config = run.trainer.config
    assert run.metrics[-1]["steps"] == config.training_steps == 2432
    assert run.choice.steps == 20 * 5 * len(run.choice.played) <= config.steps - config.training_steps  # 5 of 20


def test_the_policy_of_a_run_is_the_chosen_one_and_apart_from_the_trained_one(run: TrainingResult) -> None:
    assert run.choice is not None
    ours, trained = run.policy.actor_critic.state_dict(), run.trainer.generator.actor_critic.state_dict()
    assert equal(ours, run.choice.state)
    assert run.trainer.candidates is not None
    assert run.choice.policy in run.trainer.candidates.states()
    assert not {tensor.data_ptr() for tensor in ours.values()} & {tensor.data_ptr() for tensor in trained.values()}


def test_the_chosen_policy_is_kept_and_acted_by_unless_another_is_asked_for(run: TrainingResult) -> None:
    assert run.folder is not None and run.choice is not None
    assert RunFolder.open(run.folder).usual_checkpoint() == "chosen"
    usual, last = load_policy(run.folder), load_policy(run.folder, "last")
    assert equal(usual.actor_critic.state_dict(), run.policy.actor_critic.state_dict())
    assert equal(last.actor_critic.state_dict(), run.trainer.generator.actor_critic.state_dict())
    assert usual.checkpoint == run.folder / "checkpoints" / "chosen.safetensors"
    assert load_checkpoint(usual.checkpoint)["choice"] == run.choice.record


def test_a_run_that_did_not_come_to_choose_is_acted_by_as_training_left_it(tmp_path: Path, tiny: TrainConfig) -> None:
    def stop(metrics: Mapping[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("Ring-v0", wandering(), tiny, out=tmp_path, on_iteration=stop)
    assert RunFolder.open(tmp_path).usual_checkpoint() == "last"
    assert load_policy(tmp_path).checkpoint == tmp_path / "checkpoints" / "last.safetensors"


def test_a_run_on_the_true_reward_has_nothing_to_choose_from(tmp_path: Path, tiny_expert: ExpertConfig) -> None:
    result = train_expert("Ring-v0", tiny_expert, out=tmp_path)
    assert result.choice is None and result.trainer.candidates is None
    assert result.policy.actor_critic is result.trainer.generator.actor_critic
    assert not (tmp_path / "checkpoints" / "chosen.safetensors").exists()
    assert tiny_expert.training_steps == tiny_expert.steps
