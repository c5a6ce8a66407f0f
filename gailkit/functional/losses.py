"""What a discriminator descends, as functions of its logits z (B,) on expert (real) and policy (fake) transitions.

D = sigmoid(z), 1 = expert. Every function returns a scalar and accepts batches of different sizes. ``real`` and
``fake`` weigh the sides: with densities p_real and p_fake the minimum is that of real p_real beside fake p_fake, so
that w, the expert's share of the density in a point, is real p_real / (real p_real + fake p_fake).
"""

from torch import Tensor
from torch.nn.functional import softplus


def adversarial_loss(real_logits: Tensor, fake_logits: Tensor, real: float = 1.0, fake: float = 1.0) -> Tensor:
    """F = mean ln(1 - D_real) + mean ln D_fake = -mean softplus(z_real) - mean softplus(-z_fake).

    Unbounded below, even for a constant discriminator; it needs ``logit_penalty`` beside it.
    """
    return -real * softplus(real_logits).mean() - fake * softplus(-fake_logits).mean()


def logit_penalty(real_logits: Tensor, fake_logits: Tensor, real: float = 1.0, fake: float = 1.0) -> Tensor:
    """(mean z_real^2 + mean z_fake^2) / 2. Weighted by kappa > 1/4 it makes F strictly convex in the logits."""
    return (real * real_logits.square().mean() + fake * fake_logits.square().mean()) / 2


def cross_entropy(real_logits: Tensor, fake_logits: Tensor, real: float = 1.0, fake: float = 1.0) -> Tensor:
    """BCE = -mean ln D_real - mean ln(1 - D_fake); equal to ln 4 - 2 JSD at its minimum. Goodfellow et al. 2014."""
    return real * softplus(-real_logits).mean() + fake * softplus(fake_logits).mean()
