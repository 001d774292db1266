"""Predicting whole splits, with all modalities or with some of them taken away."""

from collections.abc import Collection

import numpy as np
import torch

from imlcmm.datasets.loading import ClipDataset
from imlcmm.models.base import SentimentModel
from imlcmm.types import MODALITIES, Batch


@torch.no_grad()
def predict_split(
    model: SentimentModel, split: ClipDataset, batch_size: int = 64, modalities: Collection[str] = MODALITIES
) -> dict[str, np.ndarray]:
    """Predict every clip of a split in order: (clips,) sentiment of each head.

    Args:
        model: The model, which is put into evaluation mode.
        split: The clips.
        batch_size: Clips at a time.
        modalities: What the model may read; the others are treated as missing.
    """
    model.eval()
    found = [model(keep_modalities(batch, modalities)) for batch in split.batches(batch_size)]
    heads = {"multimodal": [p.sentiment for p in found]}
    heads |= {m: [p.unimodal[m] for p in found] for m in found[0].unimodal}
    return {head: torch.cat(values).float().cpu().numpy() for head, values in heads.items()}


def keep_modalities(batch: Batch, modalities: Collection[str]) -> Batch:
    """Mask the other modalities out."""
    masks = {m: mask if m in modalities else torch.zeros_like(mask) for m, mask in batch.masks.items()}
    return batch._replace(masks=masks)
