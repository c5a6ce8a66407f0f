"""Whether the environment, given the recorded actions, does what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from gailkit.checks.actions import WITHOUT, action_misfit
from gailkit.checks.endings import stands_twice
from gailkit.checks.finding import Finding, Outcome, Unchecked
from gailkit.checks.states import SetState, state_setter
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.rollouts.environments import environment_failures
from gailkit.spaces import Flat, from_gymnasium, leaf, leaves, misfit, to_gymnasium, unflatten_values
from gailkit.types import Trajectory
from gailkit.wording import counted

MOST_EPISODES = 8  # that are replayed from their seeds
FIRST_STEPS = 20  # of each; later ones differ where numbers were rounded and the dynamics are chaotic
MOST_STEPS = 300  # that are replayed one by one
ENOUGH = 0.75  # of the steps must come out as recorded: observations of MuJoCo hide speeds above 10
ABSOLUTE, RELATIVE = 1e-3, 0.02  # of what the step changed


class Step(NamedTuple):
    """How a replayed step compares with the recorded one."""

    episode: int  # place in the list of trajectories
    same_observation: bool
    same_reward: bool
    same_ending: bool
    over: bool  # whether the environment ended its episode


def replayed_steps(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether steps that are replayed in the environment give the observations, rewards and ends of the file."""
    if around is None or around.env is None:
        return Unchecked("--env ENV_ID would replay some steps in the environment")
    if not subject.has_actions:
        return WITHOUT
    if not _fits(subject, around):
        return Unchecked(f"the episodes do not fit {around.env_id}, so no step can be replayed")
    seeded = [index for index, each in enumerate(subject.trajectories) if each.seed is not None]
    replayed = [from_seed(around.env, subject.trajectories[index], index) for index in seeded[:MOST_EPISODES]]
    begun = [steps for steps in replayed if steps]
    if begun:
        return _findings(subject, around.env_id, [step for steps in begun for step in steps], "from their seeds")
    setter = state_setter(around.env)
    if setter is None:
        return _unreplayable(subject, around.env_id, seeded)
    wrong_seeds = _wrong_seeds(subject, around.env_id, seeded)
    steps = single_steps(around.env, setter, [_known(each) for each in subject.trajectories])
    return [*wrong_seeds, *_findings(subject, around.env_id, steps, "one by one from the states observed")]


def from_seed(env: gymnasium.Env[Any, Any], trajectory: Trajectory, episode: int) -> list[Step]:
    """The first steps of an episode after a reset with its seed; none where it does not begin with that reset."""
    with environment_failures(f"it was reset with seed {trajectory.seed}"):
        seen, _ = env.reset(seed=trajectory.seed)
    if not _same(env, seen, trajectory.observations[:1]):
        return []
    steps: list[Step] = []
    for index in range(min(len(trajectory), FIRST_STEPS)):
        steps.append(_replay(env, trajectory, index, episode))
        if steps[-1].over:
            break
    return steps


