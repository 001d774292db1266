"""The texts of a field file: ids, transcripts and keys, which older files hold as bytes, numbers or rows."""

import logging
import math
from typing import Any

from imlcmm.clean_text import clean_text
from imlcmm.datasets.field.lazy import LazyArray, Payload
from imlcmm.errors import DataError

logger = logging.getLogger(__name__)

_LONGEST_ID = 1000
_MOST_PARTS = 8
_SEPARATOR = "$_$"


def transcripts(value: Any, where: str) -> list[str]:
    """Read one transcript a clip; one that is missing (None or NaN) is empty.

    Raises:
        DataError: Beginning with `where`, if something else is among them or bytes are in an unknown encoding.
    """
    items = _decoded([_unwrapped(item) for item in _items(value, where)], where)
    return [clean_text(_transcript(item, f"{where}, clip {row}")) for row, item in enumerate(items)]


def identifiers(value: Any, where: str) -> list[str]:
    """Read one id a clip: text, a whole number, or a row of parts, which are joined to `video$_$clip`.

    Raises:
        DataError: Beginning with `where`, if something else is among them or bytes are in an unknown encoding.
    """
    rows = [_parts(item, f"{where}, clip {row}") for row, item in enumerate(_items(value, where))]
    parts = iter(_decoded([part for row in rows for part in row], where))
    found = []
    for position, row in enumerate(rows):
        own = f"{where}, clip {position}"
        texts = [_part(next(parts), own, number) for number in range(len(row))]
        if sum(map(len, texts)) > _LONGEST_ID:
            raise DataError(f"{own}: the id is longer than {_LONGEST_ID} characters; give a short one")
        found.append(clean_text(_SEPARATOR.join(texts)))
    return found


def text(value: str | bytes, where: str) -> str:
    """Read a text that may have come as bytes, in UTF-8 or else GB18030.

    Raises:
        DataError: Beginning with `where`, if it is in neither.
    """
    if isinstance(value, str):
        return value
    found = _try(value, "utf-8")
    if found is None:
        found = _try(value, "gb18030")
    if found is None:
        raise DataError(f"{where}: {value[:40]!r} is neither UTF-8 nor GB18030 text; save it as UTF-8 text")
    return found


def _items(value: Any, where: str) -> list[Any]:
    """List the entries of a value, one a clip; text that stands alone belongs to a single clip."""
    items = value.read().tolist() if isinstance(value, LazyArray) else value
    items = [items] if isinstance(items, str | bytes) else items
    if not isinstance(items, list):
        raise DataError(f"{where}: {type(items).__name__} instead of a list of strings")
    return items


def _unwrapped(item: Any) -> Any:
    """Take the only value out of lists and arrays of one, and the bytes of a long string out of the file."""
    if isinstance(item, LazyArray) and item.shape in ((), (1,)):
        item = item.read().tolist()
    while isinstance(item, list) and len(item) == 1:
        item = item[0]
    return item.read() if isinstance(item, Payload) else item


def _parts(item: Any, where: str) -> list[Any]:
    """List the parts of an id."""
    item = _unwrapped(item)
    item = item.read().tolist() if isinstance(item, LazyArray) else item
    if not isinstance(item, list):
        return [item]
    if not 0 < len(item) <= _MOST_PARTS:
        raise DataError(f"{where}: an id of {len(item)} parts; give one or a few, such as video and clip")
    return [_unwrapped(part) for part in item]


def _decoded(items: list[Any], where: str) -> list[Any]:
    """Turn bytes among the items into text; equal ones are decoded once.

    Some short words of GB18030 are also UTF-8, though of two-byte characters alone (no Chinese), so among others that
    are GB18030 for certain they are read as that.
    """
    found: dict[bytes, str] = {}
    for row, item in enumerate(items):
        if isinstance(item, bytes) and item not in found:
            found[item] = text(item, f"{where}, entry {row}")
    if any(_try(item, "utf-8") is None for item in found):
        logger.warning("%s: bytes that are no UTF-8, read as GB18030", where)
        for item, read in found.items():
            if not read.isascii() and max(read) < "\u0800":
                found[item] = _try(item, "gb18030") or read
    return [found[item] if isinstance(item, bytes) else item for item in items]


def _try(value: bytes, encoding: str) -> str | None:
    """Decode bytes, or give None where they are not in that encoding."""
    try:
        return value.decode(encoding)
    except UnicodeDecodeError:
        return None


def _transcript(item: Any, where: str) -> str:
    """Give a transcript as text."""
    if item is None or (isinstance(item, float) and math.isnan(item)):
        return ""
    if not isinstance(item, str):
        raise DataError(f"{where}: a string is needed, not {type(item).__name__}")
    return item


def _part(item: Any, where: str, number: int) -> str:
    """Give a part of an id as text; only those after the first, such as times, may be fractions."""
    if isinstance(item, float) and item.is_integer():
        item = int(item)
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    if isinstance(item, float) and math.isfinite(item) and number:
        return repr(item)
    if not isinstance(item, str):
        shown = f"the number {item}" if isinstance(item, float) else type(item).__name__
        raise DataError(f"{where}: a string or a whole number is needed as id, not {shown}")
    return item


def text_keys(value: dict[Any, Any], where: str) -> dict[Any, Any]:
    """Give a dictionary whose keys of bytes have become text.

    Raises:
        DataError: Beginning with `where`, if two keys are the same then or one is in an unknown encoding.
    """
    result: dict[Any, Any] = {}
    for key, item in value.items():
        name = text(key, f"{where}, a key") if isinstance(key, bytes) else key
        if name in result:
            raise DataError(f"{where}: the key '{name}' is there twice, as text and as bytes; remove one")
        result[name] = item
    return result
