"""A dense layer on the outer product of two vectors."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 2**16
"""What a drawn 16-bit number can be; dropout is rounded to a multiple of its reciprocal."""


class OuterProductLinear(nn.Linear):
    """Map the outer product of two vectors, of which training drops entries, to features."""

    def __init__(self, first: int, second: int, out: int, dropout: float) -> None:
        """Build the weights, for products whose index of the second vector runs fastest."""
        super().__init__(first * second, out)
        self.dropout = dropout

    def forward(  # type: ignore[override]
        self, first: Float[Tensor, "batch first"], second: Float[Tensor, "batch second"]
    ) -> Float[Tensor, "batch out"]:
        """Multiply and map; the product is built only if dropout needs it, or if it is small."""
        dropout = self.dropout if self.training else 0.0
        if dropout == 0 and self.out_features < second.shape[1]:
            rows = F.linear(second, self.weight.view(-1, second.shape[1])).unflatten(1, (-1, first.shape[1]))
            return torch.einsum("bof,bf->bo", rows, first) + self.bias
        product = torch.bmm(first.unsqueeze(2), second.unsqueeze(1))
        if dropout:
            product = product.masked_fill_(dropped(product.shape, dropout, product.device), 0.0)
        return F.linear(product.flatten(1), self.weight) / (1 - dropout) + self.bias


def dropped(shape: torch.Size, dropout: float, device: torch.device) -> Bool[Tensor, "..."]:
    """Draw the entries to drop, four from each random number: Bernoulli's draws cost ten times as much."""
    count = math.prod(shape)
    words = torch.empty(-(-count // 4), dtype=torch.int64, device=device).random_(-(2**63), None)
    return (words.view(torch.int16)[:count] < round(LEVELS * dropout) - LEVELS // 2).view(shape)
