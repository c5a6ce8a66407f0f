"""Action distributions against torch.distributions, and their samples against their probabilities."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions.transforms import AffineTransform, TanhTransform

from gailkit.networks.distributions import ActionDistribution, Categorical, DiagonalGaussian, TanhGaussian
from gailkit.networks.products import Bits, Choices, Product

ROWS = 20_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def categorical(start: int = 0) -> Categorical:
    return Categorical(3 * torch.randn(6, 4, generator=seeded()), start)


def gaussian(*shape: int) -> DiagonalGaussian:
    """Six states, with deviations that differ between the dimensions."""
    return DiagonalGaussian(torch.randn(6, *shape, generator=seeded(1)), torch.randn(*shape, generator=seeded(2)))


def tanh_gaussian(*shape: int) -> TanhGaussian:
    """Actions between -2 and 4, and moderate deviations: the squashed density stays within float32's digits."""
    inner = gaussian(*shape)
    return TanhGaussian(
        DiagonalGaussian(inner.mean, inner.log_std / 2 - 1), torch.full(shape, 1.0), torch.full(shape, 3.0)
    )


def choices(*sizes: int) -> Choices:
    return Choices(2 * torch.randn(6, sum(sizes), generator=seeded(5)), sizes)


def bits(count: int) -> Bits:
    return Bits(2 * torch.randn(6, count, generator=seeded(6)))


def product() -> Product:
    """Columns that lie in one another: numbers in 1 and 4, sets in 0, 2 and in 3, 5, 6, a bit in 7."""
    columns = torch.tensor([1, 4]), torch.tensor([0, 2, 3, 5, 6]), torch.tensor([7])
    return Product((gaussian(2), choices(2, 3), bits(1)), columns)


DISTRIBUTIONS = {
    "categorical": categorical(),
    "categorical from -2": categorical(start=-2),
    "gaussian (1,)": gaussian(1),
    "gaussian (3,)": gaussian(3),
    "gaussian (2, 3)": gaussian(2, 3),
    "tanh gaussian (1,)": tanh_gaussian(1),
    "tanh gaussian (2, 3)": tanh_gaussian(2, 3),
    "choices of 3, 3": choices(3, 3),
    "choices of 4, 1, 2": choices(4, 1, 2),
    "bits": bits(3),
    "product": product(),
}
every_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())


@pytest.mark.parametrize("start", [0, 5, -2])
def test_log_probability_and_entropy_of_a_categorical_are_those_of_torch(start: int) -> None:
    ours, theirs = categorical(start), torch.distributions.Categorical(logits=categorical().logits)
    for action in range(4):
        torch.testing.assert_close(
            ours.log_prob(torch.full((6,), action + start)), theirs.log_prob(torch.tensor(action))
        )
    torch.testing.assert_close(ours.entropy(), theirs.entropy())


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3)], ids=str)
def test_log_probability_and_entropy_of_a_gaussian_are_those_of_torch(shape: tuple[int, ...]) -> None:
    ours = gaussian(*shape)
    normal = torch.distributions.Normal(ours.mean, ours.log_std.exp().expand_as(ours.mean))
    theirs = torch.distributions.Independent(normal, len(shape))
    actions = 3 * torch.randn(6, *shape, generator=seeded(3))
    torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(actions))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())


def test_probabilities_are_those_of_the_logits_and_impossible_logits_stay_finite() -> None:
    # odds of 1 : 3, and a logit so low that its probability rounds to zero
    distribution = Categorical(torch.tensor([[0.0, math.log(3.0), -1000.0]]))
    assert distribution.log_prob(torch.tensor([1])).exp().item() == pytest.approx(0.75)
    assert distribution.log_prob(torch.tensor([2])).item() == pytest.approx(-1000 - math.log(4))
    assert distribution.entropy().item() == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3))


