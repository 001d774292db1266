"""What `predict` says of clips: outputs in the place of the mean label of such outputs on validation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imlcmm.calibration import Calibration, read_calibration
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.errors import ModelError
from imlcmm.types import MODALITIES


def calibration_of(checkpoint: Path) -> Calibration:
    """Read the calibration of a checkpoint.

    Raises:
        ModelError: If it has none, since there was no validation split, or it is damaged.
    """
    calibration = read_calibration(checkpoint)
    if calibration is None:
        raise ModelError(f"{checkpoint} has no calibration: train with a validation split, or leave that out")
    return calibration


def calibrated(
    calibrations: Sequence[Calibration], predictions: Mapping[str, Float[np.ndarray, "seeds clips"]], clips: ClipDataset
) -> dict[str, Float[np.ndarray, "seeds clips"]]:
    """Put each head's outputs in the place of the mean label of validation clips with such outputs.

    The curve of the multimodal head is that of the modalities which a clip has. Where too few validation clips had
    them, outputs stay as they are.

    Args:
        calibrations: The curves of each seed's model.
        predictions: Outputs of each head; NaN where a clip lacks the modality.
        clips: The clips.
    """
    present = _present(clips)
    moved = {head: values.copy() for head, values in predictions.items()}
    for head, seeds in moved.items():
        for calibration, values in zip(calibrations, seeds, strict=True):
            for row, value in enumerate(values.tolist()):
                curve = calibration.curve(head, present[row] if head == "multimodal" else ())
                if curve is not None and np.isfinite(value):
                    values[row] = curve.value(value)
    return moved


def _present(clips: ClipDataset) -> list[list[str]]:
    """Name the modalities of each clip."""
    found: list[list[str]] = []
    for batch in clips.averaging(MODALITIES).batches(256):
        there = {m: mask.any(1).tolist() for m, mask in batch.masks.items()}
        found += [[m for m in MODALITIES if there[m][row]] for row in range(len(batch.row))]
    return found
