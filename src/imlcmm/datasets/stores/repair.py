"""Values that are not finite: single ones are filled, frames of them are missing, columns of them are left out."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

_SHARE = 0.5


class Columns:
    """Counts what is finite in each column of one modality: in frames that mostly are, and in those that are at all."""

    def __init__(self, width: int) -> None:
        """Begin with no frame."""
        self.frames: Int[np.ndarray, " 2"] = np.zeros(2, np.int64)
        self.finite: Int[np.ndarray, "2 width"] = np.zeros((2, width), np.int64)
        self.sums: Float[np.ndarray, "2 width"] = np.zeros((2, width))

    def add(self, frames: Float[np.ndarray, "steps width"]) -> None:
        """Count some frames."""
        finite = np.isfinite(frames)
        if finite.all():
            self.frames += len(frames)
            self.finite += len(frames)
            self.sums += frames.sum(axis=0, dtype=np.float64)
            return
        values = np.where(finite, frames, 0)
        found = finite.sum(axis=1)
        for row, chosen in enumerate((found > _SHARE * frames.shape[1], found > 0)):
            self.frames[row] += int(chosen.sum())
            self.finite[row] += finite[chosen].sum(axis=0)
            self.sums[row] += values[chosen].sum(axis=0, dtype=np.float64)


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
        """Decide by the frames that were counted, those of the train split where there is one.

        Either frames are judged first, and columns by the good ones, or columns first: whichever keeps more. Many
        frames without a face must not cost the columns of the face, nor many dead columns all frames.
        """
        counts = list(counts)
        frames = np.sum([each.frames for each in counts], axis=0)
        finite = np.sum([each.finite for each in counts], axis=0)
        sums = np.sum([each.sums for each in counts], axis=0)
        left_out = finite < _SHARE * frames[:, None]
        row = int(np.argmax(frames * (~left_out).sum(axis=1)))
        out, known = left_out[row], finite[row] > 0
        return cls(out, np.where(known & ~out, sums[row] / np.maximum(finite[row], 1), 0.0))

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
