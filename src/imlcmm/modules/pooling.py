"""Pooling of a sequence into one vector."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from imlcmm.modules.linear import Linear


class AttentionPool(nn.Module):
    """Average a sequence with learned weights (IML-CMM equations 12-14)."""

    def __init__(self, width: int, hidden: int) -> None:
        """Build the scorer; `hidden` is the width of the attention space."""
        super().__init__()
        self.score = nn.Sequential(Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False))

    def forward(
        self, sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
    ) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "batch steps"]]:
        """Give the weighted average and the weights; padding weighs nothing.

        A row without any real step gets equal weights, so that it stays finite; its reader must not use it.
        """
        score = self.score(sequence).squeeze(-1)
        weights = score.masked_fill(~mask, torch.finfo(score.dtype).min).softmax(dim=-1)
        return torch.einsum("bs,bsw->bw", weights, sequence), weights


def masked_mean(
    sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
) -> Float[Tensor, "batch width"]:
    """Average the real steps; an absent modality averages to zero."""
    total = torch.einsum("bs,bsw->bw", mask.to(sequence.dtype), sequence)
    return total / mask.sum(1, keepdim=True).clamp(min=1)


def steps_to_read(mask: Bool[Tensor, "batch steps"]) -> Int[Tensor, " batch"]:
    """Count the steps of each row up to its last real one; an absent modality is read as one step of zeros."""
    return (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(1).clamp(min=1)


def last_step(
    sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
) -> Float[Tensor, "batch width"]:
    """Take the last real step of each row."""
    last = steps_to_read(mask) - 1
    return sequence[torch.arange(last.shape[0], device=last.device), last]
