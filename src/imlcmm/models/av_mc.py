"""AV_MC: audio-visual mixup consistency."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from imlcmm.models.base import SentimentModel
from imlcmm.models.objectives import Regression, mean_error, read_heads, weighted_errors
from imlcmm.models.search import Choice, Range
from imlcmm.modules.mixup import Mixup
from imlcmm.modules.recurrent import StackedBiLSTM
from imlcmm.modules.subnetworks import AverageSubnetwork
from imlcmm.types import MODALITIES, TARGETS, Batch, DataSpec, Pass, Prediction

Vectors = dict[str, Tensor]


class RecurrentEncoder(nn.Module):
    """Encode a sequence by a dense layer and two bidirectional LSTMs, to 4 · `hidden` features."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        """Build the layers."""
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(width, hidden), nn.Dropout(dropout))
        self.lstms = StackedBiLSTM(hidden, hidden)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Read (batch, steps, width) up to each row's last real step."""
        encoded: Tensor = self.lstms(self.enter(sequence), mask)
        return encoded


class AV_MC(SentimentModel):  # noqa: N801 (the field writes it so)
    """Ask that mixed voices and mixed faces are judged as the mixture of what was said of both.

    Supervised, the time averages of two clips are mixed, and the error counts against both labels by their shares.
    With `recurrent` encoders, for training with unlabelled clips, what the encoder gives is mixed, against the mixture
    of the model's own judgements; an epoch passes over the labelled clips once with the unlabelled and once without.
    These judgements are targets without a gradient; the reference's let it through (`gradient_through_targets`).

    The prediction stays inside the range of the labels. The reference's recurrent model, whose predictions go from -3
    to 3, has three more networks, of 29,290 parameters, that no loss reads. Text is a frozen BERT's [CLS] in the paper,
    the mean of the cached features without a text encoder.
    """

    paper: ClassVar = (
        "Liu, Yuan, Mao, Liang, Yang, Qiu, Cheng, Li, Xu, Gao: Make Acoustic and Visual Cues Matter: CH-SIMS v2.0 "
        "Dataset and AV-Mixup Consistent Module (ICMI 2022)"
    )
    learns_unimodal_labels: ClassVar = True
    learns_unlabelled_clips: ClassVar = True
    search_space: ClassVar = {
        "text_hidden": Choice((64, 128, 256)),
        "audio_hidden": Choice((16, 32)),
        "vision_hidden": Choice((16, 32, 64)),
        "head_dropout": Range(0.1, 0.5),
        "text_weight": Range(0.2, 1.0),
        "audio_weight": Range(0.2, 1.0),
        "vision_weight": Range(0.2, 1.0),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        recurrent: bool = False,
        text_hidden: int = 64,
        audio_hidden: int = 16,
        vision_hidden: int = 16,
        encoder_dropout: float = 0.1,
        text_head: int = 32,
        audio_head: int = 32,
        vision_head: int = 64,
        head_dropout: float = 0.3,
        fusion_hidden: int = 16,
        multimodal_weight: float = 1.0,
        text_weight: float = 0.2,
        audio_weight: float = 0.8,
        vision_weight: float = 0.4,
        text_decay: float = 1e-4,
        audio_lr: float = 5e-4,
        audio_decay: float = 0.0,
        vision_lr: float = 1e-3,
        vision_decay: float = 0.0,
        gradient_through_targets: bool = False,
        text_encoder: str | dict[str, Any] | None = None,
        fine_tune_text: bool = False,
        text_encoder_lr: float = 5e-4,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            recurrent: Read audio and vision by LSTMs and mix what these give: the semi-supervised model.
            text_hidden: Width of the text vector.
            audio_hidden: Width of the audio vector, or of each direction of its LSTMs.
            vision_hidden: Width of the vision vector, or of each direction of its LSTMs.
            encoder_dropout: Dropout in the audio and vision encoders.
            text_head: Width of the text head's layers.
            audio_head: Width of the audio head's layers.
            vision_head: Width of the vision head's layers.
            head_dropout: Dropout before the heads and the fusion.
            fusion_hidden: Width of the fusion's layers, which have no nonlinearity between them.
            multimodal_weight: Weight of the fused prediction's loss.
            text_weight: Weight of the text loss.
            audio_weight: Weight of the audio loss.
            vision_weight: Weight of the vision loss.
            text_decay: Weight decay of the text projection.
            audio_lr: Learning rate of the audio encoder.
            audio_decay: Weight decay of the audio encoder.
            vision_lr: Learning rate of the vision encoder.
            vision_decay: Weight decay of the vision encoder.
            gradient_through_targets: Let the gradient through the model's own judgements, as the reference does.
            text_encoder: Hugging Face BERT (id or folder) that reads the tokens in place of cached text features.
            fine_tune_text: Whether training changes the text encoder.
            text_encoder_lr: Learning rate of a fine-tuned text encoder.
        """
        super().__init__(
            spec, text_encoder=text_encoder, fine_tune_text=fine_tune_text, text_encoder_lr=text_encoder_lr
        )
        if recurrent:
            self.passes = (Pass("with unlabelled"), Pass("labelled", reads_unlabelled=False))
        self.recurrent, self.gradient_through_targets = recurrent, gradient_through_targets
        self.mixes, self.objective = True, Regression(spec)
        self.weights = dict(zip(TARGETS, (multimodal_weight, text_weight, audio_weight, vision_weight), strict=True))
        self.options = {
            "text": {"weight_decay": text_decay},
            "audio": {"lr": audio_lr, "weight_decay": audio_decay},
            "vision": {"lr": vision_lr, "weight_decay": vision_decay},
        }
        widths, hidden = self.inputs.widths, {"text": text_hidden, "audio": audio_hidden, "vision": vision_hidden}
        encoder = RecurrentEncoder if recurrent else AverageSubnetwork
        self.text = nn.Linear(widths["text"], text_hidden)
        self.audio, self.vision = (encoder(widths[m], hidden[m], encoder_dropout) for m in ("audio", "vision"))
        heads = {"text": text_head, "audio": audio_head, "vision": vision_head}
        given = {m: 4 * h if recurrent and m != "text" else h for m, h in hidden.items()}
        self.first = nn.ModuleDict(
            {m: nn.Sequential(nn.Dropout(head_dropout), nn.Linear(given[m], h), nn.ReLU()) for m, h in heads.items()}
        )
        self.second = nn.ModuleDict({m: nn.Sequential(nn.Linear(h, h), nn.ReLU()) for m, h in heads.items()})
        self.last = nn.ModuleDict({m: nn.Linear(h, 1) for m, h in heads.items()})
        self.fusion = nn.Sequential(
            nn.Dropout(head_dropout),
            nn.Linear(sum(heads.values()), fusion_hidden),
            nn.Linear(fusion_hidden, fusion_hidden),
            nn.Linear(fusion_hidden, 1),
        )

    def begin_pass(self, name: str) -> None:
        """Mix, except where an epoch comes back to the labelled clips alone."""
        self.mixes = name != "labelled"

    def forward(self, batch: Batch) -> Prediction:
        """Encode each modality and judge."""
        given = self.given(batch)
        return self.judge(self.encode(given), batch)._replace(features=given)

    def given(self, batch: Batch) -> Vectors:
        """Give what is mixed: the time averages or, with recurrent encoders, what these make of audio and vision."""
        if self.recurrent:
            read = {m: getattr(self, m)(*self.inputs(m, batch)) for m in ("audio", "vision")}
        else:
            read = {m: self.inputs.mean(m, batch) for m in ("audio", "vision")}
        return {"text": self.inputs.text_summary(batch), **read}

    def encode(self, given: Vectors) -> Vectors:
        """Give the vector of each modality."""
        if self.recurrent:
            return {**given, "text": self.text(given["text"])}
        return {"text": self.text(given["text"]), **{m: getattr(self, m)(given[m]) for m in ("audio", "vision")}}

    def judge(self, vectors: Vectors, batch: Batch) -> Prediction:
        """Regress on each modality and on what their heads have found on the way."""
        first = {m: self.first[m](vectors[m]) for m in MODALITIES}
        second = {m: self.second[m](first[m]) for m in MODALITIES}
        raw = {m: self.last[m](second[m]) for m in MODALITIES}
        found = first if self.recurrent else second
        share = self.fusion(torch.cat([found[m] for m in MODALITIES], dim=-1)).sigmoid()
        low, high = self.spec.scaled(self.spec.low), self.spec.scaled(self.spec.high)
        raw["multimodal"] = low + (high - low) * share
        return read_heads(self.objective, raw, batch)

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Weigh the errors of the heads, and the consistency for mixed voices and mixed faces while training."""
        terms = weighted_errors(self.objective, prediction, batch, self.weights)
        if self.training and self.mixes:
            mixed = self.mixed_judgements if self.recurrent else self.mixed_labels
            terms |= {f"mixup_{m}": mixed(m, prediction, batch) for m in ("audio", "vision")}
        return terms

    def mixed_labels(self, modality: str, prediction: Prediction, batch: Batch) -> Tensor:
        """Mix one modality's averages; its error and the fused one count against both labels by their shares."""
        mixup = Mixup.of_all(len(batch.row), 1.0, batch.label.device)
        given = {**prediction.features, modality: mixup.mix(prediction.features[modality])}
        mixed = self.judge(self.encode(given), batch)
        partner = batch._replace(
            label=batch.label[mixup.partner],
            unimodal_labels={**batch.unimodal_labels, modality: batch.unimodal_labels[modality][mixup.partner]},
        )
        own, others = (weighted_errors(self.objective, mixed, b, self.weights) for b in (batch, partner))
        return torch.stack(
            [
                mixup.share * own[t] + (1 - mixup.share) * others[t] if t in ("multimodal", modality) else own[t]
                for t in own
            ]
        ).sum()

    def mixed_judgements(self, modality: str, prediction: Prediction, batch: Batch) -> Tensor:
        """Mix what one modality's encoder gives; its head should give the mixture of its own judgements."""
        mixup = Mixup.of_all(len(batch.row), 1.0, batch.label.device)
        vector, judged = prediction.features[modality], prediction.logits[modality]
        target = mixup.mix(judged if self.gradient_through_targets else judged.detach())
        mixed = self.last[modality](self.second[modality](self.first[modality](mixup.mix(vector))))
        return self.weights[modality] * mean_error(self.objective, mixed, target)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Give each encoder options of its own."""
        return self.group(**self.options)
