"""Multi-head attention and the pre-norm Transformer layer, on PyTorch's fused attention."""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from imlcmm.errors import ModelError
from imlcmm.modules.dropout import Dropout
from imlcmm.modules.linear import Linear
from imlcmm.modules.native.small_heads import attend, suits

Activation = Literal["relu", "gelu"]


def split_heads(x: Float[Tensor, "batch steps width"], heads: int) -> Float[Tensor, "batch heads steps head_width"]:
    """Give each head its share of the width."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def merge_heads(x: Float[Tensor, "batch heads steps head_width"]) -> Float[Tensor, "batch steps width"]:
    """Put the heads' shares back side by side."""
    return x.transpose(1, 2).flatten(-2)


class Attention(nn.Module):
    """Attend from one sequence to another with several heads (Vaswani et al. 2017; IML-CMM equations 4-6).

    The attention weights have no dropout: it would take PyTorch off the fused path on CPUs, at six times the time and
    memory for clips of 925 frames.
    """

    def __init__(self, width: int, heads: int, *, head_width: int | None = None, bias: bool = True) -> None:
        """Build the four projections.

        Args:
            width: Features of both sequences and of the result.
            heads: Attention heads.
            head_width: Features of each head; without it, width / heads.
            bias: Whether queries, keys and values have a bias.

        Raises:
            ModelError: If the width is no multiple of the heads.
        """
        super().__init__()
        if heads < 1 or (head_width is None and width % heads):
            raise ModelError(f"a width of {width} is no multiple of {heads} attention heads; change one of them")
        self.heads = heads
        inner = width if head_width is None else heads * head_width
        self.query = Linear(width, inner, bias=bias)
        self.key_value = Linear(width, 2 * inner, bias=bias)
        self.out = Linear(inner, width)

    def forward(
        self,
        query: Float[Tensor, "batch queries width"],
        context: Float[Tensor, "batch keys width"],
        mask: Bool[Tensor, "batch *queries keys"] | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """Read the context's steps that the mask marks True, for all queries or for each; all without a mask.

        Where a sequence reads itself, what the steps that are masked read means nothing.
        """
        asked, answers = self.query(query), self.key_value(context)
        if self.training and (mask is None or mask.dim() == 2) and suits(asked, answers, self.heads):
            own = mask if query is context else None
            fast: Tensor = self.out(attend(asked, answers, self.heads, own, mask))
            return fast
        q = split_heads(asked, self.heads)
        k, v = (split_heads(x, self.heads) for x in answers.chunk(2, dim=-1))
        visible = None if mask is None else mask.view(mask.shape[0], 1, -1, mask.shape[-1])
        read: Tensor = self.out(merge_heads(F.scaled_dot_product_attention(q, k, v, visible)))
        return read


class TransformerLayer(nn.Module):
    """Attention and a feed-forward network, each normalised before and added to its input (equation 7)."""

    def __init__(
        self,
        width: int,
        heads: int,
        feedforward: int,
        *,
        cross: bool = False,
        activation: Activation = "relu",
        dropout: float = 0.0,
        inner_dropout: float | None = None,
        read_dropout: float = 0.0,
        head_width: int | None = None,
        bias: bool = True,
    ) -> None:
        """Build the layer.

        Args:
            width: Features a step.
            heads: Attention heads.
            feedforward: Hidden features of the feed-forward network.
            cross: Whether the context is another sequence, normalised by a layer of its own.
            activation: Nonlinearity of the feed-forward network.
            dropout: Dropout on the results of both parts.
            inner_dropout: Dropout inside the feed-forward network, if another one.
            read_dropout: Further dropout on the result of attention.
            head_width: Features of an attention head; without it, width / heads.
            bias: Whether queries, keys and values have a bias.
        """
        super().__init__()
        self.norm_query = nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(width) if cross else None
        self.attention = Attention(width, heads, head_width=head_width, bias=bias)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(width),
            Linear(width, feedforward),
            nn.ReLU() if activation == "relu" else nn.GELU(),
            Dropout(dropout if inner_dropout is None else inner_dropout),
            Linear(feedforward, width),
        )
        self.dropout = Dropout(dropout)
        self.read_dropout = Dropout(read_dropout)

    def forward(
        self,
        query: Float[Tensor, "batch queries width"],
        context: Float[Tensor, "batch keys width"],
        mask: Bool[Tensor, "batch *queries keys"] | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """Update the queries from the context; for self-attention the queries are (a part of) the context."""
        normalised = (self.norm_context or self.norm_query)(context)
        own = normalised if query is context and self.norm_context is None else self.norm_query(query)
        read = self.read_dropout(self.attention(own, normalised, mask))
        query = query + self.dropout(read)
        updated: Tensor = query + self.dropout(self.feedforward(query))
        return updated
