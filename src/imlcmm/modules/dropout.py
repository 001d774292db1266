"""Dropout whose masks are drawn as bits: PyTorch draws a number for each value, which takes a tenth of a step."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

_LEVELS = 1 << 16


class Dropout(nn.Dropout):
    """Zero values with a probability, and scale the others so that the mean stays; on a processor by sixteen bits each.

    The probability is exact to 1 / 65,536, and the scale is that of the probability that is drawn. What is drawn
    depends on PyTorch's generator alone.
    """

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Drop while training."""
        return drop(x, self.p) if self.training else x


def drop(x: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    """Zero values with a probability, as the module does while training."""
    if p in (0, 1) or x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(x, p)
    dropped: Tensor = _Drop.apply(x, round(p * _LEVELS))
    return dropped


class _Drop(torch.autograd.Function):
    """Keep a value where its sixteen bits, as a number, reach the level."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, level: int) -> Tensor:
        seed = int(torch.randint(1 << 62, (), dtype=torch.int64))
        drawn = np.random.Generator(np.random.SFC64(seed)).integers(0, 1 << 64, -(-x.numel() // 4), dtype=np.uint64)
        kept = torch.from_numpy(drawn.view(np.int16)[: x.numel()] >= level - _LEVELS // 2).view(x.shape)
        ctx.save_for_backward(kept)
        ctx.scale = _LEVELS / (_LEVELS - level)
        return (x * kept).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return (gradient * kept).mul_(ctx.scale), None
