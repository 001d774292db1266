"""The linear layer of the models' large products."""

from jaxtyping import Float
from torch import Tensor, nn

from imlcmm.modules.native.linear_layer import linear, suits


class Linear(nn.Linear):
    """PyTorch's linear layer, whose products are computed in C while training, where the processor has AMX."""

    def forward(self, input: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """Map (..., in) to (..., out)."""
        if self.training and suits(input, self.weight):
            return linear(input, self.weight, self.bias)
        return super().forward(input)
