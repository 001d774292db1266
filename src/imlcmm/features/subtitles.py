"""Transcripts that lie beside a video: SubRip and WebVTT, read and written, and plain text."""

import html
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from imlcmm.errors import MediaError
from imlcmm.features.text_file import read_text
from imlcmm.features.utterances import Utterance
from imlcmm.features.words import join_words

SUFFIXES = (".srt", ".vtt", ".txt")
_LANGUAGE_TAGS = ("zh", "zh-CN", "zh-Hans", "zh-TW", "zh-Hant", "chs", "cht", "en", "en-US", "en-GB", "eng")
_TIME = r"(?:(\d+):)?([0-5]?\d):([0-5]?\d)(?:[.,](\d{1,3}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_LIKE_TIMES = re.compile(r".*\d:.*-->|.*-->.*\d:|\s*\d+:\d+(:\d+)?[.,]\d+\s")
_TAGS = re.compile(
    r"</?(?:i|b|u|s|c|v|font|ruby|rt|lang)(?:[\s.][^<>]*)?>|<(?:\d+:)?\d+:\d+[.,]\d+>|\{\\[^{}]*\}", re.IGNORECASE
)
_NO_CUE = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s|$)")


def find_sidecar(video: Path) -> Path | None:
    """Find the transcript of a video: a file beside it with its name, such as clip.srt, or clip.zh.srt.

    Returns:
        The first that exists: a subtitle file before a text file, one without a language before one with it.
    """
    for tag in ("", *(f".{tag}" for tag in _LANGUAGE_TAGS)):
        for suffix in SUFFIXES:
            for ending in (suffix, suffix.upper()):
                path = video.with_name(f"{video.stem}{tag}{ending}")
                if path != video and path.is_file():
                    return path
    return None


def read_sidecar(video: Path) -> list[Utterance] | str | None:
    """Read the transcript beside a video; None if there is none.

    Raises:
        MediaError: If it cannot be read.
    """
    sidecar = find_sidecar(video)
    return None if sidecar is None else read_transcript(sidecar)


def read_transcript(path: Path) -> list[Utterance] | str:
    """Read a transcript.

    Args:
        path: A file of SubRip (.srt), WebVTT (.vtt) or plain text (.txt); in an encoding that
            `read_text` reads.

    Returns:
        The subtitles in order of time, without markup and those without words; of plain text, the text.

    Raises:
        MediaError: If the file cannot be read, or a subtitle is broken; it names the line.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise MediaError(f"{path} is no transcript: give a file that ends in {', '.join(SUFFIXES)}")
    text = read_text(path, MediaError)
    if suffix == ".txt":
        return text.strip()
    lines = text.splitlines()
    if suffix == ".vtt":
        lines = _without_comments(lines)
    return sorted(_subtitles(lines, path, is_vtt=suffix == ".vtt"), key=lambda one: one.start)


def write_srt(utterances: Iterable[Utterance]) -> str:
    """Write utterances as SubRip; those without text are left out.

    SubRip cannot tell words in angle brackets from markup: a text such as "<i>" is lost when it is read again.
    """
    cues = _cues(utterances, ",", lambda line: line.replace("-->", "->"))
    return "".join(f"{number}\n{cue}\n" for number, cue in enumerate(cues, start=1))


def write_vtt(utterances: Iterable[Utterance]) -> str:
    """Write utterances as WebVTT; those without text are left out."""
    return "WEBVTT\n\n" + "\n".join(_cues(utterances, ".", lambda line: html.escape(line, quote=False)))


def _cues(utterances: Iterable[Utterance], mark: str, escape: Callable[[str], str]) -> Iterator[str]:
    for one in utterances:
        lines = [escape(" ".join(line.split())) for line in one.text.splitlines() if line.strip()]
        if lines:
            times = f"{_clock(one.start, mark)} --> {_clock(one.end, mark)}"
            yield "\n".join([times, *lines]) + "\n"


def _clock(seconds: float, mark: str) -> str:
    minutes, milliseconds = divmod(max(0, round(seconds * 1000)), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{mark}{milliseconds % 1000:03}"


def _without_comments(lines: list[str]) -> list[str]:
    """Empty the lines of WebVTT's blocks that are no subtitles, so that the others keep their numbers."""
    kept, skipping, fresh = [], False, True
    for line in lines:
        skipping = bool(line.strip()) and (skipping or (fresh and bool(_NO_CUE.match(line))))
        fresh = not line.strip()
        kept.append("" if skipping else line)
    return kept


def _subtitles(lines: list[str], path: Path, *, is_vtt: bool) -> Iterator[Utterance]:
    """Read subtitle after subtitle: from each line of times to the next one, less the name that stands above that."""
    at = [number for number, line in enumerate(lines) if _TIMES.fullmatch(line)]
    heads = [number - _has_name(lines, number, is_vtt) for number in at]
    _check_rest(lines, 0, heads[0] if heads else len(lines), path)
    for number, until in zip(at, [*heads, len(lines)][1:], strict=False):
        end = next((n for n in range(number + 1, until) if not lines[n].strip()), until) if is_vtt else until
        _check_rest(lines, end, until, path)
        start, stop = _read_times(lines, number, path)
        for place in range(number + 1, end):
            if _is_broken(lines, place):
                raise _broken(lines, place, path)
        text = _plain(lines[number + 1 : end], is_vtt=is_vtt)
        if text:
            yield Utterance(start, stop, text)


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
    fields = [int(field or 0) for field in found.groups()] if found else []
    start, end = ((((h * 60 + m) * 60 + s) * 1000 + ms) / 1000 for h, m, s, ms in (fields[:4], fields[4:]))
    if end < start:
        raise MediaError(f"{path}, line {number + 1}: '{lines[number].strip()[:60]}' ends before it begins: mend it")
    return start, end


def _plain(lines: list[str], *, is_vtt: bool) -> str:
    """Join the lines of a subtitle and take its markup out."""
    text = (" ".join(_TAGS.sub("", line).split()) for line in lines)
    return join_words(html.unescape(line) if is_vtt else line for line in text if line)
