"""The stack machine behind `read_pickle`: the opcodes and names that plain values and numpy arrays need."""

import codecs
import re
import struct
import tempfile
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, BinaryIO, Final

import numpy as np

from imlcmm.datasets.lazy import LazyArray, Payload

_IN_FILE = 1 << 16
_PIECE = 1 << 20
_LONGEST_INTEGER = 255
_DTYPE = re.compile(r"b1|[iu][1248]|f[248]|[US]\d{1,6}|O8?")
_KEY_TYPES = (str, bytes, int, float, type(None))
MARK: Final = object()

_ACTIONS = MappingProxyType(
    {
        (module, name): action
        for action, modules, name in (
            ("array", ("numpy.core.multiarray", "numpy._core.multiarray"), "_reconstruct"),
            ("scalar", ("numpy.core.multiarray", "numpy._core.multiarray"), "scalar"),
            ("buffer", ("numpy.core.numeric", "numpy._core.numeric"), "_frombuffer"),
            ("ndarray", ("numpy",), "ndarray"),
            ("dtype", ("numpy",), "dtype"),
            ("encode", ("_codecs",), "encode"),
            ("bytes", ("builtins", "__builtin__"), "bytes"),
            ("bytes", ("builtins", "__builtin__"), "bytearray"),
        )
        for module in modules
    }
)


class Name:
    """Stands for a name that a numpy pickle may hold."""

    def __init__(self, action: str) -> None:
        """Remember what the name means here."""
        self.action = action


class PendingDType:
    """A dtype that still waits for its byte order."""

    def __init__(self, code: str) -> None:
        """Accept the codes of booleans, integers, floats, strings and objects."""
        self.value = np.dtype(code)


class PendingArray:
    """An array on the way: made empty by one opcode, filled by a later one."""

    value: LazyArray | list[Any] | None = None


class RefusedError(Exception):
    """The file asks for something that is not allowed; the message says what."""


class LongText:
    """A long string that is still in the file."""

    def __init__(self, payload: Payload) -> None:
        """Remember where it lies."""
        self.payload = payload


