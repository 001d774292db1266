"""Values that are not finite: single ones are filled, frames of them are missing, columns of them are left out."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

_SHARE = 0.5


class Columns:
    """Counts, frame by frame, what is finite in each column of one modality."""

    def __init__(self, width: int) -> None:
        """Begin with no frame."""
        self.frames = 0
        self.finite: Int[np.ndarray, " width"] = np.zeros(width, np.int64)
        self.sums: Float[np.ndarray, " width"] = np.zeros(width)

    def add(self, frames: Float[np.ndarray, "steps width"]) -> None:
        """Count some frames; those without any finite value are missing, which says nothing of the columns."""
        finite = np.isfinite(frames)
        if finite.all():
            self.frames += len(frames)
            self.finite += len(frames)
            self.sums += frames.sum(axis=0, dtype=np.float64)
            return
        self.frames += int(finite.any(axis=1).sum())
        self.finite += finite.sum(axis=0)
        self.sums += np.where(finite, frames, 0).sum(axis=0, dtype=np.float64)


class Repair(NamedTuple):
    """What to do with the frames of one modality.

    Attributes:
        left_out: Columns that are mostly not finite: they are zero everywhere, which no model reads anything from.
        fill: What stands for a single value that is not finite: the mean of its column.
    """

    left_out: Bool[np.ndarray, " width"]
    fill: Float[np.ndarray, " width"]

    @classmethod
    def of(cls, counts: Iterable[Columns]) -> "Repair":
        """Decide by the frames that were counted, those of the train split where there is one."""
        counts = list(counts)
        frames = sum(each.frames for each in counts)
        finite = np.sum([each.finite for each in counts], axis=0)
        sums = np.sum([each.sums for each in counts], axis=0)
        left_out = finite < _SHARE * frames
        return cls(left_out, np.where(left_out | (finite == 0), 0.0, sums / np.maximum(finite, 1)))

    def __call__(
        self, frames: Float[np.ndarray, "steps width"]
    ) -> tuple[Float[np.ndarray, "steps width"], Bool[np.ndarray, " steps"], int]:
        """Give repaired frames, which of them are there, and how many single values were filled.

        A frame of whose columns half or more are not finite is missing, and all zero.
        """
        finite = np.isfinite(frames)
        if finite.all() and not self.left_out.any():
            return frames, np.ones(len(frames), bool), 0
        kept = finite[:, ~self.left_out]
        there = kept.sum(axis=1) > (1 - _SHARE) * kept.shape[1] if kept.shape[1] else np.zeros(len(frames), bool)
        repaired = np.where(finite, frames, self.fill.astype(frames.dtype))
        repaired[:, self.left_out] = 0
        repaired[~there] = 0
        return repaired, there, int((~kept[there]).sum())
