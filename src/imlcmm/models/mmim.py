"""MMIM: hierarchical mutual information maximisation."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from imlcmm.models.base import SentimentModel
from imlcmm.models.search import Range
from imlcmm.modules.subnetworks import SequenceSubnetwork
from imlcmm.types import Batch, DataSpec, Pass, Prediction

NARROWING, RIDGE, FEWEST, UNREAD = 4, 1e-4, 2, 2


class InformationBound(nn.Module):
    """Bound the mutual information of two vectors from below by the likelihood of one given the other (equation 2)."""

    def __init__(self, width: int, other: int) -> None:
        """Build a Gaussian over vectors of `other` features given vectors of `width` features."""
        super().__init__()
        self.mean, self.log_variance = (
            nn.Sequential(nn.Linear(width, other), nn.ReLU(), nn.Linear(other, other)) for _ in range(2)
        )

    def forward(self, x: Float[Tensor, "batch width"], y: Float[Tensor, "batch other"]) -> Float[Tensor, ""]:
        """Give the mean log-likelihood of y given x, without the normalisation that the authors omit."""
        # Nothing holds the variance down, so its reciprocal is taken: that falls to zero where the variance overflows.
        distance = (self.mean(x) - y).square() * (-self.log_variance(x)).exp() / 2
        likelihood: Tensor = -distance.sum(-1).mean()
        return likelihood


class SignedEntropy(nn.Module):
    """Estimate the entropy of a vector from clips of positive and of negative sentiment (equations 4-5).

    The projection stays as it was drawn: in the authors' code, too, nothing trains it.
    """

    def __init__(self, width: int) -> None:
        """Draw the projection and start with no clips."""
        super().__init__()
        self.projected = max(1, width // NARROWING)
        self.project = nn.Sequential(nn.Linear(width, self.projected), nn.Tanh()).requires_grad_(requires_grad=False)
        self.before: dict[str, Tensor] | None = None
        self.batches = 0

    def forget(self) -> None:
        """Start with no clips again."""
        self.before, self.batches = None, 0

    def forward(self, y: Float[Tensor, "batch width"], label: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
        """Give the entropy over this batch and the one before, from a pass's third batch on as the authors do."""
        projected = self.project(y)
        now = {"positive": projected[label > 0], "negative": projected[label < 0]}
        before, self.before = self.before, {sign: x.detach() for sign, x in now.items()}
        self.batches += 1
        entropy = y.new_zeros(())
        if before is None or self.batches <= UNREAD:
            return entropy
        for sign, x in now.items():
            sample = torch.cat([x, before[sign]]).to(torch.promote_types(x.dtype, torch.float32))
            if len(sample) >= FEWEST:
                centred = sample - sample.mean(0)
                # A ridge: few clips span no volume, and its logarithm would be minus infinity.
                with torch.autocast(y.device.type, enabled=False):
                    covariance = centred.T @ centred / len(sample) + RIDGE * torch.eye(self.projected, device=y.device)
                entropy = entropy + 0.25 * torch.logdet(covariance)
        return entropy


