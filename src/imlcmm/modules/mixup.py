"""Mixup of sequences (Zhang et al. 2018; IML-CMM equations 18-22)."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Mixup(NamedTuple):
    """One draw of mixing: each row with the share `share`, its partner with the rest.

    Attributes:
        share: λ, between 0 and 1, for the whole batch.
        partner: (batch,) the row that each row is mixed with.
    """

    share: float
    partner: Int[Tensor, " batch"]

    @classmethod
    def draw(cls, size: int, alpha: float, device: torch.device) -> "Mixup":
        """Draw λ ~ Beta(alpha, alpha) and a permutation of the batch from PyTorch's generator."""
        share = torch.distributions.Beta(alpha, alpha).sample().item()
        return cls(share, torch.randperm(size, device=device))

    def mix(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Interpolate each row with its partner."""
        return self.share * x + (1 - self.share) * x[self.partner]

    def union(self, mask: Bool[Tensor, "batch steps"]) -> Bool[Tensor, "batch steps"]:
        """Mark the steps that are real in a row or in its partner."""
        return mask | mask[self.partner]
