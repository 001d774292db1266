"""Words in time: splitting, joining, and placing them in the speech."""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from imlcmm.features.words.regions import Region, SpeechClock

_KANA = re.compile(r"[\u3040-\u30ff]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# A Chinese character is a syllable, a letter about a third of one.
_CJK_LENGTH = 3.0


class Word(NamedTuple):
    """A word, or a Chinese character, with the punctuation that clings to it.

    Attributes:
        text: The word without white space around it.
        start: Second at which it begins.
        end: Second at which it ends.
        probability: What a recogniser gives it; None where the word was given.
    """

    text: str
    start: float
    end: float
    probability: float | None = None

    def shifted(self, seconds: float) -> "Word":
        """Give the word at another time."""
        return self._replace(start=self.start + seconds, end=self.end + seconds)


def split_words(text: str) -> list[str]:
    """Split at white space, and Chinese by characters; punctuation stays with the word that it stands at.

    Args:
        text: Chinese, English or both.

    Returns:
        The words, which one after another are the text without its white space.
    """
    return [word for chunk in text.split() for word in _split_chunk(chunk)]


def _split_chunk(chunk: str) -> Iterator[str]:
    word, body = "", ""
    for character in chunk:
        kind = unicodedata.category(character)
        clings = kind[0] in "PM" and kind not in ("Ps", "Pi")
        if body and (_CJK.match(character) or (_CJK.match(body) and not clings)):
            yield word
            word, body = "", ""
        word += character
        if kind[0] not in "PM":
            body = character
    yield word


def join_words(words: Iterable[str]) -> str:
    """Join words with spaces, except beside Chinese characters and their punctuation."""
    text = ""
    for word in words:
        text += word if not text or _is_wide(text[-1]) or _is_wide(word[:1]) else f" {word}"
    return text


def _is_wide(character: str) -> bool:
    return bool(_CJK.match(character)) or (character > "\u2fff" and unicodedata.category(character)[0] == "P")


def time_words(pieces: Iterable[Word]) -> list[Word]:
    """Give the words of a text whose pieces, such as a recogniser's tokens, have times.

    Args:
        pieces: Parts of the text with the white space between them; words may end inside a piece.

    Returns:
        The words of `split_words`, with times that never go back.
    """
    said = ""
    times: list[Region] = []
    chances: list[float | None] = []
    for text, start, end, chance in pieces:
        said += text
        count = len("".join(text.split()))
        borders = [start + (end - start) * i / max(1, count) for i in range(count + 1)]
        times += pairwise(borders)
        chances += [chance] * max(1, count)
    words: list[Word] = []
    place, latest = 0, 0.0
    for word in split_words(said):
        start = max(latest, times[place][0])
        known = [chance for chance in chances[place : place + len(word)] if chance is not None]
        place += len(word)
        latest = max(start, times[place - 1][1])
        words.append(Word(word, start, latest, min(known, default=None)))
    return words


def spread_words(text: str, regions: Iterable[Region]) -> list[Word]:
    """Spread the words of a text over the speech, each for a time in proportion to its length.

    Args:
        text: What is said.
        regions: Seconds at which speech begins and ends.

    Returns:
        The words in order; none lies in a pause.

    Raises:
        MediaError: If there are words but no regions.
    """
    words = split_words(text)
    if not words:
        return []
    clock = SpeechClock(regions)
    lengths = [max(1.0, sum(_CJK_LENGTH if _CJK.match(c) else float(c.isalnum()) for c in word)) for word in words]
    scale = clock.total / math.fsum(lengths)
    spread: list[Word] = []
    until = 0.0
    for word, length in zip(words, lengths, strict=True):
        start, end = clock(until, until + length * scale)
        start = max(start, spread[-1].end) if spread else start
        spread.append(Word(word, start, max(start, end)))
        until += length * scale
    return spread


def holds_chinese(text: str) -> bool:
    """Tell whether a Chinese character, or a Japanese one, is in a text."""
    return bool(_CJK.search(text))


def holds_kana(text: str) -> bool:
    """Tell whether a Japanese syllable sign is in a text."""
    return bool(_KANA.search(text))
