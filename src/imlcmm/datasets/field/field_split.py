"""One split of a field file, read clip by clip: frames are cut to their true lengths."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from imlcmm.datasets.field.sequences import Sequences
from imlcmm.errors import DataError
from imlcmm.types import MODALITIES, Clip


@dataclass(frozen=True)
class FieldSplit:
    """One split of a field file, checked and ready to be read clip by clip.

    Attributes:
        name: The split's name, as this package calls it.
        identifiers: One id a clip.
        transcripts: What is said in each clip.
        sequences: The features of each modality, None where the file lacks them.
        lengths: (clips,) true steps of each modality, None where trailing zeros tell.
        tokens: The (clips, 3, steps) tokens, as sequences, or None.
        labels: (clips,) labels of each target that has them.
        keep: (clips,) which clips belong to the data set.
        aligned: Whether all modalities share their steps, so that the text's length is everyone's.
        where: Beginning of error messages: the file and the split.
    """

    name: str
    identifiers: list[str]
    transcripts: list[str]
    sequences: dict[str, Sequences | None]
    lengths: dict[str, np.ndarray | None]
    tokens: Sequences | None
    labels: dict[str, np.ndarray]
    keep: np.ndarray
    aligned: bool
    where: str

    @property
    def widths(self) -> dict[str, int]:
        """Give the features a frame of each modality: 0 for a text of tokens alone, 1 for a modality without frames."""
        alone = {m: 0 if m == "text" and self.tokens is not None else 1 for m in MODALITIES}
        return {m: alone[m] if (s := self.sequences[m]) is None else s.width for m in MODALITIES}

    @property
    def absent(self) -> tuple[str, ...]:
        """List the modalities of which the file holds nothing."""
        return tuple(m for m in MODALITIES if self.sequences[m] is None and (m != "text" or self.tokens is None))

    @property
    def values(self) -> int:
        """Count the numbers of all frames, of the modalities whose true lengths the file tells."""
        told = {m: lengths[self.keep] for m, lengths in self.lengths.items() if lengths is not None}
        return int(sum(lengths.sum() * self.widths[m] for m, lengths in told.items()))

    def clips(self) -> Iterator[Clip]:
        """Read the clips in order, cut to their true lengths.

        Raises:
            DataError: Naming the split and the clip.
        """
        nothing: list[None] = [None] * len(self.identifiers)
        streams: list[Any] = [self.sequences[m] if self.sequences[m] is not None else nothing for m in MODALITIES]
        tokens = nothing if self.tokens is None else self.tokens
        for row, (own_tokens, *frames) in enumerate(zip(tokens, *streams, strict=True)):
            if self.keep[row]:
                yield self._clip(row, dict(zip(MODALITIES, frames, strict=True)), own_tokens)

    def _clip(self, row: int, frames: dict[str, Any], tokens: np.ndarray | None) -> Clip:
        """Cut the frames of one clip and collect what belongs to it."""
        where = f"{self.where}, clip {self.identifiers[row]}"
        steps = {m: self._steps(m, row, frames[m]) for m in MODALITIES}
        if tokens is not None:
            tokens = _checked_tokens(tokens, where)
            if self.lengths["text"] is None:
                steps["text"] = _last(tokens[:, 1] != 0)
            tokens = tokens[: steps["text"]]
        if self.aligned:
            steps = dict.fromkeys(MODALITIES, steps["text"]) | dict.fromkeys(self.absent, 0)
        return Clip(
            identifier=self.identifiers[row],
            transcript=self.transcripts[row],
            sequences={
                m: np.zeros((steps[m], self.widths[m]), np.float32) if frames[m] is None else frames[m][: steps[m]]
                for m in MODALITIES
            },
            labels={target: float(values[row]) for target, values in self.labels.items()},
            tokens=tokens,
        )

    def _steps(self, modality: str, row: int, frames: np.ndarray | None) -> int:
        """Find the true length of one modality of one clip."""
        lengths = self.lengths[modality]
        if lengths is not None:
            return int(lengths[row])
        if frames is None:
            return 0
        # A frame of zeros and NaN is padding in which a dead column goes on; one of NaN alone could not be measured.
        finite = np.isfinite(frames)
        return _last(((frames != 0) & finite).any(axis=1) | ~finite.any(axis=1))


def _checked_tokens(tokens: np.ndarray, where: str) -> np.ndarray:
    """Give the (steps, 3) tokens of a clip as int32."""
    with np.errstate(invalid="ignore"):
        whole = tokens.astype(np.int32)
    if not np.array_equal(whole, tokens) or (whole < 0).any():
        raise DataError(f"{where}, key 'text_bert': token ids must be whole numbers from 0 on; save it anew")
    return whole


def _last(real: np.ndarray) -> int:
    """Count the steps up to the last real one."""
    positions = np.flatnonzero(real)
    return int(positions[-1]) + 1 if len(positions) else 0
