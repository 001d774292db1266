"""Characters that are no writing and have no place in transcripts, ids or results."""

import os
import re
from pathlib import PurePath

_BREAKS = re.compile("[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
# Controls (tab and line ends are writing), marks of byte order and direction, widths of zero, halves of characters, and
# what XML forbids. The joiners and variation selectors of emoji and Persian stay.
_NOTHING = re.compile(
    "[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def clean_text(text: str) -> str:
    """Drop what is no writing: an end-of-file mark or NUL, for example; rare separators of lines become blanks."""
    return _NOTHING.sub("", _BREAKS.sub(" ", text))


def path_text(path: str | PurePath) -> str:
    """Give a path as text that can be printed and stored; bytes that are no UTF-8 are spelt."""
    return clean_text(os.fsencode(path).decode("utf-8", "backslashreplace"))
