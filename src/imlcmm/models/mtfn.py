"""MTFN: tensor fusion with a task for each modality."""

from typing import ClassVar

from imlcmm.models.search import Choice, Range
from imlcmm.models.utterance_fusion import ENCODER_SEARCH, TASK_SEARCH, MultitaskFusion, Tasks
from imlcmm.modules.fusion import TensorFusion
from imlcmm.modules.subnetworks import SubnetworkSizes
from imlcmm.types import DataSpec

SIZES = SubnetworkSizes(
    text_hidden=64, text_out=32, audio_hidden=16, vision_hidden=64, audio_dropout=0.3, vision_dropout=0.3
)
TASKS = Tasks(
    text_head=16, audio_head=5, vision_head=64, dropout=0.5,
    multimodal_weight=1.0, text_weight=0.4, audio_weight=0.4, vision_weight=0.8,
    text_decay=1e-5, audio_decay=1e-4, vision_decay=1e-4,
)  # fmt: skip


class MTFN(MultitaskFusion):
    """TFN with a head and a loss for each modality.

    The fused prediction stays inside the range of the labels; the reference's goes from -3 to 3 (`mosi_range`).
    The reference's text LSTM reads the padding, too; this one stops at the last word.
    """

    search_space: ClassVar = {
        **ENCODER_SEARCH,
        **TASK_SEARCH,
        "encoders.text_out": Choice((32, 64)),
        "fusion_hidden": Choice((32, 64, 128)),
        "fusion_dropout": Range(0.1, 0.6),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        encoders: SubnetworkSizes = SIZES,
        fusion_hidden: int = 64,
        fusion_dropout: float = 0.5,
        tasks: Tasks = TASKS,
        mosi_range: bool = False,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            encoders: Sizes of the three encoders.
            fusion_hidden: Width of the layers after the outer product.
            fusion_dropout: Dropout on the outer product.
            tasks: Heads and weights of the single modalities.
            mosi_range: Predict from -3 to 3 whatever the labels' range, as the reference does.
        """
        super().__init__(spec, encoders, tasks)
        low, high = (-3.0, 3.0) if mosi_range else (spec.scaled(spec.low), spec.scaled(spec.high))
        self.fusion = TensorFusion(encoders.widths, fusion_hidden, fusion_dropout, low=low, high=high)
