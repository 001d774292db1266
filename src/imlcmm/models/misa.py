"""MISA: modality-invariant and modality-specific representations."""

from collections.abc import Iterable
from itertools import combinations
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from imlcmm.models.base import SentimentModel
from imlcmm.models.objectives import Regression, mean_error
from imlcmm.models.search import Choice, Range
from imlcmm.modules.pooling import masked_mean, steps_to_read
from imlcmm.modules.recurrent import StackedBiLSTM
from imlcmm.types import MODALITIES, Batch, DataSpec, Prediction

HEADS, FEEDFORWARD, MOMENTS = 2, 2048, 5


class MISA(SentimentModel):
    """Split each modality into what it shares with the others and what is its own, and fuse all six parts.

    The text's vector is the mean of its steps, with a text encoder as well, as in the reference. Audio and vision are
    read in full; the reference reads only as many of a clip's frames as its text has steps (`text_length_only`), and
    keeps a classifier of the modalities whose result it does not use.
    """

    paper: ClassVar = (
        "Hazarika, Zimmermann, Poria: MISA: Modality-Invariant and -Specific Representations for Multimodal Sentiment "
        "Analysis (ACM MM 2020)"
    )
    learns_unlabelled_clips: ClassVar = True
    search_space: ClassVar = {
        "hidden": Choice((32, 64, 128)),
        "dropout": Range(0.0, 0.5),
        "difference_weight": Range(0.1, 1.0),
        "similarity_weight": Range(0.1, 1.0),
        "reconstruction_weight": Range(0.1, 1.0),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden: int = 64,
        dropout: float = 0.5,
        difference_weight: float = 0.5,
        similarity_weight: float = 1.0,
        reconstruction_weight: float = 0.5,
        text_length_only: bool = False,
        text_pooling: Literal["mean", "cls"] = "mean",
        text_encoder: str | dict[str, Any] | None = None,
        fine_tune_text: bool = False,
        text_encoder_lr: float = 1e-4,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            hidden: Width of each representation.
            dropout: Dropout in the regressor.
            difference_weight: Weight of the orthogonality of shared and private parts.
            similarity_weight: Weight of the likeness of the shared parts.
            reconstruction_weight: Weight of the reconstruction from both parts.
            text_length_only: Read only as many frames of a clip's audio and vision as its text has steps, as the
                reference does.
            text_pooling: What stands for the text of an encoder: the mean of its states, or that of [CLS].
            text_encoder: Hugging Face BERT (id or folder) that reads the tokens in place of cached text features.
            fine_tune_text: Whether training changes the text encoder.
            text_encoder_lr: Learning rate of a fine-tuned text encoder.
        """
        super().__init__(
            spec, text_encoder=text_encoder, fine_tune_text=fine_tune_text, text_encoder_lr=text_encoder_lr
        )
        self.weights = {
            "difference": difference_weight, "similarity": similarity_weight, "reconstruction": reconstruction_weight
        }  # fmt: skip
        self.text_length_only, self.text_pooling = text_length_only, text_pooling
        widths = self.inputs.widths
        self.readers = nn.ModuleDict({m: StackedBiLSTM(widths[m], widths[m]) for m in ("audio", "vision")})
        read = {"text": widths["text"], "audio": 4 * widths["audio"], "vision": 4 * widths["vision"]}
        self.projections = nn.ModuleDict(
            {m: nn.Sequential(nn.Linear(w, hidden), nn.ReLU(), nn.LayerNorm(hidden)) for m, w in read.items()}
        )
        self.private = nn.ModuleDict({m: nn.Sequential(nn.Linear(hidden, hidden), nn.Sigmoid()) for m in MODALITIES})
        self.shared = nn.Sequential(nn.Linear(hidden, hidden), nn.Sigmoid())
        self.reconstructions = nn.ModuleDict({m: nn.Linear(hidden, hidden) for m in MODALITIES})
        self.fusion = nn.TransformerEncoderLayer(hidden, HEADS, FEEDFORWARD, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(6 * hidden, 3 * hidden), nn.Dropout(dropout), nn.ReLU(), nn.Linear(3 * hidden, 1)
        )

    def forward(self, batch: Batch) -> Prediction:
        """Encode each modality, split it, relate the six parts, and regress."""
        cls = self.text_pooling == "cls"
        utterance = {"text": self.inputs.text_summary(batch) if cls else masked_mean(*self.inputs("text", batch))}
        for m, reader in self.readers.items():
            sequence, mask = self.inputs(m, batch)
            utterance[m] = reader(sequence, mask & self._within_text(batch, mask) if self.text_length_only else mask)
        found = {}
        for m in MODALITIES:
            found[f"projected_{m}"] = self.projections[m](utterance[m])
            found[f"private_{m}"] = self.private[m](found[f"projected_{m}"])
            found[f"shared_{m}"] = self.shared(found[f"projected_{m}"])
        parts = torch.stack([found[f"{part}_{m}"] for part in ("private", "shared") for m in MODALITIES], dim=1)
        return Prediction(self.spec.sentiment(self.head(self.fusion(parts).flatten(1)).squeeze(-1)), features=found)

    def _within_text(self, batch: Batch, mask: Bool[Tensor, "batch steps"]) -> Bool[Tensor, "batch steps"]:
        """Mark the frames up to the number of steps of each clip's own text."""
        return torch.arange(mask.shape[1], device=mask.device) < steps_to_read(batch.masks["text"]).unsqueeze(1)

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Add to the squared error what keeps the parts apart, alike and complete (equations 6-13)."""
        objective = Regression(self.spec, squared=True)
        raw = objective.target(prediction.sentiment)
        terms = {"multimodal": mean_error(objective, raw, objective.target(batch.label))}
        if not self.training:
            return terms
        found = prediction.features
        private, shared, projected = (
            [found[f"{part}_{m}"] for m in MODALITIES] for part in ("private", "shared", "projected")
        )
        rebuilt = [self.reconstructions[m](p + s) for m, p, s in zip(MODALITIES, private, shared, strict=True)]
        found_terms = {
            "difference": difference(zip(private, shared, strict=True)) + difference(combinations(private, 2)),
            "similarity": torch.stack([moment_discrepancy(x, y) for x, y in combinations(shared, 2)]).mean(),
            "reconstruction": torch.stack([F.mse_loss(x, y) for x, y in zip(rebuilt, projected, strict=True)]).mean(),
        }
        return terms | {name: self.weights[name] * term for name, term in found_terms.items()}


def difference(pairs: Iterable[tuple[Tensor, Tensor]]) -> Float[Tensor, ""]:
    """Measure how far each pair of representations, (batch, hidden), is from orthogonal (equation 7)."""

    def normalised(x: Tensor) -> Tensor:
        x = x - x.mean(0)
        lengths: Tensor = x.norm(dim=1, keepdim=True).detach()
        return x / (lengths + 1e-6)

    return torch.stack([(normalised(x).T @ normalised(y)).square().mean() for x, y in pairs]).sum()


def moment_discrepancy(x: Float[Tensor, "batch hidden"], y: Float[Tensor, "batch hidden"]) -> Float[Tensor, ""]:
    """Measure the central moment discrepancy of two samples with five moments (equation 6)."""
    means = [x.mean(0), y.mean(0)]
    centred = [x - means[0], y - means[1]]
    gaps = [means[0] - means[1]]
    gaps += [centred[0].pow(k).mean(0) - centred[1].pow(k).mean(0) for k in range(2, MOMENTS + 1)]
    # The derivative of a root at zero is infinite, and zero it is when two modalities are absent.
    lengths = torch.stack([gap.square().sum().clamp(min=1e-12).sqrt() for gap in gaps])
    return lengths.sum()
