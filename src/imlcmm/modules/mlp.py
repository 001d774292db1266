"""The perceptron that stands in for a KAN layer when the KAN is ablated."""

from torch import nn


class EqualSizeMLP(nn.Sequential):
    """Map features through one hidden layer that spends as many parameters as a KAN layer would (table 4)."""

    def __init__(self, in_features: int, out_features: int, *, slots: int) -> None:
        """Choose the hidden width for `slots` weights an edge: bases of the spline and one for the SiLU branch."""
        hidden = max(1, round((slots * in_features * out_features - out_features) / (in_features + out_features + 1)))
        super().__init__(nn.Linear(in_features, hidden), nn.SiLU(), nn.Linear(hidden, out_features))
