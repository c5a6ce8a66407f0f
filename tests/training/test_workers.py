"""Imitation with environments in worker processes: the same run, bit for bit."""

from __future__ import annotations

import numpy as np
import torch

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.evaluate import evaluate
from gailkit.rollouts.stepping import Stepping
from gailkit.training.config import TrainConfig
from gailkit.training.train import train

MEASURED = ("seconds", "steps_per_second")


def test_an_imitation_and_its_evaluation_are_the_same_in_one_process_and_in_two(
    cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    one, other = (train("CartPole-v1", cartpole, tiny, stepping=Stepping(workers)) for workers in (1, 2))
    ours, theirs = (found.policy.actor_critic.state_dict() for found in (one, other))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for row, same in zip(one.metrics, other.metrics, strict=True):
        assert {**row, **dict.fromkeys(MEASURED)} == {**same, **dict.fromkeys(MEASURED)}
        assert row["episode/discarded"] == 0.0
    found = [
        evaluate(one.policy, cartpole, "CartPole-v1", episodes=3, num_envs=2, stepping=Stepping(workers))
        for workers in (1, 2)
    ]
    for played, again in zip(found[0].played, found[1].played, strict=True):
        assert np.array_equal(played.observations, again.observations)
