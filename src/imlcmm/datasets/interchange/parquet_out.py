"""Writing a split as Parquet files, some clips at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from imlcmm.datasets.interchange.names import LABELS, cut, shard_name
from imlcmm.datasets.interchange.packages import package
from imlcmm.datasets.interchange.rows import (
    classes,
    clip_sizes,
    has_pieces,
    has_tokens,
    written_modalities,
    written_targets,
)
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.progress import Progress
from imlcmm.types import TARGETS

_GROUP, _ROWS = 16 << 20, 5_000


def parquet_features(data: SentimentData) -> Any:
    """Describe the columns as `datasets.Features`, the same for every split.

    Raises:
        MissingPackageError: If `datasets` is not installed.
    """
    hf = package("datasets")
    number, texts = hf.Value(data.manifest["dtype"]), hf.Value("string")
    columns: dict[str, Any] = {"id": texts, "transcript": texts}
    for m in written_modalities(data):
        columns[m] = hf.List(hf.List(number, length=data.spec.widths[m]))
    columns |= {f"{m}_valid": hf.List(hf.Value("bool")) for m in data.spec.present}
    if has_tokens(data):
        columns["tokens"] = hf.List(hf.List(hf.Value("int32"), length=3))
    if has_pieces(data):
        columns["pieces"] = hf.List(texts)
    columns |= {LABELS[target]: hf.Value("float32") for target in written_targets(data)}
    columns["class"] = hf.ClassLabel(names=[f"{centre:g}" for centre in data.spec.class_centres])
    levels = {clips.oracle.shape[2] for clips in data.splits.values() if clips.oracle is not None}
    if levels:
        columns["oracle"] = hf.List(hf.List(hf.Value("float32"), length=levels.pop()))
    return hf.Features(columns)


def write_parquet(data: SentimentData, folder: Path, most: int, bar: Progress) -> dict[str, list[str]]:
    """Write all splits into a folder, and name the files of each.

    Args:
        data: The data set.
        folder: Where `data/` goes.
        most: Bytes of features in a file, before compression.
        bar: Told of every clip.
    """
    pq, schema = package("pyarrow.parquet"), parquet_features(data).arrow_schema
    floats = [f"{m}.list.element.list.element" for m in written_modalities(data)]
    (folder / "data").mkdir()
    names: dict[str, list[str]] = {}
    for split, clips in data.splits.items():
        sizes = clip_sizes(clips, written_modalities(data), np.dtype(data.manifest["dtype"]).itemsize)
        shards = cut(sizes, most, len(sizes))
        names[split] = [shard_name("parquet", split, n, len(shards)) for n in range(len(shards))]
        columns = _Columns(clips, schema)
        for (begin, end), name in zip(shards, names[split], strict=True):
            dictionary = [column for column in schema.names if not columns.is_nested(column)]
            with pq.ParquetWriter(
                folder / name, schema, compression="zstd", compression_level=1, use_dictionary=dictionary,
                use_byte_stream_split=floats,
            ) as writer:  # fmt: skip
                for first, last in cut(sizes[begin:end], _GROUP, _ROWS):
                    writer.write_batch(columns.batch(begin + first, begin + last))
                    bar.update(last - first)
    return names


class _Columns:
    """The columns of one split, a run of clips at a time."""

    def __init__(self, clips: ClipDataset, schema: Any) -> None:
        self.clips, self.schema, self.pa = clips, schema, package("pyarrow")
        self.ids, self.transcripts, self.classes = clips.ids, clips.transcripts, classes(clips)

    def is_nested(self, column: str) -> bool:
        """Tell whether a column holds lists."""
        nested: bool = self.pa.types.is_nested(self.schema.field(column).type)
        return nested

    def batch(self, begin: int, end: int) -> Any:
        """Make a record batch of some clips."""
        arrays = [self._column(name, range(begin, end)) for name in self.schema.names]
        return self.pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _column(self, name: str, rows: range) -> Any:
        kind = self.schema.field(name).type
        if name in ("id", "transcript"):
            return self.pa.array((self.ids if name == "id" else self.transcripts)[rows.start : rows.stop], kind)
        if name == "pieces":
            return self.pa.array([self.clips.pieces(row) for row in rows], kind)
        if name == "class":
            found = self.classes[rows.start : rows.stop]
            return self.pa.array(found, kind, mask=found < 0)
        if name in LABELS.values():
            target = next(target for target, column in LABELS.items() if column == name)
            labels = self.clips.labels[rows.start : rows.stop, TARGETS.index(target)].numpy()
            return self.pa.array(labels, kind, mask=np.isnan(labels))
        return self._lists(list(self._arrays(name, rows)), kind)

    def _arrays(self, name: str, rows: range) -> Iterator[np.ndarray | None]:
        """Yield what each clip has in a nested column, None where its split has none."""
        for row in rows:
            if name == "tokens":
                yield self.clips.clip_tokens(row)
            elif name == "oracle":
                yield None if self.clips.oracle is None else self.clips.oracle[row].numpy()
            elif name.endswith("_valid"):
                yield self.clips.valid_frames(name.removesuffix("_valid"), row)
            else:
                yield self.clips.frames(name, row)

    def _lists(self, arrays: list[np.ndarray | None], kind: Any) -> Any:
        """Make a column of lists out of arrays whose first axes differ."""
        there = [array for array in arrays if array is not None]
        if not there:
            return self.pa.nulls(len(arrays), kind)
        offsets = np.cumsum([0, *(len(array) for array in there)], dtype=np.int32)
        values = np.concatenate(there)
        inner = self.pa.array(values.ravel())
        if values.ndim == 2:
            inner = self.pa.FixedSizeListArray.from_arrays(inner, type=kind.value_type)
        return self.pa.ListArray.from_arrays(self.pa.array(offsets), inner, type=kind)
