"""The Fisher information of a policy's parameters, as a product with vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from gailkit.networks.distributions import ActionDistribution
from gailkit.networks.flat import FlatParameters
from gailkit.ranks.merging import averaged


class FisherProduct:
    """v to (F + damping I) v, (P,) to (P,), for F = mean over B states, of each rank, of J^T M J.

    J is the Jacobian of what the policy decides in a state, in its parameters, and M the Fisher information of the
    action distribution in what was decided: the Gauss-Newton form of the Hessian of mean KL(theta_old, theta) at
    theta_old. Schulman et al. 2015 (TRPO), appendix C.1.

    A product is one Jacobian-vector and one vector-Jacobian product over all the states. J^T c is linear in c, so J v
    is the vector-Jacobian product of J^T c; its graph is built once, and no state passes through the network again.
    """

    def __init__(self, distribution: ActionDistribution, policy: FlatParameters, damping: float) -> None:
        """``distribution`` (B states) was computed from the parameters ``policy``."""
        self.policy, self.damping = policy, damping
        self.old = distribution.detach()
        self.decided = distribution.parameters()
        self.cotangents = tuple(torch.zeros_like(tensor, requires_grad=True) for tensor in self.decided)
        self.pulled_back = torch.autograd.grad(self.decided, policy.parameters, self.cotangents, create_graph=True)

    def __call__(self, vector: Tensor) -> Tensor:
        """The product with ``vector`` (P,)."""
        shaped = self.policy.shaped(vector)
        moved = torch.autograd.grad(self.pulled_back, self.cotangents, shaped, retain_graph=True)
        weighted = [tensor / len(tensor) for tensor in self.old.fisher_product(moved)]
        parts = torch.autograd.grad(self.decided, self.policy.parameters, weighted, retain_graph=True)
        return averaged(torch.cat([part.flatten() for part in parts])) + self.damping * vector
