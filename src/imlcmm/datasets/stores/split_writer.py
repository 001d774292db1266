"""The growing files of one split while a store is written."""

import json
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from imlcmm.datasets.stores.payload import Column, write_columns
from imlcmm.datasets.stores.repair import Columns, Repair
from imlcmm.errors import DataError
from imlcmm.files import file_digest
from imlcmm.types import MODALITIES, TARGETS, Clip

_PIECE = 1 << 22


class SplitWriter:
    """The growing files of one split."""

    def __init__(self, folder: Path, split: str, widths: dict[str, int], dtype: str) -> None:
        """Open nothing yet but remember where the parts go."""
        self.folder, self.split, self.widths, self.dtype = folder, split, widths, dtype
        self.clips = 0
        self.known = np.zeros(len(TARGETS), bool)
        self.has_pieces = False
        self.offsets = {m: array("q", [0]) for m in MODALITIES}
        self.columns = {m: Columns(widths[m]) for m in MODALITIES}
        self.non_finite = dict.fromkeys(MODALITIES, 0)
        self.filled = dict.fromkeys(MODALITIES, 0)
        self.tokens: bool | None = None
        self.oracle: tuple[int, ...] | None = None
        self._files: dict[str, Any] = {}

    def append(self, clip: Clip, labels: np.ndarray, oracle: np.ndarray | None, where: str) -> None:
        """Append one clip to every part."""
        checked = {m: self._sequence(clip, m, where) for m in MODALITIES}
        self._check_optional(clip, oracle, len(checked["text"]), where)
        for m, sequence in checked.items():
            self.columns[m].add(sequence)
            self._write(m, sequence.astype(self.dtype))
            self.offsets[m].append(self.offsets[m][-1] + len(sequence))
        if clip.tokens is not None:
            self._write("tokens", np.asarray(clip.tokens).astype(np.int32))
        if oracle is not None:
            self._write("oracle", oracle.astype(np.float32))
        pieces = [_writable(piece) for piece in clip.pieces]
        for part, value in (("ids", clip.identifier), ("transcripts", clip.transcript), ("pieces", pieces)):
            text = json.dumps(_writable(value) if isinstance(value, str) else value, ensure_ascii=False)
            self._write_bytes(part, f"{', ' if self.clips else ''}{text}".encode())
        self._write("labels", labels.astype(np.float32))
        self.clips += 1
        self.known |= np.isfinite(labels)
        self.has_pieces |= bool(pieces)

    def _sequence(self, clip: Clip, modality: str, where: str) -> np.ndarray:
        """Give the (steps, width) float32 features of one modality."""
        width = self.widths[modality]
        given = clip.sequences.get(modality)
        if given is None:
            return np.zeros((0, width), np.float32)
        if given.ndim != 2 or given.shape[1] != width:
            raise DataError(f"{where}: {modality} has shape {given.shape}, but (steps, {width}) is needed")
        with np.errstate(over="ignore", invalid="ignore"):
            sequence = given.astype(np.float32)
        if self.dtype == "float16" and (np.abs(sequence[np.isfinite(sequence)]) > np.finfo(np.float16).max).any():
            raise DataError(f"{where}: {modality} holds values that float16 cannot; store the data as float32")
        return sequence

    def _check_optional(self, clip: Clip, oracle: np.ndarray | None, steps: int, where: str) -> None:
        """Check that tokens and oracle are given for every clip of the split or for none, and in one shape."""
        if clip.tokens is not None and clip.tokens.shape != (steps, 3):
            raise DataError(f"{where}: tokens have shape {clip.tokens.shape}, but ({steps}, 3) fits the text")
        if len(clip.pieces) not in (0, steps):
            raise DataError(f"{where}: {len(clip.pieces)} written pieces are given for {steps} text steps")
        if not self.clips:
            self.tokens = clip.tokens is not None
            self.oracle = None if oracle is None else oracle.shape
        if self.tokens != (clip.tokens is not None):
            raise DataError(f"{where}: some clips of the split have tokens and others none; give all or none")
        if self.oracle != (None if oracle is None else oracle.shape):
            raise DataError(f"{where}: the oracle must be given for every clip of the split in one shape, or for none")

    def _write(self, part: str, values: np.ndarray) -> None:
        """Append an array to one part."""
        self._write_bytes(part, values.tobytes())

    def _write_bytes(self, part: str, content: bytes) -> None:
        """Append bytes to one part."""
        if part not in self._files:
            self._files[part] = self._part(part).open("wb")
        self._files[part].write(content)

    def _part(self, part: str) -> Path:
        """Name the temporary file of one part."""
        return self.folder / f"{self.split}.{part}.part"

    def close(self) -> None:
        """Close every part, whatever is left in their buffers."""
        for file in self._files.values():
            try:
                file.close()
            except OSError:
                continue

    def assemble(self, repairs: Mapping[str, Repair]) -> dict[str, Any]:
        """Join the parts, repaired, into the split's two files and describe them for the manifest."""
        for file in self._files.values():
            file.close()
        clips = self.clips
        frames = {m: self.offsets[m][-1] for m in MODALITIES}
        columns: dict[str, Column] = {}
        for m in MODALITIES:
            columns[f"{m}_offsets"] = _column(np.asarray(self.offsets[m], np.int64))
            columns[m] = Column(self.dtype, (frames[m], self.widths[m]), lambda m=m: self._repaired(m, repairs[m]))
            columns[f"{m}_valid"] = Column("uint8", (frames[m],), lambda m=m: self._drain(f"{m}_valid"))
        columns["labels"] = Column("float32", (clips, len(TARGETS)), lambda: self._drain("labels"))
        if self.tokens:
            columns["tokens"] = Column("int32", (frames["text"], 3), lambda: self._drain("tokens"))
        if self.oracle is not None:
            columns["oracle"] = Column("float32", (clips, *self.oracle), lambda: self._drain("oracle"))
        tensors, names = (self.folder / f"{self.split}.{suffix}" for suffix in ("safetensors", "json"))
        digests = {tensors.name: write_columns(tensors, columns)}
        self._write_names(names)
        digests[names.name] = file_digest(names)
        return {
            "clips": clips,
            "frames": frames,
            "steps": {m: int(np.diff(self.offsets[m]).max()) for m in MODALITIES},
            "non_finite": self.non_finite,
            "filled": self.filled,
            "targets": [target for target, some in zip(TARGETS, self.known, strict=True) if some],
            "bytes": {path.name: path.stat().st_size for path in (tensors, names)},
            "sha256": digests,
        }

    def _write_names(self, path: Path) -> None:
        """Join the texts into one JSON document."""
        with path.open("wb") as file:
            for part in ("ids", "transcripts", "pieces"):
                pieces = self._drain(part)
                if part == "pieces" and not self.has_pieces:
                    self._part(part).unlink()
                    continue
                file.write(f'{"{" if part == "ids" else ", "}"{part}": ['.encode())
                file.writelines(pieces)
                file.write(b"]")
            file.write(b"}")

    def _repaired(self, modality: str, repair: Repair) -> Iterator[bytes]:
        """Yield the repaired frames of a modality, and note which of them are there; the notes are drained later."""
        frame = np.dtype(self.dtype).itemsize * self.widths[modality]
        self._write(f"{modality}_valid", np.zeros(0, np.uint8))
        if not frame:
            self._write(f"{modality}_valid", np.ones(self.offsets[modality][-1], np.uint8))
        for piece in self._drain(modality, multiple=max(1, frame)):
            repaired, there, filled = repair(np.frombuffer(piece, self.dtype).reshape(-1, self.widths[modality]))
            self.non_finite[modality] += int((~there).sum())
            self.filled[modality] += filled
            self._write(f"{modality}_valid", there.astype(np.uint8))
            yield repaired.tobytes()
        self._files[f"{modality}_valid"].close()

    def _drain(self, part: str, multiple: int = 1) -> Iterator[bytes]:
        """Yield the bytes of one part, in pieces of a multiple of some bytes, and delete it."""
        path = self._part(part)
        if not path.exists():
            return
        with path.open("rb") as file:
            while piece := file.read(max(_PIECE // multiple, 1) * multiple):
                yield piece
        path.unlink()


def _column(values: np.ndarray) -> Column:
    """Make a column of an array that is in memory."""
    return Column(values.dtype.name, values.shape, lambda: iter([values.tobytes()]))


def _writable(text: str) -> str:
    """Replace halves of characters, which damaged transcripts hold and no UTF-8 file can."""
    return text.encode("utf-8", "replace").decode()
