"""Writing a data set as a plain pickle in the field's layout, without holding its arrays in memory."""

import pickle
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from imlcmm.datasets.catalog import KINDS
from imlcmm.datasets.field.layout import LABEL_KEYS
from imlcmm.datasets.kind_file import describe_kind
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.datasets.stores.store import disk_error
from imlcmm.files import check_space
from imlcmm.progress import Progress
from imlcmm.types import MODALITIES, TARGETS

_NAMES = ("Negative", "Neutral", "Positive")
_SUFFIXES = ("", "_T", "_A", "_V")


def export_pickle(data: SentimentData, out: Path, *, progress: bool = False) -> Path:
    """Write a data set as a pickle of protocol 4 that plain `pickle.load` and the field's loaders read.

    Sequences are padded with zeros to the longest clip of the data set and stored as float32. Frames that were
    not finite come out as -inf, the mark that the field's loaders know. The file appears, complete, at the end.

    Raises:
        DataError: If it cannot be written.
    """
    out = Path(out)
    count = sum(map(len, data.splits.values()))
    check_space(out, 4 * count * sum(data.spec.steps[m] * data.spec.widths[m] for m in data.spec.present))
    temporary = out.parent / f".{out.name}.{uuid.uuid4().hex[:12]}.partial"
    bar = Progress(total=len(data.splits) * 4, desc=out.name, unit="array", disable=not progress)
    try:
        with bar, temporary.open("wb") as file:
            file.write(pickle.PROTO + b"\x04" + pickle.EMPTY_DICT)
            for name, clips in data.splits.items():
                _write_value(file, name)
                _write_split(file, clips, data, bar)
                file.write(pickle.SETITEM)
            _write_entry(file, "config", {"imlcmm": _facts(data)})
            file.write(pickle.STOP)
        temporary.replace(out)
    except OSError as error:
        raise disk_error(out, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return out


def _write_split(file: BinaryIO, clips: ClipDataset, data: SentimentData, bar: Any) -> None:
    """Write the dictionary of one split."""
    file.write(pickle.EMPTY_DICT)
    entries: dict[str, Any] = {"raw_text": clips.transcripts, "id": clips.ids}
    present = clips.spec.present
    entries |= {f"{m}_lengths": clips.lengths(m).tolist() for m in present}
    for key, value in (entries | _label_entries(clips, data)).items():
        _write_entry(file, key, value)
    for m in MODALITIES:
        if m in present and clips.spec.widths[m]:
            shape = (len(clips), max(1, data.spec.steps[m]), data.spec.widths[m])
            _write_array(file, m, shape, _padded(clips, m, shape))
        bar.update()
    if len(clips) and clips.clip_tokens(0) is not None:
        shape = (len(clips), 3, max(1, data.spec.steps["text"]))
        _write_array(file, "text_bert", shape, _padded_tokens(clips, shape))
    bar.update()


def _label_entries(clips: ClipDataset, data: SentimentData) -> dict[str, Any]:
    """Make the label keys: regression labels, classes by sign and the names of the classes."""
    labels = clips.labels.numpy()
    entries: dict[str, Any] = {}
    for column, target in enumerate(TARGETS):
        values = labels[:, column]
        if np.isnan(values).all():
            continue
        entries[LABEL_KEYS[target]] = values.copy()
        entries[f"classification_labels{_SUFFIXES[column]}"] = (np.sign(values - data.spec.neutral) + 1).astype(
            np.float32
        )
    if "regression_labels" in entries:
        signs = np.sign(np.nan_to_num(labels[:, 0] - data.spec.neutral)).astype(int) + 1
        entries["annotations"] = [_NAMES[sign] for sign in signs]
    return entries


def _padded(clips: ClipDataset, modality: str, shape: tuple[int, ...]) -> Callable[[], Iterator[bytes]]:
    """Give a function that yields the padded float32 frames of each clip as bytes."""

    def read() -> Iterator[bytes]:
        for row in range(shape[0]):
            frames = clips.frames(modality, row)
            padded = np.zeros(shape[1:], np.float32)
            padded[: len(frames)] = np.where(clips.valid_frames(modality, row)[:, None], frames, -np.inf)
            yield padded.tobytes()

    return read


def _padded_tokens(clips: ClipDataset, shape: tuple[int, ...]) -> Callable[[], Iterator[bytes]]:
    """Give a function that yields the padded (3, steps) tokens of each clip as float32 bytes."""

    def read() -> Iterator[bytes]:
        for row in range(shape[0]):
            tokens = clips.clip_tokens(row)
            padded = np.zeros(shape[1:], np.float32)
            if tokens is not None:
                padded[:, : len(tokens)] = tokens.T
            yield padded.tobytes()

    return read


def _facts(data: SentimentData) -> dict[str, Any]:
    """Collect what the field's layout has no place for, above all that simulated data is simulated."""
    facts = {"kind": data.spec.kind, "features": dict(data.spec.features), "simulated": data.simulated}
    # The pickle has its labels under the field's names, whatever they were called in the source.
    rules = replace(data.rules, sources={})
    return facts if rules.name in KINDS else {**facts, "rules": describe_kind(rules)}


def _write_entry(file: BinaryIO, key: str, value: Any) -> None:
    """Write a key and its value, an array or a small plain value."""
    if isinstance(value, np.ndarray):
        _write_array(file, key, value.shape, lambda: iter([value.tobytes()]))
        return
    _write_value(file, key)
    _write_value(file, value)
    file.write(pickle.SETITEM)


def _write_array(file: BinaryIO, key: str, shape: tuple[int, ...], read: Callable[[], Iterator[bytes]]) -> None:
    """Write a key and a float32 array, whose bytes stream by, as numpy's own pickles hold it (1.x reads it too)."""
    _write_value(file, key)
    file.write(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n")
    _write_value(file, (0,))
    _write_value(file, b"b")
    file.write(pickle.TUPLE3 + pickle.REDUCE + pickle.MARK)
    _write_value(file, 1)
    _write_value(file, shape)
    file.write(b"cnumpy\ndtype\n")
    _write_value(file, ("f4", False, True))
    file.write(pickle.REDUCE)
    _write_value(file, (3, "<", None, None, None, -1, -1, 0))
    file.write(pickle.BUILD + pickle.NEWFALSE)
    file.write(pickle.BINBYTES8 + struct.pack("<Q", int(np.prod(shape, dtype=np.int64)) * 4))
    for piece in read():
        file.write(piece)
    file.write(pickle.TUPLE + pickle.BUILD + pickle.SETITEM)


def _write_value(file: BinaryIO, value: Any) -> None:
    """Write a small value between the opcodes of the stream.

    Protocol 3 has no frames and numbers its memo from 0 each time; overwriting the memo harms nothing, since no value
    refers to one before it.
    """
    content = pickle.dumps(value, protocol=3)
    file.write(content[2:-1])
