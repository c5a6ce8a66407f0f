"""PPO with a clip: what the clip allows, and how it changes in the course of a training."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gailkit.functional.schedules import constant, linear
from gailkit.generator import PPOClip
from gailkit.generator.learning import learning_batch

WHOLE = 128  # steps of a rollout


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def update(generator: PPOClip, roll_out: Any, progress: float = 0.0) -> dict[str, float]:
    steps = roll_out(generator)
    return generator.update(steps, lambda steps: (steps.act == 0).float(), progress)


def test_what_an_update_reports_of_its_first_step(make_actor_critic: Any, roll_out: Any) -> None:
    # at a rate of 0 nothing has moved: the surrogate is the mean of standardised advantages, 0
    generator = PPOClip(make_actor_critic(), learning_rate=0.0)
    report = update(generator, roll_out)
    assert report["surrogate"] == pytest.approx(0.0, abs=1e-6)
    assert report["kl"] == pytest.approx(0.0, abs=1e-9)
    assert report["clip_fraction"] == 0.0
    own = {"clip_fraction", "epochs"}
    assert set(report) == {"surrogate", "kl", "entropy", "value_loss", "explained_variance"} | own


def test_actions_beyond_the_clip_have_no_gradient_and_the_others_the_policy_gradient(
    make_actor_critic: Any, roll_out: Any
) -> None:
    model = make_actor_critic()
    generator = PPOClip(model, clip=0.2)
    steps = roll_out(generator)
    batch, _ = learning_batch(model, steps, torch.randn(steps.shape), 0.9, 0.9)
    model.policy[-1].weight.data.normal_(std=0.5)
    ratio = (model.distribution(batch.features).log_prob(batch.act) - batch.log_prob).exp()
    spent = torch.where(batch.advantages > 0, ratio > 1.2, ratio < 0.8)
    assert 0 < int(spent.sum()) < WHOLE

    def slope(chosen: torch.Tensor) -> torch.Tensor:
        part = batch.take(chosen)
        objective = generator.objective(model.distribution(part.features), part, 0.0)
        return torch.autograd.grad(objective, model.policy[-1].weight)[0]

    assert torch.equal(slope(spent), torch.zeros(3, 16))
    kept = batch.take(~spent)
    weighted = (ratio[~spent].detach() * kept.advantages * model.distribution(kept.features).log_prob(kept.act)).mean()
    torch.testing.assert_close(slope(~spent), torch.autograd.grad(weighted, model.policy[-1].weight)[0])


def moved_by(clip: float, make_actor_critic: Any, roll_out: Any) -> dict[str, float]:
    """What many passes over one rollout lead to."""
    torch.manual_seed(3)
    return update(PPOClip(make_actor_critic(), clip=clip, epochs=40, learning_rate=1e-2, batch_size=64), roll_out)


def test_the_clip_keeps_the_policy_near_the_one_that_acted(make_actor_critic: Any, roll_out: Any) -> None:
    near, far = (moved_by(clip, make_actor_critic, roll_out) for clip in (0.1, 10.0))
    assert 0.0 < near["kl"] < 0.5
    assert far["kl"] > 5 * near["kl"]
    assert near["clip_fraction"] > 0.5
    assert far["clip_fraction"] == 0.0  # a ratio of 11 is more than a third can grow to


def test_the_clip_follows_its_schedule(make_actor_critic: Any, roll_out: Any) -> None:
    # half of 0.2 at half of the way; the rate stays
    reports = []
    for settings in ({"clip": 0.2, "clip_schedule": linear}, {"clip": 0.1, "clip_schedule": constant}, {"clip": 0.2}):
        torch.manual_seed(3)
        generator = PPOClip(
            make_actor_critic(), epochs=40, learning_rate=1e-2, learning_rate_schedule=constant, **settings
        )
        reports.append(update(generator, roll_out, progress=0.5))
    scheduled, halved, whole = reports
    assert scheduled == halved
    assert whole["kl"] > 1.2 * halved["kl"]
