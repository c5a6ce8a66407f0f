"""What happens after an episode terminates: the absorbing state of Kostrikov et al. 2019 (DAC), solved in closed form.

A terminated episode goes on for ever in one absorbing state, for the expert as for the policy. D of that state is one
number, its logit z_abs, and the best one is known: z*(w) of the loss that D descends, at the expert's share w of the
absorbing mass. Subtracting u_abs = u(z_abs) from every reward changes no policy's rank and makes the value after a
termination exactly 0.
"""

import math


def absorbing_mass(terminations: float, steps: float, gamma: float) -> float:
    """Share in [0, 1) of the occupancy that lies in the absorbing state; steps count 1 each, the tail is discounted.

    Each of the ``terminations`` adds the tail sum_k gamma^k = 1 / (1 - gamma) beside the ``steps`` that were taken.
    """
    tail = terminations / (1.0 - gamma)
    return tail / (steps + tail)


def expert_share(expert_mass: float, policy_mass: float) -> float | None:
    """w = m_E / (m_E + m_pi), the share of the absorbing mass that is the expert's; None where nobody terminates."""
    total = expert_mass + policy_mass
    return expert_mass / total if total > 0.0 else None


def penalised_optimal_logit(share: float, kappa: float) -> float:
    """z*(w): the unique solution of kappa z = w - sigmoid(-z), the minimiser of F + kappa * ``logit_penalty``.

    Odd around w = 1/2, increasing in w, and |z*| < 1 / kappa. Solved by bisection to the last bit, since
    kappa z + sigmoid(-z) increases in z for kappa > 1/4.

    Raises:
        ValueError: if kappa <= 1/4, where the loss is not convex and the solution not unique.
    """
    if kappa <= 0.25:
        raise ValueError(f"the logit penalty must be above 0.25 for a unique optimum; found {kappa}")
    low, high = -1.0 / kappa, 1.0 / kappa
    for _ in range(80):
        middle = (low + high) / 2
        if kappa * middle + 1.0 / (1.0 + math.exp(middle)) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def cross_entropy_optimal_logit(share: float, least: float = 0.01) -> float:
    """ln(w / (1 - w)), the minimiser of the cross-entropy, with w kept within [least, 1 - least] to stay finite."""
    clipped = min(max(share, least), 1.0 - least)
    return math.log(clipped / (1.0 - clipped))
