"""What goes wrong with clips after training: a modality is missing, features are noisy, frames are lost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from imlcmm.models.inference import keep_modalities
from imlcmm.types import MODALITIES, Batch

NOISE = (0.5, 1.0, 2.0)
LOST = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Corruption:
    """One way in which clips are damaged.

    Attributes:
        name: What it is called.
        severity: How strong it is.
        scale: What the severity counts.
        change: Damages a batch, the same way each time.
    """

    name: str
    severity: float
    scale: str
    change: Callable[[Batch], Batch]


def corruptions(deviations: Mapping[str, Tensor]) -> list[Corruption]:
    """List all of them.

    Args:
        deviations: For each modality the deviation of its features in train, (width,); infinite for constant ones.
    """
    found = []
    for m in MODALITIES:
        others = tuple(other for other in MODALITIES if other != m)
        found.append(Corruption(f"{m} missing", 1.0, "share of clips", partial(keep_modalities, modalities=others)))
        scale = torch.where(deviations[m].isfinite(), deviations[m], 0.0)
        for s in NOISE:
            noise = partial(add_noise, modality=m, scale=s * scale)
            found.append(Corruption(f"noise in {m}", s, "standard deviations", noise))
        for s in LOST:
            found.append(
                Corruption(f"{m} frames lost", s, "share of frames", partial(lose_frames, modality=m, share=s))
            )
    return found


def add_noise(batch: Batch, modality: str, scale: Tensor) -> Batch:
    """Add normal noise to the real frames of a modality.

    Args:
        batch: Clips; a BERT inside a model reads tokens, which stay as they are.
        modality: Which modality.
        scale: (width,) deviation of the noise.
    """
    sequence = batch.sequence(modality)
    noise = torch.randn(sequence.shape, generator=_generator(batch)) * scale
    changed: dict[str, Any] = {modality: sequence + noise * batch.masks[modality].unsqueeze(-1)}
    return batch._replace(**changed)


def lose_frames(batch: Batch, modality: str, share: float) -> Batch:
    """Mask a share of the frames of a modality, drawn at random; a clip keeps one of those it had."""
    mask = batch.masks[modality]
    draw = torch.rand(mask.shape, generator=_generator(batch)).masked_fill(~mask, -1.0)
    kept = mask & ((draw >= share) | (draw == draw.amax(1, keepdim=True)))
    return batch._replace(masks={**batch.masks, modality: kept})


def _generator(batch: Batch) -> torch.Generator:
    """Seed by the clips, so that all models and seeds meet the same damage."""
    return torch.Generator().manual_seed(int(batch.row[0]))
