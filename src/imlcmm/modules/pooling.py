"""Pooling of a sequence into one vector."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class AttentionPool(nn.Module):
    """Average a sequence with learned weights (IML-CMM equations 12-14)."""

    def __init__(self, width: int, hidden: int) -> None:
        """Build the scorer; `hidden` is the width of the attention space."""
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False))

    def forward(
        self, sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
    ) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "batch steps"]]:
        """Give the weighted average and the weights; padding weighs nothing.

        A row without any real step gets equal weights, so that it stays finite; its reader must not use it.
        """
        score = self.score(sequence).squeeze(-1).masked_fill(~mask, torch.finfo(sequence.dtype).min)
        weights = score.softmax(dim=-1)
        return torch.einsum("bs,bsw->bw", weights, sequence), weights
