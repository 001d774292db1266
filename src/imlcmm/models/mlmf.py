"""MLMF: low-rank fusion with a task for each modality."""

from typing import Any, ClassVar

from imlcmm.models.search import Choice, Range
from imlcmm.models.utterance_fusion import ENCODER_SEARCH, TASK_SEARCH, MultitaskFusion, Tasks
from imlcmm.modules.fusion import LowRankFusion
from imlcmm.modules.subnetworks import SubnetworkSizes
from imlcmm.types import DataSpec

SIZES = SubnetworkSizes(
    text_hidden=64, text_out=32, audio_hidden=16, vision_hidden=64, audio_dropout=0.3, vision_dropout=0.3
)
TASKS = Tasks(
    text_head=16, audio_head=5, vision_head=16, dropout=0.4,
    multimodal_weight=0.4, text_weight=0.0, audio_weight=0.4, vision_weight=1.0,
    text_decay=0.0, audio_decay=1e-5, vision_decay=1e-5,
)  # fmt: skip


class MLMF(MultitaskFusion):
    """LMF with a head and a loss for each modality.

    By default the text task has no weight, so it has no head: the reference keeps an untrained one of 817 parameters.
    It also leaves the weights of the ranks out of its optimiser (`frozen_fusion`).
    The reference's text LSTM reads the padding, too; this one stops at the last word.
    """

    search_space: ClassVar = {
        **ENCODER_SEARCH,
        **TASK_SEARCH,
        "encoders.text_out": Choice((16, 32, 64)),
        "rank": Choice((3, 4, 5, 6)),
        "factor_lr": Range(1e-4, 5e-3, log=True),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        encoders: SubnetworkSizes = SIZES,
        rank: int = 6,
        tasks: Tasks = TASKS,
        factor_lr: float = 5e-4,
        frozen_fusion: bool = False,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            encoders: Sizes of the three encoders.
            rank: Rank of the fusion weights.
            tasks: Heads and weights of the single modalities.
            factor_lr: Learning rate of the factors.
            frozen_fusion: Leave the weights of the ranks untrained, as the reference does.
        """
        super().__init__(spec, encoders, tasks)
        self.fusion = LowRankFusion(encoders.widths, rank, frozen_weights=frozen_fusion)
        self.factor_lr = factor_lr

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Give the factors a learning rate, and each encoder a weight decay of its own."""
        return self.group(**{"fusion.factors": {"lr": self.factor_lr}, **self.encoder_decay()})
