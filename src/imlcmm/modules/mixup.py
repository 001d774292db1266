"""Mixup of sequences (Zhang et al. 2018; IML-CMM equations 18-22)."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Mixup(NamedTuple):
    """One draw of mixing: rows with the share `share`, their partners with the rest.

    Attributes:
        share: λ, between 0 and 1, for the whole batch.
        rows: (mixed,) the rows that are mixed.
        partner: (mixed,) the row that each is mixed with.
    """

    share: float
    rows: Int[Tensor, " mixed"]
    partner: Int[Tensor, " mixed"]

    @classmethod
    def of_all(cls, size: int, alpha: float, device: torch.device) -> "Mixup":
        """Draw λ, and a partner for each row of a batch in order."""
        share = torch.distributions.Beta(alpha, alpha).sample().item()
        return cls(share, torch.arange(size, device=device), torch.randperm(size, device=device))

    @classmethod
    def draw(cls, present: Bool[Tensor, " batch"], alpha: float, part: float = 1.0) -> "Mixup":
        """Draw λ ~ Beta(alpha, alpha) and partners from PyTorch's generators, without waiting for an accelerator.

        Args:
            present: Rows that have what is mixed; they come first, and among themselves. The others come last.
            alpha: Of the Beta distribution.
            part: Part of the batch that is mixed, drawn at random; what is averaged over it keeps its expectation.
        """
        share = torch.distributions.Beta(alpha, alpha).sample().item()
        count = math.ceil(part * len(present))
        rows, partner = ((torch.rand(len(present), device=present.device) + ~present).argsort() for _ in range(2))
        return cls(share, rows[:count], partner[:count])

    def mix(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "mixed ..."]:
        """Interpolate each row with its partner."""
        return self.share * x[self.rows] + (1 - self.share) * x[self.partner]

    def union(self, mask: Bool[Tensor, "batch steps"]) -> Bool[Tensor, "mixed steps"]:
        """Mark the steps that are real in a row or in its partner."""
        return mask[self.rows] | mask[self.partner]
