"""What IML-CMM puts where others put a dense layer: KAN, or an MLP of the same size."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from imlcmm.modules.kan import KAN
from imlcmm.modules.mlp import EqualSizeMLP


@dataclass(frozen=True)
class Connector:
    """Builds mappings of one kind.

    Attributes:
        kind: KAN layers, or MLPs of as many parameters.
        grid_size: Intervals of the spline grid.
        spline_order: Order of the splines.
        grid_range: Ends of the spline grid.
    """

    kind: Literal["kan", "mlp"]
    grid_size: int
    spline_order: int
    grid_range: tuple[float, float]

    def layer(self, in_features: int, out_features: int) -> nn.Module:
        """Build one mapping."""
        if self.kind == "mlp":
            return EqualSizeMLP(in_features, out_features, slots=self.grid_size + self.spline_order + 1)
        return KAN(
            in_features,
            out_features,
            grid_size=self.grid_size,
            spline_order=self.spline_order,
            grid_range=self.grid_range,
        )

    def head(self, in_features: int, hidden: int, outputs: int) -> nn.Sequential:
        """Build a head of two mappings over a normalised vector (IML-CMM equations 15-17)."""
        return nn.Sequential(nn.LayerNorm(in_features), self.layer(in_features, hidden), self.layer(hidden, outputs))
