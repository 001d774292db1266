"""The stack machine behind `read_pickle`: the opcodes and names that plain values and numpy arrays need."""

import codecs
import math
import re
import struct
import tempfile
from collections.abc import Callable, Sequence
from itertools import accumulate
from operator import mul
from types import MappingProxyType
from typing import Any, BinaryIO, Final

import numpy as np

from imlcmm.datasets.lazy import LazyArray, Payload
from imlcmm.file_kinds import TEXT_PICKLE

_IN_FILE = 1 << 16
_PIECE = 1 << 20
_REST = 1 << 12
_LONGEST_INTEGER = 255
_DTYPE = re.compile(r"b1|[iu][1248]|f[248]|[US]\d{1,6}|O8?")
_KEY_TYPES = (str, bytes, int, float, type(None))
_OF_TEXT_PICKLES = (b"I", b"L", b"F", b"S", b"V", b"g", b"p")
_WAYS_OUT = MappingProxyType(
    {
        "torch": "save tensors as numpy arrays (tensor.numpy())",
        "pandas": "save tables as numpy arrays (frame.to_numpy())",
        "scipy": "save matrices as numpy arrays (matrix.toarray())",
        "joblib": "save it with pickle.dump(data, file, protocol=4)",
    }
)
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
            ("mapping", ("builtins", "__builtin__"), "dict"),
            ("mapping", ("collections",), "OrderedDict"),
            ("mapping", ("collections",), "defaultdict"),
            ("mapping", ("collections",), "Counter"),
            ("sequence", ("builtins", "__builtin__"), "list"),
            ("sequence", ("builtins", "__builtin__"), "tuple"),
            ("sequence", ("collections",), "deque"),
            ("set", ("builtins", "__builtin__"), "set"),
            ("set", ("builtins", "__builtin__"), "frozenset"),
            ("factory", ("builtins", "__builtin__"), "int"),
            ("factory", ("builtins", "__builtin__"), "float"),
            ("factory", ("builtins", "__builtin__"), "str"),
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
    """The file holds something that is not read; the message says what, and what to do."""

    def __init__(self, what: str, advice: str = "only plain values and numpy arrays are read from a pickle") -> None:
        """Join the two."""
        super().__init__(f"{what}; {advice}")


class LongText:
    """A long string that is still in the file."""

    def __init__(self, payload: Payload) -> None:
        """Remember where it lies."""
        self.payload = payload


class PickleMachine:
    """Runs the opcodes of one file.

    Attributes:
        size: Bytes in the file.
        spare: Bytes or items that may still be made by copying; no honest file repeats itself beyond its size.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Start with an empty stack at the beginning of the file."""
        self.file = file
        self.size = self.spare = file.seek(0, 2)
        file.seek(0)
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.spill: BinaryIO | None = None

    def run(self) -> Any:
        """Execute until STOP and give what is on top of the stack."""
        while (code := self.take(1)) != b".":
            action = _OPCODES.get(code)
            if action is None and code in _OF_TEXT_PICKLES:
                raise RefusedError(f"is {TEXT_PICKLE.name}", TEXT_PICKLE.advice)
            if action is None:
                raise RefusedError(
                    f"uses the pickle opcode {code!r}, which plain data saved with protocol 2 to 5 lacks"
                )
            action(self)
        value = self.stack.pop()
        if self.file.read(_REST).strip(b"\0\t\r\n "):
            raise RefusedError("goes on after its first object", "save all splits together as one dictionary")
        return value

    def take(self, count: int) -> bytes:
        """Read exactly `count` bytes."""
        if count > self.size - self.file.tell():
            raise EOFError
        return self.file.read(count)

    def spend(self, count: int) -> None:
        """Account for what is copied: a small file could fill the memory by naming one part again and again."""
        self.spare -= count
        if self.spare < 0:
            raise RefusedError("repeats its parts until they would fill the memory", "save it anew")

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
        self.push(payload.read().decode("utf-8", "surrogatepass") if payload.file is None else LongText(payload))

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
            asked = f"asks for {f'{module}.{name}'[:120]!r}, which is not allowed"
            advice = _WAYS_OUT.get(module.partition(".")[0])
            raise RefusedError(asked, advice) if advice else RefusedError(asked)
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
        if type(target) is not dict:
            raise TypeError
        target.update(zip(_hashable(values[::2]), values[1::2], strict=True))

    def dictionary(self) -> None:
        """Push a dictionary of the pairs down to the last mark."""
        pairs = self.marked()
        self.push({})
        self.fill(pairs)

    def include(self, values: list[Any]) -> None:
        """Add values to the set on top of the stack."""
        target = self.stack[-1]
        if type(target) is not set:
            raise TypeError
        target.update(_hashable(values))

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
            target.value = _filled(self, shape, dtype.value, bool(fortran), content)
        else:
            raise RefusedError("sets the state of something that is no array")

    def latin(self, text: Any, encoding: Any) -> Payload:
        """Give the bytes that protocol 2 hides in a Latin-1 string; a long one goes to a temporary file."""
        if _ascii(encoding) not in ("latin1", "latin-1"):
            raise ValueError(encoding)
        if isinstance(text, str):
            self.spend(len(text))
            return Payload(content=text.encode("latin-1"))
        if not isinstance(text, LongText):
            raise TypeError
        self.spend(text.payload.length)
        if self.spill is None:
            self.spill = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the arrays that lie in it
        start = self.spill.seek(0, 2)
        decoder = codecs.getincrementaldecoder("utf-8")()
        for begin in range(0, text.payload.length, _PIECE):
            piece = text.payload.read(begin, min(begin + _PIECE, text.payload.length))
            self.spill.write(decoder.decode(piece).encode("latin-1"))
        self.spill.flush()
        return Payload(file=self.spill, start=start, length=self.spill.tell() - start)


