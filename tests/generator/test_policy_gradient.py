"""The policy gradient: one pass, with importance weights for what the pass itself has moved."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gailkit.generator import PolicyGradient
from gailkit.generator.learning import learning_batch


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("size", "minibatches"), [(128, 1), (50, 3)])
def test_an_update_is_one_pass(size: int, minibatches: int, make_actor_critic: Any, roll_out: Any) -> None:
    generator = PolicyGradient(make_actor_critic(), batch_size=size)
    steps = roll_out(generator)
    report = generator.update(steps, lambda steps: torch.randn(steps.shape))
    (state,) = generator.optimizer.state.values()
    assert int(state["step"]) == minibatches
    assert report["epochs"] == 1.0


def test_what_it_reports(make_actor_critic: Any, roll_out: Any) -> None:
    generator = PolicyGradient(make_actor_critic())
    steps = roll_out(generator)
    report = generator.update(steps, lambda steps: torch.randn(steps.shape))
    assert set(report) == {"surrogate", "kl", "entropy", "value_loss", "explained_variance", "epochs"}


def test_away_from_the_policy_that_acted_every_action_counts_by_its_ratio(
    make_actor_critic: Any, roll_out: Any
) -> None:
    # grad of mean r A = mean r A grad ln p
    model = make_actor_critic()
    generator = PolicyGradient(model)
    steps = roll_out(generator)
    batch, _ = learning_batch(model, steps, torch.randn(steps.shape), 0.9, 0.9)
    model.policy[-1].weight.data.normal_(std=0.5)
    distribution = model.distribution(batch.features)
    log_prob = distribution.log_prob(batch.act)
    ratio = (log_prob - batch.log_prob).exp().detach()
    assert ratio.max() > 1.5
    expected = torch.autograd.grad((ratio * batch.advantages * log_prob).mean(), model.policy[-1].weight)
    objective = generator.objective(model.distribution(batch.features), batch, 0.0)
    torch.testing.assert_close(torch.autograd.grad(objective, model.policy[-1].weight), expected)
