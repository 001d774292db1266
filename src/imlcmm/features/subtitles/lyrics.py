"""Lyrics with times (.lrc), also those with a time a word."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from imlcmm.errors import MediaError
from imlcmm.features.subtitles.cues import Cue, Line, stamped_line

_TIME = r"\d{1,4}:[0-5]?\d(?:[.:]\d{1,3})?"
_LINE = re.compile(rf"((?:\s*\[{_TIME}\])+)(.*)")
_STAMP = re.compile(rf"[\[<]({_TIME})[\]>]")
_ABOUT = re.compile(r"\s*\[(?:#.*|[A-Za-z_]+:.*\]\s*)")
_OFFSET = re.compile(r"\s*\[offset:\s*([+-]?\d{1,9})\s*\]\s*", re.IGNORECASE)
_LONGEST, _LAST = 15.0, 5.0


def lyrics_cues(lines: list[str], path: Path) -> list[Cue]:
    """Read lines of lyrics: each lasts until the next one, 15 s at most, and the last one 5 s.

    Raises:
        MediaError: If words stand there without a time; it names the line.
    """
    offset = next((int(found[1]) / 1000 for line in lines if (found := _OFFSET.fullmatch(line))), 0.0)
    timed = sorted(_timed(lines, offset, path), key=lambda one: one[0])
    starts = [start for start, _ in timed]
    cues = []
    for start, line in timed:
        later = bisect_right(starts, start)
        end = starts[later] if later < len(starts) else start + _LAST
        cues.append(Cue(start, min(end, start + _LONGEST), (line,) if line.text else ()))
    return cues


def _timed(lines: list[str], offset: float, path: Path) -> Iterator[tuple[float, Line]]:
    """Give each line at each of the times before it; the offset moves them forward."""
    for number, line in enumerate(lines, start=1):
        found = _LINE.fullmatch(line)
        if found:
            starts = [max(0.0, _seconds(time) - offset) for time in _STAMP.findall(found[1])]
            said = stamped_line(found[2], _STAMP, lambda time: max(0.0, _seconds(time) - offset), str)
            for start in starts:
                # Times inside a line that is said again belong to its first time.
                yield start, said if start == starts[0] else Line(said.text)
        elif line.strip() and not _ABOUT.fullmatch(line):
            raise MediaError(f"{path}, line {number}: '{line.strip()[:60]}' has no time: write it as [01:02.50]Text")


def _seconds(time: str) -> float:
    """Read minutes, seconds and their decimals, which some write after a colon."""
    minutes, seconds, decimals = (*re.split("[:.]", time), "")[:3]
    return int(minutes) * 60 + float(f"{seconds}.{decimals or 0}")
