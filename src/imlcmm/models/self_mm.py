"""Self_MM: self-supervised multi-task learning."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from imlcmm.models.base import SentimentModel
from imlcmm.models.objectives import Regression, read_heads
from imlcmm.models.search import Choice, Range
from imlcmm.modules.label_generation import LabelGenerator
from imlcmm.modules.subnetworks import SequenceSubnetwork
from imlcmm.types import MODALITIES, TARGETS, Batch, DataSpec, Prediction


class Self_MM(SentimentModel):  # noqa: N801 (the field writes it so)
    """Train a head for each modality on labels that the model makes for itself from the multimodal ones.

    A clip's labels move by where its features lie between the centres of positive and negative clips. The reference
    counts clips that it has not seen yet as features of zero, this model leaves them out; after the first epoch both
    are the same. Text is a fine-tuned BERT's [CLS] in the paper, the mean of the cached features without a text
    encoder.
    """

    paper: ClassVar = (
        "Yu, Xu, Yuan, Wu: Learning Modality-Specific Representations with Self-Supervised Multi-Task Learning for "
        "Multimodal Sentiment Analysis (AAAI 2021)"
    )
    search_space: ClassVar = {
        "fusion_hidden": Choice((64, 128, 256)),
        "text_hidden": Choice((32, 64, 128)),
        "audio_hidden": Choice((16, 32, 64)),
        "vision_hidden": Choice((16, 32, 64)),
        "audio_lr": Range(1e-4, 5e-3, log=True),
        "vision_lr": Range(1e-4, 5e-3, log=True),
    }
    training_state: ClassVar = tuple(f"generator.{name}" for name in ("labels", "features", "sums", "counts"))
    several_devices: ClassVar = False  # each would generate labels from its own share of the clips

    def __init__(
        self,
        spec: DataSpec,
        *,
        audio_lstm: int = 16,
        vision_lstm: int = 64,
        audio_out: int = 16,
        vision_out: int = 32,
        fusion_hidden: int = 128,
        text_hidden: int = 64,
        audio_hidden: int = 32,
        vision_hidden: int = 32,
        fusion_dropout: float = 0.0,
        text_dropout: float = 0.0,
        audio_dropout: float = 0.1,
        vision_dropout: float = 0.0,
        audio_lr: float = 1e-3,
        vision_lr: float = 1e-3,
        audio_decay: float = 0.0,
        vision_decay: float = 0.0,
        label_limit: float | None = None,
        text_encoder: str | dict[str, Any] | None = None,
        fine_tune_text: bool = False,
        text_encoder_lr: float = 5e-5,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            audio_lstm: Width of the audio LSTM.
            vision_lstm: Width of the vision LSTM.
            audio_out: Width of the audio vector.
            vision_out: Width of the vision vector.
            fusion_hidden: Width of the multimodal features.
            text_hidden: Width of the text features.
            audio_hidden: Width of the audio features.
            vision_hidden: Width of the vision features.
            fusion_dropout: Dropout before the multimodal features.
            text_dropout: Dropout before the text features.
            audio_dropout: Dropout before the audio features.
            vision_dropout: Dropout before the vision features.
            audio_lr: Learning rate of the audio encoder.
            vision_lr: Learning rate of the vision encoder.
            audio_decay: Weight decay of the audio encoder.
            vision_decay: Weight decay of the vision encoder.
            label_limit: How far from neutral a generated label may lie, in the label's unit; None is the end of the
                scale. The authors' H is 1 on CH-SIMS and 3 elsewhere, on CH-SIMS v2 too, whose scale ends at 1.
            text_encoder: Hugging Face BERT (id or folder) that reads the tokens in place of cached text features.
            fine_tune_text: Whether training changes the text encoder.
            text_encoder_lr: Learning rate of a fine-tuned text encoder.
        """
        super().__init__(
            spec, text_encoder=text_encoder, fine_tune_text=fine_tune_text, text_encoder_lr=text_encoder_lr
        )
        self.audio = SequenceSubnetwork(self.inputs.widths["audio"], audio_lstm, audio_out)
        self.vision = SequenceSubnetwork(self.inputs.widths["vision"], vision_lstm, vision_out)
        self.options = {
            "audio": {"lr": audio_lr, "weight_decay": audio_decay},
            "vision": {"lr": vision_lr, "weight_decay": vision_decay},
        }
        widths = {"text": self.inputs.widths["text"], "audio": audio_out, "vision": vision_out}
        widths = {"multimodal": sum(widths.values()), **widths}
        hidden = dict(zip(TARGETS, (fusion_hidden, text_hidden, audio_hidden, vision_hidden), strict=True))
        dropout = dict(zip(TARGETS, (fusion_dropout, text_dropout, audio_dropout, vision_dropout), strict=True))
        self.features = nn.ModuleDict(
            {t: nn.Sequential(nn.Dropout(dropout[t]), nn.Linear(widths[t], hidden[t]), nn.ReLU()) for t in TARGETS}
        )
        self.heads = nn.ModuleDict(
            {t: nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1)) for t, h in hidden.items()}
        )
        self.objective = Regression(spec)
        ends = (spec.low, spec.high)
        low, high = ends if label_limit is None else (spec.neutral - label_limit, spec.neutral + label_limit)
        self.generator = LabelGenerator(spec.train_size, hidden, spec.scaled(low), spec.scaled(high))
        self.epoch = 0

    def on_epoch_start(self, epoch: int) -> None:
        """Remember the epoch, which says how far labels move."""
        self.epoch = epoch

    def forward(self, batch: Batch) -> Prediction:
        """Encode each modality, and regress on each and on all."""
        vectors = {"text": self.inputs.text_summary(batch)}
        vectors |= {m: getattr(self, m)(*self.inputs(m, batch)) for m in ("audio", "vision")}
        vectors["multimodal"] = torch.cat([vectors[m] for m in MODALITIES], dim=-1)
        features = {t: self.features[t](vectors[t]) for t in TARGETS}
        raw = {t: self.heads[t](features[t]) for t in TARGETS}
        return read_heads(self.objective, raw, batch, features=features)

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Weigh each modality's error by how far its label has moved (equation 13), then move the labels on."""
        terms = super().loss(prediction, batch)
        rows = (batch.row >= 0) & batch.label.isfinite()
        if not self.training or not rows.any():
            return terms
        row, label = batch.row[rows], self.spec.scaled(batch.label[rows])
        generated = self.generator.current(row, label)[1:]
        for m, own in zip(MODALITIES, generated, strict=True):
            heard = batch.masks[m].any(1)[rows]
            error = (own - label).abs().tanh() * (prediction.logits[m].squeeze(-1)[rows] - own).abs()
            terms[m] = (error * heard).mean()
        features = {t: x[rows] for t, x in prediction.features.items()}
        self.generator.update(row, label, features, self.epoch)
        return terms

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Give the encoders of audio and vision options of their own."""
        return self.group(**self.options)
