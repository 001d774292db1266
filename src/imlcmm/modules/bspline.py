"""B-spline bases: a closed form for uniform grids, Cox-de Boor recursion for any knots."""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class UniformGrid(NamedTuple):
    """A uniform grid of intervals, extended by `order` intervals on both sides.

    On it every basis is one even bump on its own support. With e the distance from the support's centre in intervals,

        M_k(e) = 1/k! · Σ_{m=0..⌊k/2⌋} (-1)^m C(k+1, m) · max((k+1)/2 - m - e, 0)^k,

    which is Cox-de Boor's result (IML-CMM equation 2) without recursion, division or cancellation, and exactly zero
    outside the support.

    Attributes:
        size: Intervals inside the range.
        order: Degree of the polynomial pieces, 3 for cubics.
        low: Left end of the range.
        high: Right end of the range.
    """

    size: int
    order: int
    low: float
    high: float

    @property
    def slots(self) -> int:
        """Count the bases."""
        return self.size + self.order

    @property
    def step(self) -> float:
        """Return the width of one interval."""
        return (self.high - self.low) / self.size

    @property
    def middle(self) -> float:
        """Return the middle of the range, about which the bases are symmetric."""
        return (self.low + self.high) / 2

    @property
    def reach(self) -> float:
        """Return half the width of a support in intervals."""
        return (self.order + 1) / 2

    @property
    def terms(self) -> list[float]:
        """List the coefficients of the powers in M_k, widest power first."""
        k = self.order
        return [(-1) ** m * math.comb(k + 1, m) / math.factorial(k) for m in range(k // 2 + 1)]

    def knots(self, like: Tensor) -> Float[Tensor, " knots"]:
        """List the size + 2·order + 1 knots, rounded once to the type of `like`."""
        rank = torch.arange(-self.order, self.size + self.order + 1, dtype=torch.float64, device=like.device)
        return (self.low + rank * self.step).to(like.dtype)

    def centres(self, like: Tensor) -> Float[Tensor, " slots"]:
        """List the centres of the supports, in intervals from the middle of the range."""
        return _bump(self, 1.0, like.dtype, like.device)[0]

    def lower(self) -> "UniformGrid":
        """Describe the bases of one order less on the same knots: the derivative lives on them."""
        return UniformGrid(self.size + 2, self.order - 1, self.low - self.step, self.high + self.step)


def _bump(grid: UniformGrid, scale: float, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Give the centres (slots,) and the reach of the bumps, times a scale.

    They are made once: small layers would spend a tenth of their time on it. What is made while a model is traced
    belongs to its graph, and is not kept.
    """
    make = _make_bump.__wrapped__ if torch.compiler.is_compiling() else _make_bump
    return make(grid, scale, dtype, device)


@cache
def _make_bump(grid: UniformGrid, scale: float, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    centres = [scale * (slot - (grid.slots - 1) / 2) for slot in range(grid.slots)]
    return tuple(torch.tensor(v, dtype=dtype, device=device) for v in (centres, scale * grid.reach))  # type: ignore[return-value]


def _indicators(x: Tensor, knots: Tensor) -> Tensor:
    """Mark the half-open interval that holds x; the knots' first axis runs along the slots."""
    return (x >= knots[:-1]) & (x < knots[1:])


def uniform_bases(x: Float[Tensor, "rows inputs"], grid: UniformGrid) -> Float[Tensor, "rows slots inputs"]:
    """Evaluate all bases at x with ordinary, differentiable operations: the plain path that the fast one must match."""
    spread = x.unsqueeze(1)
    if grid.order == 0:
        return _indicators(spread, grid.knots(x).unsqueeze(-1)).to(x.dtype)
    position = (spread - grid.middle) * (1 / grid.step)
    distance = (position - grid.centres(x).unsqueeze(-1)).abs()
    pieces = [torch.relu(grid.reach - m - distance).pow(grid.order) * c for m, c in enumerate(grid.terms)]
    return torch.stack(pieces).sum(0) if len(pieces) > 1 else pieces[0]


def fill_bases(
    x: Float[Tensor, "inputs rows"], grid: UniformGrid, out: Float[Tensor, "slots inputs rows"], spare: Tensor
) -> None:
    """Write all bases at x into `out` without allocating more than planes of one slot.

    The slot is the outermost axis, so that each operation runs over long contiguous memory. 1/k! is folded into the
    position and max(c - m - e, 0) follows from max(c - (m - 1) - e, 0), which leaves eight passes for a cubic.

    Args:
        x: Inputs, contiguous, in the type of the bases.
        grid: The grid.
        out: Where the bases go.
        spare: Scratch of the shape of `out`.
    """
    k = grid.order
    if k == 0:
        out.copy_(_indicators(x.unsqueeze(0), grid.knots(x)[:, None, None]))
        return
    first, *rest = grid.terms
    scale = first ** (1 / k)
    position = (x - grid.middle).mul_(scale / grid.step) if grid.middle else x * (scale / grid.step)
    centres, reach = _bump(grid, scale, x.dtype, x.device)
    torch.sub(position, centres[:, None, None], out=out)
    torch.sub(reach, out.abs_(), out=out).relu_()
    narrower: list[Tensor] = []
    for _ in rest:
        source = narrower[-1] if narrower else out
        target = torch.empty_like(out) if narrower else spare
        narrower.append(torch.sub(source, scale, out=target).relu_())
    out.pow_(k)
    for c, piece in zip(rest, narrower, strict=True):
        out.add_(piece.pow_(k), alpha=c / first)


def knot_bases(
    x: Float[Tensor, "rows inputs"], knots: Float[Tensor, "inputs knots"], order: int
) -> Float[Tensor, "rows slots inputs"]:
    """Evaluate the bases on each input's own knots by Cox and de Boor's recursion (IML-CMM equation 2, as meant).

    Args:
        x: Inputs.
        knots: Non-decreasing knots of each input; repeated ones are allowed and give zero bases, not 0/0.
        order: Degree of the polynomial pieces.
    """
    spread, t = x.unsqueeze(1), knots.t()
    bases = _indicators(spread, t).to(x.dtype)
    for p in range(1, order + 1):
        inverse = _safe_inverse(t[p:] - t[:-p])
        rising = (spread - t[: -p - 1]) * inverse[:-1]
        falling = (t[p + 1 :] - spread) * inverse[1:]
        bases = rising * bases[:, :-1] + falling * bases[:, 1:]
    return bases


def _safe_inverse(width: Tensor) -> Tensor:
    """Invert widths, giving zero for zero."""
    return torch.where(width > 0, 1 / torch.where(width > 0, width, 1), 0)


def adapted_knots(
    samples: Float[Tensor, "rows inputs"], grid: UniformGrid, uniform_share: float
) -> Float[Tensor, "inputs knots"]:
    """Place each input's knots by the quantiles of its samples, blended with an even spacing over their range.

    Args:
        samples: Finite inputs, at least one row.
        grid: Gives the number of intervals and the order; an input of constant value gets intervals of its width.
        uniform_share: Weight of the even spacing from 0 to 1; above 0 it keeps knots apart.
    """
    ranks = torch.linspace(0, 1, grid.size + 1, dtype=samples.dtype, device=samples.device)
    inner = torch.quantile(samples, ranks, dim=0)
    low, high = inner[:1], inner[-1:]
    width = torch.where(high > low, high - low, grid.high - grid.low)
    # A half-open span loses the largest sample, so the range is made slightly wider than the samples.
    even = low - 0.01 * width + 1.02 * width * ranks.unsqueeze(-1)
    inner = torch.lerp(inner, even, uniform_share)
    inner = torch.cat([even[:1], inner[1:-1], even[-1:]])
    extension = width / grid.size * torch.arange(1, grid.order + 1, device=samples.device).unsqueeze(-1)
    return torch.cat([inner[:1] - extension.flip(0), inner, inner[-1:] + extension]).t().contiguous()


def refit(
    old: Callable[[Tensor], Tensor], new: Callable[[Tensor], Tensor], samples: Tensor, weight: Tensor
) -> tuple[Tensor, float]:
    """Find the coefficients on new bases that follow old bases and weights best at the samples (least squares).

    Args:
        old: Maps samples (rows, inputs) to the old bases (rows, slots, inputs).
        new: Maps samples to the new bases.
        samples: Points that matter (rows, inputs), in float64.
        weight: Coefficients on the old bases (slots, inputs, outputs), in float64.

    Returns:
        The new coefficients (slots, inputs, outputs) and the relative root mean square change at the samples.
    """
    target = torch.einsum("nsi,sio->ino", old(samples), weight)
    design = new(samples).permute(2, 0, 1)
    gram = design.mT @ design
    # The ridge keeps bases that no sample touches at zero.
    ridge = 1e-10 * gram.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(1e-30)
    gram = gram + ridge[:, None, None] * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    fitted = torch.linalg.solve(gram, design.mT @ target)
    size = target.norm()
    change = float((design @ fitted - target).norm() / size) if size > 0 else 0.0
    return fitted.permute(1, 0, 2), change
