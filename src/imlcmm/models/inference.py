"""Predicting whole splits, and batches of which some modalities are taken away."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.models.base import SentimentModel
from imlcmm.types import Batch, Prediction


@torch.no_grad()
def predict_split(
    model: SentimentModel,
    split: ClipDataset,
    batch_size: int = 64,
    change: Callable[[Batch], Batch] | None = None,
) -> dict[str, np.ndarray]:
    """Predict every clip of a split in order: (clips,) sentiment of each head; `change` is done to each batch first."""
    model.eval()
    batches = (split if change else split.averaging(model.averages)).batches(batch_size)
    found = [heads_of(model(beside(model, batch))) for batch in (map(change, batches) if change else batches)]
    return {head: torch.cat([values[head] for values in found]).float().cpu().numpy() for head in found[0]}


def beside(model: SentimentModel, batch: Batch) -> Batch:
    """Bring a batch to the device on which a model lies."""
    moved: Batch = move_data_to_device(batch, next(model.parameters()).device)
    return moved


def heads_of(prediction: Prediction) -> dict[str, Tensor]:
    """Give the (batch,) sentiment of each head, the multimodal one first."""
    return {"multimodal": prediction.sentiment, **prediction.unimodal}


def keep_modalities(batch: Batch, modalities: Collection[str]) -> Batch:
    """Leave the other modalities out: a masked step of each stays."""
    others = [m for m in batch.masks if m not in modalities]
    masks = {m: torch.zeros_like(mask[:, :1]) if m in others else mask for m, mask in batch.masks.items()}
    tokens = batch.tokens[..., :1] if batch.tokens is not None and "text" in others else batch.tokens
    short: dict[str, Any] = {m: batch.sequence(m)[:, :1] for m in others}
    return batch._replace(masks=masks, tokens=tokens, **short)