class PickleMachine:
    """Runs the opcodes of one file."""

    def __init__(self, file: BinaryIO) -> None:
        """Start with an empty stack at the beginning of the file."""
        self.file = file
        self.size = file.seek(0, 2)
        file.seek(0)
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.spill: BinaryIO | None = None

    def run(self) -> Any:
        """Execute until STOP and give what is on top of the stack."""
        while (code := self.take(1)) != b".":
            action = _OPCODES.get(code)
            if action is None:
                raise RefusedError(
                    f"uses the pickle opcode {code!r}, which plain data saved with protocol 2 to 5 lacks"
                )
            action(self)
        return self.stack.pop()

    def take(self, count: int) -> bytes:
        """Read exactly `count` bytes."""
        if count > self.size - self.file.tell():
            raise EOFError
        return self.file.read(count)

    def number(self, layout: str) -> int:
        """Read one number of the given `struct` layout."""
        value: int = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return value

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def line(self) -> str:
        """Read a short line of text."""
        text = self.file.readline(1000)
        if not text.endswith(b"\n"):
            raise EOFError
        return text[:-1].decode()

    def marked(self) -> list[Any]:
        """Take everything off the stack down to the last mark."""
        position = len(self.stack) - 1
        while self.stack[position] is not MARK:
            position -= 1
            if position < 0:
                raise ValueError("no mark")
        values = self.stack[position + 1 :]
        del self.stack[position:]
        return values

    def payload(self, layout: str) -> Payload:
        """Read a byte string, or skip a long one and remember where it lies."""
        length = self.number(layout)
        if length < _IN_FILE:
            return Payload(content=self.take(length))
        start = self.file.tell()
        if length > self.size - start:
            raise EOFError
        self.file.seek(length, 1)
        return Payload(file=self.file, start=start, length=length)

    def text(self, layout: str) -> None:
        """Push a string; a long one stays in the file, since only array bytes of protocol 2 are that long."""
        payload = self.payload(layout)
        self.push(payload.read().decode("utf-8", "replace") if payload.file is None else LongText(payload))

    def old_string(self, layout: str) -> None:
        """Push a string of Python 2 as bytes, since its use alone tells whether it is text."""
        self.push(self.payload(layout))

    def integer(self, layout: str) -> None:
        """Push an integer of any size up to 255 bytes."""
        length = self.number(layout)
        if not 0 <= length <= _LONGEST_INTEGER:
            raise ValueError("integer too long")
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    def name(self, module: Any, name: Any) -> None:
        """Push the stand-in for a name, or refuse it."""
        if not (isinstance(module, str) and isinstance(name, str)):
            raise TypeError
        action = _ACTIONS.get((module, name))
        if action is None:
            raise RefusedError(f"asks for {f'{module}.{name}'[:120]!r}, which is not allowed")
        self.push(Name(action))

    def stack_name(self) -> None:
        """Push the stand-in for the name whose two parts are on the stack."""
        name, module = self.stack.pop(), self.stack.pop()
        self.name(module, name)

    def append(self, values: list[Any]) -> None:
        """Extend the list on top of the stack."""
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError
        target.extend(values)

    def fill(self, values: list[Any]) -> None:
        """Add key and value pairs to the dictionary on top of the stack."""
        target = self.stack[-1]
        keys = [key.read() if isinstance(key, Payload) and key.file is None else key for key in values[::2]]
        # A nested tuple as a key would recurse in C while it is hashed.
        if type(target) is not dict or not all(isinstance(key, _KEY_TYPES) for key in keys):
            raise TypeError
        target.update(zip(keys, values[1::2], strict=True))

    def dictionary(self) -> None:
        """Push a dictionary of the pairs down to the last mark."""
        pairs = self.marked()
        self.push({})
        self.fill(pairs)

    def make_tuple(self, count: int) -> None:
        """Replace the top values by a tuple of them."""
        values = tuple(self.stack[-count:])
        if len(values) != count or MARK in values:
            raise IndexError
        self.stack[-count:] = [values]

    def reduce(self) -> None:
        """Do what a numpy pickle means where a plain unpickler would call a function."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Name) or type(arguments) is not tuple:
            raise RefusedError("calls something that is no part of numpy's arrays")
        self.push(_REDUCTIONS[function.action](self, *arguments))

    def build(self) -> None:
        """Fill an array or complete a dtype."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, PendingDType):
            order = _ascii(state[1])
            if order in ("<", ">"):
                target.value = target.value.newbyteorder(order)
        elif isinstance(target, PendingArray):
            _, shape, dtype, fortran, content = state
            target.value = _filled(shape, dtype.value, bool(fortran), content)
        else:
            raise RefusedError("sets the state of something that is no array")

    def latin(self, text: Any, encoding: Any) -> Payload:
        """Give the bytes that protocol 2 hides in a Latin-1 string; a long one goes to a temporary file."""
        if _ascii(encoding) not in ("latin1", "latin-1"):
            raise ValueError(encoding)
        if isinstance(text, str):
            return Payload(content=text.encode("latin-1"))
        if not isinstance(text, LongText):
            raise TypeError
        if self.spill is None:
            self.spill = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the arrays that lie in it
        start = self.spill.seek(0, 2)
        decoder = codecs.getincrementaldecoder("utf-8")()
        for begin in range(0, text.payload.length, _PIECE):
            piece = text.payload.read(begin, min(begin + _PIECE, text.payload.length))
            self.spill.write(decoder.decode(piece).encode("latin-1"))
        self.spill.flush()
        return Payload(file=self.spill, start=start, length=self.spill.tell() - start)


def _filled(shape: Any, dtype: Any, fortran: bool, content: Any, axes: Any = None) -> LazyArray | list[Any]:
    """Make an array of its parts; object arrays must be flat and become lists."""
    if not isinstance(dtype, np.dtype) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("no dtype or a shape of other than integers")
    if dtype.kind == "O":
        if type(content) is not list or len(shape) != 1 or len(content) != shape[0]:
            raise RefusedError("holds an object array with more than one axis")
        return content
    return LazyArray(dtype, tuple(shape), _bytes(content), fortran=fortran, axes=None if axes is None else tuple(axes))


def _bytes(content: Any) -> Payload:
    """Take the bytes of an array."""
    if not isinstance(content, Payload):
        raise TypeError
    return content


def _ascii(value: Any) -> Any:
    """Read a short word that Python 2 wrote as bytes."""
    return value.read(0, 20).decode("ascii") if isinstance(value, Payload) else value


def _make_dtype(machine: PickleMachine, code: Any, *flags: Any) -> PendingDType:
    """Make a dtype of its code, which must be that of a plain type."""
    code = _ascii(code)
    if not isinstance(code, str) or not _DTYPE.fullmatch(code.lstrip("|<>=")):
        raise RefusedError(f"holds an array of type {str(code)[:40] if isinstance(code, str) else 'structure'!r}")
    return PendingDType(code)


