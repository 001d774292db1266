"""Words in time, and the utterances that a recording is cut into."""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from imlcmm.errors import MediaError

Region = tuple[float, float]

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# A Chinese character is a syllable, a letter about a third of one.
_CJK_LENGTH = 3.0
_SENTENCE_END = re.compile(r"(?:[。！？!?．]|(?<!\.)\.)[\"'”’»」』）)\]]*$")
_ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "vs.", "e.g.", "i.e."})


class Word(NamedTuple):
    """A word, or a Chinese character, with the punctuation that clings to it.

    Attributes:
        text: The word without white space around it.
        start: Second at which it begins.
        end: Second at which it ends.
    """

    text: str
    start: float
    end: float


class Utterance(NamedTuple):
    """A stretch of speech.

    Attributes:
        start: Second at which it begins.
        end: Second at which it ends.
        text: What is said; empty where no words are known.
        words: The words in time, where their times are known.
        language: Code such as zh or en; empty if unknown.
    """

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    language: str = ""


@dataclass(frozen=True)
class Cutting:
    """Where to cut a recording into utterances.

    Attributes:
        pause: Seconds of silence above which an utterance ends.
        longest: Seconds that an utterance lasts at most; a single longer word stays whole.
        shortest: Seconds below which an utterance joins the nearer neighbour, unless both would last too long.
    """

    pause: float = 0.5
    longest: float = 15.0
    shortest: float = 0.5

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            MediaError: If they contradict each other.
        """
        if not (self.pause >= 0 and 0 <= self.shortest < self.longest):
            raise MediaError(
                f"pause {self.pause}, shortest {self.shortest}, longest {self.longest}: "
                "give seconds from 0 on, and more for longest than for shortest"
            )


_USUAL = Cutting()


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
    for text, start, end in pieces:
        said += text
        count = len("".join(text.split()))
        borders = [start + (end - start) * i / max(1, count) for i in range(count + 1)]
        times += pairwise(borders)
    words: list[Word] = []
    place, latest = 0, 0.0
    for word in split_words(said):
        start = max(latest, times[place][0])
        place += len(word)
        latest = max(start, times[place - 1][1])
        words.append(Word(word, start, latest))
    return words


class SpeechClock:
    """Turns seconds of speech, counted without the pauses, into seconds of the recording."""

    def __init__(self, regions: Iterable[Region]) -> None:
        """Hold the regions, put in order and joined where they overlap.

        Raises:
            MediaError: If there are none.
        """
        self.regions = join_regions(regions)
        if not self.regions:
            raise MediaError("no speech regions are given: give at least one pair of start and end in seconds")

    @property
    def total(self) -> float:
        """Seconds of speech."""
        return math.fsum(end - start for start, end in self.regions)

    def __call__(self, start: float, end: float) -> Region:
        """Place a stretch of speech; one that a pause would tear goes where most of it lies."""
        before, best, placed = 0.0, -1.0, self.regions[-1]
        for first, last in self.regions:
            inside = max(start, before), min(end, before + last - first)
            share = inside[1] - inside[0]
            # A stretch without length, at a pause, belongs to what comes before.
            if share > best and inside[0] <= inside[1]:
                best = share
                placed = min(last, first + inside[0] - before), min(last, first + inside[1] - before)
            before += last - first
        return placed if best >= 0 else (self.regions[-1][1], self.regions[-1][1])


def join_regions(regions: Iterable[Region]) -> list[Region]:
    """Put regions in order and join those that touch or overlap."""
    joined: list[Region] = []
    for start, end in sorted(regions):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def stretches(regions: Iterable[Region], longest: float) -> list[Region]:
    """Gather regions of speech into stretches of at most `longest` seconds; a longer region stays whole."""
    gathered: list[Region] = []
    for start, end in join_regions(regions):
        if gathered and end - gathered[-1][0] <= longest:
            gathered[-1] = gathered[-1][0], end
        else:
            gathered.append((start, end))
    return gathered


def holds_chinese(text: str) -> bool:
    """Tell whether a Chinese character, or a Japanese one, is in a text."""
    return bool(_CJK.search(text))


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


def cut_utterances(
    words: Iterable[Word],
    regions: Iterable[Region] = (),
    *,
    cutting: Cutting = _USUAL,
    keep_wordless: bool = False,
    language: str = "",
) -> list[Utterance]:
    """Cut a recording into utterances: at pauses, after sentences, and where one would last too long.

    Args:
        words: The words in time, in any order.
        regions: Where there is speech; a pause between two of them ends an utterance also where words reach into it.
        cutting: How long pauses and utterances are.
        keep_wordless: Whether regions that hold no words become utterances without text.
        language: Language of the words.

    Returns:
        Utterances in order, which do not overlap and hold every word once.
    """
    ordered = sorted(words, key=lambda word: word.start)
    speech = join_regions(regions)
    pieces = [
        short for sentence in _sentences(ordered, speech, cutting) for short in _halved(sentence, cutting.longest)
    ]
    utterances = [_utterance(piece, language) for piece in pieces]
    if keep_wordless:
        utterances += _wordless(speech, list(utterances), cutting.longest)
        utterances.sort(key=lambda one: one.start)
    return merge_utterances(utterances, cutting=cutting)


def merge_utterances(utterances: Sequence[Utterance], *, cutting: Cutting = _USUAL) -> list[Utterance]:
    """Join utterances that are too short to the nearer neighbour, if the two together do not last too long.

    Args:
        utterances: Utterances in order of their starts.
        cutting: How long utterances are; pauses do not matter here.

    Returns:
        Utterances in order, which do not overlap.
    """
    merged = list(utterances)
    place = 0
    while place < len(merged):
        partner = _partner(merged, place, cutting)
        if partner is None:
            place += 1
            continue
        place = min(place, partner)
        merged[place : place + 2] = [_joined(merged[place], merged[place + 1])]
        place = max(0, place - 1)
    ends = [*(later.start for later in merged), math.inf][1:]
    return [one._replace(end=max(one.start, min(one.end, end))) for one, end in zip(merged, ends, strict=True)]


def _partner(utterances: list[Utterance], place: int, cutting: Cutting) -> int | None:
    """Find the neighbour that an utterance joins, None if it stays alone."""
    one = utterances[place]
    if one.end - one.start >= cutting.shortest:
        return None
    near: list[tuple[float, int]] = []
    for other in (place - 1, place + 1):
        if 0 <= other < len(utterances):
            first, second = utterances[min(place, other)], utterances[max(place, other)]
            if max(first.end, second.end) - first.start <= cutting.longest:
                near.append((second.start - first.end, other))
    return min(near)[1] if near else None


def _joined(first: Utterance, second: Utterance) -> Utterance:
    text = join_words(part for part in (first.text, second.text) if part)
    language = first.language or second.language
    return Utterance(first.start, max(first.end, second.end), text, first.words + second.words, language)


def _utterance(words: Sequence[Word], language: str) -> Utterance:
    end = max(word.end for word in words)
    return Utterance(words[0].start, end, join_words(word.text for word in words), tuple(words), language)


def _sentences(words: list[Word], speech: list[Region], cutting: Cutting) -> Iterator[list[Word]]:
    """Part the words at pauses and after sentences."""
    silences = iter([(a[1], b[0]) for a, b in pairwise(speech) if b[0] - a[1] > cutting.pause])
    silence = next(silences, None)
    current: list[Word] = []
    for word in words:
        crossed = False
        while silence is not None and (word.start + word.end) / 2 >= silence[1]:
            crossed, silence = True, next(silences, None)
        if current and (crossed or word.start - current[-1].end > cutting.pause or ends_sentence(current[-1].text)):
            yield current
            current = []
        current.append(word)
    if current:
        yield current


def ends_sentence(word: str) -> bool:
    """Tell whether a sentence ends with this word; an ellipsis and an abbreviation such as "Mr." end none."""
    return bool(_SENTENCE_END.search(word)) and word.lower() not in _ABBREVIATIONS


def _halved(words: list[Word], longest: float) -> list[list[Word]]:
    """Cut at the longest gap, or near the middle where gaps are equal, until no part lasts too long."""
    waiting, done = [words], []
    while waiting:
        part = waiting.pop()
        start, end = part[0].start, max(word.end for word in part)
        if end - start <= longest or len(part) == 1:
            done.append(part)
            continue
        middle = (start + end) / 2
        gaps = [(round(b.start - a.end, 2), -abs(b.start - middle)) for a, b in pairwise(part)]
        cut = gaps.index(max(gaps)) + 1
        waiting += [part[cut:], part[:cut]]
    return done


def _wordless(speech: list[Region], utterances: list[Utterance], longest: float) -> Iterator[Utterance]:
    """Make utterances without text of the regions in which no utterance lies, none of them too long."""
    for start, end in speech:
        if end > start and not any(one.start < end and one.end > start for one in utterances):
            count = math.ceil((end - start) / longest)
            borders = [start + (end - start) * i / count for i in range(count + 1)]
            yield from (Utterance(first, last, "") for first, last in pairwise(borders))
