"""BERT_MAG: multimodal adaptation gate inside BERT."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imlcmm.models.base import SentimentModel
from imlcmm.models.search import Choice, Range
from imlcmm.modules.attention import TransformerLayer
from imlcmm.modules.inputs import tokens_of
from imlcmm.modules.pooling import masked_mean
from imlcmm.types import Batch, DataSpec, Prediction

CACHED_HEAD_WIDTH = 32


class AdaptationGate(nn.Module):
    """Shift the embedding of each word by what is heard and seen with it (section 3.1, equations 1-5)."""

    def __init__(self, widths: dict[str, int], width: int, strength: float, dropout: float) -> None:
        """Build gates and shifts for audio and vision; `strength` is β, the largest shift for an embedding."""
        super().__init__()
        self.strength = strength
        self.gates = nn.ModuleDict({m: nn.Linear(widths[m] + width, width) for m in ("audio", "vision")})
        self.shifts = nn.ModuleDict({m: nn.Linear(widths[m], width) for m in ("audio", "vision")})
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, words: Float[Tensor, "batch steps width"], aligned: dict[str, Float[Tensor, "batch steps _"]]
    ) -> Float[Tensor, "batch steps width"]:
        """Give the shifted and normalised words."""
        shift = torch.zeros_like(words)
        for m, x in aligned.items():
            shift = shift + self.gates[m](torch.cat([x, words], dim=-1)).relu() * self.shifts[m](x)
        # The square root at zero has no derivative: a floor stands in for the reference's replaced zeros.
        length = shift.square().sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
        scale = (words.norm(dim=-1, keepdim=True) / (length + 1e-6) * self.strength).clamp(max=1.0)
        shifted: Tensor = self.dropout(self.norm(words + scale * shift))
        return shifted


class BERT_MAG(SentimentModel):  # noqa: N801 (the field writes it so)
    """Let audio and vision, aligned to the words, shift what BERT reads.

    Where the words do not divide the frames, neighbouring windows share one; those of the reference are of whole
    frames, the last one repeated (`whole_windows`).

    With a text encoder the gate sits between its embeddings and its first layer, and [CLS] is read, as in the paper.
    Cached text features have been through all layers already: there the gate shifts them, `cached_depth` new
    Transformer layers follow, and the mean is read.
    """

    paper: ClassVar = (
        "Rahman, Hasan, Lee, Zadeh, Mao, Morency, Hoque: Integrating Multimodal Information in Large Pretrained "
        "Transformers (ACL 2020)"
    )
    needs: ClassVar = ("text",)
    search_space: ClassVar = {
        "strength": Range(0.1, 1.0),
        "gate_dropout": Range(0.1, 0.5),
        "cached_depth": Choice((1, 2, 3)),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        strength: float = 1.0,
        gate_dropout: float = 0.1,
        out_dropout: float = 0.1,
        cached_depth: int = 1,
        whole_windows: bool = False,
        text_encoder: str | dict[str, Any] | None = None,
        fine_tune_text: bool = False,
        text_encoder_lr: float = 5e-5,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            strength: β, the largest length of a shift relative to its word.
            gate_dropout: Dropout after the gate.
            out_dropout: Dropout before the regressor.
            cached_depth: Transformer layers over shifted cached features.
            whole_windows: Let windows have equally many frames, rounded up, the last one repeated where they are
                too few, as in the reference.
            text_encoder: Hugging Face BERT (id or folder) that reads the tokens in place of cached text features.
            fine_tune_text: Whether training changes the text encoder.
            text_encoder_lr: Learning rate of a fine-tuned text encoder.
        """
        super().__init__(
            spec, text_encoder=text_encoder, fine_tune_text=fine_tune_text, text_encoder_lr=text_encoder_lr
        )
        self.whole_windows = whole_windows
        width = self.inputs.widths["text"]
        self.gate = AdaptationGate(self.inputs.widths, width, strength, gate_dropout)
        self.layers = nn.ModuleList()
        if self.inputs.text_encoder is None:
            # Narrow features have fewer heads, wide ones one for each 32 features, where that divides.
            heads = width // CACHED_HEAD_WIDTH if width % CACHED_HEAD_WIDTH == 0 else 1
            self.layers.extend(TransformerLayer(width, heads, width, dropout=gate_dropout) for _ in range(cached_depth))
        self.pooler = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Dropout(out_dropout))
        self.head = nn.Linear(width, 1)

    def forward(self, batch: Batch) -> Prediction:
        """Align, shift, read on, and regress."""
        mask = batch.masks["text"]
        aligned = {m: self.inputs.aligned(m, batch, whole=self.whole_windows) for m in ("audio", "vision")}
        if self.inputs.text_encoder is None:
            text, _ = self.inputs("text", batch)
            states = self.gate(text, aligned)
            for layer in self.layers:
                states = layer(states, states, mask)
            summary = masked_mean(states, mask)
        else:
            encode = self.inputs.text_encoder.encode
            summary = encode(tokens_of(batch), lambda words: self.gate(words, aligned))[:, 0]
        return Prediction(self.spec.sentiment(self.head(self.pooler(summary)).squeeze(-1)))
