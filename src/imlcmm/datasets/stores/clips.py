"""Clips as the models meet them: memory-mapped, given out in padded batches."""

from collections.abc import Collection, Iterator, Sequence
from typing import SupportsIndex

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from imlcmm.datasets.stores.split_files import SplitFiles
from imlcmm.errors import DataError
from imlcmm.types import MODALITIES, TARGETS, Batch, DataSpec

Rows = Sequence[SupportsIndex] | np.ndarray | Tensor
_CHUNK = 64
_SEPARATOR = "$_$"


class ClipDataset(Dataset[int]):
    """The clips of one split, or of a subset of it; `batch` reads the frames of the clips it is asked for.

    Items are row numbers: a loader samples rows and `batch` (its `collate_fn`) turns them into tensors.

    Attributes:
        spec: The data set's spec.
        split: Name of the split.
        labels: (clips, 4) float32 in the order of TARGETS, NaN where a clip has no such label.
        oracle: (clips, subsets, levels) posterior of the label in simulated data, otherwise None.
    """

    def __init__(
        self, files: SplitFiles, spec: DataSpec, positions: np.ndarray, averages: frozenset[str] = frozenset()
    ) -> None:
        """Take clips of a split by their positions in its files; `SentimentData` and the views of it call this."""
        self._files, self._positions, self._averages = files, positions, averages
        self.spec, self.split = spec, files.split
        columns = files.columns
        self.labels = torch.from_numpy(columns["labels"][positions])
        self.oracle = torch.from_numpy(columns["oracle"][positions]) if "oracle" in columns else None
        alone = self.labels[:, 1:]
        self._own_labels = self.labels if alone.isfinite().any() else self.labels[:, :1].expand(-1, len(TARGETS))

    def __len__(self) -> int:
        """Count the clips."""
        return len(self._positions)

    def __getitem__(self, row: int) -> int:
        """Give the row itself; `batch` does the reading."""
        return row

    @property
    def ids(self) -> list[str]:
        """List the clips' identifiers, `video$_$clip`."""
        return self._pick("ids")

    @property
    def transcripts(self) -> list[str]:
        """List what is said in each clip."""
        return self._pick("transcripts")

    def pieces(self, row: int) -> list[str]:
        """Say how each text step of a clip is written; nothing where the data set does not know."""
        names = self._files.names
        return names["pieces"][self._positions[row]] if "pieces" in names else []

    @property
    def videos(self) -> list[str]:
        """List the source video of each clip: its id up to `$_$`."""
        return [identifier.split(_SEPARATOR)[0] for identifier in self.ids]

    def _pick(self, key: str) -> list[str]:
        """Take the names of this data set's clips."""
        names = self._files.names[key]
        return [names[position] for position in self._positions]

    def lengths(self, modality: str) -> np.ndarray:
        """Count the frames of each clip, (clips,) int64, invalid frames included."""
        offsets = self._files.columns[f"{modality}_offsets"]
        lengths: np.ndarray = offsets[self._positions + 1] - offsets[self._positions]
        return lengths

    def subset(self, rows: Rows) -> "ClipDataset":
        """View some of the clips, in the given order, as a data set of their own (rows count from 0 again)."""
        return ClipDataset(self._files, self.spec, self._positions[_row_numbers(rows, len(self))], self._averages)

    def averaging(self, modalities: Collection[str]) -> "ClipDataset":
        """View the clips with some modalities averaged over time: `batch` gives the real frames' mean as one step.

        For models that read no more of them; the frames are read once, however often the clips are.
        """
        return ClipDataset(self._files, self.spec, self._positions, frozenset(modalities))

    def sample(self, share: float, seed: int = 0) -> "ClipDataset":
        """Draw a share of the clips, at least one and by a seed always the same ones, kept in order.

        Raises:
            DataError: If the share is not above 0 and at most 1.
        """
        if not 0 < share <= 1:
            raise DataError(f"a share of {share:g} of the clips was asked for; give more than 0 and at most 1")
        order = np.random.default_rng(seed).permutation(len(self))
        return self.subset(np.sort(order[: max(1, round(share * len(self)))]))

    def batch(self, rows: Rows) -> Batch:
        """Read some clips, padded with zeros at the end to the longest of them (at least one step).

        Args:
            rows: Positions in this data set.
        """
        numbers = _row_numbers(rows, len(self))
        positions = self._positions[numbers]
        padded = {m: self._padded(m, positions) for m in MODALITIES}
        row = torch.from_numpy(numbers)
        own = self._own_labels[row]
        return Batch(
            text=padded["text"][0],
            audio=padded["audio"][0],
            vision=padded["vision"][0],
            masks={m: padded[m][1] for m in MODALITIES},
            label=self.labels[row, 0],
            unimodal_labels={m: own[:, TARGETS.index(m)].clone() for m in MODALITIES},
            row=row,
            tokens=self._tokens(positions),
        )

    def batches(self, size: int, rows: Rows | None = None) -> Iterator[Batch]:
        """Give batches of at most `size` clips in order, of all clips or of the given rows."""
        numbers = np.arange(len(self)) if rows is None else _row_numbers(rows, len(self))
        for start in range(0, len(numbers), size):
            yield self.batch(numbers[start : start + size])

    def statistics(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Measure mean and deviation of each feature of each modality over valid frames, float32 (width,) each.

        The deviation is infinite where a feature is constant or no frame is valid, so that dividing by it gives zero:
        what never varied has taught nothing, and another value of it elsewhere would be read by untrained weights.
        """
        return {m: _moments(self._valid_frames(m), self.spec.widths[m]) for m in MODALITIES}

    def frames(self, modality: str, row: int) -> np.ndarray:
        """Read the (steps, width) features of one clip, as stored; invalid frames are zeros."""
        columns, position = self._files.columns, self._positions[row]
        begin, end = columns[f"{modality}_offsets"][position : position + 2]
        frames: np.ndarray = columns[modality][begin:end]
        return frames

    def valid_frames(self, modality: str, row: int) -> np.ndarray:
        """Tell which frames of one clip were finite, (steps,) bool."""
        columns, position = self._files.columns, self._positions[row]
        begin, end = columns[f"{modality}_offsets"][position : position + 2]
        valid: np.ndarray = columns[f"{modality}_valid"][begin:end] > 0
        return valid

    def clip_tokens(self, row: int) -> np.ndarray | None:
        """Read the (text steps, 3) token ids, attention mask and segments of one clip, or None without tokens."""
        columns, position = self._files.columns, self._positions[row]
        if "tokens" not in columns:
            return None
        begin, end = columns["text_offsets"][position : position + 2]
        tokens: np.ndarray = columns["tokens"][begin:end]
        return tokens

    def _spans(self, modality: str, positions: np.ndarray) -> tuple[list[tuple[int, int]], int]:
        """Find where the clips' frames begin and end, and the longest clip's steps, at least 1."""
        offsets = self._files.columns[f"{modality}_offsets"]
        spans = list(zip(offsets[positions].tolist(), offsets[positions + 1].tolist(), strict=True))
        return spans, max(1, *(end - begin for begin, end in spans)) if spans else 1

    def _padded(self, modality: str, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Copy the frames and the validity of some clips into padded tensors; of an averaged modality, the means."""
        if modality in self._averages:
            means, real = self._files.means(modality, positions)
            return torch.from_numpy(means).unsqueeze(1), torch.from_numpy(real).unsqueeze(1)
        values, valid = self._files.columns[modality], self._files.columns[f"{modality}_valid"]
        spans, steps = self._spans(modality, positions)
        out = torch.zeros(len(spans), steps, values.shape[1])
        mask = torch.zeros(len(spans), steps, dtype=torch.bool)
        out_view, mask_view = out.numpy(), mask.numpy()
        for row, (begin, end) in enumerate(spans):
            out_view[row, : end - begin] = values[begin:end]
            mask_view[row, : end - begin] = valid[begin:end]
        return out, mask

    def _tokens(self, positions: np.ndarray) -> Tensor | None:
        """Copy the tokens of some clips into a padded (batch, 3, steps) int64 tensor."""
        tokens = self._files.columns.get("tokens")
        if tokens is None:
            return None
        spans, steps = self._spans("text", positions)
        out = torch.zeros(len(spans), 3, steps, dtype=torch.int64)
        view = out.numpy()
        for row, (begin, end) in enumerate(spans):
            view[row, :, : end - begin] = tokens[begin:end].T
        return out

    def _valid_frames(self, modality: str) -> Iterator[np.ndarray]:
        """Yield the valid frames of a few clips at a time, (frames, width) float64."""
        values, valid = self._files.columns[modality], self._files.columns[f"{modality}_valid"]
        for start in range(0, len(self), _CHUNK):
            spans, _ = self._spans(modality, self._positions[start : start + _CHUNK])
            pieces = [values[begin:end][valid[begin:end] > 0] for begin, end in spans]
            yield np.concatenate(pieces).astype(np.float64)


def _row_numbers(rows: Rows, clips: int) -> np.ndarray:
    """Turn rows into an int64 array and refuse those that do not exist."""
    numbers = np.asarray(rows, dtype=np.int64).reshape(-1)
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= clips):
        raise IndexError(f"rows must lie in 0..{clips - 1}, got {numbers.min()}..{numbers.max()}")
    return numbers


def _moments(chunks: Iterator[np.ndarray], width: int) -> tuple[Tensor, Tensor]:
    """Merge the means and squared deviations of chunks (Chan et al. 1979), which stays exact for large offsets."""
    count, mean, square = 0, np.zeros(width), np.zeros(width)
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    for chunk in chunks:
        if not len(chunk):
            continue
        own = chunk.mean(axis=0)
        shift, total = own - mean, count + len(chunk)
        square += ((chunk - own) ** 2).sum(axis=0) + shift**2 * count * len(chunk) / total
        mean += shift * len(chunk) / total
        count = total
        low, high = np.minimum(low, chunk.min(axis=0)), np.maximum(high, chunk.max(axis=0))
    deviation = np.sqrt(square / max(count, 1)).astype(np.float32)
    deviation[(low >= high) | (deviation == 0)] = np.inf
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(deviation)
