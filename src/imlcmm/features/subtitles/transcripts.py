"""Transcripts that lie beside a video: found, read whatever their format, and written."""

import html
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from imlcmm.clean_text import clean_text
from imlcmm.errors import MediaError
from imlcmm.features.subtitles.cues import Cue, speaker_name
from imlcmm.features.subtitles.lyrics import lyrics_cues
from imlcmm.features.subtitles.rolling import unrolled
from imlcmm.features.subtitles.subrip import subrip_cues, webvtt_cues
from imlcmm.features.subtitles.substation import substation_cues
from imlcmm.features.words.utterances import Utterance
from imlcmm.text_file import read_text

_READERS: dict[str, Callable[[list[str], Path], list[Cue]]] = {
    ".srt": subrip_cues,
    ".vtt": webvtt_cues,
    ".ass": substation_cues,
    ".ssa": substation_cues,
    ".lrc": lyrics_cues,
}
SUFFIXES = (*_READERS, ".txt")
_LANGUAGE_TAGS = ("zh", "zh-CN", "zh-Hans", "zh-TW", "zh-Hant", "chs", "cht", "en", "en-US", "en-GB", "eng")


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


def source_stamp(video: Path) -> str:
    """Tell one state of a video and of the transcript beside it from another."""
    sidecar = find_sidecar(video)
    states = [path.stat() for path in (video, sidecar) if path is not None and path.is_file()]
    return " ".join(f"{state.st_size} {state.st_mtime_ns}" for state in states) or "missing"


def given_transcript(text: str) -> list[Utterance] | str:
    """Read what somebody gives for a transcript: the words, or the name of a file that holds them.

    Raises:
        MediaError: If it is the name of a file that is not there or cannot be read.
    """
    if not text.lower().endswith(SUFFIXES) or "\n" in text:
        return text
    if os.path.isfile(text):  # noqa: PTH113 - a Path complains of long texts
        return read_transcript(Path(text))
    if len(text.split()) > 1:
        return text
    raise MediaError(f"there is no transcript {text}: check the path")


def read_transcript(path: Path) -> list[Utterance] | str:
    """Read a transcript.

    Args:
        path: A file of SubRip (.srt), WebVTT (.vtt), SubStation (.ass, .ssa), lyrics (.lrc) or plain text (.txt); in an
            encoding that `read_text` reads.

    Returns:
        The subtitles in order of time, without markup and those without words, and with the times of words and the
        speakers' names where the file has them; of plain text, the text.

    Raises:
        MediaError: If the file cannot be read, or a subtitle is broken; it names the line.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise MediaError(f"{path} is no transcript: give a file that ends in {', '.join(SUFFIXES)}")
    text = read_text(path, MediaError)
    if suffix == ".txt":
        return text.strip()
    cues = [cue for cue in _READERS[suffix](text.splitlines(), path) if cue.lines]
    return [cue.utterance() for cue in unrolled(sorted(cues, key=lambda cue: cue.start))]


def write_srt(utterances: Iterable[Utterance]) -> str:
    """Write utterances as SubRip; those without text are left out.

    SubRip cannot tell words in angle brackets from markup: a text such as "<i>" is lost when it is read again.
    """
    cues = _cues(utterances, ",", lambda line: line.replace("-->", "->"))
    return "".join(f"{number}\n{cue}\n" for number, cue in enumerate(cues, start=1))


def write_vtt(utterances: Iterable[Utterance]) -> str:
    """Write utterances as WebVTT, a voice tag before those whose speaker is named; those without text are left out."""
    cues = _cues(utterances, ".", lambda line: html.escape(line, quote=False), lambda name: f"<v {name}>")
    return "WEBVTT\n\n" + "\n".join(cues)


def _cues(
    utterances: Iterable[Utterance], mark: str, escape: Callable[[str], str], voice: Callable[[str], str] | None = None
) -> Iterator[str]:
    for one in utterances:
        lines = [escape(" ".join(line.split())) for line in clean_text(one.text).splitlines() if line.strip()]
        if lines:
            times = f"{_clock(one.start, mark)} --> {_clock(one.end, mark)}"
            tag = voice(escape(speaker_name(one.speaker))) if voice and one.speaker else ""
            yield "\n".join([times, tag + lines[0], *lines[1:]]) + "\n"


def _clock(seconds: float, mark: str) -> str:
    minutes, milliseconds = divmod(max(0, round(seconds * 1000)), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{mark}{milliseconds % 1000:03}"
