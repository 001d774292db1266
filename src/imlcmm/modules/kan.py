"""The KAN layer (IML-CMM equations 1-3), its regulariser, and its grid's adaptation."""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from imlcmm.errors import ModelError
from imlcmm.modules.bspline import UniformGrid, adapted_knots, knot_bases, refit, uniform_bases
from imlcmm.modules.kan_function import UniformKAN, build_features, plain

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
        if self.weight.is_meta:
            return  # there is nothing to draw, and PyTorch would load its compiler to say so, which takes seconds
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
        y: Tensor = UniformKAN.apply(rows, self.weight, self.grid, self._product_type(x), self.training)
        return y.view(*x.shape[:-1], self.out_features)

    def forward_plain(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """Map (..., in) to (..., out) with ordinary operations only, at the cost of saving every one of them."""
        rows = x.reshape(-1, self.in_features)
        y = plain(rows, self.weight, self.grid, self._product_type(x), self.knots)
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
        features = build_features(x.unsqueeze(-1).expand(-1, self.in_features), self.grid, self.knots)
        return x, torch.einsum("nsi,sio->ion", features, self.weight)

    @torch.no_grad()
    def contributions(
        self, x: Float[Tensor, "rows inputs"], direction: Float[Tensor, "rows outputs"]
    ) -> Float[Tensor, "rows inputs"]:
        """Tell what each input adds to the output along a direction; over the inputs, forward(x) · direction."""
        pulled = torch.einsum("sio,no->nsi", self.weight, direction)
        return (build_features(x, self.grid, self.knots) * pulled).sum(1)

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
