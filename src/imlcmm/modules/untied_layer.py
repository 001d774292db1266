"""The Transformer layer of ALMT's published code (Zhang et al. 2023)."""

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from imlcmm.modules.attention import TransformerLayer, merge_heads, split_heads


class UntiedLayer(TransformerLayer):
    """Normalise queries, keys and values each by a layer of its own, also where a sequence reads itself."""

    def __init__(self, width: int, heads: int, feedforward: int, *, cross: bool = False, **options: Any) -> None:
        """Build the layer; it is the same whether the context is another sequence or not.

        Args:
            width: Features a step.
            heads: Attention heads.
            feedforward: Hidden features of the feed-forward network.
            cross: Whether the context is another sequence.
            options: Further options of `TransformerLayer`; queries, keys and values have no bias.
        """
        super().__init__(width, heads, feedforward, **{**options, "bias": False})
        self.norm_key, self.norm_value = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(
        self,
        query: Float[Tensor, "batch queries width"],
        context: Float[Tensor, "batch keys width"],
        mask: Bool[Tensor, "batch *queries keys"] | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """Update the queries from all of the context; the published code masks nothing."""
        heads, (of_keys, of_values) = self.attention.heads, self.attention.key_value.weight.chunk(2)
        asked = self.attention.query(self.norm_query(query))
        keys, values = F.linear(self.norm_key(context), of_keys), F.linear(self.norm_value(context), of_values)
        q, k, v = (split_heads(x, heads) for x in (asked, keys, values))
        read = F.scaled_dot_product_attention(q, k, v)
        query = query + self.attention.out(merge_heads(read))
        updated: Tensor = query + self.feedforward(query)
        return updated
