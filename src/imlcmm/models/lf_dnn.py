"""LF_DNN: late fusion."""

from typing import ClassVar

from imlcmm.models.search import Choice, Range
from imlcmm.models.utterance_fusion import CH_SIMS, ENCODER_SEARCH, UtteranceFusion
from imlcmm.modules.fusion import ConcatFusion
from imlcmm.modules.subnetworks import SubnetworkSizes
from imlcmm.types import DataSpec

SIZES = SubnetworkSizes(
    text_hidden=64, text_out=256, audio_hidden=32, vision_hidden=64, audio_dropout=0.4, vision_dropout=0.4
)


class LF_DNN(UtteranceFusion):  # noqa: N801 (the field writes it so)
    """Encode each modality to one vector, concatenate the three, and regress.

    The reference's text LSTM reads the padding, too; this one stops at the last word.
    """

    paper: ClassVar = CH_SIMS
    search_space: ClassVar = {
        **ENCODER_SEARCH,
        "encoders.text_out": Choice((32, 64, 128, 256)),
        "fusion_hidden": Choice((32, 64, 128)),
        "fusion_dropout": Range(0.1, 0.6),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        encoders: SubnetworkSizes = SIZES,
        fusion_hidden: int = 32,
        fusion_dropout: float = 0.4,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            encoders: Sizes of the three encoders.
            fusion_hidden: Width of the layers after the concatenation.
            fusion_dropout: Dropout before these layers.
        """
        super().__init__(spec, encoders)
        self.fusion = ConcatFusion(encoders.widths, fusion_hidden, fusion_dropout)
