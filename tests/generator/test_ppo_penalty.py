"""PPO with a penalty: the objective it says it has, and a coefficient that answers to how far the policy moved."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError
from gailkit.generator import PPOPenalty
from gailkit.generator.learning import learning_batch

TOO_FAR = {"kl_min": 0.0, "kl_max": 1e-12}
NOT_FAR_ENOUGH = {"kl_min": 1e3, "kl_max": 1e4}
WITHIN = {"kl_min": 0.0, "kl_max": 1e4}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def update(generator: PPOPenalty, roll_out: Any) -> dict[str, float]:
    steps = roll_out(generator)
    return generator.update(steps, lambda steps: (steps.act == 0).float())


@pytest.mark.parametrize("action_space", [Discrete(3), Box(-1, 1, (2,))], ids=str)
def test_the_objective_is_the_surrogate_less_beta_times_the_kl_from_old_to_new(
    action_space: Any, make_actor_critic: Any, roll_out: Any, kl_of: Any
) -> None:
    model = make_actor_critic(action_space)
    generator = PPOPenalty(model, kl_penalty=3.0)
    steps = roll_out(generator)
    batch, _ = learning_batch(model, steps, torch.randn(steps.shape), 0.9, 0.9)
    for parameter in model.policy_parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    new = model.distribution(batch.features)
    ratio = (new.log_prob(batch.act) - batch.log_prob).exp()
    there, back = float(kl_of(batch.old, new)), float(kl_of(new, batch.old))
    assert there > 1e-3
    assert abs(there - back) > 0.02 * there  # the direction matters
    expected = (ratio * batch.advantages).mean().item() - 3.0 * there
    assert generator.objective(new, batch, 0.0).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("band", "factor"), [(TOO_FAR, 2.0), (NOT_FAR_ENOUGH, 0.5), (WITHIN, 1.0)])
def test_beta_answers_to_how_far_the_update_led(
    band: dict[str, float], factor: float, make_actor_critic: Any, roll_out: Any
) -> None:
    generator = PPOPenalty(make_actor_critic(), kl_penalty=3.0, **band)
    used = [update(generator, roll_out)["kl_penalty"] for _ in range(4)]
    assert used == [3.0, 3.0 * factor, 3.0 * factor**2, 3.0 * factor**3]
    assert float(generator.beta) == 3.0 * factor**4


@pytest.mark.parametrize(("band", "bound"), [(TOO_FAR, 1e4), (NOT_FAR_ENOUGH, 1e-4)])
def test_beta_is_bounded(band: dict[str, float], bound: float, make_actor_critic: Any, roll_out: Any) -> None:
    generator = PPOPenalty(make_actor_critic(), kl_penalty=bound, **band)
    assert update(generator, roll_out)["kl_penalty"] == bound
    assert float(generator.beta) == bound


def test_beta_is_part_of_what_is_stored(make_actor_critic: Any, roll_out: Any) -> None:
    original = PPOPenalty(make_actor_critic(), kl_penalty=3.0, **TOO_FAR)
    update(original, roll_out)
    restored = PPOPenalty(make_actor_critic(), kl_penalty=7.0, **TOO_FAR)
    restored.load_state_dict(copy.deepcopy(original.state_dict()))
    assert update(restored, roll_out)["kl_penalty"] == 6.0


def moved_by(beta: float, make_actor_critic: Any, roll_out: Any) -> float:
    """KL(old, new) of many passes over one rollout."""
    torch.manual_seed(3)
    return update(PPOPenalty(make_actor_critic(), kl_penalty=beta, epochs=40, learning_rate=1e-2), roll_out)["kl"]


def test_the_penalty_keeps_the_policy_near_the_one_that_acted(make_actor_critic: Any, roll_out: Any) -> None:
    near, far = (moved_by(beta, make_actor_critic, roll_out) for beta in (30.0, 1e-3))
    assert 0.0 < near < 0.05
    assert far > 10 * near


def test_what_it_reports(make_actor_critic: Any, roll_out: Any) -> None:
    report = update(PPOPenalty(make_actor_critic()), roll_out)
    own = {"kl_penalty", "epochs"}
    assert set(report) == {"surrogate", "kl", "entropy", "value_loss", "explained_variance"} | own


@pytest.mark.parametrize(("kl_min", "kl_max"), [(0.03, 0.01), (0.01, 0.01)])
def test_a_band_without_an_inside_is_refused(kl_min: float, kl_max: float, make_actor_critic: Any) -> None:
    with pytest.raises(InputError, match=f"kl_min must be below kl_max; found {kl_min:g} and {kl_max:g}"):
        PPOPenalty(make_actor_critic(), kl_min=kl_min, kl_max=kl_max)