def test_actions_are_drawn_as_often_as_their_probabilities_say() -> None:
    start = 3
    distribution = Categorical(torch.tensor([0.0, 1.0, 2.0, -1.0]).expand(ROWS, 4), start)
    counts = (distribution.sample(seeded()) - start).bincount(minlength=4)
    expected = ROWS * distribution.logits[0].softmax(-1)
    chi_square = ((counts - expected).square() / expected).sum()
    assert len(counts) == 4
    assert chi_square < 16.3  # Pearson's chi-square exceeds it once in 1000 at 3 degrees of freedom


def test_gaussian_samples_have_the_mean_and_deviation_and_do_not_depend_on_each_other() -> None:
    mean, deviation = torch.tensor([1.0, -20.0]), torch.tensor([0.5, 4.0])
    samples = DiagonalGaussian(mean.expand(ROWS, 2), deviation.log()).sample(seeded())
    scaled = (samples - mean) / deviation
    error = ROWS**-0.5
    assert scaled.mean(0).abs().max() < 4 * error
    assert (scaled.var(0) - 1).abs().max() < 4 * 2**0.5 * error  # the variance of a squared normal is 2
    assert (scaled[:, 0] * scaled[:, 1]).mean().abs() < 4 * error


@every_distribution
def test_entropy_is_the_mean_of_minus_the_log_probability_of_the_samples(distribution: ActionDistribution) -> None:
    random = seeded()
    log_probs = torch.stack([distribution.log_prob(distribution.sample(random)) for _ in range(4000)])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        entropies = torch.stack([distribution.entropy() for _ in range(4000)])  # that of a TanhGaussian is an estimate
    error = (log_probs.var(0) + entropies.var(0)).sqrt() / len(log_probs) ** 0.5
    assert ((log_probs.mean(0) + entropies.mean(0)).abs() <= 4 * error + 1e-5).all()


@pytest.mark.parametrize("name", [name for name in DISTRIBUTIONS if not name.startswith("tanh")])
def test_no_action_is_likelier_than_the_mode(name: str) -> None:
    distribution = DISTRIBUTIONS[name]
    best = distribution.log_prob(distribution.mode())
    random = seeded()
    assert all((distribution.log_prob(distribution.sample(random)) <= best + 1e-6).all() for _ in range(200))


@every_distribution
def test_a_given_random_generator_repeats_itself_and_leaves_the_global_one_alone(
    distribution: ActionDistribution,
) -> None:
    before = torch.get_rng_state()
    first, again, other = (torch.stack([distribution.sample(r) for _ in range(5)]) for r in map(seeded, (7, 7, 8)))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@every_distribution
def test_without_a_generator_samples_follow_the_global_seed(distribution: ActionDistribution) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = distribution.sample()
        torch.manual_seed(3)
        assert torch.equal(distribution.sample(), first)


@every_distribution
def test_samples_and_modes_have_the_shape_of_actions(distribution: ActionDistribution) -> None:
    expected = (6,) if isinstance(distribution, Categorical) else tuple(distribution.mode().shape)
    assert distribution.sample().shape == distribution.mode().shape == expected
    assert distribution.log_prob(distribution.mode()).shape == distribution.entropy().shape == (6,)


def test_samples_carry_no_gradient() -> None:
    parameters = torch.zeros(2, 3, requires_grad=True)
    assert not DiagonalGaussian(parameters, parameters).sample().requires_grad
    assert not Categorical(parameters).sample().requires_grad
    assert DiagonalGaussian(parameters, parameters).log_prob(torch.ones(2, 3)).requires_grad


def neighbour(distribution: ActionDistribution) -> ActionDistribution:
    """Other parameters for the same states, in double precision."""
    random = seeded(9)
    return distribution.with_parameters(
        tuple(p.double() + torch.randn(p.shape, generator=random) for p in distribution.parameters())
    )


def in_torch(distribution: ActionDistribution) -> torch.distributions.Distribution:
    """The same distribution as torch has it."""
    if isinstance(distribution, Categorical):
        return torch.distributions.Categorical(logits=distribution.logits)
    if isinstance(distribution, Bits):
        return torch.distributions.Independent(torch.distributions.Bernoulli(logits=distribution.logits), 1)
    mean, log_std = distribution.parameters()
    normal = torch.distributions.Normal(mean, log_std.exp())
    if isinstance(distribution, TanhGaussian):
        squash = [TanhTransform(cache_size=1), AffineTransform(distribution.center, distribution.scale)]
        return torch.distributions.Independent(
            torch.distributions.TransformedDistribution(normal, squash), mean.dim() - 1
        )
    return torch.distributions.Independent(normal, mean.dim() - 1)


