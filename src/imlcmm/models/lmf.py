"""LMF: low-rank multimodal fusion."""

from typing import Any, ClassVar

from imlcmm.models.search import Choice, Range
from imlcmm.models.utterance_fusion import ENCODER_SEARCH, UtteranceFusion
from imlcmm.modules.fusion import LowRankFusion
from imlcmm.modules.subnetworks import SubnetworkSizes
from imlcmm.types import DataSpec

SIZES = SubnetworkSizes(
    text_hidden=64, text_out=32, audio_hidden=32, vision_hidden=64, audio_dropout=0.3, vision_dropout=0.3
)


class LMF(UtteranceFusion):
    """Fuse as TFN does, with weights of low rank that never need the outer product.

    The reference leaves the weights of the ranks out of its optimiser (`frozen_fusion`).
    The reference's text LSTM reads the padding, too; this one stops at the last word.
    """

    paper: ClassVar = (
        "Liu, Shen, Lakshminarasimhan, Liang, Zadeh, Morency: Efficient Low-rank Multimodal Fusion with "
        "Modality-Specific Factors (ACL 2018)"
    )
    search_space: ClassVar = {
        **ENCODER_SEARCH,
        "encoders.text_out": Choice((16, 32, 64)),
        "rank": Choice((3, 4, 5, 6)),
        "factor_lr": Range(1e-4, 5e-3, log=True),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        encoders: SubnetworkSizes = SIZES,
        rank: int = 4,
        factor_lr: float = 5e-4,
        frozen_fusion: bool = False,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            encoders: Sizes of the three encoders.
            rank: Rank of the fusion weights.
            factor_lr: Learning rate of the factors.
            frozen_fusion: Leave the weights of the ranks untrained, as the reference does.
        """
        super().__init__(spec, encoders)
        self.fusion = LowRankFusion(encoders.widths, rank, frozen_weights=frozen_fusion)
        self.factor_lr = factor_lr

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Give the factors a learning rate of their own."""
        return self.group(**{"fusion.factors": {"lr": self.factor_lr}})
