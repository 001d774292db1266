"""ALMT: adaptive language-guided multimodal Transformer."""

from functools import partial
from typing import Any, ClassVar

from torch import Tensor, nn

from imlcmm.models.base import SentimentModel
from imlcmm.models.objectives import Regression, mean_error
from imlcmm.models.search import Choice
from imlcmm.modules.attention import TransformerLayer
from imlcmm.modules.hyper_modality import HyperModalityFusion
from imlcmm.modules.intra_modal import IntraModalExtractor
from imlcmm.modules.untied_layer import UntiedLayer
from imlcmm.types import MODALITIES, Batch, DataSpec, Prediction

HEADS, HEAD_WIDTH, FUSION_HEAD_WIDTH = 8, 64, 16


class ALMT(SentimentModel):
    """Gather from audio and vision, guided by text at three scales, what complements the text.

    This is the model that IML-CMM starts from, built of the same parts. Against the authors' code, padding is masked,
    queries, keys and values of a layer share one normalisation, the hyper-modality is added to itself and not to its
    normalisation, the language and fusion tokens have no positions, and learned tokens start at random: 7,552
    parameters fewer than 3,255,041 at the sizes of CH-SIMS v2. `as_published` is their code in all of this.
    """

    paper: ClassVar = (
        "Zhang, Wang, Yin, Liu, Liu, Yu: Learning Language-guided Adaptive Hyper-modality Representation for "
        "Multimodal Sentiment Analysis (EMNLP 2023)"
    )
    search_space: ClassVar = {"tokens": Choice((4, 8, 16)), "fusion_depth": Choice((1, 2, 3, 4))}

    def __init__(
        self,
        spec: DataSpec,
        *,
        width: int = 128,
        tokens: int = 8,
        fusion_depth: int = 4,
        as_published: bool = False,
        text_encoder: str | dict[str, Any] | None = None,
        fine_tune_text: bool = False,
        text_encoder_lr: float = 1e-4,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            width: Model width.
            tokens: Learned tokens a modality.
            fusion_depth: Cross-attention layers of the fusion.
            as_published: Be as the authors' code: padding is read, every layer has a normalisation more, tokens have
                positions everywhere, and learned tokens start at zero or one.
            text_encoder: Hugging Face BERT (id or folder) that reads the tokens in place of cached text features.
            fine_tune_text: Whether training changes the text encoder.
            text_encoder_lr: Learning rate of a fine-tuned text encoder.
        """
        super().__init__(
            spec, text_encoder=text_encoder, fine_tune_text=fine_tune_text, text_encoder_lr=text_encoder_lr
        )
        kind = UntiedLayer if as_published else TransformerLayer
        layer = partial(kind, width, HEADS, width, activation="gelu", head_width=HEAD_WIDTH, bias=False)
        self.extractors = nn.ModuleDict(
            {
                m: IntraModalExtractor(
                    nn.Linear(self.inputs.widths[m], width), layer(), width=width, tokens=tokens, steps=spec.steps[m]
                )
                for m in MODALITIES
            }
        )
        self.fusion = HyperModalityFusion(
            layer, width=width, tokens=tokens, heads=width // FUSION_HEAD_WIDTH, depth=fusion_depth, reads_text=False,
            as_published=as_published,
        )  # fmt: skip
        if as_published:
            for name, parameter in self.extractors.named_parameters():
                if name.endswith(".tokens"):
                    nn.init.zeros_(parameter)
        self.as_published = as_published
        self.head = nn.Linear(width, 1)

    def forward(self, batch: Batch) -> Prediction:
        """Compress each modality into tokens, and fuse them."""
        tokens = {}
        for m in MODALITIES:
            tokens[m], _ = self.extractors[m](*self.inputs(m, batch), read_frames=False)
        present = {m: batch.masks[m].any(1) | self.as_published for m in MODALITIES}
        fused = self.fusion(tokens, present)
        return Prediction(self.spec.sentiment(self.head(fused).squeeze(-1)))

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Compute the squared error."""
        objective = Regression(self.spec, squared=True)
        error = mean_error(objective, objective.target(prediction.sentiment), objective.target(batch.label))
        return {"multimodal": error}
