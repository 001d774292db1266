"""A clip on its way into a folder or out of one: what both forms share."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import DataError
from imlcmm.types import MODALITIES, TARGETS, Clip
from imlcmm.untrusted import shown


class Row(NamedTuple):
    """A clip and, in simulated data, its oracle."""

    clip: Clip
    oracle: np.ndarray | None = None


def written_modalities(data: SentimentData) -> list[str]:
    """List the modalities whose features are written: those that the data set has, with a width above zero."""
    return [m for m in data.spec.present if data.spec.widths[m]]


def written_targets(data: SentimentData) -> list[str]:
    """List the targets that any clip has a label of, multimodal always."""
    known = {target for entry in data.manifest["splits"].values() for target in entry["targets"]}
    return [target for target in TARGETS if target in known or target == TARGETS[0]]


def has_tokens(data: SentimentData) -> bool:
    """Tell whether any split has tokens."""
    return any(clips.clip_tokens(0) is not None for clips in data.splits.values())


def has_pieces(data: SentimentData) -> bool:
    """Tell whether the data set knows of any clip how its text is written."""
    return any(clips.pieces(row) for clips in data.splits.values() for row in range(len(clips)))


def clip_sizes(clips: ClipDataset, modalities: Iterable[str], itemsize: int) -> np.ndarray:
    """Count the bytes of each clip's features, with a little for the rest."""
    sizes = np.full(len(clips), 256, np.int64)
    for m in modalities:
        sizes += clips.lengths(m) * (clips.spec.widths[m] * itemsize + 1)
    return sizes


def classes(clips: ClipDataset) -> np.ndarray:
    """Find the class of each clip's multimodal label, (clips,) int64; -1 without a label."""
    labels = clips.labels[:, 0].numpy()
    # The edges come from decimal fractions that float32 labels meet only up to rounding.
    found = np.searchsorted(np.asarray(clips.spec.class_edges) + 1e-6, labels, side="left")
    return np.where(np.isnan(labels), -1, found)


def marked(frames: np.ndarray | None, valid: Any, where: str) -> np.ndarray | None:
    """Mark the frames that are not valid as the store's writer knows them: by NaN.

    Raises:
        DataError: If frames are no table, or there are not as many marks.
    """
    if frames is None:
        return None
    if frames.ndim != 2:
        raise DataError(f"{where}: the shape is {frames.shape}; a list of frames is needed, each a list of numbers")
    if valid is None:
        return frames
    if not isinstance(valid, np.ndarray) or valid.shape != (len(frames),) or valid.dtype != np.bool_:
        raise DataError(
            f"{where}: {len(frames)} frames and the marks {shown(valid)} of validity; give a true or false for each"
        )
    if valid.all() or not frames.shape[1]:
        return frames
    return np.where(valid[:, None], frames, np.nan).astype(frames.dtype if frames.dtype.kind == "f" else np.float32)


def sequences_of(frames: Mapping[str, np.ndarray | None], tokens: np.ndarray | None) -> dict[str, np.ndarray]:
    """Keep the modalities that a clip has; a text known by its tokens alone has steps of no width."""
    there = {m: each for m, each in frames.items() if each is not None}
    if "text" not in there and tokens is not None:
        there["text"] = np.zeros((len(tokens), 0), np.float32)
    return there


def extras(tokens: Any, oracle: Any, pieces: Any, where: str) -> None:
    """Check what a clip may have beside features and labels.

    Raises:
        DataError: If one is of another type.
    """
    if tokens is not None and not (isinstance(tokens, np.ndarray) and tokens.ndim == 2 and tokens.dtype.kind in "iu"):
        raise DataError(f"{where}: tokens are {shown(tokens)}; three whole numbers for each text step are needed")
    if oracle is not None and not (isinstance(oracle, np.ndarray) and oracle.ndim == 2 and oracle.dtype.kind == "f"):
        raise DataError(f"{where}: the oracle is {shown(oracle)}; lists of numbers are needed")
    if not isinstance(pieces, list) or not all(isinstance(each, str) for each in pieces):
        raise DataError(f"{where}: pieces are {shown(pieces)}; a list of texts is needed")


def identity(name: Any, transcript: Any, where: str) -> tuple[str, str]:
    """Give a clip's id and transcript, which may be missing.

    Raises:
        DataError: If one is of another type.
    """
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise DataError(f"{where}: {shown(name)} is no id; every clip needs 'id', a text or a whole number")
    if not isinstance(transcript, str | None):
        raise DataError(f"{where}: the transcript is {shown(transcript)}; a text is needed")
    return str(name), transcript or ""


def labels_of(values: Mapping[str, Any], columns: Mapping[str, str], where: str) -> dict[str, float]:
    """Take the labels that a clip has out of its values; what is null or NaN is none.

    Raises:
        DataError: If one is no number.
    """
    labels = {}
    for target, column in columns.items():
        value = values.get(column)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{where}: {column} is {shown(value)}; a number is needed")
        if not math.isnan(value):
            labels[target] = float(value)
    return labels


def known_widths(rows: Iterable[Row]) -> dict[str, int]:
    """Find the width of each modality in the first clips that have frames of it; one that no clip has is left out."""
    widths: dict[str, int] = {}
    for row in rows:
        for m, frames in row.clip.sequences.items():
            if len(frames) or frames.shape[1:] > (0,):
                widths.setdefault(m, frames.shape[1])
        if len(widths) == len(MODALITIES):
            break
    return widths
