"""Reading clips out of Parquet files, our own or somebody else's, some at a time."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from imlcmm.datasets.interchange.packages import package
from imlcmm.datasets.interchange.rows import Row, extras, identity, labels_of, marked, sequences_of
from imlcmm.errors import DataError
from imlcmm.types import ABSENT, MODALITIES, Clip
from imlcmm.untrusted import shown

_BATCH, _MOST_ROWS = 8 << 20, 2_000
_LARGEST = 2 << 30
"""Bytes that one column of a row group may unfold to."""


def parquet_columns(path: Path) -> list[str]:
    """Name the columns of a file.

    Raises:
        DataError: If it is damaged.
    """
    with _opened(path) as file:
        names: list[str] = file.schema_arrow.names
        return names


def read_parquet(path: Path, labels: Mapping[str, str], features: Mapping[str, str]) -> Iterator[Row]:
    """Read the clips of a file in order.

    Args:
        path: The file.
        labels: Column of each target's label.
        features: Name of the feature set of each modality; one that is absent is not read.

    Yields:
        The clips.

    Raises:
        DataError: If the file is damaged, or its columns hold something else.
    """
    wanted = {"id", "transcript", "tokens", "pieces", "oracle", *labels.values()}
    wanted |= {name for m in MODALITIES if features.get(m) != ABSENT for name in (m, f"{m}_valid")}
    with _opened(path) as file:
        columns = [name for name in file.schema_arrow.names if name in wanted]
        for group in range(file.metadata.num_row_groups):
            yield from _group(path, file, group, columns, labels)


def _group(path: Path, file: Any, group: int, columns: list[str], labels: Mapping[str, str]) -> Iterator[Row]:
    """Read one row group."""
    told = file.metadata.row_group(group)
    size = max((told.column(n).num_values * 8 for n in range(told.num_columns)), default=0)
    if size > _LARGEST:
        raise DataError(f"{path}: a row group unfolds to {size / 1e9:.1f} GB; write smaller row groups")
    rows = int(np.clip(_BATCH * told.num_rows // max(1, size), 1, _MOST_ROWS))
    batches = file.iter_batches(batch_size=rows, row_groups=[group], columns=columns, use_threads=False)
    while (batch := _next(path, batches)) is not None:
        values = {name: _values(batch.column(name), f"{path}, column {name}") for name in columns}
        for row in range(batch.num_rows):
            yield _row({name: column[row] for name, column in values.items()}, labels, path)


def _opened(path: Path) -> Any:
    """Open a file, whose column chunks are read piece by piece."""
    pq = package("pyarrow.parquet")
    try:
        return pq.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False)
    except _damage() as error:
        raise _damaged(path, error) from error


def _next(path: Path, batches: Iterator[Any]) -> Any:
    """Read the next batch, or nothing at the end."""
    try:
        batch = next(batches, None)
        if batch is not None:
            batch.validate(full=True)
        return batch
    except _damage() as error:
        raise _damaged(path, error) from error


def _damage() -> tuple[type[BaseException], ...]:
    """List what pyarrow raises at a damaged file."""
    return (package("pyarrow").ArrowException, OSError, ValueError, MemoryError, KeyError, TypeError, OverflowError)


def _damaged(path: Path, error: BaseException) -> DataError:
    said = " ".join(str(error).split())[:150] or type(error).__name__
    return DataError(f"{path} cannot be read as Parquet ({said}); copy or write it anew")


def _row(values: Mapping[str, Any], labels: Mapping[str, str], path: Path) -> Row:
    """Make a clip of what its columns hold."""
    name, transcript = identity(values.get("id"), values.get("transcript"), str(path))
    where = f"{path}, clip {shown(name)}"
    tokens, oracle, pieces = values.get("tokens"), values.get("oracle"), values.get("pieces") or []
    extras(tokens, oracle, pieces, where)
    sequences = sequences_of({m: _frames(values, m, where) for m in MODALITIES}, tokens)
    return Row(Clip(name, transcript, sequences, labels_of(values, labels, where), tokens, pieces), oracle)


def _frames(values: Mapping[str, Any], modality: str, where: str) -> np.ndarray | None:
    """Give the frames of a modality, or as many steps of no width where only their validity is there."""
    frames, valid = values.get(modality), values.get(f"{modality}_valid")
    if frames is None and valid is not None and modality not in values:
        frames = np.zeros((len(valid), 0), np.float32)
    if frames is not None and not isinstance(frames, np.ndarray):
        raise DataError(f"{where}: {modality} is {shown(frames)}; a list of frames is needed, each a list of numbers")
    return marked(frames, valid, f"{where}, {modality}")


def _values(column: Any, where: str) -> list[Any]:
    """Turn a column into a list of numbers, texts, lists of texts, or arrays, None where it is null."""
    pa = package("pyarrow")
    storage = column.storage if isinstance(column, pa.ExtensionArray) else column
    if not _is_list(storage) or not _is_number(_innermost(storage.type)):
        if storage.type.num_fields and not _is_list(storage):
            raise DataError(f"{where}: it holds {shown(str(storage.type))}; numbers, texts or lists are needed")
        plain: list[Any] = storage.to_pylist()
        return plain
    offsets = _offsets(storage)
    known = np.asarray(storage.is_valid())
    inner = storage.values
    flat, width = _flat(inner.slice(offsets[0], offsets[-1] - offsets[0]), where)
    offsets = offsets - offsets[0]
    shape = () if width is None else (width,)
    table = flat.reshape(offsets[-1], *shape)
    return [
        table[begin:end] if there else None
        for begin, end, there in zip(offsets[:-1].tolist(), offsets[1:].tolist(), known, strict=True)
    ]


def _flat(inner: Any, where: str) -> tuple[np.ndarray, int | None]:
    """Give the numbers inside lists in a row, and how many stand in each list; None where they are numbers already."""
    if not _is_list(inner):
        return _numbers(inner), None
    if inner.null_count:
        raise DataError(f"{where}: a frame is null; give every frame its numbers, NaN where there is none")
    offsets = _offsets(inner)
    widths = np.diff(offsets)
    if len(widths) and (widths != widths[0]).any():
        raise DataError(f"{where}: frames have {widths.min()} to {widths.max()} numbers; give all the same")
    values = inner.values.slice(offsets[0], offsets[-1] - offsets[0])
    if _is_list(values):
        raise DataError(f"{where}: it holds lists in lists in lists; a clip is a list of frames, each a list")
    return _numbers(values), int(widths[0]) if len(widths) else _told_width(inner.type)


def _told_width(kind: Any) -> int:
    size: int = getattr(kind, "list_size", 0)
    return max(size, 0)


def _numbers(values: Any) -> np.ndarray:
    """Give the numbers of an array, NaN where they are null."""
    numbers: np.ndarray = values.to_numpy(zero_copy_only=False)
    return numbers


def _offsets(lists: Any) -> np.ndarray:
    """Give where each list begins in `values`, and where the last one ends, int64."""
    size = getattr(lists.type, "list_size", None)
    if size is not None:
        first = int(lists.offset)
        return np.arange(first, first + len(lists) + 1, dtype=np.int64) * int(size)
    offsets: np.ndarray = lists.offsets.to_numpy()
    return offsets.astype(np.int64)


def _is_list(array: Any) -> bool:
    types = package("pyarrow").types
    kind = array.type
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _innermost(kind: Any) -> Any:
    types = package("pyarrow").types
    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind = kind.value_type
    return kind


def _is_number(kind: Any) -> bool:
    types = package("pyarrow").types
    return bool(types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind))
