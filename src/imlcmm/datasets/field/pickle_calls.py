"""What the names of a pickle mean here: fixed actions that make plain values, never what the file would call."""

import codecs
import math
import re
import tempfile
from collections.abc import Callable, Sequence
from itertools import accumulate
from operator import mul
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from imlcmm.datasets.field.lazy import LazyArray, Payload
from imlcmm.datasets.field.pickle_values import LongText, Name, PendingArray, PendingDType, RefusedError

_PIECE = 1 << 20
_DTYPE = re.compile(r"b1|[iu][1248]|f[248]|[US]\d{1,6}|O8?")
_KEY_TYPES = (str, bytes, int, float, type(None))
_WAYS_OUT = MappingProxyType(
    {
        "torch": "save tensors as numpy arrays (tensor.numpy())",
        "pandas": "save tables as numpy arrays (frame.to_numpy())",
        "scipy": "save matrices as numpy arrays (matrix.toarray())",
        "joblib": "save it with pickle.dump(data, file, protocol=4)",
    }
)


class Room:
    """The room that one file may take.

    Attributes:
        size: Bytes in the file.
        spare: Bytes or items that may still be made by copying; no honest file repeats itself beyond its size.
    """

    def __init__(self, size: int) -> None:
        """Start with room for as much again as the file holds."""
        self.size = self.spare = size
        self._spill: BinaryIO | None = None

    def spend(self, count: int) -> None:
        """Account for what is copied: a small file could fill the memory by naming one part again and again."""
        self.spare -= count
        if self.spare < 0:
            raise RefusedError("repeats its parts until they would fill the memory", "save it anew")

    def latin(self, text: Any, encoding: Any) -> Payload:
        """Give the bytes that protocol 2 hides in a Latin-1 string; a long one goes to a temporary file."""
        if ascii_word(encoding) not in ("latin1", "latin-1"):
            raise ValueError(encoding)
        if isinstance(text, str):
            self.spend(len(text))
            return Payload(content=text.encode("latin-1"))
        if not isinstance(text, LongText):
            raise TypeError
        self.spend(text.payload.length)
        if self._spill is None:
            self._spill = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the arrays that lie in it
        start = self._spill.seek(0, 2)
        decoder = codecs.getincrementaldecoder("utf-8")()
        for begin in range(0, text.payload.length, _PIECE):
            piece = text.payload.read(begin, min(begin + _PIECE, text.payload.length))
            self._spill.write(decoder.decode(piece).encode("latin-1"))
        self._spill.flush()
        return Payload(file=self._spill, start=start, length=self._spill.tell() - start)


def filled(room: Room, shape: Any, dtype: Any, fortran: bool, content: Any, axes: Any = None) -> LazyArray | list[Any]:
    """Make an array of its parts; object arrays become lists."""
    if not isinstance(dtype, np.dtype) or not all(type(n) is int and 0 <= n <= room.size for n in shape):
        raise ValueError("no dtype, or a shape of other than integers, or one that the file cannot hold")
    if dtype.kind == "O":
        return _nested(room, shape, content)
    if not dtype.itemsize:
        raise ValueError("strings of no characters")
    return LazyArray(dtype, tuple(shape), _bytes(content), fortran=fortran, axes=None if axes is None else tuple(axes))


def _nested(room: Room, shape: Any, content: Any) -> list[Any]:
    """Give an object array as lists in lists; its objects are always in row order."""
    if type(content) is not list or not shape or math.prod(shape) != len(content):
        raise RefusedError("holds an object array of uncommon form")
    if len(shape) == 1:
        return content
    room.spend(max(accumulate(shape, mul)))
    nested: list[Any] = np.fromiter(content, object, len(content)).reshape(shape).tolist()
    return nested


def hashable(values: Sequence[Any]) -> list[Any]:
    """Give the keys of a dictionary or the values of a set; a nested tuple would recurse in C while it is hashed."""
    plain = [one.read() if isinstance(one, Payload) and one.file is None else one for one in values]
    if not all(isinstance(one, _KEY_TYPES) for one in plain):
        raise RefusedError("holds a key of a dictionary, or a value of a set, that is neither text nor number")
    return plain


def _bytes(content: Any) -> Payload:
    """Take the bytes of an array."""
    if not isinstance(content, Payload):
        raise TypeError
    return content


def ascii_word(value: Any) -> Any:
    """Read a short word that Python 2 wrote as bytes."""
    return value.read(0, 20).decode("ascii") if isinstance(value, Payload) else value


