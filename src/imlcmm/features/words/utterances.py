"""The utterances that a recording is cut into."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from imlcmm.errors import MediaError
from imlcmm.features.words.regions import Region, join_regions
from imlcmm.features.words.word import Word, join_words

_SENTENCE_END = re.compile(r"(?:[。！？!?．]|(?<!\.)\.)[\"'”’»」』）)\]]*$")
_ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "vs.", "e.g.", "i.e."})

UNKNOWN = "unknown"


class Utterance(NamedTuple):
    """A stretch of speech.

    Attributes:
        start: Second at which it begins.
        end: Second at which it ends.
        text: What is said; empty where no words are known.
        words: The words in time, where their times are known.
        language: Code such as zh or en; empty if unknown.
        speaker: Who speaks; `UNKNOWN` where others can be told, empty where nobody is named.
    """

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    language: str = ""
    speaker: str = ""


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
    speaker = first.speaker if first.speaker == second.speaker else ""
    return Utterance(first.start, max(first.end, second.end), text, first.words + second.words, language, speaker)


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
