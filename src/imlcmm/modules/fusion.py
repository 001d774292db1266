"""Fusion of one vector a modality into a sentiment value."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imlcmm.modules.mlp import RegressionHead
from imlcmm.modules.outer_product import OuterProductLinear

Vectors = dict[str, Float[Tensor, "batch width"]]


class ConcatFusion(nn.Module):
    """Regress on the vectors side by side."""

    def __init__(self, widths: dict[str, int], hidden: int, dropout: float) -> None:
        """Build the head for vectors of these widths."""
        super().__init__()
        self.head = RegressionHead(sum(widths.values()), hidden, dropout)

    def forward(self, vectors: Vectors) -> Float[Tensor, "batch 1"]:
        """Concatenate and regress."""
        value: Tensor = self.head(torch.cat(list(vectors.values()), dim=-1))
        return value


class TensorFusion(nn.Module):
    """Regress on the outer product of the vectors, each with a one in front (Zadeh et al. 2017, equation 4)."""

    def __init__(self, widths: dict[str, int], hidden: int, dropout: float, *, low: float, high: float) -> None:
        """Build the head; the value stays between `low` and `high`."""
        super().__init__()
        self.low, self.high = low, high
        text, audio, vision = (widths[m] + 1 for m in ("text", "audio", "vision"))
        self.product = OuterProductLinear(audio * vision, text, hidden, dropout)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, vectors: Vectors) -> Float[Tensor, "batch 1"]:
        """Multiply and regress."""
        text, audio, vision = (with_one(vectors[m]) for m in ("text", "audio", "vision"))
        pairs = torch.einsum("ba,bv->bav", audio, vision).flatten(1)
        value: Tensor = self.low + (self.high - self.low) * self.head(self.product(pairs, text)).sigmoid()
        return value


class LowRankFusion(nn.Module):
    """Regress on the outer product through weights of low rank, which never builds it (Liu et al. 2018, equation 5)."""

    def __init__(self, widths: dict[str, int], rank: int, *, frozen_weights: bool = False) -> None:
        """Build the factors of each modality, and what weighs the ranks; the latter is untrained if frozen."""
        super().__init__()
        self.factors = nn.ParameterDict({m: nn.Parameter(torch.empty(rank, w + 1)) for m, w in widths.items()})
        self.weights = nn.Parameter(torch.empty(1, rank), requires_grad=not frozen_weights)
        self.bias = nn.Parameter(torch.zeros(1), requires_grad=not frozen_weights)
        for matrix in (*self.factors.values(), self.weights):
            nn.init.xavier_normal_(matrix)

    def forward(self, vectors: Vectors) -> Float[Tensor, "batch 1"]:
        """Project each vector for each rank, multiply over the modalities, and weigh the ranks."""
        product = torch.stack([with_one(x) @ self.factors[m].T for m, x in vectors.items()]).prod(0)
        return product @ self.weights.T + self.bias


def with_one(vector: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width+1"]:
    """Put a one in front of the features."""
    return torch.cat([torch.ones_like(vector[:, :1]), vector], dim=-1)