def _make_dtype(room: Room, code: Any, *flags: Any) -> PendingDType:
    """Make a dtype of its code, which must be that of a plain type."""
    code = ascii_word(code)
    if not isinstance(code, str) or not _DTYPE.fullmatch(code.lstrip("|<>=")):
        raise RefusedError(f"holds an array of type {str(code)[:40] if isinstance(code, str) else 'structure'!r}")
    return PendingDType(code)


def _make_scalar(room: Room, dtype: Any, content: Any) -> Any:
    """Make a plain Python value of a numpy scalar."""
    if dtype.value.kind == "O":
        raise RefusedError("holds a numpy scalar of type object")
    if dtype.value.itemsize == 0:
        return ""
    room.spend(dtype.value.itemsize)
    return np.frombuffer(_bytes(content).read(), dtype.value, count=1)[0].item()


def _make_from_buffer(room: Room, content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> PendingArray:
    """Make an array as protocol 5 stores it."""
    array = PendingArray()
    array.value = filled(room, shape, dtype.value, order == "F", content, axes if order == "K" else None)
    return array


def _make_bytes(room: Room, content: Any = None, *encoding: Any) -> Payload:
    """Make the bytes or bytearray that older protocols spell as a call."""
    if isinstance(content, str) and [ascii_word(name) for name in encoding] == ["latin-1"]:
        return room.latin(content, "latin-1")
    return Payload() if content is None else _bytes(content)


def _make_mapping(room: Room, *given: Any) -> dict[Any, Any]:
    """Make a dictionary of another one, of a list of pairs, or empty; what makes missing values is never called."""
    result: dict[Any, Any] = {}
    for one in given:
        if type(one) is dict:
            return one
        if type(one) is list:
            room.spend(len(one))
            keys, values = zip(*one, strict=True) if one else ((), ())
            result.update(zip(hashable(keys), values, strict=True))
        elif not (one is None or isinstance(one, Name)):
            raise TypeError
    return result


def _make_sequence(room: Room, items: Any = (), longest: Any = None) -> list[Any]:
    """Make the list that a list, a tuple or a deque is here."""
    if type(items) not in (list, tuple):
        raise TypeError
    room.spend(len(items))
    return list(items)


def _make_set(room: Room, items: Any = ()) -> set[Any]:
    """Make a set of a list."""
    if type(items) is not list and items != ():
        raise TypeError
    room.spend(len(items))
    return set(hashable(items))


def _no_call(room: Room, *arguments: Any) -> Any:
    """Refuse to make an array or a value in another way than pickles do."""
    raise RefusedError("builds a value in an unknown way")


_NUMPY = ("numpy.core", "numpy._core")
_BUILTINS = ("builtins", "__builtin__")
_CALLS: MappingProxyType[tuple[str, str], Callable[..., Any]] = MappingProxyType(
    {
        (module, name): call
        for modules, name, call in (
            ([f"{core}.multiarray" for core in _NUMPY], "_reconstruct", lambda room, *arguments: PendingArray()),
            ([f"{core}.multiarray" for core in _NUMPY], "scalar", _make_scalar),
            ([f"{core}.numeric" for core in _NUMPY], "_frombuffer", _make_from_buffer),
            (["numpy"], "ndarray", _no_call),
            (["numpy"], "dtype", _make_dtype),
            (["_codecs"], "encode", Room.latin),
            (_BUILTINS, "bytes", _make_bytes),
            (_BUILTINS, "bytearray", _make_bytes),
            (_BUILTINS, "dict", _make_mapping),
            (["collections"], "OrderedDict", _make_mapping),
            (["collections"], "defaultdict", _make_mapping),
            (["collections"], "Counter", _make_mapping),
            (_BUILTINS, "list", _make_sequence),
            (_BUILTINS, "tuple", _make_sequence),
            (["collections"], "deque", _make_sequence),
            (_BUILTINS, "set", _make_set),
            (_BUILTINS, "frozenset", _make_set),
            # What a dictionary with defaults would fill gaps with.
            (_BUILTINS, "int", _no_call),
            (_BUILTINS, "float", _no_call),
            (_BUILTINS, "str", _no_call),
        )
        for module in modules
    }
)


def named(module: str, name: str) -> Name:
    """Give the stand-in for a name.

    Raises:
        RefusedError: If it is none of those that plain values and numpy arrays need.
    """
    call = _CALLS.get((module, name))
    if call is not None:
        return Name(call)
    asked = f"asks for {f'{module}.{name}'[:120]!r}, which is not allowed"
    advice = _WAYS_OUT.get(module.partition(".")[0])
    raise RefusedError(asked, advice) if advice else RefusedError(asked)