def _filled(
    machine: PickleMachine, shape: Any, dtype: Any, fortran: bool, content: Any, axes: Any = None
) -> LazyArray | list[Any]:
    """Make an array of its parts; object arrays become lists."""
    if not isinstance(dtype, np.dtype) or not all(type(n) is int and 0 <= n <= machine.size for n in shape):
        raise ValueError("no dtype, or a shape of other than integers, or one that the file cannot hold")
    if dtype.kind == "O":
        return _nested(machine, shape, content)
    if not dtype.itemsize:
        raise ValueError("strings of no characters")
    return LazyArray(dtype, tuple(shape), _bytes(content), fortran=fortran, axes=None if axes is None else tuple(axes))


def _nested(machine: PickleMachine, shape: Any, content: Any) -> list[Any]:
    """Give an object array as lists in lists; its objects are always in row order."""
    if type(content) is not list or not shape or math.prod(shape) != len(content):
        raise RefusedError("holds an object array of uncommon form")
    if len(shape) == 1:
        return content
    machine.spend(max(accumulate(shape, mul)))
    nested: list[Any] = np.fromiter(content, object, len(content)).reshape(shape).tolist()
    return nested


def _hashable(values: Sequence[Any]) -> list[Any]:
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
    machine.spend(dtype.value.itemsize)
    return np.frombuffer(_bytes(content).read(), dtype.value, count=1)[0].item()


def _make_from_buffer(
    machine: PickleMachine, content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None
) -> PendingArray:
    """Make an array as protocol 5 stores it."""
    array = PendingArray()
    array.value = _filled(machine, shape, dtype.value, order == "F", content, axes if order == "K" else None)
    return array


def _make_bytes(machine: PickleMachine, content: Any = None, *encoding: Any) -> Payload:
    """Make the bytes or bytearray that older protocols spell as a call."""
    if isinstance(content, str) and [_ascii(name) for name in encoding] == ["latin-1"]:
        return machine.latin(content, "latin-1")
    return Payload() if content is None else _bytes(content)


def _make_mapping(machine: PickleMachine, *given: Any) -> dict[Any, Any]:
    """Make a dictionary of another one, of a list of pairs, or empty; what makes missing values is never called."""
    result: dict[Any, Any] = {}
    for one in given:
        if type(one) is dict:
            return one
        if type(one) is list:
            machine.spend(len(one))
            keys, values = zip(*one, strict=True) if one else ((), ())
            result.update(zip(_hashable(keys), values, strict=True))
        elif not (one is None or isinstance(one, Name)):
            raise TypeError
    return result


def _make_sequence(machine: PickleMachine, items: Any = (), longest: Any = None) -> list[Any]:
    """Make the list that a list, a tuple or a deque is here."""
    if type(items) not in (list, tuple):
        raise TypeError
    machine.spend(len(items))
    return list(items)


def _make_set(machine: PickleMachine, items: Any = ()) -> set[Any]:
    """Make a set of a list."""
    if type(items) is not list and items != ():
        raise TypeError
    machine.spend(len(items))
    return set(_hashable(items))


def _no_call(machine: PickleMachine, *arguments: Any) -> Any:
    """Refuse to make an array or a value in another way than pickles do."""
    raise RefusedError("builds a value in an unknown way")


_REDUCTIONS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        "array": lambda machine, *arguments: PendingArray(),
        "scalar": _make_scalar,
        "buffer": _make_from_buffer,
        "ndarray": _no_call,
        "dtype": _make_dtype,
        "encode": PickleMachine.latin,
        "bytes": _make_bytes,
        "mapping": _make_mapping,
        "sequence": _make_sequence,
        "set": _make_set,
        "factory": _no_call,
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
        b"\x8f": lambda m: m.push(set()),
        b"\x90": lambda m: m.include(m.marked()),
        b"\x91": lambda m: m.push(set(_hashable(m.marked()))),
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
