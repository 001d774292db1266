"""The two files of a split: what is in them is checked before anything is made of it."""

from functools import cached_property
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from imlcmm.datasets.stores.payload import map_columns
from imlcmm.errors import DataError
from imlcmm.types import MODALITIES, TARGETS, DataSpec
from imlcmm.untrusted import read_json

_LARGEST_NAMES = 1 << 32


class _Names(TypedDict):
    ids: list[str]
    transcripts: list[str]
    pieces: NotRequired[list[list[str]]]


class SplitFiles:
    """The two files of a split: tensors mapped at once, names read when first asked for."""

    def __init__(self, folder: Path, split: str) -> None:
        """Map the tensors."""
        self.folder, self.split = folder, split
        self.columns = map_columns(folder / f"{split}.safetensors")
        self._means: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def __reduce__(self) -> tuple[type["SplitFiles"], tuple[Path, str]]:
        """Let worker processes map the files again instead of receiving a copy of the data."""
        return type(self), (self.folder, self.split)

    @cached_property
    def names(self) -> dict[str, list[Any]]:
        """Read ids, transcripts and, where they are known, the pieces of the text."""
        path = self.folder / f"{self.split}.json"
        try:
            names: dict[str, list[Any]] = read_json(path, _Names, largest=_LARGEST_NAMES)
            wrong = [name for name, entries in names.items() if len(entries) != len(self.columns["labels"])]
            if wrong:
                raise ValueError(f"has {len(names[wrong[0]])} {wrong[0]} for {len(self.columns['labels'])} clips")
        except (ValueError, OSError) as error:
            raise DataError(f"{path} is damaged: it {error}; convert the data set again") from error
        return names

    def means(self, modality: str, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Average the valid frames of some clips; each clip is averaged once.

        Returns:
            (clips, width) float32, zeros without a valid frame, and (clips,) bool, True where there is one.
        """
        values, valid = self.columns[modality], self.columns[f"{modality}_valid"]
        offsets = self.columns[f"{modality}_offsets"]
        if modality not in self._means:
            clips = len(offsets) - 1
            self._means[modality] = np.zeros((clips, values.shape[1]), np.float32), np.full(clips, -1, np.int64)
        means, counts = self._means[modality]
        for position in np.unique(positions[counts[positions] < 0]):
            begin, end = offsets[position : position + 2]
            real = values[begin:end][valid[begin:end] > 0]
            counts[position] = len(real)
            if len(real):
                means[position] = real.mean(axis=0, dtype=np.float64)
        return means[positions], counts[positions] > 0


def check_columns(files: SplitFiles, entry: dict[str, Any], spec: DataSpec) -> None:
    """Check that the tensors of a split have the types and shapes that its manifest tells, and offsets that are some.

    Raises:
        DataError: Naming the file and the tensor.
    """
    clips, columns = entry["clips"], files.columns
    expected: dict[str, tuple[str, tuple[int, ...]]] = {"labels": ("f", (clips, len(TARGETS)))}
    for m in MODALITIES:
        frames = entry["frames"][m]
        expected |= {
            m: ("f", (frames, spec.widths[m])), f"{m}_offsets": ("i", (clips + 1,)), f"{m}_valid": ("u", (frames,))
        }  # fmt: skip
    if "tokens" in columns:
        expected["tokens"] = ("i", (entry["frames"]["text"], 3))
    if "oracle" in columns:
        expected["oracle"] = ("f", (clips, *columns["oracle"].shape[1:]))
    path = files.folder / f"{files.split}.safetensors"
    for name, (kind, shape) in expected.items():
        if name not in columns or columns[name].shape != shape or columns[name].dtype.kind != kind:
            raise DataError(f"{path} does not hold '{name}' in the shape {shape}; convert the data set again")
    for m in MODALITIES:
        steps = np.diff(columns[f"{m}_offsets"])
        first, last = columns[f"{m}_offsets"][[0, -1]]
        if first != 0 or last != entry["frames"][m] or steps.min() < 0 or steps.max() != entry["steps"][m]:
            raise DataError(
                f"{path} holds '{m}_offsets' that do not part the frames into clips; convert the data again"
            )
