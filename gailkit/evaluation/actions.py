"""What a policy would have done in the expert's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Discrete

from gailkit.functional.statistics import action_agreement, mean_squared_error
from gailkit.generator import TrainedPolicy
from gailkit.spaces import Flat, as_batch, box_center_and_scale, clip_to_space
from gailkit.types import Policy, RememberingPolicy, Trajectory, followed
from gailkit.wording import counted

BATCH = 8192
MOST_NOISE = 1e3  # half-widths: what claims more is no noise of actions
MOST_BYTES = 2**28  # of expert observations that a policy is asked about


@dataclass(frozen=True)
class ActionMatch:
    """A policy's actions beside the expert's, in the expert's states; nothing where the expert's are not known."""

    action_episodes: int  # expert episodes compared
    action_held_out: bool | None  # whether the policy was trained without them; None where that is not known
    action_agreement: float | None  # share of states in which the policy chooses as the expert did
    action_mse: float | None  # mean squared error of numbers, in their unit squared, after clipping to the Box
    action_log_likelihood: float | None  # mean ln pi(a|s) a step, in nats; None for a policy without probabilities
    action_by_expert: float | None = None  # agreement or error of the expert without the noise it was recorded with

    def sentence(self) -> str:
        """The match in words."""
        if not self.action_episodes:
            return "Its actions are not compared: the demonstrations hold none of the expert's."
        seen = {True: " it has not seen", False: " it was trained on", None: ""}[self.action_held_out]
        where = f"On {counted(self.action_episodes, 'expert episode')}{seen}"
        if self.action_agreement is not None:
            best = (
                ""
                if self.action_by_expert is None
                else f"; without its noise the expert would in {self.action_by_expert:.1%}"
            )
            numbers = (
                "" if self.action_mse is None else f", and its numbers differ by a mean square of {self.action_mse:.4g}"
            )
            what = "action" if self.action_mse is None else "choices"
            return f"{where} it takes the expert's {what} in {self.action_agreement:.1%} of the states{numbers}{best}."
        best = (
            ""
            if self.action_by_expert is None
            else f"; the expert's noise alone makes up {self.action_by_expert:.4g} at most"
        )
        return f"{where} its action differs from the expert's by a mean square of {self.action_mse:.4g}{best}."


def match_actions(
    policy: Policy, episodes: Sequence[Trajectory], action_space: Space[Any], held_out: bool | None, noise: float | None
) -> ActionMatch:
    """Compare ``policy`` with the actions of ``episodes`` of the expert, as many of them as MOST_BYTES hold.

    ``held_out`` says whether the policy was trained without them, ``noise`` is what the expert strayed from its own
    actions by (``gailkit.experts.noise``), None where that is not known. Where the episodes hold no actions there is
    nothing to compare.
    """
    if not episodes[0].has_actions:
        return ActionMatch(0, held_out, None, None, None)
    chosen_episodes = _some(episodes)
    observations = np.concatenate([trajectory.observations[:-1] for trajectory in chosen_episodes])
    expert = clip_to_space(action_space, np.concatenate([trajectory.actions for trajectory in chosen_episodes]))
    answers = _along(policy, chosen_episodes) if _looks_back(policy) else _in_batches(policy, observations)
    chosen = clip_to_space(action_space, _joined(answers, action_space))
    marks, numbers = marks_and_numbers(action_space)
    chosen, expert_as = (actions.reshape(len(actions), -1) for actions in (chosen, expert))
    return ActionMatch(
        action_episodes=len(chosen_episodes),
        action_held_out=held_out,
        action_agreement=action_agreement(chosen[:, marks], expert_as[:, marks]) if len(marks) else None,
        action_mse=mean_squared_error(chosen[:, numbers], expert_as[:, numbers]) if len(numbers) else None,
        action_log_likelihood=_log_likelihood(policy, chosen_episodes, expert),
        action_by_expert=None if noise is None else _by_expert(noise, action_space),
    )


def recorded_noise(provenance: Mapping[str, str], action_space: Space[Any]) -> float | None:
    """What ``gailkit record --noise`` was told; None where it was not, or where recordings were put together."""
    if "noise" not in provenance or any(name.startswith("addition_") for name in provenance):
        return None
    try:
        noise = float(provenance["noise"])
    except ValueError:  # somebody else's word for something else
        return None
    most = 1.0 if len(marks_and_numbers(action_space)[0]) else MOST_NOISE
    return noise if 0 <= noise <= most else None


def marks_and_numbers(action_space: Space[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Which components of actions (B, components) are chosen, and which are numbers; int64 each."""
    if isinstance(action_space, Discrete):
        return np.zeros(1, np.int64), np.zeros(0, np.int64)
    every = np.arange(int(np.prod(action_space.shape or ())))
    numbers = action_space.numbers if isinstance(action_space, Flat) else every
    return np.setdiff1d(every, numbers), numbers


def _by_expert(noise: float, action_space: Space[Any]) -> float:
    """Agreement with itself, 1 - noise (1 - 1 / A) for each choice, or (noise h)^2, which clipping makes smaller."""
    sizes = [int(action_space.n)] if isinstance(action_space, Discrete) else []
    if isinstance(action_space, Flat):
        sizes = [*(each.stop - each.start for each in action_space.sets), *(2 for _ in action_space.bits)]
    if sizes:
        return float(np.prod([1 - noise * (1 - 1 / size) for size in sizes]))
    return float(np.mean(np.square(noise * box_center_and_scale(action_space)[1].numpy().astype(np.float64))))


def _some(episodes: Sequence[Trajectory]) -> list[Trajectory]:
    """The first ``episodes``, as many as MOST_BYTES hold: a data set may be larger than memory."""
    chosen: list[Trajectory] = []
    taken = 0
    for trajectory in episodes:
        chosen.append(trajectory)
        taken += trajectory.observations.nbytes
        if taken > MOST_BYTES:
            break
    return chosen


def _looks_back(policy: Policy) -> bool:
    return policy.remembers if isinstance(policy, TrainedPolicy) else isinstance(policy, RememberingPolicy)


def _in_batches(policy: Policy, observations: np.ndarray) -> list[Any]:
    return [policy(observations[start : start + BATCH]) for start in range(0, len(observations), BATCH)]


def _along(policy: Policy, episodes: Sequence[Trajectory]) -> list[Any]:
    """The actions of a policy that sees the episodes go by, a batch an episode."""
    answers = []
    for trajectory in episodes:
        remembered: Sequence[Any] = [None]
        for observation in trajectory.observations[:-1]:
            answer, remembered = followed(policy, observation[np.newaxis], remembered)
            answers.append(answer)
    return answers


def _joined(answers: Sequence[Any], action_space: Space[Any]) -> np.ndarray:
    if isinstance(action_space, Flat):
        answers = [as_batch(action_space, answer, "action").values for answer in answers]
    return np.concatenate(answers)


def _log_likelihood(policy: Policy, episodes: Sequence[Trajectory], actions: np.ndarray) -> float | None:
    if not isinstance(policy, TrainedPolicy):
        return None
    observed = [trajectory.observations[:-1] for trajectory in episodes]
    found = (
        policy.log_likelihood_along(observed, actions)
        if policy.remembers
        else policy.log_likelihood(np.concatenate(observed), actions)
    )
    return float(found.mean())
