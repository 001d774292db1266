"""The KAN layer with cubic splines on a processor with AMX: its three products, with the features made in passing."""

import ctypes
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from imlcmm.modules.bspline import UniformGrid
from imlcmm.modules.native.build import tile_library
from imlcmm.modules.native.threads import BLOCK, in_threads, share

ORDER = 3


class _Grid(ctypes.Structure):
    _fields_ = (("splines", ctypes.c_int), ("low", ctypes.c_float), ("step", ctypes.c_float))


class _Layer(ctypes.Structure):
    _fields_ = (
        ("x", ctypes.c_void_p), ("w", ctypes.c_void_p),
        ("rows", ctypes.c_long), ("inputs", ctypes.c_long), ("outputs", ctypes.c_long),
        ("grid", _Grid),
    )  # fmt: skip


def suits(
    x: Float[Tensor, "rows inputs"],
    weight: Float[Tensor, "slots inputs outputs"],
    grid: UniformGrid,
    product: torch.dtype,
) -> bool:
    """Tell whether the C code can take these."""
    return (
        grid.order == ORDER
        and weight.shape[2] % BLOCK == 0
        and x.dtype == weight.dtype == product == torch.float32
        and x.device.type == "cpu"
        and _library() is not None
    )


def forward(
    x: Float[Tensor, "rows inputs"], weight: Float[Tensor, "slots inputs outputs"], grid: UniformGrid
) -> Float[Tensor, "rows outputs"]:
    """Compute the layer.

    As in both gradients, each factor of a product has 16 bits, accumulated in float32: the largest error is some 5e-5
    of the result's deviation, where float32 has 3e-6. Threads change no bit.
    """
    x, weight = x.contiguous(), weight.contiguous()
    y = x.new_empty(len(x), weight.shape[2])
    layer, call = _layer(x, weight, grid), _library().kan_forward  # type: ignore[union-attr]
    in_threads(len(x), share(len(x)), lambda first, last: call(layer, y.data_ptr(), first, last))
    return y


def weight_gradient(
    x: Float[Tensor, "rows inputs"],
    weight: Float[Tensor, "slots inputs outputs"],
    grid: UniformGrid,
    slope: Float[Tensor, "rows outputs"],
) -> Float[Tensor, "slots inputs outputs"]:
    """Compute the gradient of the weight from that of the result."""
    x, weight, slope = x.contiguous(), weight.contiguous(), slope.contiguous()
    found = torch.empty_like(weight) if len(x) else torch.zeros_like(weight)
    layer, call = _layer(x, weight, grid), _library().kan_to_weights  # type: ignore[union-attr]
    blocks = -(-x.shape[1] // BLOCK)
    in_threads(blocks, 1, lambda first, last: call(layer, slope.data_ptr(), found.data_ptr(), first, last))
    return found


def input_gradient(
    x: Float[Tensor, "rows inputs"],
    weight: Float[Tensor, "slots inputs outputs"],
    grid: UniformGrid,
    slope: Float[Tensor, "rows outputs"],
) -> Float[Tensor, "rows inputs"]:
    """Compute the gradient of the input from that of the result."""
    x, weight, slope = x.contiguous(), weight.contiguous(), slope.contiguous()
    found = torch.empty_like(x)
    layer, call = _layer(x, weight, grid), _library().kan_to_inputs  # type: ignore[union-attr]
    in_threads(len(x), share(len(x)), lambda first, last: call(layer, slope.data_ptr(), found.data_ptr(), first, last))
    return found


@cache
def _library() -> ctypes.CDLL | None:
    """Load the C code, with the types of its arguments."""
    found = tile_library("kan")
    if found is None:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_long
    found.kan_forward.argtypes = [_Layer, pointer, number, number]
    found.kan_to_weights.argtypes = found.kan_to_inputs.argtypes = [_Layer, pointer, pointer, number, number]
    return found


def _layer(x: Tensor, weight: Tensor, grid: UniformGrid) -> _Layer:
    """Describe a layer; the grid begins where its first spline does."""
    extended = _Grid(grid.slots, grid.low - grid.order * grid.step, grid.step)
    return _Layer(x.data_ptr(), weight.data_ptr(), *x.shape, weight.shape[2], extended)
