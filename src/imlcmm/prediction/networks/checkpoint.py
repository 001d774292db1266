"""A checkpoint as a network, computed by PyTorch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from imlcmm.calibration import Calibration, read_calibration
from imlcmm.models.base import SentimentModel
from imlcmm.models.checkpoint import load_checkpoint
from imlcmm.prediction.networks.network import ClipArrays, Scores
from imlcmm.types import MODALITIES, Batch, DataSpec


class CheckpointNetwork:
    """Score clips with a model of PyTorch.

    Attributes:
        model: The model, in evaluation mode.
        calibration: How far it can be trusted.
    """

    def __init__(self, model: SentimentModel, calibration: Calibration | None) -> None:
        """Hold a model."""
        self.model, self.calibration = model.eval(), calibration

    @classmethod
    def load(cls, checkpoint: Path, own_models: Sequence[str] = ()) -> "CheckpointNetwork":
        """Load a checkpoint folder.

        Raises:
            ModelError: If it is none, or damaged.
        """
        return cls(load_checkpoint(checkpoint, own_models=own_models), read_calibration(checkpoint))

    @property
    def spec(self) -> DataSpec:
        """Shape of the data that the model was trained on."""
        return self.model.spec

    @property
    def means(self) -> Mapping[str, np.ndarray]:
        """Mean of each feature in training."""
        return self.model.inputs.means

    @torch.no_grad()
    def __call__(self, clips: ClipArrays) -> Scores:
        """Score some clips."""
        prediction = self.model(as_batch(clips))
        return Scores(
            prediction.sentiment.numpy(),
            {m: values.numpy() for m, values in prediction.unimodal.items()},
            {m: weights.numpy() for m, weights in prediction.attention.items() if m in MODALITIES},
        )


def as_batch(clips: ClipArrays) -> Batch:
    """Make tensors of arrays; nobody knows the labels."""
    masks = {m: torch.from_numpy(mask) for m, mask in clips.masks.items()}
    unknown = torch.full((len(masks["text"]),), torch.nan)
    return Batch(
        **{m: torch.from_numpy(values) for m, values in clips.sequences.items()},
        masks=masks,
        label=unknown,
        unimodal_labels=dict.fromkeys(MODALITIES, unknown),
        row=torch.full((len(unknown),), -1),
        tokens=torch.from_numpy(clips.tokens),
    )
