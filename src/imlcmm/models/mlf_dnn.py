"""MLF_DNN: late fusion with a task for each modality."""

from typing import ClassVar

from imlcmm.models.search import Choice, Range
from imlcmm.models.utterance_fusion import ENCODER_SEARCH, TASK_SEARCH, MultitaskFusion, Tasks
from imlcmm.modules.fusion import ConcatFusion
from imlcmm.modules.subnetworks import SubnetworkSizes
from imlcmm.types import DataSpec

SIZES = SubnetworkSizes(
    text_hidden=128, text_out=32, audio_hidden=32, vision_hidden=128, audio_dropout=0.2, vision_dropout=0.2
)
TASKS = Tasks(
    text_head=32, audio_head=4, vision_head=64, dropout=0.3,
    multimodal_weight=0.8, text_weight=1.0, audio_weight=0.6, vision_weight=0.8,
    text_decay=0.0, audio_decay=1e-5, vision_decay=1e-5,
)  # fmt: skip


class MLF_DNN(MultitaskFusion):  # noqa: N801 (the field writes it so)
    """LF_DNN with a head and a loss for each modality.

    The reference's text LSTM reads the padding, too; this one stops at the last word.
    """

    search_space: ClassVar = {
        **ENCODER_SEARCH,
        **TASK_SEARCH,
        "encoders.text_out": Choice((32, 64, 128)),
        "fusion_hidden": Choice((32, 64, 128)),
        "fusion_dropout": Range(0.1, 0.6),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        encoders: SubnetworkSizes = SIZES,
        fusion_hidden: int = 64,
        fusion_dropout: float = 0.3,
        tasks: Tasks = TASKS,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            encoders: Sizes of the three encoders.
            fusion_hidden: Width of the layers after the concatenation.
            fusion_dropout: Dropout before these layers.
            tasks: Heads and weights of the single modalities.
        """
        super().__init__(spec, encoders, tasks)
        self.fusion = ConcatFusion(encoders.widths, fusion_hidden, fusion_dropout)
