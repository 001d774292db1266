"""Perceptrons of a certain shape."""

from torch import nn


class EqualSizeMLP(nn.Sequential):
    """Map features through one hidden layer that spends as many parameters as a KAN layer would (table 4)."""

    def __init__(self, in_features: int, out_features: int, *, slots: int) -> None:
        """Choose the hidden width for `slots` weights an edge: bases of the spline and one for the SiLU branch."""
        hidden = max(1, round((slots * in_features * out_features - out_features) / (in_features + out_features + 1)))
        super().__init__(nn.Linear(in_features, hidden), nn.SiLU(), nn.Linear(hidden, out_features))


class RegressionHead(nn.Sequential):
    """Regress one value by three dense layers after dropout, as the heads of CH-SIMS's baselines do."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        """Build the layers for vectors of `width` features."""
        super().__init__(
            nn.Dropout(dropout),
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )
