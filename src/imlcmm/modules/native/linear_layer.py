"""Linear layers on a processor with AMX: their three products, and the bias in passing."""

import ctypes
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from imlcmm.modules.native.build import tile_library
from imlcmm.modules.native.threads import BLOCK, in_threads, share

# Below this number of rows PyTorch is as fast.
FEWEST_ROWS = 256


def suits(x: Float[Tensor, "*rows inputs"], weight: Float[Tensor, "outputs inputs"]) -> bool:
    """Tell whether `linear` can take these, and is worth it."""
    outputs, inputs = weight.shape
    return (
        not inputs % BLOCK
        and not outputs % BLOCK
        and x.numel() >= FEWEST_ROWS * inputs
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and _library() is not None
    )


def linear(
    x: Float[Tensor, "*rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
) -> Float[Tensor, "*rows outputs"]:
    """Compute x Wᵀ + b.

    As in both gradients, each factor of a product has 16 bits, accumulated in float32: the largest error is some 5e-5
    of the result's deviation. Threads change no bit.
    """
    y: Tensor = _Linear.apply(x.reshape(-1, x.shape[-1]).contiguous(), weight.contiguous(), bias)
    return y.view(*x.shape[:-1], len(weight))


@cache
def _library() -> ctypes.CDLL | None:
    """Load the C code, with the types of its arguments."""
    found = tile_library("linear")
    if found is None:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_long
    found.linear_forward.argtypes = [pointer] * 4 + [number] * 4
    found.linear_to_inputs.argtypes = [pointer] * 3 + [number] * 4
    found.linear_to_weights.argtypes = [pointer] * 4 + [number] * 5
    return found


class _Linear(torch.autograd.Function):
    """Keep the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        outputs, inputs = weight.shape
        y = x.new_empty(len(x), outputs)
        call = _library().linear_forward  # type: ignore[union-attr]
        places = [x.data_ptr(), weight.data_ptr(), None if bias is None else bias.data_ptr(), y.data_ptr()]
        in_threads(len(x), share(len(x)), lambda first, last: call(*places, inputs, outputs, first, last))
        ctx.save_for_backward(x, weight, bias)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight, bias = ctx.saved_tensors
        (outputs, inputs), slope, code = weight.shape, slope.contiguous(), _library()
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = torch.empty_like(x)
            places = [slope.data_ptr(), weight.data_ptr(), of_x.data_ptr()]
            call = code.linear_to_inputs  # type: ignore[union-attr]
            in_threads(len(x), share(len(x)), lambda first, last: call(*places, inputs, outputs, first, last))
        if any(ctx.needs_input_grad[1:]):
            of_weight, of_bias = torch.empty_like(weight), None if bias is None else torch.empty_like(bias)
            to = [of_weight.data_ptr(), None if of_bias is None else of_bias.data_ptr()]
            known = [x.data_ptr(), slope.data_ptr(), *to, len(x), inputs, outputs]
            sums = code.linear_to_weights  # type: ignore[union-attr]
            in_threads(outputs // BLOCK, 1, lambda first, last: sums(*known, first, last))
        return of_x, of_weight, of_bias
