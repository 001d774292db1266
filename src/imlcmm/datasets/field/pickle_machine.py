"""The stack machine behind `read_pickle`: the opcodes that plain values and numpy arrays need."""

import struct
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, BinaryIO

from imlcmm.datasets.field.lazy import Payload
from imlcmm.datasets.field.pickle_calls import Room, ascii_word, filled, hashable, named
from imlcmm.datasets.field.pickle_values import MARK, LongText, Name, PendingArray, PendingDType, RefusedError
from imlcmm.file_kinds import TEXT_PICKLE

_IN_FILE = 1 << 16
_REST = 1 << 12
_LONGEST_INTEGER = 255
_OF_TEXT_PICKLES = (b"I", b"L", b"F", b"S", b"V", b"g", b"p")


class PickleMachine:
    """Runs the opcodes of one file."""

    def __init__(self, file: BinaryIO) -> None:
        """Start with an empty stack at the beginning of the file."""
        self.file = file
        self.room = Room(file.seek(0, 2))
        file.seek(0)
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

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
        if count > self.room.size - self.file.tell():
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
        if length > self.room.size - start:
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
        self.push(named(module, name))

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
        target.update(zip(hashable(values[::2]), values[1::2], strict=True))

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
        target.update(hashable(values))

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
        self.push(function.call(self.room, *arguments))

    def build(self) -> None:
        """Fill an array or complete a dtype."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, PendingDType):
            order = ascii_word(state[1])
            if order in ("<", ">"):
                target.value = target.value.newbyteorder(order)
        elif isinstance(target, PendingArray):
            _, shape, dtype, fortran, content = state
            target.value = filled(self.room, shape, dtype.value, bool(fortran), content)
        else:
            raise RefusedError("sets the state of something that is no array")


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
        b"\x91": lambda m: m.push(set(hashable(m.marked()))),
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
