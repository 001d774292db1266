"""The arrays of a field file in the forms they come in, given out clip by clip."""

import math
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

from imlcmm.datasets.field.lazy import LazyArray
from imlcmm.errors import DataError

_READ = 1 << 22
_NUMBERS = "biuf"
_LARGEST_LIST = 1 << 22


@runtime_checkable
class Sequences(Protocol):
    """The feature sequences of the clips of a split, padded or ragged.

    Attributes:
        clips: How many there are.
        width: Features a frame.
        steps: Frames of the padded array, or None where each clip has its own length.
    """

    clips: int
    width: int
    steps: int | None

    def __iter__(self) -> Iterator[np.ndarray]:
        """Give the (steps, width) frames of each clip in order."""
        raise NotImplementedError


class PaddedSequences:
    """Sequences of one (clips, steps, width) array, read from the file a few clips at a time."""

    def __init__(self, array: LazyArray | np.ndarray) -> None:
        """Take the array."""
        self._array = array
        self.clips: int = array.shape[0]
        self.steps: int | None = array.shape[1]
        self.width: int = array.shape[2]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Give the (steps, width) frames of each clip in order."""
        size = max(1, int(np.prod(self._array.shape[1:])) * self._array.dtype.itemsize)
        chunk = max(1, _READ // size)
        for start in range(0, self.clips, chunk):
            yield from _rows(self._array, start, min(start + chunk, self.clips))


class RaggedSequences:
    """Sequences that come as a list of one array a clip; None and arrays without a number are clips without frames."""

    def __init__(self, arrays: list[Any], where: str) -> None:
        """Take the list; all arrays must have frames of one width."""
        self._arrays, self._where = arrays, where
        shapes = [self._shape(item) for item in arrays]
        first = next((shape for shape in shapes if shape != (0,)), None)
        if first is None:
            raise DataError(f"{where}: no clip has a frame; leave the key out")
        for position, shape in enumerate(shapes):
            if shape != (0,) and (len(shape) != 2 or shape[1] != first[1]):
                raise DataError(f"{where}, clip {position}: shape {shape} is not (steps, width) as elsewhere")
        self._empty = [shape == (0,) for shape in shapes]
        self.clips, self.width = len(arrays), first[1]
        lengths = {shape[0] for shape in shapes}
        self.steps = lengths.pop() if len(lengths) == 1 else None

    def __iter__(self) -> Iterator[np.ndarray]:
        """Give the (steps, width) frames of each clip in order."""
        for item, empty in zip(self._arrays, self._empty, strict=True):
            yield np.zeros((0, self.width)) if empty else numbers(item, self._where)

    def _shape(self, item: Any) -> tuple[int, ...]:
        """Give the shape of a clip's frames, (0,) where there are none."""
        if item is None:
            return (0,)
        shape = item.shape if isinstance(item, LazyArray) else numbers(item, self._where).shape
        return shape if math.prod(shape) else (0,)


def sequences(value: Any, where: str) -> Sequences:
    """Recognise the sequences of a split: one array of three axes or a list of arrays or lists.

    Raises:
        DataError: Beginning with `where`, if it is neither.
    """
    if isinstance(value, LazyArray):
        if len(value.shape) != 3 or value.dtype.kind not in _NUMBERS:
            raise DataError(f"{where}: an array of shape {value.shape} is not (clips, steps, width) of numbers")
        return PaddedSequences(value)
    if not isinstance(value, list) or not value:
        raise DataError(f"{where}: neither an array nor a list with an entry for each clip")
    return RaggedSequences(value, where)


def numbers(value: Any, where: str, *, as_text: bool = False) -> np.ndarray:
    """Read numbers of any nesting into one array in memory.

    Args:
        value: An array, or lists of numbers or arrays.
        where: Beginning of error messages.
        as_text: Whether they may be written as text.

    Raises:
        DataError: Beginning with `where`, if they are not numbers or the nesting is uneven.
    """
    if isinstance(value, LazyArray):
        array = value.read()
    else:
        _refuse_odd_lists(value, where)
        try:
            array = np.asarray(_plain_lists(value))
        except (ValueError, OverflowError) as error:
            raise DataError(f"{where}: lists of uneven length, which make no array") from error
    if as_text and array.dtype.kind in "US":
        try:
            return array.astype(np.float64)
        except ValueError as error:
            raise DataError(f"{where}: {error}; numbers are needed") from error
    if array.dtype.kind not in _NUMBERS and array.size:
        raise DataError(f"{where}: numbers are needed, not {array.dtype.name}")
    return array


def flat(value: Any, where: str) -> np.ndarray:
    """Read one number a clip, (clips,) float64, which may be written as text; axes of length one are dropped."""
    array = numbers(value, where, as_text=True).astype(np.float64)
    if array.ndim > 1 and array.size != array.shape[0]:
        raise DataError(f"{where}: shape {array.shape} is not one number for each clip")
    return array.reshape(-1)


def _rows(array: LazyArray | np.ndarray, begin: int, end: int) -> np.ndarray:
    """Take a range of rows."""
    return array.rows(begin, end) if isinstance(array, LazyArray) else array[begin:end]


def _plain_lists(value: Any) -> Any:
    """Read the arrays inside nested lists; None among numbers is one that is missing."""
    if isinstance(value, LazyArray):
        return value.read()
    if value is None:
        return math.nan
    return [_plain_lists(item) for item in value] if isinstance(value, list) else value


def _refuse_odd_lists(value: Any, where: str) -> None:
    """Refuse lists that are nested deeper than arrays are, or that repeat each other until they fill the memory."""
    level: list[Any] = [value]
    for _ in range(4):
        size = sum(len(part) if isinstance(part, list) else math.prod(getattr(part, "shape", ())) for part in level)
        if size > _LARGEST_LIST:
            raise DataError(f"{where}: lists of {size} numbers are too large; save arrays instead")
        level = [item for part in level if isinstance(part, list) for item in part]
    if level:
        raise DataError(f"{where}: lists nested more than three deep, which is no array of clips")
