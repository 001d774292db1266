"""SubRip (.srt) and the WebVTT (.vtt) that was made of it, read cue by cue."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from imlcmm.clean_text import clean_text
from imlcmm.errors import MediaError
from imlcmm.features.subtitles.cues import Cue, check_order, speaker_name, stamped_line

_TIME = r"(?:\d{1,4}:)?[0-5]?\d:[0-5]?\d(?:[.,]\d{1,3})?"
_TIMES = re.compile(rf"\s*({_TIME})\s*-->\s*({_TIME})(?:\s.*)?")
_LIKE_TIMES = re.compile(r".*\d:.*-->|.*-->.*\d:|\s*\d+:\d+(:\d+)?[.,]\d+\s")
_STAMP = re.compile(rf"<({_TIME})>")
_TAGS = re.compile(r"</?(?:i|b|u|s|c|v|font|ruby|rt|lang)(?:[\s.][^<>]*)?>|\{\\[^{}]*\}", re.IGNORECASE)
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]+)>")
_NO_CUE = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s|$)")


def subrip_cues(lines: list[str], path: Path) -> list[Cue]:
    """Read the cues of SubRip; numbers may be missing, and lines without anything may stand between words.

    Raises:
        MediaError: If a subtitle is broken; it names the line.
    """
    return list(_cues(lines, path, is_vtt=False))


def webvtt_cues(lines: list[str], path: Path) -> list[Cue]:
    """Read the cues of WebVTT, with the times that stand in their lines.

    Raises:
        MediaError: If a subtitle is broken; it names the line.
    """
    return list(_cues(_without_comments(lines), path, is_vtt=True))


def _without_comments(lines: list[str]) -> list[str]:
    """Empty the lines of WebVTT's blocks that are no subtitles, so that the others keep their numbers."""
    kept, skipping, fresh = [], False, True
    for line in lines:
        skipping = bool(line) and not _TIMES.fullmatch(line) and (skipping or (fresh and bool(_NO_CUE.match(line))))
        fresh = not line
        kept.append("" if skipping else line)
    return kept


def _cues(lines: list[str], path: Path, *, is_vtt: bool) -> Iterator[Cue]:
    """Read cue after cue: from each line of times to the next one, less the name that stands above that."""
    at = [number for number, line in enumerate(lines) if _TIMES.fullmatch(line)]
    heads = [number - _has_name(lines, number, is_vtt) for number in at]
    _check_rest(lines, 0, heads[0] if heads else len(lines), path)
    for number, until in zip(at, [*heads, len(lines)][1:], strict=False):
        # Lines of blanks belong to the cue, since WebVTT ends it at an empty line alone.
        end = next((n for n in range(number + 1, until) if not lines[n]), until) if is_vtt else until
        _check_rest(lines, end, until, path)
        start, stop = _read_times(lines, number, path)
        for place in range(number + 1, end):
            if _is_broken(lines, place):
                raise _broken(lines, place, path)
        plain = _webvtt_text if is_vtt else _text
        said = (stamped_line(line, _STAMP, _seconds, plain) for line in lines[number + 1 : end])
        speaker = _speaker(lines[number + 1 : end])
        yield Cue(start, stop, tuple(line for line in said if line.text), speaker)


def _speaker(lines: list[str]) -> str:
    """Read who speaks from the voice tags of a cue; nobody is named where there are two."""
    names = {speaker_name(html.unescape(name)) for line in lines for name in _VOICE.findall(line)}
    return names.pop() if len(names) == 1 else ""


def _has_name(lines: list[str], number: int, is_vtt: bool) -> bool:
    """Tell whether the line above the times is the subtitle's number, or in WebVTT any name."""
    above = lines[number - 1].strip() if number else ""
    alone = number < 2 or not lines[number - 2].strip()
    return above.isdecimal() or (is_vtt and bool(above) and alone)


def _check_rest(lines: list[str], first: int, last: int, path: Path) -> None:
    """Refuse words that belong to no subtitle."""
    for number in range(first, last):
        if lines[number].strip():
            follower = number + 1 if number + 1 < last and lines[number].strip().isdecimal() else number
            raise _broken(lines, follower, path)


def _is_broken(lines: list[str], number: int) -> bool:
    """Tell whether a line was meant to be times."""
    follows_number = lines[number - 1].strip().isdecimal() and "-->" in lines[number]
    return follows_number or bool(_LIKE_TIMES.match(lines[number]))


def _broken(lines: list[str], number: int, path: Path) -> MediaError:
    return MediaError(
        f"{path}, line {number + 1}: '{lines[number].strip()[:60]}' stands where a subtitle's times should: "
        "write them as 00:00:01,000 --> 00:00:02,500"
    )


def _read_times(lines: list[str], number: int, path: Path) -> tuple[float, float]:
    found = _TIMES.fullmatch(lines[number])
    start, end = (_seconds(time) for time in found.groups()) if found else (0.0, 0.0)
    check_order(start, end, lines[number], number + 1, path)
    return start, end


def _seconds(time: str) -> float:
    """Read hours, minutes, seconds and milliseconds, of which the first and the last may be missing."""
    clock, _, milliseconds = time.replace(",", ".").partition(".")
    hours, minutes, seconds = ([0] + [int(part) for part in clock.split(":")])[-3:]
    return (((hours * 60 + minutes) * 60 + seconds) * 1000 + int(milliseconds or 0)) / 1000


def _text(line: str) -> str:
    return _TAGS.sub("", line)


def _webvtt_text(line: str) -> str:
    return clean_text(html.unescape(_text(line)))
