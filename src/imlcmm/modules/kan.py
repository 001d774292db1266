"""The KAN layer (IML-CMM equations 1-3): exact B-splines, one matrix product, nothing saved but the input."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

from imlcmm.errors import ModelError
from imlcmm.modules.bspline import UniformGrid, adapted_knots, fill_bases, knot_bases, refit, uniform_bases

# Features of one chunk of rows stay near the core's cache on a CPU; an accelerator wants long launches instead.
CPU_CHUNK_BYTES = 4 << 20
ACCELERATOR_CHUNK_BYTES = 256 << 20
# Matrix products whose row length is no multiple of the vector width take up to half as long again.
BLOCK_ROWS = 64
# Below this size the features are kept for the backward pass: building them twice would cost more than the memory.
KEPT_BYTES = 1 << 20
# Rows that update_grid looks at: enough for eight coefficients an input, and its memory stays bounded.
REFIT_ROWS = 2048


class KAN(nn.Module):
    """Map each input through learned splines and SiLU and sum them: y = W_base · SiLU(x) + W_spline · B(x).

    `weight` (grid_size + spline_order + 1, in, out) holds the spline coefficients, slot by slot, and W_base as the
    last slot. There is no bias. Outside the extended grid the bases are zero, and only the SiLU path learns there.
    The bases are computed in float32 at least; under autocast, and for half-precision input and weights, only the
    matrix product is in half precision.
    """

    knots: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        grid_size: int = 5,
        spline_order: int = 3,
        grid_range: tuple[float, float] = (-1.0, 1.0),
    ) -> None:
        """Build the layer.

        Args:
            in_features: Width of the input.
            out_features: Width of the output.
            grid_size: Intervals inside the range (G).
            spline_order: Degree of the splines (k), from 0.
            grid_range: Where the inputs are expected; inputs should be standardised to it.

        Raises:
            ModelError: A size is not positive, the order is negative, or the range is empty.
        """
        super().__init__()
        low, high = map(float, grid_range)
        if min(in_features, out_features, grid_size) < 1 or spline_order < 0:
            sizes = f"{in_features} to {out_features}, grid size {grid_size}, order {spline_order}"
            raise ModelError(f"KAN {sizes}: sizes must be at least 1 and the order at least 0")
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ModelError(f"KAN grid range ({low}, {high}): give two finite numbers, the lower one first")
        self.in_features, self.out_features = in_features, out_features
        self.grid = UniformGrid(grid_size, spline_order, low, high)
        self.weight = nn.Parameter(torch.empty(self.grid.slots + 1, in_features, out_features))
        self.register_buffer("knots", None)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw W_base so that standard normal inputs give outputs of variance 1, and small noise for the splines."""
        silu_power = 0.3558  # the mean of SiLU(x)² for standard normal x
        bound = math.sqrt(3 / (silu_power * self.in_features))
        nn.init.uniform_(self.weight[-1], -bound, bound)
        nn.init.normal_(self.weight[:-1], std=0.1 / math.sqrt(self.in_features))

    @property
    def spline_weight(self) -> Float[Tensor, "outputs inputs slots"]:
        """View the spline coefficients of each edge."""
        return self.weight[:-1].permute(2, 1, 0)

    @property
    def base_weight(self) -> Float[Tensor, "outputs inputs"]:
        """View the weights of the SiLU path."""
        return self.weight[-1].t()

    def forward(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """Map (..., in) to (..., out)."""
        if self.knots is not None or torch.compiler.is_compiling():
            return self.forward_plain(x)
        rows = x.reshape(-1, self.in_features)
        y: Tensor = _UniformKAN.apply(rows, self.weight, self.grid, self._product_type(x))
        return y.view(*x.shape[:-1], self.out_features)

    def forward_plain(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """Map (..., in) to (..., out) with ordinary operations only, at the cost of saving every one of them."""
        rows = x.reshape(-1, self.in_features)
        y = _plain(rows, self.weight, self.grid, self._product_type(x), self.knots)
        return y.view(*x.shape[:-1], self.out_features)

    def _product_type(self, x: Tensor) -> torch.dtype:
        """Choose the type of the matrix product and of the output, as nn.Linear would."""
        device = x.device.type
        if torch.is_autocast_enabled(device) and x.dtype != torch.float64:
            return torch.get_autocast_dtype(device)
        return torch.promote_types(x.dtype, self.weight.dtype)

    def regularizer(self) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return Σ|W_spline| and the entropy H(p) of the edges' shares p of it (equation 3); zero edges are fine."""
        edges = self.weight[:-1].abs().sum(0)
        total = edges.sum()
        share = edges / torch.where(total > 0, total, 1)
        # The clamp keeps the gradient of an edge that is exactly zero from becoming 0/0.
        return total, -torch.xlogy(share, share.clamp_min(torch.finfo(share.dtype).tiny)).sum()

    def mean_l1(self) -> Float[Tensor, ""]:
        """Sum each edge's mean |W_spline|: the form of L1 that efficient-kan uses."""
        return self.weight[:-1].abs().mean(0).sum()

    @torch.no_grad()
    def outside_share(self, x: Float[Tensor, "*rows inputs"]) -> float:
        """Measure the share of inputs outside the grid's range, where the splines fade out; 0 for no inputs."""
        if x.numel() == 0:
            return 0.0
        low, high = self._ends()
        return 1.0 - ((x >= low) & (x <= high)).float().mean().item()

    def _ends(self) -> tuple[Tensor | float, Tensor | float]:
        """Return the ends of the range, of each input where they differ."""
        if self.knots is None:
            return self.grid.low, self.grid.high
        k = self.grid.order
        return self.knots[:, k], self.knots[:, k + self.grid.size]

    @torch.no_grad()
    def curves(self, points: int = 200) -> tuple[Float[Tensor, " points"], Float[Tensor, "inputs outputs points"]]:
        """Evaluate every edge's function over the range of the grid, for plots."""
        low, high = self._ends()
        x = torch.linspace(float(torch.as_tensor(low).min()), float(torch.as_tensor(high).max()), points)
        x = x.to(self.weight)
        features = _features(x.unsqueeze(-1).expand(-1, self.in_features), self.grid, self.knots)
        return x, torch.einsum("nsi,sio->ion", features, self.weight)

    @torch.no_grad()
    def contributions(
        self, x: Float[Tensor, "rows inputs"], direction: Float[Tensor, "rows outputs"]
    ) -> Float[Tensor, "rows inputs"]:
        """Tell what each input adds to the output along a direction; over the inputs, forward(x) · direction."""
        pulled = torch.einsum("sio,no->nsi", self.weight, direction)
        return (_features(x, self.grid, self.knots) * pulled).sum(1)

    @torch.no_grad()
    def update_grid(
        self,
        x: Float[Tensor, "*rows inputs"],
        mask: Bool[Tensor, "*rows"] | None = None,
        uniform_share: float = 0.02,
    ) -> float:
        """Move each input's knots to where its values are, and refit the splines so that the function stays.

        The knots are no longer uniform afterwards, so the layer takes the slower Cox-de Boor path from then on.

        Args:
            x: Inputs as the layer sees them.
            mask: True for real rows; padding would pull the knots to zero.
            uniform_share: Weight of an even spacing against the quantiles.

        Returns:
            The relative root mean square change of the splines' outputs at the rows used.

        Raises:
            ModelError: No row is left, or one holds NaN or infinity.
        """
        rows = (x if mask is None else x[mask]).reshape(-1, self.in_features)
        rows = rows[:: max(1, math.ceil(len(rows) / REFIT_ROWS))].double()
        if len(rows) == 0 or not rows.isfinite().all():
            raise ModelError(f"KAN.update_grid: {len(rows)} rows, all must be finite and at least one: mask the others")
        order, old = self.grid.order, self.knots
        new = adapted_knots(rows, self.grid, uniform_share).to(self.weight.dtype)
        weight, change = refit(
            lambda r: uniform_bases(r, self.grid) if old is None else knot_bases(r, old.double(), order),
            lambda r: knot_bases(r, new.double(), order),
            rows,
            self.weight[:-1].double(),
        )
        self.weight[:-1] = weight.to(self.weight.dtype)
        self.knots = new
        return change

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Make room for knots that a checkpoint brings, or drop ours where it brings none."""
        shape = (self.in_features, self.grid.size + 2 * self.grid.order + 1)
        self.knots = self.weight.new_zeros(shape) if f"{prefix}knots" in state_dict else None
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        """Describe the layer in one line."""
        return f"{self.in_features}, {self.out_features}, {self.grid}"


def _features(x: Tensor, grid: UniformGrid, knots: Tensor | None = None) -> Tensor:
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


def _plain(x: Tensor, weight: Tensor, grid: UniformGrid, product: torch.dtype, knots: Tensor | None = None) -> Tensor:
    """Compute the layer for (rows, in) as an ordinary graph."""
    with _no_autocast(x):
        features = _features(x.to(_basis_type(product)), grid, knots)
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


class _UniformKAN(torch.autograd.Function):
    """Compute the layer in chunks of rows, and build the features again where a gradient needs them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, grid: UniformGrid, product: torch.dtype) -> Tensor:
        """Map (rows, in) to (rows, out)."""
        ctx.grid, ctx.product = grid, product
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
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Return the gradients of the input and the weight."""
        x, weight, *kept = ctx.saved_tensors
        for_x, for_weight = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            return *_plain_gradients(ctx, x, weight, gy), None, None
        gx, gw = None, None
        with _no_autocast(x):
            wide = x.to(_basis_type(ctx.product))
            gy = gy.contiguous()
            if for_weight and kept:
                gw = (kept[0] @ gy).view(weight.shape).to(weight.dtype)
            elif for_weight:
                gw = _weight_gradient(wide, gy, weight.shape, ctx.grid).to(weight.dtype)
            if for_x:
                gx = _input_gradient(wide, gy, weight, ctx.grid).to(x.dtype)
        return gx, gw, None, None


def _plain_gradients(ctx: FunctionCtx, x: Tensor, weight: Tensor, gy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Differentiate the plain path, so that the gradients can be differentiated again."""
    wanted = ctx.needs_input_grad[:2]  # type: ignore[attr-defined]
    # An alias breaks the link to the caller's graph above x and weight but not to them.
    sources = [t.view_as(t) if w else t for t, w in zip((x, weight), wanted, strict=True)]
    y = _plain(sources[0], sources[1], ctx.grid, ctx.product)  # type: ignore[attr-defined]
    found = iter(torch.autograd.grad(y, [t for t, w in zip(sources, wanted, strict=True) if w], gy, create_graph=True))
    gx, gw = (next(found) if w else None for w in wanted)
    return gx, gw
