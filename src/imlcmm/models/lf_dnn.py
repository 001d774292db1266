"""LF_DNN: late fusion of three encoders."""

from typing import ClassVar

import torch
from torch import nn

from imlcmm.models.base import SentimentModel
from imlcmm.modules.subnetworks import AverageSubnetwork, TextSubnetwork
from imlcmm.types import Batch, DataSpec, Prediction


class LF_DNN(SentimentModel):  # noqa: N801 (the field writes it so)
    """Late-fusion network: encode each modality to one vector, concatenate, and regress.

    Follows the model of that name in Yu et al. (2020), "CH-SIMS". Audio and vision are averaged over real frames, where
    the reference averages padding too.
    """

    paper: ClassVar[str] = "yu2020chsims"

    def __init__(
        self,
        spec: DataSpec,
        *,
        text_hidden: int = 64,
        text_out: int = 256,
        audio_hidden: int = 32,
        vision_hidden: int = 64,
        audio_dropout: float = 0.4,
        vision_dropout: float = 0.4,
        fusion_hidden: int = 32,
        fusion_dropout: float = 0.4,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            text_hidden: Width of the text LSTM.
            text_out: Width of the text vector.
            audio_hidden: Width of the audio vector.
            vision_hidden: Width of the vision vector.
            audio_dropout: Dropout before the audio encoder.
            vision_dropout: Dropout before the vision encoder.
            fusion_hidden: Width of the layers after the concatenation.
            fusion_dropout: Dropout before these layers.
        """
        super().__init__()
        self.spec = spec
        self.text = TextSubnetwork(spec.widths["text"], text_hidden, text_out)
        self.audio = AverageSubnetwork(spec.widths["audio"], audio_hidden, audio_dropout)
        self.vision = AverageSubnetwork(spec.widths["vision"], vision_hidden, vision_dropout)
        self.head = nn.Sequential(
            nn.Dropout(fusion_dropout),
            nn.Linear(audio_hidden + vision_hidden + text_out, fusion_hidden),
            nn.ReLU(),
            nn.Linear(fusion_hidden, fusion_hidden),
            nn.ReLU(),
            nn.Linear(fusion_hidden, 1),
        )

    def forward(self, batch: Batch) -> Prediction:
        """Encode, concatenate and regress."""
        encoded = [getattr(self, m)(batch.sequence(m), batch.masks[m]) for m in ("audio", "vision", "text")]
        return Prediction(self.head(torch.cat(encoded, dim=-1)).squeeze(-1))
