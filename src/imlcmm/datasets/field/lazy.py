"""Pieces of a large file that are read when they are needed, and arrays made of them."""

import math
import os
from typing import BinaryIO, Literal

import numpy as np

from imlcmm.errors import DataError


class Payload:
    """A run of bytes that lies in a file (a span) or, where it is short, in memory."""

    def __init__(self, *, content: bytes = b"", file: BinaryIO | None = None, start: int = 0, length: int = 0) -> None:
        """Take either the bytes or the file, where the span starts and how long it is."""
        self.content, self.file, self.start = content, file, start
        self.length = length if file is not None else len(content)

    def read(self, begin: int = 0, end: int | None = None) -> bytes:
        """Read the bytes from `begin` to `end` of the span.

        Raises:
            DataError: If the file has become shorter since it was opened.
        """
        end = self.length if end is None else end
        if self.file is None:
            return self.content[begin:end]
        pieces = []
        while begin < end:
            piece = os.pread(self.file.fileno(), end - begin, self.start + begin)
            if not piece:
                raise DataError(f"{self.file.name} became shorter while it was read; check the file")
            pieces.append(piece)
            begin += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class LazyArray:
    """An array of a pickle whose rows are read from the file one range at a time.

    Attributes:
        dtype: Type of the items.
        shape: Shape of the whole array.
    """

    def __init__(
        self,
        dtype: np.dtype,
        shape: tuple[int, ...],
        payload: Payload,
        *,
        fortran: bool = False,
        axes: tuple[int, ...] | None = None,
    ) -> None:
        """Check that the bytes are as many as the shape asks for.

        Args:
            dtype: Type of the items.
            shape: Shape as it lies in the file.
            payload: The bytes.
            fortran: Whether they lie in column order.
            axes: The order in which the axes are to be seen, if not their own.

        Raises:
            ValueError: If they are not.
        """
        if math.prod(shape) * dtype.itemsize != payload.length:
            raise ValueError(f"an array of shape {shape} needs another number of bytes than {payload.length}")
        if axes is not None and sorted(axes) != list(range(len(shape))):
            raise ValueError(f"{axes} are no axes of an array of shape {shape}")
        self.dtype, self._payload, self._stored = dtype, payload, shape
        self._order: Literal["C", "F"] = "F" if fortran else "C"
        self._axes = tuple(range(len(shape))) if axes is None else axes
        self.shape = tuple(shape[axis] for axis in self._axes)
        self._scattered = (fortran and len(shape) > 1) or list(self._axes) != sorted(self._axes)

    def rows(self, begin: int, end: int) -> np.ndarray:
        """Read the rows from `begin` to `end` along the first axis."""
        end = min(end, self.shape[0])
        if self._scattered:
            return np.array(self._whole()[begin:end])
        stride = math.prod(self.shape[1:]) * self.dtype.itemsize
        content = self._payload.read(begin * stride, end * stride)
        return np.frombuffer(content, self.dtype).reshape(end - begin, *self.shape[1:])

    def read(self) -> np.ndarray:
        """Read the whole array."""
        if not self.shape:
            return np.frombuffer(self._payload.read(), self.dtype).reshape(())
        return self.rows(0, self.shape[0])

    def _whole(self) -> np.ndarray:
        """Map an array whose rows are scattered over all of its bytes."""
        payload = self._payload
        if payload.file is None or not payload.length:
            whole = np.frombuffer(payload.read(), self.dtype).reshape(self._stored, order=self._order)
        else:
            whole = np.memmap(payload.file, self.dtype, "r", payload.start, self._stored, order=self._order)
        return whole.transpose(self._axes)