def _make_scalar(machine: PickleMachine, dtype: Any, content: Any) -> Any:
    """Make a plain Python value of a numpy scalar."""
    if dtype.value.kind == "O":
        raise RefusedError("holds a numpy scalar of type object")
    if dtype.value.itemsize == 0:
        return ""
    return np.frombuffer(_bytes(content).read(), dtype.value, count=1)[0].item()


def _make_from_buffer(
    machine: PickleMachine, content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None
) -> PendingArray:
    """Make an array as protocol 5 stores it."""
    array = PendingArray()
    array.value = _filled(shape, dtype.value, order == "F", content, axes if order == "K" else None)
    return array


def _make_bytes(machine: PickleMachine, content: Any = None, *encoding: Any) -> Payload:
    """Make the bytes or bytearray that older protocols spell as a call."""
    if isinstance(content, str) and [_ascii(name) for name in encoding] == ["latin-1"]:
        return machine.latin(content, "latin-1")
    return Payload() if content is None else _bytes(content)


def _no_call(machine: PickleMachine, *arguments: Any) -> Any:
    """Refuse to make an array in another way than numpy's pickles do."""
    raise RefusedError("builds an array in an unknown way")


_REDUCTIONS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        "array": lambda machine, *arguments: PendingArray(),
        "scalar": _make_scalar,
        "buffer": _make_from_buffer,
        "ndarray": _no_call,
        "dtype": _make_dtype,
        "encode": PickleMachine.latin,
        "bytes": _make_bytes,
    }
)


_OPCODES: MappingProxyType[bytes, Callable[[PickleMachine], Any]] = MappingProxyType(
    {
        b"\x80": lambda m: m.take(1),
        b"\x95": lambda m: m.take(8),
        b"(": lambda m: m.push(MARK),
        b"0": lambda m: m.stack.pop(),
        b"1": lambda m: m.marked(),
        b"2": lambda m: m.push(m.stack[-1]),
        b"N": lambda m: m.push(None),
        b"\x88": lambda m: m.push(True),
        b"\x89": lambda m: m.push(False),
        b"J": lambda m: m.push(m.number("<i")),
        b"K": lambda m: m.push(m.number("<B")),
        b"M": lambda m: m.push(m.number("<H")),
        b"\x8a": lambda m: m.integer("<B"),
        b"\x8b": lambda m: m.integer("<i"),
        b"G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        b"T": lambda m: m.old_string("<I"),
        b"U": lambda m: m.old_string("<B"),
        b"B": lambda m: m.push(m.payload("<I")),
        b"C": lambda m: m.push(m.payload("<B")),
        b"\x8e": lambda m: m.push(m.payload("<Q")),
        b"\x96": lambda m: m.push(m.payload("<Q")),
        b"X": lambda m: m.text("<I"),
        b"\x8c": lambda m: m.text("<B"),
        b"\x8d": lambda m: m.text("<Q"),
        b")": lambda m: m.push(()),
        b"t": lambda m: m.push(tuple(m.marked())),
        b"\x85": lambda m: m.make_tuple(1),
        b"\x86": lambda m: m.make_tuple(2),
        b"\x87": lambda m: m.make_tuple(3),
        b"]": lambda m: m.push([]),
        b"l": lambda m: m.push(m.marked()),
        b"a": lambda m: m.append([m.stack.pop()]),
        b"e": lambda m: m.append(m.marked()),
        b"}": lambda m: m.push({}),
        b"d": lambda m: m.dictionary(),
        b"s": lambda m: m.fill([m.stack.pop(-2), m.stack.pop()]),
        b"u": lambda m: m.fill(m.marked()),
        b"h": lambda m: m.push(m.memo[m.number("<B")]),
        b"j": lambda m: m.push(m.memo[m.number("<I")]),
        b"q": lambda m: m.memo.__setitem__(m.number("<B"), m.stack[-1]),
        b"r": lambda m: m.memo.__setitem__(m.number("<I"), m.stack[-1]),
        b"\x94": lambda m: m.memo.__setitem__(len(m.memo), m.stack[-1]),
        b"c": lambda m: m.name(m.line(), m.line()),
        b"\x93": lambda m: m.stack_name(),
        b"R": lambda m: m.reduce(),
        b"b": lambda m: m.build(),
    }
)
