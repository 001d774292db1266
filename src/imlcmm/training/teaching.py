"""Distillation: what trained models say of the training clips softens their labels (Furlanello et al. 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.errors import TrainingError
from imlcmm.models.base import SentimentModel
from imlcmm.models.inference import predict_split
from imlcmm.types import TARGETS, Batch


@dataclass(frozen=True)
class Teaching:
    """What teachers say, and how much it counts.

    Attributes:
        said: (clips, 4) mean of what the teachers say of each training clip, in the order of TARGETS; NaN where no
            teacher has that head or the clip lacks the modality.
        share: Share of it in what is learnt; the rest is the label.
    """

    said: Float[Tensor, "clips targets"]
    share: float

    @classmethod
    def by(cls, models: Sequence[SentimentModel], clips: ClipDataset, share: float) -> "Teaching":
        """Ask some models, such as those of all seeds of a run.

        Raises:
            TrainingError: If the share is not above 0 and at most 1.
            ModelError: If the models read other features than the clips have.
        """
        if not 0 < share <= 1:
            raise TrainingError(f"a teaching share of {share:g} was asked for; give more than 0 and at most 1")
        for model in models:
            model.check_fits(clips.spec)
        seeds = [predict_split(model, clips) for model in models]
        low, high, silent = clips.spec.low, clips.spec.high, np.full(len(clips), np.nan, dtype=np.float32)
        heads = [np.mean([said.get(head, silent).clip(low, high) for said in seeds], axis=0) for head in TARGETS]
        return cls(torch.from_numpy(np.stack(heads, axis=1)), share)

    def of(self, batch: Batch) -> Batch:
        """Move the labels of a batch towards what the teachers say of its clips; unknown labels stay unknown."""
        said = self.said.to(batch.label.device)[batch.row]
        softened = {target: self._soften(batch, target, said[:, i]) for i, target in enumerate(TARGETS)}
        return batch._replace(label=softened.pop("multimodal"), unimodal_labels=softened)

    def _soften(self, batch: Batch, target: str, said: Tensor) -> Tensor:
        label = batch.label if target == "multimodal" else batch.unimodal_labels[target]
        return torch.where(said.isfinite() & (batch.row >= 0), label.lerp(said, self.share), label)
