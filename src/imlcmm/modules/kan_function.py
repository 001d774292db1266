"""The KAN layer's computation: exact B-splines, one matrix product, nothing saved but the input."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

from imlcmm.modules.bspline import UniformGrid, fill_bases, knot_bases, uniform_bases
from imlcmm.modules.native import kan_layer

# Features of one chunk of rows stay near the core's cache on a CPU; an accelerator wants long launches instead.
CPU_CHUNK_BYTES = 4 << 20
ACCELERATOR_CHUNK_BYTES = 256 << 20
# Matrix products whose row length is no multiple of the vector width take up to half as long again.
BLOCK_ROWS = 64
# Below this size the features are kept for the backward pass: building them twice would cost more than the memory.
KEPT_BYTES = 1 << 20


def build_features(x: Tensor, grid: UniformGrid, knots: Tensor | None = None) -> Tensor:
    """Build (rows, slots + 1, inputs): the bases, then SiLU, as an ordinary differentiable graph."""
    bases = uniform_bases(x, grid) if knots is None else knot_bases(x, knots.to(x.dtype), grid.order)
    return torch.cat([bases, F.silu(x).unsqueeze(1)], 1)


def _basis_type(product: torch.dtype) -> torch.dtype:
    """Choose the type of the bases: half precision would lose the position inside an interval."""
    return torch.promote_types(product, torch.float32)


def _no_autocast(x: Tensor) -> AbstractContextManager[Any]:
    """Keep autocast from choosing types again: the caller has."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


def plain(x: Tensor, weight: Tensor, grid: UniformGrid, product: torch.dtype, knots: Tensor | None = None) -> Tensor:
    """Compute the layer for (rows, in) as an ordinary graph."""
    with _no_autocast(x):
        features = build_features(x.to(_basis_type(product)), grid, knots)
        return features.flatten(1).to(product) @ weight.flatten(0, 1).to(product)