def single_steps(env: gymnasium.Env[Any, Any], set_state: SetState, trajectories: Sequence[Trajectory]) -> list[Step]:
    """Some steps out of every episode, its last always among them, each from the state that was observed."""
    share = max(1, MOST_STEPS // len(trajectories))
    with environment_failures("it was reset"):
        env.reset(seed=0)
    steps = []
    for episode in range(0, len(trajectories), max(1, len(trajectories) // MOST_STEPS)):
        trajectory = trajectories[episode]
        last = len(trajectory) - 1
        for index in dict.fromkeys(np.linspace(last, 0, min(share, last + 1)).astype(int).tolist()):
            with environment_failures("its state was set"):
                set_state(trajectory.observations[index])
            steps.append(_replay(env.unwrapped, trajectory, index, episode))
    return steps


def _known(trajectory: Trajectory) -> Trajectory:
    """The trajectory without a last step whose successor had to be made up."""
    if not stands_twice(trajectory) or len(trajectory) == 1:
        return trajectory
    rewards = None if trajectory.rewards is None else trajectory.rewards[:-1]
    return Trajectory(trajectory.observations[:-1], trajectory.actions[:-1], rewards, False)


def _replay(env: gymnasium.Env[Any, Any], trajectory: Trajectory, index: int, episode: int) -> Step:
    space = env.action_space
    action = to_gymnasium(space, trajectory.actions, index)
    if isinstance(space, Box):
        action = np.clip(action, space.low, space.high)
    with environment_failures("a recorded action was replayed"):
        seen, reward, terminated, truncated, _ = env.step(action)
    rewards = trajectory.rewards
    same_reward = rewards is None or abs(float(reward) - rewards[index]) <= ABSOLUTE + RELATIVE * abs(rewards[index])
    ends = trajectory.terminated and index == len(trajectory) - 1
    same_observation = _same(env, seen, trajectory.observations[index : index + 2])
    return Step(episode, same_observation, bool(same_reward), bool(terminated) == ends, bool(terminated or truncated))


def _same(env: gymnasium.Env[Any, Any], seen: Any, recorded: np.ndarray) -> bool:
    """Whether what was ``seen`` is the last of ``recorded`` (1, ...) or (2, ...): every part of it, in the light of how
    much the step changed in it."""
    space = env.observation_space
    found = from_gymnasium(space, [seen])
    if isinstance(space, Flat) and space.pictures:  # bytes in which numbers cannot be told
        space, found = space.stated, unflatten_values(space, found)
    return all(_close(leaf(found, path), leaf(recorded, path)) for path, _ in leaves(space))


def _close(found: np.ndarray, recorded: np.ndarray) -> bool:
    before, after = recorded[0].astype(np.float64), recorded[-1].astype(np.float64)
    allowed = ABSOLUTE + RELATIVE * float(np.abs(after - before).max(initial=0.0))
    return bool((np.abs(found[0].astype(np.float64) - after) <= allowed).all())


def _findings(subject: Subject, env_id: str, steps: Sequence[Step], how: str) -> list[Finding]:
    """What most of the steps that should be the same are not."""
    findings = []
    different = [step for step in steps if not step.same_observation]
    if len(different) > (1 - ENOUGH) * len(steps):
        found = (
            f"{len(different)} of {counted(len(steps), 'step')} replayed {how} lead elsewhere in {env_id}: it is "
            "another environment or version, or actions and observations do not belong together"
        )
        return [Finding("replay_differs", "error", found, _concerned(subject, different))]
    unrewarded = [step for step in steps if not step.same_reward]
    if len(unrewarded) > (1 - ENOUGH) * len(steps):
        found = f"{len(unrewarded)} of {counted(len(steps), 'step')} replayed {how} give other rewards in {env_id}"
        findings.append(Finding("rewards_differ", "warning", found, _concerned(subject, unrewarded)))
    return findings + _ending_findings(subject, env_id, steps)


def _ending_findings(subject: Subject, env_id: str, steps: Sequence[Step]) -> list[Finding]:
    ended = [step for step in steps if not step.same_ending and step.same_observation]
    going_on = [step for step in ended if subject.trajectories[step.episode].terminated]
    limits = {len(subject.trajectories[step.episode]) for step in going_on}
    if not going_on or subject.endings.ambiguous:
        return []
    found = f"{counted(len(going_on), 'replayed episode')} stored as terminated where {env_id} goes on"
    mend = subject.mend_time_limit(limits.pop()) if len(limits) == 1 else None
    return [Finding("termination_differs", "warning", found, _concerned(subject, going_on), mend)]


def _unreplayable(subject: Subject, env_id: str, seeded: Sequence[int]) -> Outcome:
    if seeded:
        return _wrong_seeds(subject, env_id, seeded)
    return Unchecked(f"the file has no seeds, and an observation of {env_id} does not show its whole state")


def _wrong_seeds(subject: Subject, env_id: str, seeded: Sequence[int]) -> list[Finding]:
    if not seeded:
        return []
    tried = seeded[:MOST_EPISODES]
    found = f"none of {counted(len(tried), 'seed')} that were tried leads to the first observation recorded in {env_id}"
    return [Finding("seeds_differ", "warning", found, tuple(subject.numbers[index] for index in tried))]


def _concerned(subject: Subject, steps: Sequence[Step]) -> tuple[int, ...]:
    return tuple(sorted({subject.numbers[step.episode] for step in steps}))


def _fits(subject: Subject, around: Surroundings) -> bool:
    """Whether shapes and kinds are those of the environment, and every action is in its set.

    Real numbers need not be: they are clipped.
    """
    return all(
        misfit(around.observation_space, each.observations[:0]) is None
        and action_misfit(around.action_space, each.actions) is None
        for each in subject.trajectories
    )
