"""Texts as a recogniser would write them: lower case, without punctuation."""

import re

_ADDRESS = re.compile(r"https?://\S+|@\w+")
_NO_WORD = re.compile(r"[^\w\s']|_")


def spoken(text: str, language: str) -> str:
    """Write a text as it may come from a recogniser; empty if nothing of it can be spoken."""
    bare = _NO_WORD.sub("" if language == "zh" else " ", _ADDRESS.sub(" ", text))
    return " ".join(bare.lower().split())
