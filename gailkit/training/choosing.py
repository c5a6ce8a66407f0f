"""Which policy of a run moves most like the expert, found out without a reward.

A run ends with several: its last one, their average over the last iterations, and the clone that it began with. Each
plays some episodes by the kind of actions that the expert took, likeliest or sampled, or by both where the
demonstrations do not say. The one whose steps lie nearest to the demonstrations is chosen, by the mean over the kinds:
a result is never further from the expert than a clone of the same pairs, as far as so many episodes can tell.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.errors import EnvironmentFailure
from gailkit.evaluation.occupancy import distance_in
from gailkit.evaluation.steps_as_points import Description, Points, Scale, cloud, scattered
from gailkit.generator import TrainedPolicy, WarmStart
from gailkit.networks.actor_critic import ActorCritic
from gailkit.recording.acted import KINDS, LIKELIEST, expert_actions
from gailkit.rollouts.environments import EnvMaker, SeedStream
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import Given
from gailkit.training.averaging import MEMORY, AveragedParameters
from gailkit.types import Trajectory

MOST_EPISODES = 20  # of a candidate
MOST_SHOWN = 100  # demonstrations that they are compared with
POINTS, CLOUDS = 256, 16  # steps of either side in a distance, and such distances in a mean

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Played:
    """A candidate, the kind of actions it took, and how far its steps lay from the demonstrations."""

    policy: str
    actions: str  # likeliest or sampled
    episodes: int
    distance: float  # 1-Wasserstein, in the deviations of the demonstrations


@dataclass(frozen=True)
class Choice:
    """The policy that was nearest, and what it was chosen from."""

    policy: str
    state: State  # of its ActorCritic; no copy: training on changes it
    played: tuple[Played, ...]  # none where the run was too short to play any
    steps: int  # that were played

    @classmethod
    def recorded(cls, record: Mapping[str, Any], states: Mapping[str, State]) -> Choice:
        """What ``record`` tells of, of candidates in such ``states``."""
        played = tuple(Played(**each) for each in record["played"])
        return cls(record["policy"], states[record["policy"]], played, record["steps"])

    @property
    def record(self) -> dict[str, Any]:
        """What is kept of it, in plain JSON values."""
        return {"policy": self.policy, "steps": self.steps, "played": [asdict(each) for each in self.played]}


class Candidates:
    """The policies of a run that it may end with. All that changes is in ``state_dict``."""

    def __init__(self, actor_critic: ActorCritic, began: WarmStart | None, memory: float = MEMORY) -> None:
        """``actor_critic`` is the policy that is trained, as it was after it ``began``; ``memory`` of its average.

        ``began`` is None where the expert's actions are not seen: then none is cloned, and candidates are compared by
        what they see alone.
        """
        self.actor_critic = actor_critic
        self.began = began
        self.clone = copy.deepcopy(actor_critic.state_dict()) if began is not None and began.used else None
        self.averaged = AveragedParameters(actor_critic, memory)

    def update(self) -> None:
        """Take in the policy as it is now."""
        self.averaged.update()

    def states(self) -> dict[str, State]:
        """Each candidate by name; the first is taken where nothing tells which is best."""
        states: dict[str, State] = {"last": self.actor_critic.state_dict(), "averaged": self.averaged.mean}
        return states if self.clone is None else {**states, "clone": self.clone}

    def state_dict(self) -> dict[str, Any]:
        """All that changes beside the policy itself."""
        began = None if self.began is None else self.began.record()
        return {"clone": self.clone, "began": began, "averaged": self.averaged.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.clone = state["clone"]
        self.began = None if state["began"] is None else WarmStart.recorded(state["began"])
        self.averaged.load_state_dict(state["averaged"])


def choose(
    candidates: Candidates,
    policy: TrainedPolicy,
    demonstrations: Demonstrations,
    steps: int,
    seed: int,
    stepping: Stepping | None = None,
    mishaps: Mishaps | None = None,
    maker: EnvMaker | Given | None = None,
) -> Choice:
    """Play every candidate, by the expert's kind of actions or by both, and choose the nearest to the demonstrations.

    Args:
        policy: the policy of the run, whose networks are not changed; where and how to play is its.
        steps: about how many to play in all. Where they do not suffice for an episode of each, none is played.
        seed: of the starts of the episodes, which all candidates share, and of sampled actions.
        stepping, mishaps: as in ``rollouts.episodes.run_episodes``.
        maker: of the environments; by the policy's own name when None.

    Where they cannot be played to their ends, because the environment fails or never ends an episode, the last policy
    is taken.
    """
    states, told = candidates.states(), expert_actions(demonstrations.provenance)
    kinds = KINDS if told is None else (told,)
    episodes = _episodes(steps, len(states), len(kinds), demonstrations)
    try:
        maker = maker or EnvMaker(policy.env_id, policy.env_kwargs)
        played = _play(states, policy, kinds, episodes, seed, stepping, mishaps, maker) if episodes else {}
    except EnvironmentFailure:
        played = {}
    if not played:
        name = next(iter(states))
        return Choice(name, states[name], (), 0)
    distances = distances_to(demonstrations, list(played.values()), seed, by_actions=candidates.began is not None)
    found = [Played(*key, episodes, distance) for key, distance in zip(played, distances, strict=True)]
    nearest = min(states, key=lambda name: sum(each.distance for each in found if each.policy == name))
    taken = sum(len(trajectory) for trajectories in played.values() for trajectory in trajectories)
    return Choice(nearest, states[nearest], tuple(found), taken)


def _play(
    states: Mapping[str, State],
    policy: TrainedPolicy,
    kinds: Sequence[str],
    episodes: int,
    seed: int,
    stepping: Stepping | None,
    mishaps: Mishaps | None,
    maker: EnvMaker | Given,
) -> dict[tuple[str, str], list[Trajectory]]:
    """So many episodes of every candidate by each of the ``kinds`` of actions, from the same starts."""
    seeds = SeedStream(seed, "choosing")
    starts = seeds.take(episodes)
    play = partial(collect_episodes, stepping=stepping, mishaps=mishaps, spare=seeds)
    played = {}
    for name, state in states.items():
        own = with_state(policy, state)
        for actions in kinds:
            acting = own if actions == LIKELIEST else own.sampling(seed)
            played[name, actions] = play(acting, maker, starts)
    return played


def with_state(policy: TrainedPolicy, state: State) -> TrainedPolicy:
    """``policy`` with networks of its own, in the given state."""
    actor_critic = copy.deepcopy(policy.actor_critic)
    actor_critic.load_state_dict(state)
    return policy.with_networks(actor_critic)


def distances_to(
    demonstrations: Demonstrations,
    played: Sequence[Sequence[Trajectory]],
    seed: int = 0,
    by_actions: bool = True,
) -> list[float]:
    """How far the steps of each set of episodes lie from those of the demonstrations that are shown to a learner.

    The mean of 1-Wasserstein distances between random clouds of steps, in the deviations of the demonstrations;
    without actions where it does not go ``by_actions``.
    """
    observation_space, action_space = demonstrations.observation_space, demonstrations.action_space
    assert observation_space is not None and action_space is not None
    action_space = action_space if by_actions and demonstrations.has_actions else None
    description, random = Description(observation_space, action_space), np.random.default_rng(seed)
    shown = shown_points(demonstrations, description)
    rows = [[description.rows(each, np.arange(len(each))) for each in episodes] for episodes in played]
    everyone = [each for points in rows for each in points]
    scale = Scale.of(description.features(), shown, everyone, everyone)
    expert, count = scale.apply(shown), min(POINTS, sum(map(len, shown)))
    distance = distance_in(shown[0].shape[1], random)
    references = [cloud(expert, count, random) for _ in range(CLOUDS)]
    return [
        float(np.mean([distance(cloud(scale.apply(points), count, random), reference) for reference in references]))
        for points in rows
    ]


def shown_points(demonstrations: Demonstrations, description: Description) -> Points:
    """The kept steps of the demonstrations, of at most MOST_SHOWN of them."""
    random = np.random.default_rng(0)
    count = len(demonstrations.trajectories)
    chosen = scattered(count, min(count, MOST_SHOWN), random).tolist()
    return [
        description.rows(trajectory, np.arange(offset, len(trajectory), demonstrations.stride))
        for trajectory, offset in ((demonstrations.trajectories[i], demonstrations.offsets[i]) for i in chosen)
    ]


def _episodes(steps: int, policies: int, kinds: int, demonstrations: Demonstrations) -> int:
    """How many each of the policies plays by each of the kinds of actions."""
    length = demonstrations.num_steps / len(demonstrations.trajectories)
    return min(MOST_EPISODES // kinds, int(steps / (policies * kinds) / length))
