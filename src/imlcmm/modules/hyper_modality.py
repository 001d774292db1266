"""Adaptive hyper-modality learning (Zhang et al. 2023, ALMT; IML-CMM section 3.3)."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from imlcmm.modules.attention import TransformerLayer, merge_heads, split_heads

SCALES = 3


class HyperModalityLayer(nn.Module):
    """Add to the hyper-modality what text, at one scale, asks of audio and vision (equations 9-11)."""

    def __init__(self, width: int, heads: int) -> None:
        """Build the projections: the query is shared, keys and values belong to audio and to vision."""
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleDict({m: nn.LayerNorm(width) for m in ("text", "audio", "vision")})
        self.query = nn.Linear(width, width, bias=False)
        self.key_values = nn.ModuleDict({m: nn.Linear(width, 2 * width, bias=False) for m in ("audio", "vision")})
        self.out = nn.Linear(width, width)

    def forward(
        self,
        hyper: Float[Tensor, "#batch tokens width"],
        tokens: dict[str, Float[Tensor, "batch tokens width"]],
        present: dict[str, Bool[Tensor, " batch"]],
    ) -> Float[Tensor, "batch tokens width"]:
        """Give H_hyper^j = H_hyper^(j-1) + W_o(α V_a + β V_v); an absent modality adds nothing."""
        q = split_heads(self.query(self.norms["text"](tokens["text"])), self.heads)
        heard = torch.zeros_like(q)
        for m, project in self.key_values.items():
            k, v = (split_heads(x, self.heads) for x in project(self.norms[m](tokens[m])).chunk(2, dim=-1))
            heard = heard + F.scaled_dot_product_attention(q, k, v * present[m][:, None, None, None])
        updated: Tensor = hyper + self.out(merge_heads(heard))
        return updated


class HyperModalityFusion(nn.Module):
    """Fuse the tokens of three modalities into one vector, guided by text at three scales (figure 3)."""

    def __init__(
        self,
        build_layer: Callable[..., TransformerLayer],
        *,
        width: int,
        tokens: int,
        heads: int,
        depth: int,
        reads_text: bool,
    ) -> None:
        """Build the layers.

        Args:
            build_layer: Makes a Transformer layer; called with `cross=True` for those that read another sequence.
            width: Model width.
            tokens: Tokens a modality.
            heads: Heads of the hyper-modality layers.
            depth: Cross-attention layers after the hyper-modality is complete.
            reads_text: Whether [CLS] reads the refined text beside the hyper-modality. In ALMT's code it does not, so
                that text reaches the result through attention weights alone.
        """
        super().__init__()
        self.reads_text = reads_text
        self.hyper = nn.Parameter(torch.randn(1, tokens, width))
        self.scales = nn.ModuleList(build_layer() for _ in range(SCALES - 1))
        self.layers = nn.ModuleList(HyperModalityLayer(width, heads) for _ in range(SCALES))
        self.readers = nn.Parameter(torch.randn(2, 1, width))
        self.fusion = nn.ModuleList(build_layer(cross=True) for _ in range(depth))

    def forward(
        self, tokens: dict[str, Float[Tensor, "batch tokens width"]], present: dict[str, Bool[Tensor, " batch"]]
    ) -> Float[Tensor, "batch width"]:
        """Refine text over the scales (equation 8), gather the hyper-modality, and read both by a [CLS] token."""
        text, hyper = tokens["text"], self.hyper.expand(tokens["text"].shape[0], -1, -1)
        for j, layer in enumerate(self.layers):
            if j:
                text = self.scales[j - 1](text, text)
            hyper = layer(hyper, {**tokens, "text": text}, present)
        text_cls, hyper_cls = self.readers.unsqueeze(1).expand(-1, text.shape[0], -1, -1)
        target, source = torch.cat([text_cls, text], dim=1), torch.cat([hyper_cls, hyper], dim=1)
        for i, layer in enumerate(self.fusion, start=1):
            # Only [CLS] is read after the last layer, and without text in the context only [CLS] is ever read.
            queries = target if self.reads_text and i < len(self.fusion) else target[:, :1]
            target = layer(queries, torch.cat([source, target], dim=1) if self.reads_text else source)
        fused: Tensor = target[:, 0]
        return fused
