"""What is to stay where it is: a policy that is the expert already, and a discriminator that has nothing to tell."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import DiscriminatorLearner
from gailkit.generator import TrainedPolicy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.vector import make_vector_env
from gailkit.training.build import build_loss, build_trainer, discriminator_factory
from gailkit.training.config import TrainConfig
from gailkit.training.policy_config import PolicyConfig
from gailkit.types import Rollout, Transitions

LOG_ODDS = torch.tensor([2.0, 1.0, -1.5, 0.0, 1.5, -0.5])  # of the expert's walking right, in each place of the ring
STEPS = 20  # of an episode


def occupancy(actor_critic: ActorCritic) -> Tensor:
    """How often the policy takes each action in each place of the ring, (6, 2), exactly; starts are uniform."""
    with torch.no_grad():
        right = actor_critic(torch.arange(6)).logits.softmax(-1)[:, 1].double()
    places, found = torch.full((6,), 1 / 6, dtype=torch.float64), torch.zeros(6, 2, dtype=torch.float64)
    for _ in range(STEPS):
        taken = torch.stack((places * (1 - right), places * right), 1)
        found += taken / STEPS
        places = taken[:, 0].roll(-1) + taken[:, 1].roll(1)
    return found


def total_variation(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().sum() / 2)


def become(actor_critic: ActorCritic, log_odds: Tensor) -> ActorCritic:
    """Let it walk right by these log odds."""
    with torch.no_grad():
        actor_critic.policy[-1].weight.copy_(torch.stack((torch.zeros(6), log_odds)))
        actor_critic.policy[-1].bias.zero_()
    return actor_critic


def test_a_policy_that_begins_as_the_expert_itself_stays_indistinguishable_from_it() -> None:
    torch.manual_seed(0)
    expert = become(ActorCritic(ObservationEncoder(Discrete(6)), Discrete(2), ()), LOG_ODDS)
    acting = TrainedPolicy(expert, Discrete(6), Discrete(2), "Ring-v0").sampling(0)
    shown = collect_episodes(acting, lambda: make_env("Ring-v0"), list(range(1000)))
    demonstrations = Demonstrations(tuple(shown), Discrete(6), Discrete(2))
    config = TrainConfig(steps=60_000, num_envs=16, rollout_size=1024, policy=PolicyConfig(hidden=()))
    envs = make_vector_env("Ring-v0", config.num_envs)
    trainer = build_trainer(config, envs, demonstrations)
    policy = become(trainer.generator.actor_critic, LOG_ODDS)
    truth = occupancy(policy)
    assert total_variation(occupancy(become(expert, 0 * LOG_ODDS)), truth) > 0.2  # of another one
    apart = []
    for _ in range(50):
        trainer.iterate()
        apart.append(total_variation(occupancy(policy), truth))
    envs.close()
    assert max(apart) < 0.06, apart


def cloud(size: int, shift: float) -> Transitions:
    """Points around (shift, 0) with actions around 0, each with deviation 1 or as the Box has it."""
    obs = torch.randn(size, 2) + torch.tensor([shift, 0.0])
    return Transitions(obs, torch.randn(size, 1) / 3, obs, torch.zeros(size, dtype=torch.bool))


def told_apart(shift: float, rollouts: int) -> DiscriminatorLearner:
    """The default discriminator after so many rollouts of a policy whose cloud is at 0, the expert's at ``shift``."""
    config = TrainConfig()
    encoder = ObservationEncoder(Box(-np.inf, np.inf, (2,), np.float32))
    encoder.update(torch.cat((cloud(5000, shift).obs, cloud(5000, 0.0).obs)))
    model = discriminator_factory(config.discriminator)(encoder, Box(-1, 1, (1,), np.float32))
    settings = config.discriminator
    learner = DiscriminatorLearner(
        model,
        build_loss(config),
        lambda logits: logits,
        expert_mass=0.0,
        gamma=config.gamma,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        updates=settings.updates,
    )
    for _ in range(rollouts):
        learner.update(lambda size: cloud(size, shift), rolled_out(cloud(config.rollout_size, 0.0)))
    return learner


def rolled_out(steps: Transitions) -> Rollout:
    parts = {name: values.unsqueeze(1) for name, values in steps.to_dict().items()}
    never = torch.zeros(len(steps), 1, dtype=torch.bool)
    return Rollout(parts["obs"], parts["act"], parts["next_obs"], never, never)


def test_two_clouds_far_apart_do_not_saturate_the_discriminator_and_leave_a_slope_between_them() -> None:
    torch.manual_seed(0)
    learner = told_apart(6.0, rollouts=15)
    with torch.no_grad():
        there, here = (learner.discriminator(cloud(1000, shift)) for shift in (6.0, 0.0))
    bound = learner.loss.optimal_logit(1.0)
    assert there.mean() > 0.5 * bound and here.mean() < -0.5 * bound
    assert there.mean() < bound and here.mean() > -bound
    assert max(there.abs().max(), here.abs().max()) < 1.5 * bound
    way = torch.stack((torch.linspace(0.0, 6.0, 61), torch.zeros(61)), 1).requires_grad_()
    steps = Transitions(way, torch.zeros(61, 1), way, torch.zeros(61, dtype=torch.bool))
    rewards = -torch.nn.functional.softplus(-learner.discriminator(steps))  # ln D
    (slope,) = torch.autograd.grad(rewards.sum(), way)
    assert (slope[:, 0] > 0.01).all(), slope[:, 0]  # everywhere it is worth while to go on


def test_equal_clouds_leave_the_discriminator_undecided_but_not_blind() -> None:
    torch.manual_seed(0)
    undecided = told_apart(0.0, rollouts=15)
    with torch.no_grad():
        logits = undecided.discriminator(cloud(4000, 0.0))
    assert abs(float(logits.mean())) < 0.05
    assert float(logits.std()) < 0.2
    # a shift of 0.5: the best accuracy is that of a normal variable below half of it, 0.599
    seeing = told_apart(0.5, rollouts=15)
    with torch.no_grad():
        right = [(sign * seeing.discriminator(cloud(4000, shift)) > 0) for sign, shift in ((1, 0.5), (-1, 0.0))]
    assert float(torch.cat(right).float().mean()) > 0.57
