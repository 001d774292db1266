"""Subtitles on their way from a file to utterances: lines that may have times inside, in cues."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from imlcmm.clean_text import clean_text
from imlcmm.errors import MediaError
from imlcmm.features.words.utterances import Utterance
from imlcmm.features.words.word import Word, join_words, time_words

_BREAK = (None, "\n")
_LONGEST_NAME = 100


class Line(NamedTuple):
    """A line of a subtitle.

    Attributes:
        text: What it says, without markup.
        pieces: Its parts, each with the second at which it begins (None: when the cue or the part before does); empty
            where no times stand inside.
    """

    text: str
    pieces: tuple[tuple[float | None, str], ...] = ()


class Cue(NamedTuple):
    """What is shown from one second to another; lines without words are left out.

    Attributes:
        start: Second from which on it is shown.
        end: Second up to which it is shown.
        lines: What is shown.
        speaker: Who says it, if the file names one.
    """

    start: float
    end: float
    lines: tuple[Line, ...]
    speaker: str = ""

    def utterance(self) -> Utterance:
        """Join the lines; the words have times where times stand inside."""
        text = join_words(line.text for line in self.lines)
        if not any(line.pieces for line in self.lines):
            return Utterance(self.start, self.end, text, speaker=self.speaker)
        timed = [(self.start, "")]
        for begin, said in (piece for line in self.lines for piece in (*(line.pieces or ((None, line.text),)), _BREAK)):
            latest, before = timed[-1]
            if begin is None:
                timed[-1] = latest, before + said
            else:
                timed.append((min(max(latest, begin), self.end), said))
        ends = [*(begin for begin, _ in timed[1:]), self.end]
        words = time_words(Word(said, begin, end) for (begin, said), end in zip(timed, ends, strict=True))
        return Utterance(self.start, self.end, text, tuple(words), speaker=self.speaker)


def stamped_line(
    text: str, stamp: re.Pattern[str], seconds: Callable[[str], float], plain: Callable[[str], str]
) -> Line:
    """Take a line apart at the times that stand in it.

    Args:
        text: The line as it is in the file.
        stamp: Matches a time; its one group is what `seconds` reads.
        seconds: Reads a time.
        plain: Takes markup out of a part of the line and keeps white space.
    """
    first, *rest = stamp.split(text)
    begins = [None, *map(seconds, rest[::2])]
    parts = [plain(part) for part in (first, *rest[1::2])]
    said = " ".join("".join(parts).split())
    return Line(said, tuple(zip(begins, parts, strict=True)) if rest and said else ())


def speaker_name(written: str) -> str:
    """Put the name of a speaker, as a file writes it, on one line of ordinary length."""
    return " ".join(clean_text(written).split())[:_LONGEST_NAME].strip()


def check_order(start: float, end: float, line: str, number: int, path: Path) -> None:
    """Refuse a subtitle that ends before it begins.

    Raises:
        MediaError: Naming the line (from 1 on).
    """
    if end < start:
        raise MediaError(f"{path}, line {number}: '{line.strip()[:60]}' ends before it begins: mend it")
