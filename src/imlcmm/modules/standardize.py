"""Feature standardisation that travels with the checkpoint."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Standardize(nn.Module):
    """Shift and scale features to mean 0 and deviation 1 by the train split's statistics, and zero the padding.

    An infinite deviation, that of a feature which is constant in train, makes the feature zero.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        """Start as the identity; `set_statistics` gives it the data's scale."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def set_statistics(self, mean: Float[Tensor, " width"], deviation: Float[Tensor, " width"]) -> None:
        """Take the mean and the deviation of each feature."""
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)

    def forward(
        self, sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch steps width"]:
        """Standardise the real frames; padding becomes zero, which is the mean."""
        return self.scale(sequence).masked_fill_(~mask.unsqueeze(-1), 0.0)

    def scale(self, values: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
        """Shift and scale values that are all real."""
        scale = self.deviation.reciprocal()
        return torch.addcmul(-self.mean * scale, values, scale)