def _chunk_rows(rows: int, width: int, x: Tensor) -> int:
    """Choose how many rows to treat at once, a whole number of blocks unless one chunk holds all."""
    limit = CPU_CHUNK_BYTES if x.device.type == "cpu" else ACCELERATOR_CHUNK_BYTES
    most = max(1, limit // (width * x.element_size()) // BLOCK_ROWS) * BLOCK_ROWS
    return max(1, min(rows, most))


class _Workspace:
    """Build the features of one chunk after another in memory that is taken once."""

    def __init__(self, grid: UniformGrid, like: Tensor, rows: int, product: torch.dtype) -> None:
        self.grid, self.product, inputs = grid, product, like.shape[1]
        self.planes = like.new_empty((grid.slots + 1) * inputs * rows)
        self.spare = like.new_empty(grid.slots * inputs * rows)
        self.x = like.new_empty(inputs * rows)

    def transposed(self, x: Tensor) -> Tensor:
        """Copy (rows, in) to contiguous (in, rows)."""
        return self.x[: x.numel()].view(x.shape[1], x.shape[0]).copy_(x.t())

    def bases(self, xt: Tensor, slots: int) -> Tensor:
        """Build the bases (slots, in, rows), with room for `slots` planes in all."""
        planes = self.planes[: slots * xt.numel()].view(slots, *xt.shape)
        filled = planes[: self.grid.slots]
        fill_bases(xt, self.grid, filled, self.spare[: filled.numel()].view_as(filled))
        return planes

    def features(self, x: Tensor) -> Tensor:
        """Build ((slots + 1) · in, rows): the bases, then SiLU, in the type of the product."""
        xt = self.transposed(x)
        planes = self.bases(xt, self.grid.slots + 1)
        torch.mul(torch.sigmoid(xt, out=planes[-1]), xt, out=planes[-1])
        return planes.flatten(0, 1).to(self.product)


def _weight_gradient(x: Tensor, gy: Tensor, shape: torch.Size, grid: UniformGrid) -> Tensor:
    """Sum features · gy over the rows, chunk by chunk, in the type of the bases."""
    size = _chunk_rows(len(x), math.prod(shape[:2]), x)
    work = _Workspace(grid, x, size, gy.dtype)
    total = x.new_zeros(math.prod(shape[:2]), shape[2])
    for part, g in zip(torch.split(x, size), torch.split(gy, size), strict=True):
        _add_product(total, work.features(part), g)
    return total.view(shape)


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add left · right to the total, which may be in a wider type."""
    if total.dtype == right.dtype:
        total.addmm_(left, right)
    else:
        total.add_(left @ right)


def _slope_weight(weight: Tensor) -> Tensor:
    """Turn the coefficients into those of the derivative, on the bases of one order less, and append W_base.

    dB_s/dx = (N_s - N_{s+1}) / h with the bases N of one order less on the same knots, so the differences of
    neighbouring coefficients are the derivative's coefficients in units of 1/h.
    """
    slopes = weight.new_empty(len(weight) + 1, *weight.shape[1:])
    slopes[0] = weight[0]
    torch.sub(weight[1:-1], weight[:-2], out=slopes[1:-2])
    torch.neg(weight[-2], out=slopes[-2])
    slopes[-1] = weight[-1]
    return slopes


def _input_gradient(x: Tensor, gy: Tensor, weight: Tensor, grid: UniformGrid) -> Tensor:
    """Compute the gradient of the input, chunk by chunk; a spline of order 0 has none."""
    lower = grid.lower() if grid.order else None
    slopes = (_slope_weight(weight.detach()) if lower else weight[-1:]).to(gy.dtype)
    count, width = len(slopes), math.prod(slopes.shape[:2])
    gx = torch.empty_like(x)
    size = _chunk_rows(len(x), 2 * width, x)
    work = _Workspace(lower or grid, x, size, gy.dtype)
    product = gy.new_empty(width * size)
    for part, g, result in zip(torch.split(x, size), torch.split(gy, size), torch.split(gx, size), strict=True):
        pulled = product[: width * len(part)].view(width, len(part))
        torch.mm(slopes.flatten(0, 1), g.t(), out=pulled)
        pulled = pulled.view(count, part.shape[1], len(part))
        xt = work.transposed(part)
        gate = torch.sigmoid(xt)
        total = pulled[-1] * gate.addcmul(gate * xt, 1 - gate)
        if lower:
            total.add_(work.bases(xt, count - 1).mul_(pulled[:-1]).sum(0), alpha=1 / grid.step)
        result.copy_(total.t())
    return gx


class UniformKAN(torch.autograd.Function):
    """Compute the layer in chunks of rows, and build the features again where a gradient needs them."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, grid: UniformGrid, product: torch.dtype, rounded: bool = False
    ) -> Tensor:
        """Map (rows, in) to (rows, out); where the factors may be rounded to 16 bits, in C if that can be."""
        ctx.grid, ctx.product = grid, product
        ctx.native = rounded and kan_layer.suits(x, weight, grid, product)
        if ctx.native:
            ctx.save_for_backward(x, weight)
            return kan_layer.forward(x, weight, grid)
        wide = x.to(_basis_type(product))
        matrix = weight.flatten(0, 1).to(product)
        size = _chunk_rows(len(x), len(matrix), wide)
        y = x.new_empty(len(x), weight.shape[2], dtype=product)
        kept: list[Tensor] = []
        with _no_autocast(x):
            work = _Workspace(grid, wide, size, product)
            for part, result in zip(torch.split(wide, size), torch.split(y, size), strict=True):
                features = work.features(part)
                torch.mm(features.t(), matrix, out=result)
                if size == len(x) and features.nbytes <= KEPT_BYTES and ctx.needs_input_grad[1]:
                    kept = [features]
        ctx.save_for_backward(x, weight, *kept)
        return y

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        """Return the gradients of the input and the weight."""
        x, weight, *kept = ctx.saved_tensors
        for_x, for_weight = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            return *_plain_gradients(ctx, x, weight, gy), None, None, None
        gx, gw = None, None
        if ctx.native:
            gx = kan_layer.input_gradient(x, weight, ctx.grid, gy) if for_x else None
            gw = kan_layer.weight_gradient(x, weight, ctx.grid, gy) if for_weight else None
            return gx, gw, None, None, None
        with _no_autocast(x):
            wide = x.to(_basis_type(ctx.product))
            gy = gy.contiguous()
            if for_weight and kept:
                gw = (kept[0] @ gy).view(weight.shape).to(weight.dtype)
            elif for_weight:
                gw = _weight_gradient(wide, gy, weight.shape, ctx.grid).to(weight.dtype)
            if for_x:
                gx = _input_gradient(wide, gy, weight, ctx.grid).to(x.dtype)
        return gx, gw, None, None, None


def _plain_gradients(ctx: FunctionCtx, x: Tensor, weight: Tensor, gy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Differentiate the plain path, so that the gradients can be differentiated again."""
    wanted = ctx.needs_input_grad[:2]  # type: ignore[attr-defined]
    # An alias breaks the link to the caller's graph above x and weight but not to them.
    sources = [t.view_as(t) if w else t for t, w in zip((x, weight), wanted, strict=True)]
    y = plain(sources[0], sources[1], ctx.grid, ctx.product)  # type: ignore[attr-defined]
    found = iter(torch.autograd.grad(y, [t for t, w in zip(sources, wanted, strict=True) if w], gy, create_graph=True))
    gx, gw = (next(found) if w else None for w in wanted)
    return gx, gw
