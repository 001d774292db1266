"""MulT: multimodal Transformer for unaligned sequences."""

from typing import ClassVar, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from imlcmm.models.base import SentimentModel
from imlcmm.models.search import Choice, Range
from imlcmm.modules.attention import TransformerLayer
from imlcmm.modules.pooling import last_step, steps_to_read
from imlcmm.types import MODALITIES, Batch, DataSpec, Prediction

MEMORY_DEPTH = 3  # layers of the self-attention over what was read, at least


class CausalEncoder(nn.Module):
    """Read one sequence by another, or by itself, without looking further ahead than their lengths differ."""

    def __init__(
        self,
        width: int,
        heads: int,
        depth: int,
        *,
        embed_dropout: float,
        attention_dropout: float,
        inner_dropout: float,
        residual_dropout: float,
    ) -> None:
        """Build the layers and the normalisation after them."""
        super().__init__()
        self.scale = width**0.5
        self.embed = nn.Dropout(embed_dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(
                width, heads, 4 * width, dropout=residual_dropout, inner_dropout=inner_dropout,
                read_dropout=attention_dropout,
            )
            for _ in range(depth)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        query: Float[Tensor, "batch queries width"],
        context: Float[Tensor, "batch keys width"],
        visible: Bool[Tensor, "batch queries keys"],
    ) -> Float[Tensor, "batch queries width"]:
        """Update the queries layer by layer; the context stays as it is."""
        x, context = self.embed(self.scale * query), self.embed(self.scale * context)
        for layer in self.layers:
            x = layer(x, context, visible)
        normalised: Tensor = self.norm(x)
        return normalised

    def last(
        self, sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch width"]:
        """Relate a sequence's own steps, and give the last real one; only this one is computed in the last layer."""
        x, visible = self.embed(self.scale * sequence), causal(mask, mask)
        for layer in self.layers[:-1]:
            x = layer(x, x, visible)
        *_, last = self.layers
        final = last_step(x, mask).unsqueeze(1)
        normalised: Tensor = self.norm(last(final, x, mask | first_step(mask)))
        return normalised.squeeze(1)


class MulT(SentimentModel):
    """Let each modality read the two others by cross-attention, and regress on the last step of what it has read.

    Padding is masked, and how far a step may look ahead depends on the clip's own lengths; the reference takes those of
    the padded batch. Convolutions reach beyond the end, so that no clip is too short for them. Attention dropout falls
    on what is read instead of on the weights, which keeps attention on its fast path.
    """

    paper: ClassVar = (
        "Tsai, Bai, Liang, Kolter, Morency, Salakhutdinov: Multimodal Transformer for Unaligned Multimodal Language "
        "Sequences (ACL 2019)"
    )
    search_space: ClassVar = {
        "head_width": Choice((5, 8, 10)),
        "heads": Choice((4, 6, 8)),
        "depth": Choice((2, 3, 4)),
        "text_dropout": Range(0.0, 0.5),
        "out_dropout": Range(0.0, 0.5),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        heads: int = 6,
        head_width: int = 5,
        depth: int = 4,
        text_kernel: int = 5,
        audio_kernel: int = 3,
        vision_kernel: int = 1,
        text_dropout: float = 0.5,
        attention_dropout: float = 0.1,
        attention_dropout_audio: float = 0.2,
        attention_dropout_vision: float = 0.0,
        inner_dropout: float = 0.1,
        embed_dropout: float = 0.2,
        residual_dropout: float = 0.0,
        out_dropout: float = 0.3,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            heads: Attention heads.
            head_width: Features a head; the model width d is heads times this.
            depth: Layers of each cross-modal encoder.
            text_kernel: Steps that a convolution over text sees.
            audio_kernel: Steps that a convolution over audio sees.
            vision_kernel: Steps that a convolution over vision sees.
            text_dropout: Dropout on the text features.
            attention_dropout: Dropout where text is read, and where a modality reads itself.
            attention_dropout_audio: Dropout where audio is read.
            attention_dropout_vision: Dropout where vision is read.
            inner_dropout: Dropout inside the feed-forward networks.
            embed_dropout: Dropout on the input of each encoder.
            residual_dropout: Dropout on the results of attention and feed-forward networks.
            out_dropout: Dropout in the regressor.
        """
        super().__init__(spec)
        width = heads * head_width
        self.kernels = {"text": text_kernel, "audio": audio_kernel, "vision": vision_kernel}
        read_dropout = {
            "text": attention_dropout, "audio": attention_dropout_audio, "vision": attention_dropout_vision
        }  # fmt: skip
        self.text_dropout = nn.Dropout(text_dropout)
        self.convolutions = nn.ModuleDict(
            {m: nn.Conv1d(self.inputs.widths[m], width, self.kernels[m], bias=False) for m in MODALITIES}
        )

        def encoder(width: int, depth: int, dropout: float) -> CausalEncoder:
            return CausalEncoder(
                width, heads, depth, embed_dropout=embed_dropout, attention_dropout=dropout,
                inner_dropout=inner_dropout, residual_dropout=residual_dropout,
            )  # fmt: skip

        self.readers = nn.ModuleDict(
            {
                f"{m}_reads_{other}": encoder(width, depth, read_dropout[other])
                for m in MODALITIES
                for other in others(m)
            }
        )
        self.memories = nn.ModuleDict(
            {m: encoder(2 * width, max(depth, MEMORY_DEPTH), attention_dropout) for m in MODALITIES}
        )
        fused = 2 * width * len(MODALITIES)
        self.residual = nn.Sequential(
            nn.Linear(fused, fused), nn.ReLU(), nn.Dropout(out_dropout), nn.Linear(fused, fused)
        )
        self.head = nn.Linear(fused, 1)

    def forward(self, batch: Batch) -> Prediction:
        """Read across modalities, then along time, and regress on the last steps."""
        embedded, masks = {}, batch.masks
        for m in MODALITIES:
            sequence, _ = self.inputs(m, batch)
            embedded[m] = self.embed(m, self.text_dropout(sequence) if m == "text" else sequence)
        finals = []
        for m in MODALITIES:
            read = [
                self.readers[f"{m}_reads_{o}"](embedded[m], embedded[o], causal(masks[m], masks[o])) for o in others(m)
            ]
            memory = cast(CausalEncoder, self.memories[m])
            finals.append(memory.last(torch.cat(read, dim=-1), masks[m]))
        z = torch.cat(finals, dim=-1)
        return Prediction(self.spec.sentiment(self.head(z + self.residual(z)).squeeze(-1)))

    def embed(self, modality: str, sequence: Tensor) -> Tensor:
        """Convolve over time; each step sees itself and those after it."""
        x = F.pad(sequence.transpose(1, 2), (0, self.kernels[modality] - 1))
        embedded: Tensor = self.convolutions[modality](x).transpose(1, 2)
        return embedded


def others(modality: str) -> list[str]:
    """Give the two other modalities."""
    return [m for m in MODALITIES if m != modality]


def first_step(mask: Bool[Tensor, "batch steps"]) -> Bool[Tensor, " steps"]:
    """Mark the first step, which is read where there is nothing else, so that attention is defined."""
    return torch.arange(mask.shape[1], device=mask.device) == 0


def causal(
    queries: Bool[Tensor, "batch queries"], keys: Bool[Tensor, "batch keys"]
) -> Bool[Tensor, "batch queries keys"]:
    """Let query i see the real keys j ≤ i + |lengths' difference| of its clip."""
    reach = (steps_to_read(queries) - steps_to_read(keys)).abs().view(-1, 1, 1)
    i = torch.arange(queries.shape[1], device=keys.device).unsqueeze(-1)
    j = torch.arange(keys.shape[1], device=keys.device)
    return ((j <= i + reach) & keys.unsqueeze(1)) | first_step(keys)
