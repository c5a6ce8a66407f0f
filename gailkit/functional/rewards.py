"""Reward forms: logits z of the discriminator to rewards u, element by element, with D = sigmoid(z) and 1 = expert.

Each is written in the logit, where it is finite and exact far beyond the range in which D itself rounds to 0 or 1.
A reward form is any ``Callable[[Tensor], Tensor]``; these three are the field's.
"""

from torch import Tensor
from torch.nn.functional import softplus


def log_d(logits: Tensor) -> Tensor:
    """u = ln D = -softplus(-z), in (-inf, 0). Ho & Ermon 2016, Algorithm 1, with D written as 1 = expert."""
    return -softplus(-logits)


def neg_log_one_minus_d(logits: Tensor) -> Tensor:
    """u = -ln(1 - D) = softplus(z), in (0, inf). The non-saturating form of Goodfellow et al. 2014, section 3."""
    return softplus(logits)


def log_odds(logits: Tensor) -> Tensor:
    """u = ln D - ln(1 - D) = z. Fu et al. 2018 (AIRL), equation 3: the log density ratio when D is optimal."""
    return logits
