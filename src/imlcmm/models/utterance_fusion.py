"""What LF_DNN, TFN and LMF share, and their multi-task siblings MLF_DNN, MTFN and MLMF."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from imlcmm.models.base import SentimentModel
from imlcmm.models.objectives import Regression, read_heads, weighted_errors
from imlcmm.models.search import Choice, Range
from imlcmm.modules.mlp import RegressionHead
from imlcmm.modules.subnetworks import Subnetworks, SubnetworkSizes
from imlcmm.types import MODALITIES, TARGETS, Batch, DataSpec, Prediction

CH_SIMS = (
    "Yu, Xu, Meng, Zhu, Ma, Wu, Zou, Yang: CH-SIMS: A Chinese Multimodal Sentiment Analysis Dataset with Fine-grained "
    "Annotations of Modality (ACL 2020)"
)
ENCODER_SEARCH: Mapping[str, Range | Choice] = {
    "encoders.text_hidden": Choice((32, 64, 128)),
    "encoders.audio_hidden": Choice((16, 32)),
    "encoders.vision_hidden": Choice((32, 64, 128)),
    "encoders.audio_dropout": Range(0.0, 0.5),
    "encoders.vision_dropout": Range(0.0, 0.5),
}
TASK_SEARCH: Mapping[str, Range | Choice] = {
    "tasks.text_weight": Range(0.1, 1.0),
    "tasks.audio_weight": Range(0.1, 1.0),
    "tasks.vision_weight": Range(0.1, 1.0),
    "tasks.dropout": Range(0.0, 0.6),
}


class UtteranceFusion(SentimentModel):
    """Encode each modality to one vector, and fuse the vectors; a model adds `fusion`.

    Audio and vision are averaged over real frames, where the reference averages padding too.
    """

    averages: ClassVar = ("audio", "vision")
    fusion: nn.Module

    def __init__(self, spec: DataSpec, encoders: SubnetworkSizes) -> None:
        """Build the encoders."""
        super().__init__(spec)
        self.encoders = Subnetworks(self.inputs.widths, encoders)

    def forward(self, batch: Batch) -> Prediction:
        """Encode and fuse."""
        return Prediction(self.spec.sentiment(self.fusion(self.encoders(self.inputs, batch)).squeeze(-1)))


@dataclass(frozen=True)
class Tasks:
    """The heads of the single modalities, and what each task counts.

    Attributes:
        text_head: Width of the text head's layers.
        audio_head: Width of the audio head's layers.
        vision_head: Width of the vision head's layers.
        dropout: Dropout before these heads.
        multimodal_weight: Weight of the fused prediction's loss.
        text_weight: Weight of the text loss; with 0 there is no such head, since nothing would train it.
        audio_weight: Weight of the audio loss.
        vision_weight: Weight of the vision loss.
        text_decay: Weight decay of the text encoder.
        audio_decay: Weight decay of the audio encoder.
        vision_decay: Weight decay of the vision encoder.
    """

    text_head: int
    audio_head: int
    vision_head: int
    dropout: float
    multimodal_weight: float
    text_weight: float
    audio_weight: float
    vision_weight: float
    text_decay: float
    audio_decay: float
    vision_decay: float


class MultitaskFusion(UtteranceFusion):
    """Utterance fusion with a head and a loss for each modality beside the fused one (Yu et al. 2020, section 4)."""

    paper: ClassVar = CH_SIMS
    learns_unimodal_labels: ClassVar = True

    def __init__(self, spec: DataSpec, encoders: SubnetworkSizes, tasks: Tasks) -> None:
        """Build the encoders and the heads."""
        super().__init__(spec, encoders)
        self.objective, self.tasks = Regression(spec), tasks
        self.weights = {target: getattr(tasks, f"{target}_weight") for target in TARGETS}
        self.heads = nn.ModuleDict(
            {
                m: RegressionHead(encoders.widths[m], getattr(tasks, f"{m}_head"), tasks.dropout)
                for m in MODALITIES
                if self.weights[m]
            }
        )

    def forward(self, batch: Batch) -> Prediction:
        """Encode, fuse, and regress on each vector alone."""
        vectors = self.encoders(self.inputs, batch)
        raw = {m: head(vectors[m]) for m, head in self.heads.items()}
        return read_heads(self.objective, {"multimodal": self.fusion(vectors), **raw}, batch)

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Weigh the errors of the heads."""
        return weighted_errors(self.objective, prediction, batch, self.weights)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Let each encoder decay at a rate of its own."""
        return self.group(**self.encoder_decay())

    def encoder_decay(self) -> dict[str, Mapping[str, float]]:
        """Give the options of the encoders' parameters."""
        return {f"encoders.{m}": {"weight_decay": getattr(self.tasks, f"{m}_decay")} for m in MODALITIES}
