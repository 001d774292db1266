"""TFN: tensor fusion network."""

from typing import ClassVar

from imlcmm.models.search import Choice, Range
from imlcmm.models.utterance_fusion import ENCODER_SEARCH, UtteranceFusion
from imlcmm.modules.fusion import TensorFusion
from imlcmm.modules.subnetworks import SubnetworkSizes
from imlcmm.types import DataSpec

SIZES = SubnetworkSizes(
    text_hidden=128, text_out=128, audio_hidden=32, vision_hidden=128, audio_dropout=0.3, vision_dropout=0.3
)


class TFN(UtteranceFusion):
    """Fuse by the outer product of one vector a modality, so that each pair and triple of features has a weight.

    The prediction stays inside the range of the labels; the reference's goes from -3 to 3 (`mosi_range`).
    The reference's text LSTM reads the padding, too; this one stops at the last word.
    """

    paper: ClassVar = (
        "Zadeh, Chen, Poria, Cambria, Morency: Tensor Fusion Network for Multimodal Sentiment Analysis (EMNLP 2017)"
    )
    search_space: ClassVar = {
        **ENCODER_SEARCH,
        "encoders.text_out": Choice((32, 64, 128)),
        "fusion_hidden": Choice((32, 64, 128)),
        "fusion_dropout": Range(0.1, 0.6),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        encoders: SubnetworkSizes = SIZES,
        fusion_hidden: int = 32,
        fusion_dropout: float = 0.5,
        mosi_range: bool = False,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            encoders: Sizes of the three encoders.
            fusion_hidden: Width of the layers after the outer product.
            fusion_dropout: Dropout on the outer product.
            mosi_range: Predict from -3 to 3 whatever the labels' range, as the reference does.
        """
        super().__init__(spec, encoders)
        low, high = (-3.0, 3.0) if mosi_range else (spec.scaled(spec.low), spec.scaled(spec.high))
        self.fusion = TensorFusion(encoders.widths, fusion_hidden, fusion_dropout, low=low, high=high)
