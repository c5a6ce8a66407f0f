"""Networks that remember: against torch's own, against a loop over single steps, and within their episodes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.recurrent import CELLS, Memory, Recurrent, Sequences, states_along

KINDS = pytest.mark.parametrize("kind", CELLS)
LENGTHS = torch.tensor([5, 1, 3, 7])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def recurrent(kind: str) -> Recurrent:
    cell = CELLS[kind](3, 4)
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    return Recurrent(cell, None, 2)


def step_by_step(network: Recurrent, seen: Tensor, lengths: Tensor, states: Tensor) -> Tensor:
    """States after every step, one after another."""
    after, row = [], 0
    for length, state in zip(lengths.tolist(), states[:, network.own], strict=True):
        for _ in range(length):
            state = network.cell(network.cell.seen(seen[row : row + 1]), state.reshape(1, -1))[0]
            after.append(state)
            row += 1
    return torch.stack(after)


@KINDS
def test_a_cell_does_what_torchs_does(kind: str) -> None:
    network: Any = recurrent(kind).cell
    theirs: Any = {"gru": nn.GRU, "lstm": nn.LSTM}[kind](3, 4)
    for name, layer in (("ih", network.seen), ("hh", network.kept)):
        getattr(theirs, f"weight_{name}_l0").data = layer.weight.data
        getattr(theirs, f"bias_{name}_l0").data = layer.bias.data
    seen, state = torch.randn(6, 3), torch.randn(1, network.state_size)
    before = tuple(part.unsqueeze(0) for part in state.split(4, -1))
    expected, _ = theirs(seen.unsqueeze(1), before if kind == "lstm" else before[0])
    found = []
    for row in seen:
        state = network(network.seen(row.unsqueeze(0)), state)
        found.append(state[:, :4])
    torch.testing.assert_close(torch.stack(found), expected)


@KINDS
def test_runs_side_by_side_are_single_steps_one_after_another(kind: str) -> None:
    """Runs of several lengths, the states of others beside theirs: what fills the shorter ones up is never seen."""
    network = recurrent(kind)
    seen, states = torch.randn(16, 3), torch.randn(4, 2 + network.cell.state_size + 1)
    found = network.run(seen, LENGTHS, states)
    expected = step_by_step(network, seen, LENGTHS, states)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    shown = network(Sequences(seen, LENGTHS, states))
    torch.testing.assert_close(shown, torch.cat([seen, expected[:, :4]], -1), rtol=0, atol=1e-6)


@KINDS
def test_the_gradient_goes_back_through_the_whole_run_and_no_further(kind: str) -> None:
    network = recurrent(kind)
    seen, states = torch.randn(16, 3, requires_grad=True), torch.randn(4, 2 + network.cell.state_size)
    weights = torch.randn(16, network.cell.state_size)
    found = torch.autograd.grad((weights * network.run(seen, LENGTHS, states)).sum(), [seen, *network.parameters()])
    steps = step_by_step(network, seen, LENGTHS, states)
    expected = torch.autograd.grad((weights * steps).sum(), [seen, *network.parameters()])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    last_of_the_third = torch.autograd.grad(network.run(seen, LENGTHS, states)[8].sum(), seen)[0]
    assert last_of_the_third.abs().sum(1).bool().tolist() == [6 <= row <= 8 for row in range(16)]


@KINDS
def test_what_is_remembered_before_every_step_is_what_was_after_the_last(kind: str) -> None:
    network = recurrent(kind)
    seen, states = torch.randn(16, 3), torch.randn(4, 2 + network.cell.state_size)
    asked: list[list[int]] = []

    def remember(rows: Tensor, before: Tensor) -> Tensor:
        asked.append(rows.tolist())
        after = network.run(seen[rows], torch.ones(len(rows), dtype=torch.int64), before)
        return torch.cat([before[:, :2], after], -1)

    before = states_along(remember, LENGTHS, states)
    after = step_by_step(network, seen, LENGTHS, states)
    firsts = [0, 5, 6, 9]
    for row in range(16):
        expected = states[firsts.index(row)] if row in firsts else torch.cat([before[row, :2], after[row - 1]])
        torch.testing.assert_close(before[row], expected)
    assert asked[0] == firsts and asked[-1] == [15]


@KINDS
def test_policy_and_value_function_each_remember_for_themselves(kind: str) -> None:
    encoder = ObservationEncoder(Box(-1, 1, (3,)))
    model = ActorCritic(encoder, Discrete(2), (8,), memory=Memory(kind, 4, 5))
    features, states = torch.randn(6, 3), torch.randn(6, model.state_size)
    policy, own = model.follow(features, states)
    after = model.remembered(features, states)
    assert model.state_size == 2 * model.policy_state_size == after.shape[1]
    torch.testing.assert_close(own, after[:, : model.policy_state_size])
    torch.testing.assert_close(own, model.remembered_by_policy(features, states))
    torch.testing.assert_close(own, model.remembered_by_policy(features, states[:, : model.policy_state_size]))
    runs = Sequences(features, torch.ones(6, dtype=torch.int64), states)
    torch.testing.assert_close(policy.parameters(), model.distribution(runs).parameters())
    other = states.clone()
    other[:, model.policy_state_size :] += 1.0
    changed = Sequences(features, runs.lengths, other)
    assert torch.equal(*(model.distribution(each).parameters()[0] for each in (runs, changed)))
    assert not torch.allclose(model.critic(runs), model.critic(changed))
