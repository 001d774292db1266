"""Reading clips out of WebDataset shards, our own or somebody else's, one at a time: arrays and JSON, no pickles."""

import io
import math
import re
import tarfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NotRequired, TypedDict

import numpy as np

from imlcmm.datasets.interchange.packages import package
from imlcmm.datasets.interchange.rows import Row, extras, identity, labels_of, marked, sequences_of
from imlcmm.errors import DataError
from imlcmm.types import ABSENT, MODALITIES, Clip
from imlcmm.untrusted import parse_json, shown

_LARGEST = 1 << 30
"""Bytes of a file in a shard."""

_LARGEST_JSON = 16 << 20
_HEAD, _BLOCK = 10_000, 512
_ARRAYS = (*MODALITIES, *(f"{m}_valid" for m in MODALITIES), "tokens", "oracle")
_SUFFIX = re.compile(rf"json|({'|'.join(_ARRAYS)})\.npy")


class _Steps(TypedDict, total=False):
    text: int
    audio: int
    vision: int


class _Content(TypedDict):
    """What the JSON of a clip may hold beside labels."""

    id: NotRequired[str | int]
    transcript: NotRequired[str | None]
    pieces: NotRequired[list[str]]
    steps: NotRequired[_Steps]


def read_tar(path: Path, labels: Mapping[str, str], features: Mapping[str, str]) -> Iterator[Row]:
    """Read the clips of a shard in order.

    Args:
        path: The shard.
        labels: Name of each target's label in the JSON.
        features: Name of the feature set of each modality; one that is absent is not read.

    Yields:
        The clips.

    Raises:
        DataError: If the shard is damaged, or holds anything but files of known names and types.
    """
    group_by_keys = package("webdataset").tariterators.group_by_keys
    present = [m for m in MODALITIES if features.get(m) != ABSENT]
    try:
        for sample in group_by_keys(_members(path)):
            yield _row(sample, labels, present, path)
    except tarfile.TarError as error:
        raise DataError(f"{path} is a damaged tar file ({' '.join(str(error).split())}); copy it anew") from error
    except (ValueError, OSError, AssertionError, OverflowError, MemoryError) as error:
        said = " ".join(str(error.args[0] if error.args else error).split())[:150]
        raise DataError(f"{path} is damaged: {said}; copy it anew") from error


def _members(path: Path) -> Iterator[dict[str, Any]]:
    """Yield name and content of each file in a shard that is not compressed; its file system stays untouched.

    webdataset's own loop would unfold compressed shards without measure, and pass over links.
    """
    with path.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:") as tar:
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]
            name = PurePosixPath(member.name)
            where = f"{path}, file {shown(member.name)}"
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise DataError(f"{where} is a link, a device or sparse; a shard holds plain files alone")
            if name.is_absolute() or ".." in name.parts or "\\" in member.name:
                raise DataError(f"{where} leads out of its folder; names must stay in it")
            stem, _, suffix = name.name.partition(".")
            if not stem or not _SUFFIX.fullmatch(suffix):
                raise DataError(f"{where} is unknown; known are .json and {', '.join(f'.{n}.npy' for n in _ARRAYS)}")
            if member.size > (_LARGEST_JSON if suffix == "json" else _LARGEST):
                raise DataError(f"{where} claims {member.size:,} bytes; no clip has as many")
            content = tar.extractfile(member)
            data = b"" if content is None else content.read()
            if len(data) != member.size:
                raise DataError(f"{where} is cut short; copy the shard anew")
            yield {"fname": member.name, "data": data, "__url__": str(path)}
        raw.seek(tar.offset)
        if raw.read(_BLOCK) != bytes(_BLOCK):
            raise DataError(f"{path} has no end, as if it were cut short; copy it anew")


def _row(sample: Mapping[str, Any], labels: Mapping[str, str], present: list[str], path: Path) -> Row:
    """Make a clip of its files."""
    key = sample["__key__"]
    if "json" not in sample:
        raise DataError(f"{path}, clip {shown(key)}: there is no file .json beside its arrays")
    try:
        content = parse_json(sample["json"], _Content)
    except ValueError as error:
        raise DataError(f"{path}, file {shown(key + '.json')} {error}; mend it") from error
    name, transcript = identity(content.get("id", key), content.get("transcript"), f"{path}, clip {shown(key)}")
    where = f"{path}, clip {shown(name)}"
    arrays = {n: _array(sample[f"{n}.npy"], f"{where}, {n}") for n in _ARRAYS if f"{n}.npy" in sample}
    tokens, oracle, pieces = arrays.get("tokens"), arrays.get("oracle"), content.get("pieces", [])
    extras(tokens, oracle, pieces, where)
    sequences: dict[str, np.ndarray | None] = {}
    for m in present:
        frames = arrays.get(m)
        if frames is None and m in content.get("steps", {}):
            steps = content["steps"][m]
            if not 0 <= steps <= _LARGEST:
                raise DataError(f"{where}: {steps} steps of {m} are told")
            frames = np.zeros((steps, 0), np.float32)
        frames = marked(frames, arrays.get(f"{m}_valid"), f"{where}, {m}")
        sequences[m] = frames
    return Row(
        Clip(name, transcript, sequences_of(sequences, tokens), labels_of(content, labels, where), tokens, pieces),
        oracle,
    )


def _array(content: bytes, where: str) -> np.ndarray:
    """Read an array of numbers, whose head must claim as many bytes as follow; nothing is taken by its word."""
    length = int.from_bytes(content[8:10], "little") + 10 if content[6:7] == b"\x01" else _HEAD
    try:
        shape, fortran, dtype, begin = _head(content[: min(length, 2 * _HEAD)])
    except (ValueError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError) as error:
        raise DataError(f"{where} is no intact .npy file; write it anew") from error
    if dtype.hasobject or dtype.kind not in "fiub":
        raise DataError(f"{where} holds {shown(str(dtype))}; numbers are needed")
    body = len(content) - begin
    if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != body:
        raise DataError(f"{where} claims the shape {shown(shape)}, but {body:,} bytes follow")
    return np.frombuffer(content, dtype, offset=begin).reshape(shape, order="F" if fortran else "C")


@lru_cache(maxsize=256)
def _head(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Read the head of an array, which few arrays do not share: its shape, order and type, and where it ends."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    heads = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran, dtype = heads[version](file, max_header_size=_HEAD)
    return shape, fortran, dtype, file.tell()
