"""Safetensors files that are larger than memory: written from streams, read through a memory map."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from operator import mul
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imlcmm.errors import DataError
from imlcmm.untrusted import inside

_NAMES = {"int64": "I64", "float32": "F32", "int32": "I32", "float16": "F16", "uint8": "U8"}
_DTYPES = {name: np.dtype(dtype) for dtype, name in _NAMES.items()}
_LARGEST_HEADER = 1 << 20


class Column(NamedTuple):
    """One tensor on its way into a file: its dtype and shape, and a function that yields its bytes in order."""

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], Iterator[bytes]]


def write_columns(path: Path, columns: Mapping[str, Column]) -> str:
    """Write columns to a safetensors file, piece by piece, and give the file's SHA-256 in hex.

    Wide items come first, so that every tensor is aligned for the memory map.
    """
    order = sorted(columns, key=lambda name: -np.dtype(columns[name].dtype).itemsize)
    header: dict[str, Any] = {}
    begin = 0
    for name in order:
        dtype, shape, _ = columns[name]
        end = begin + reduce(mul, shape, np.dtype(dtype).itemsize)
        header[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in (len(text).to_bytes(8, "little"), text):
            digest.update(piece)
            file.write(piece)
        for name in order:
            for piece in columns[name].read():
                digest.update(piece)
                file.write(piece)
    return digest.hexdigest()


def map_columns(path: Path) -> dict[str, np.ndarray]:
    """Map the tensors of a safetensors file read-only; nothing is read but the header until it is used.

    Raises:
        DataError: If the file is cut short or its header does not describe it.
    """
    damaged = DataError(f"{path} is damaged; convert the data set again")
    try:
        raw = np.memmap(inside(path.parent, path.name), dtype=np.uint8, mode="r")
        size = int.from_bytes(raw[:8].tobytes(), "little")
        if not 2 <= size <= min(_LARGEST_HEADER, len(raw) - 8):
            raise damaged
        header = json.loads(raw[8 : 8 + size].tobytes())
        body = raw[8 + size :]
        return {name: _view(body, entry) for name, entry in header.items() if name != "__metadata__"}
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; convert the data set again") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise damaged from error


def _view(body: np.ndarray, entry: dict[str, Any]) -> np.ndarray:
    """Interpret the bytes that one header entry points to."""
    begin, end = entry["data_offsets"]
    if not 0 <= begin <= end <= len(body):
        raise ValueError
    view: np.ndarray = body[begin:end].view(np.ndarray).view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return view