def kl_in_torch(first: ActionDistribution, second: ActionDistribution) -> torch.Tensor:
    if isinstance(first, Product) and isinstance(second, Product):
        return sum((kl_in_torch(*pair) for pair in zip(first.parts, second.parts, strict=True)), torch.zeros(6))
    if isinstance(first, Choices) and isinstance(second, Choices):
        split = zip(*(d.logits.split(d.sizes, -1) for d in (first, second)), strict=True)
        return sum((kl_in_torch(*map(Categorical, pair)) for pair in split), torch.zeros(6))
    return torch.distributions.kl_divergence(in_torch(first), in_torch(second))


@every_distribution
def test_kl_is_that_of_torch_and_0_from_itself(distribution: ActionDistribution) -> None:
    other = neighbour(distribution)
    here = other.with_parameters(tuple(p.double() for p in distribution.parameters()))
    for first, second in ((here, other), (other, here)):
        torch.testing.assert_close(first.kl(second), kl_in_torch(first, second))
    assert torch.equal(distribution.kl(distribution), torch.zeros(6))


@every_distribution
def test_the_gradient_of_kl_reaches_both(distribution: ActionDistribution) -> None:
    leaves = [[p.clone().requires_grad_() for p in d.parameters()] for d in (distribution, neighbour(distribution))]
    first, second = (distribution.with_parameters(tuple(parameters)) for parameters in leaves)
    gradients = torch.autograd.grad(first.kl(second).sum(), [*leaves[0], *leaves[1]])
    assert all(gradient.abs().max() > 0 for gradient in gradients)


@every_distribution
def test_the_fisher_product_is_the_hessian_of_kl_at_itself(distribution: ActionDistribution) -> None:
    here = neighbour(distribution)
    random = seeded(4)
    tangents = tuple(torch.randn(p.shape, generator=random).double() for p in here.parameters())
    # KL summed over the states: no state's block of the Hessian touches another's
    _, expected = torch.autograd.functional.vhp(
        lambda *parameters: here.kl(here.with_parameters(parameters)).sum(), here.parameters(), tangents
    )
    torch.testing.assert_close(here.fisher_product(tangents), expected)


def test_kl_to_an_impossible_action_and_from_it_stay_finite() -> None:
    possible, impossible = Categorical(torch.zeros(1, 2)), Categorical(torch.tensor([[0.0, -1000.0]]))
    assert possible.kl(impossible).item() == pytest.approx(500 - math.log(2))
    assert impossible.kl(possible).item() == pytest.approx(math.log(2))
    (product,) = impossible.fisher_product((torch.tensor([[3.0, -5.0]]),))
    assert product.tolist() == [[0.0, 0.0]]  # a certain choice: no small change of the logits changes it


@every_distribution
def test_an_index_chooses_states(distribution: ActionDistribution) -> None:
    index = torch.tensor([4, 0, 4])
    chosen, actions = distribution[index], distribution.sample(seeded())
    assert type(chosen) is type(distribution)
    torch.testing.assert_close(chosen.log_prob(actions[index]), distribution.log_prob(actions)[index])
    assert torch.equal(chosen.mode(), distribution.mode()[index])


@every_distribution
def test_a_detached_distribution_is_the_same_without_gradient(distribution: ActionDistribution) -> None:
    attached = distribution.with_parameters(tuple(p.clone().requires_grad_() for p in distribution.parameters()))
    detached, actions = attached.detach(), distribution.sample(seeded())
    assert attached.log_prob(actions).requires_grad
    assert not detached.log_prob(actions).requires_grad
    torch.testing.assert_close(detached.log_prob(actions), attached.log_prob(actions))