class MMIM(SentimentModel):
    """Keep the mutual information between modalities, and between them and their fusion, while fusing.

    Each epoch passes over the clips twice: first the bounds of the information are fitted, then everything else is
    trained against them. The covariance of the entropy has a small ridge, without which few clips of one sign make it
    infinite. Text is a fine-tuned BERT's [CLS] in the paper, the mean of the cached features without a text encoder.
    """

    paper: ClassVar = (
        "Han, Chen, Poria: Improving Multimodal Fusion with Hierarchical Mutual Information Maximization for "
        "Multimodal Sentiment Analysis (EMNLP 2021)"
    )
    learns_unlabelled_clips: ClassVar = True
    search_space: ClassVar = {
        "contrast_weight": Range(0.01, 0.5, log=True),
        "information_weight": Range(0.01, 0.5, log=True),
        "bound_lr": Range(1e-4, 5e-3, log=True),
        "dropout": Range(0.0, 0.5),
    }
    passes = (Pass("bounds"), Pass("task"))

    def __init__(
        self,
        spec: DataSpec,
        *,
        lstm_hidden: int = 16,
        utterance: int = 16,
        fused: int = 128,
        dropout: float = 0.1,
        contrast_weight: float = 0.1,
        information_weight: float = 0.1,
        bound_lr: float = 1e-3,
        text_encoder: str | dict[str, Any] | None = None,
        fine_tune_text: bool = False,
        text_encoder_lr: float = 5e-5,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            lstm_hidden: Width of each direction of the audio and vision LSTMs.
            utterance: Width of the audio and the vision vector.
            fused: Width of the fusion.
            dropout: Dropout before the fusion.
            contrast_weight: α, weight of the contrast between a clip's fusion and other clips' modalities.
            information_weight: β, weight of the information between modalities.
            bound_lr: Learning rate of the bounds.
            text_encoder: Hugging Face BERT (id or folder) that reads the tokens in place of cached text features.
            fine_tune_text: Whether training changes the text encoder.
            text_encoder_lr: Learning rate of a fine-tuned text encoder.
        """
        super().__init__(
            spec, text_encoder=text_encoder, fine_tune_text=fine_tune_text, text_encoder_lr=text_encoder_lr
        )
        self.contrast_weight, self.information_weight, self.bound_lr = contrast_weight, information_weight, bound_lr
        widths = {"text": self.inputs.widths["text"], "audio": utterance, "vision": utterance}
        self.readers = nn.ModuleDict(
            {
                m: SequenceSubnetwork(self.inputs.widths[m], lstm_hidden, utterance, bidirectional=True)
                for m in ("audio", "vision")
            }
        )
        self.fusion = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(sum(widths.values()), fused), nn.Tanh(), nn.Linear(fused, fused), nn.Tanh()
        )
        self.head = nn.Linear(fused, 1)
        self.bounds = nn.ModuleDict({m: InformationBound(widths["text"], utterance) for m in self.readers})
        self.entropies = nn.ModuleDict({m: SignedEntropy(utterance) for m in self.readers})
        self.predictors = nn.ModuleDict({m: nn.Linear(fused, w) for m, w in widths.items()})
        self.fits_bounds = False

    def begin_pass(self, name: str) -> None:
        """Say what is trained, and forget the clips of the pass before."""
        self.fits_bounds = name == "bounds"
        for layer in self.modules():
            if isinstance(layer, SignedEntropy):
                layer.forget()

    def forward(self, batch: Batch) -> Prediction:
        """Encode each modality, fuse, and regress."""
        vectors = {"text": self.inputs.text_summary(batch)}
        vectors |= {m: reader(*self.inputs(m, batch)) for m, reader in self.readers.items()}
        fused = self.fusion(torch.cat(list(vectors.values()), dim=-1))
        return Prediction(self.spec.sentiment(self.head(fused).squeeze(-1)), features={**vectors, "fused": fused})

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Fit the bounds, or train everything else against them (equations 2-10)."""
        if self.training and self.fits_bounds:
            fixed = {name: x.detach() for name, x in prediction.features.items()}
            return {"bounds": -self.information(fixed, {m: dict(b.named_parameters()) for m, b in self.bounds.items()})}
        terms = super().loss(prediction, batch)
        if self.training:
            frozen = {m: {name: p.detach() for name, p in bound.named_parameters()} for m, bound in self.bounds.items()}
            found = prediction.features
            label = self.spec.scaled(batch.label)
            entropy = torch.stack([entropy(found[m], label) for m, entropy in self.entropies.items()]).sum()
            terms["contrast"] = self.contrast_weight * self.contrast(found)
            terms["information"] = -self.information_weight * (self.information(found, frozen) + entropy)
        return terms

    def information(self, found: Mapping[str, Tensor], weights: Mapping[str, dict[str, Tensor]]) -> Tensor:
        """Sum the bounds of text with audio and with vision, with the given weights of each bound."""
        parts = [functional_call(b, weights[m], (found["text"], found[m])) for m, b in self.bounds.items()]
        return torch.stack(parts).sum()

    def contrast(self, found: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        """Tell which clip's fusion predicts each clip's modality best (contrastive predictive coding, equation 8)."""
        terms = []
        for m, predictor in self.predictors.items():
            predicted, real = (F.normalize(x, dim=-1) for x in (predictor(found["fused"]), found[m]))
            scores = real @ predicted.T
            terms.append((scores.logsumexp(-1) - scores.diagonal()).mean())
        return torch.stack(terms).sum()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Give the bounds a learning rate of their own; each pass leaves the other's parameters without a gradient."""
        return self.group(bounds={"lr": self.bound_lr})
