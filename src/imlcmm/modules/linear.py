"""The linear layer of the models' large products."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from imlcmm.modules.native import linear_layer


class Linear(nn.Linear):
    """PyTorch's linear layer, whose products are computed in C while training, where the processor has AMX."""

    def forward(self, input: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """Map (..., in) to (..., out)."""
        return linear(input, self.weight, self.bias, training=self.training)


def linear(
    x: Float[Tensor, "*rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
    *,
    training: bool,
) -> Float[Tensor, "*rows outputs"]:
    """Compute x Wᵀ + b: while training in C, where the processor has AMX and the layer is large, else by PyTorch."""
    compute = linear_layer.linear if training and linear_layer.suits(x, weight) else F.linear
    return compute(x, weight, bias)
