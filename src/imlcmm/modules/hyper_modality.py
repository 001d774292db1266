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

    def __init__(self, width: int, heads: int, *, as_published: bool = False) -> None:
        """Build the projections: the query is shared, keys and values belong to audio and to vision.

        Args:
            width: Model width.
            heads: Attention heads.
            as_published: Add to the normalised hyper-modality, as ALMT's code does.
        """
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleDict({m: nn.LayerNorm(width) for m in ("text", "audio", "vision")})
        self.norm_hyper = nn.LayerNorm(width) if as_published else nn.Identity()
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
        updated: Tensor = self.norm_hyper(hyper) + self.out(merge_heads(heard))
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
        as_published: bool = False,
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
            as_published: Be as ALMT's code: positions for the tokens of text and of both sides of the fusion, one [CLS]
                for both sides that starts at zero, and a hyper-modality that starts at one.
        """
        super().__init__()
        self.reads_text = reads_text
        self.hyper = nn.Parameter(torch.ones(1, tokens, width) if as_published else torch.randn(1, tokens, width))
        self.scales = nn.ModuleList(build_layer() for _ in range(SCALES - 1))
        layers = (HyperModalityLayer(width, heads, as_published=as_published) for _ in range(SCALES))
        self.layers = nn.ModuleList(layers)
        self.readers = nn.Parameter(torch.zeros(1, 1, width) if as_published else torch.randn(2, 1, width))
        self.positions = nn.ParameterDict()
        if as_published:
            steps = {"text": tokens, "target": tokens + 1, "source": tokens + 1}
            self.positions.update({name: torch.randn(count, width) for name, count in steps.items()})
        self.fusion = nn.ModuleList(build_layer(cross=True) for _ in range(depth))

    def forward(
        self, tokens: dict[str, Float[Tensor, "batch tokens width"]], present: dict[str, Bool[Tensor, " batch"]]
    ) -> Float[Tensor, "batch width"]:
        """Refine text over the scales (equation 8), gather the hyper-modality, and read both by a [CLS] token."""
        text, hyper = self._placed("text", tokens["text"]), self.hyper.expand(tokens["text"].shape[0], -1, -1)
        for j, layer in enumerate(self.layers):
            if j:
                text = self.scales[j - 1](text, text)
            hyper = layer(hyper, {**tokens, "text": text}, present)
        text_cls, hyper_cls = self.readers.unsqueeze(1).expand(2, text.shape[0], -1, -1)
        target = self._placed("target", torch.cat([text_cls, text], dim=1))
        source = self._placed("source", torch.cat([hyper_cls, hyper], dim=1))
        for i, layer in enumerate(self.fusion, start=1):
            # Only [CLS] is read after the last layer, and without text in the context only [CLS] is ever read.
            queries = target if self.reads_text and i < len(self.fusion) else target[:, :1]
            target = layer(queries, torch.cat([source, target], dim=1) if self.reads_text else source)
        fused: Tensor = target[:, 0]
        return fused

    def _placed(self, name: str, x: Float[Tensor, "batch steps width"]) -> Float[Tensor, "batch steps width"]:
        return x + self.positions[name] if name in self.positions else x
