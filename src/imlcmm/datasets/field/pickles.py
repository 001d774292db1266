"""A closed reader of pickles: plain values and numpy arrays, nothing else, and nothing in the file is ever run.

The machine behind it has the opcodes of protocols 2 to 5 that such values need. It calls no function that
a file names: the few names that numpy's pickles (1.x and 2.x) and plain containers hold stand for fixed actions here,
every other name is refused. Long byte strings are left in the file, so memory does not grow with the arrays.
"""

import gzip
import logging
import shutil
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from imlcmm.datasets.field.lazy import Payload
from imlcmm.datasets.field.pickle_machine import PickleMachine
from imlcmm.datasets.field.pickle_values import MARK, LongText, Name, PendingArray, PendingDType, RefusedError
from imlcmm.errors import DataError
from imlcmm.file_kinds import GZIP, HEAD, file_kind, text_kind

logger = logging.getLogger(__name__)

_PIECE = 1 << 20
_LARGEST_RATIO = 200
_FREE = 1 << 30


def read_pickle(path: Path) -> Any:
    """Read a pickle of plain values and numpy arrays; arrays come back as `LazyArray`, object arrays as lists.

    Dictionaries and lists of other types (ordered, with defaults, deques) come back as plain ones, and a pickle that is
    packed with gzip is unpacked to a temporary file.

    Raises:
        DataError: If the file asks for anything else (the message names it), is cut short or is no pickle; other
            formats are named.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder, where a pickle is needed; give a file that ends in .pkl")
    try:
        file: BinaryIO = path.open("rb")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check the path") from error
    head = file.read(HEAD)
    if file_kind(head) is GZIP:
        file = _unpacked(file, path)
        head = file.read(HEAD)
    kind = file_kind(head) or text_kind(head)
    if kind is not None:
        raise DataError(f"{path} is {kind.name}, where a pickle of protocol 2 to 5 is needed; {kind.advice}")
    try:
        return _resolve(PickleMachine(file).run())
    except RefusedError as refusal:
        raise DataError(f"{path} {refusal}") from refusal
    except EOFError as error:
        raise DataError(f"{path} is cut short; copy or download it again") from error
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise DataError(f"{path} is no intact pickle of protocol 2 to 5; copy it again or save it anew") from error


def _unpacked(file: BinaryIO, path: Path) -> BinaryIO:
    """Unpack a file into a temporary one, which lives as long as the arrays that lie in it."""
    logger.info("%s is packed with gzip; it is unpacked to a temporary file", path)
    size = file.seek(0, 2)
    file.seek(0)
    room = min(size * _LARGEST_RATIO, shutil.disk_usage(tempfile.gettempdir()).free - _FREE)
    spill = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with gzip.GzipFile(fileobj=file) as packed:
            while piece := packed.read(_PIECE):
                room -= len(piece)
                if room < 0:
                    raise DataError(
                        f"{path} would unpack to more than {_LARGEST_RATIO} times its size or than the disk can hold; "
                        "unpack it by hand with gunzip"
                    )
                spill.write(piece)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is packed with gzip and cut short or damaged; download it again") from error
    spill.seek(0)
    return spill


def _resolve(value: Any) -> Any:
    """Replace the stand-ins in a value read from a file by what they stand for, without recursion."""
    root = [value]
    pending: list[Any] = [root]
    seen, lists = {id(root)}, dict[int, tuple[tuple[Any, ...], list[Any]]]()
    while pending:
        container = pending.pop()
        items: list[tuple[Any, Any]] = list(container.items() if type(container) is dict else enumerate(container))
        for key, item in items:
            # One list a tuple, however often it occurs: copies of nested ones could fill the memory.
            plain = lists.setdefault(id(item), (item, list(item)))[1] if type(item) is tuple else _plain(item)
            if plain is not item:
                container[key] = plain
            if type(plain) in (list, dict) and id(plain) not in seen:
                seen.add(id(plain))
                pending.append(plain)
    return root[0]


def _plain(item: Any) -> Any:
    """Give the plain form of one value that holds no others."""
    if isinstance(item, PendingArray):
        if item.value is None:
            raise ValueError("an array without content")
        return item.value
    if isinstance(item, Payload):
        return item.read() if item.file is None else item
    if isinstance(item, LongText):
        return item.payload
    if isinstance(item, Name | PendingDType) or item is MARK:
        raise RefusedError("holds a function or a type")
    return item
