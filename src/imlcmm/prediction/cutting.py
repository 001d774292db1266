"""Where the utterances of a file lie: from its subtitles, its speech, or the clock; in bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from imlcmm.clean_text import clean_text
from imlcmm.features.media.limits import USUAL, MediaLimits
from imlcmm.features.media.probe import MediaInfo
from imlcmm.features.media.sound import read_sound, stream_sound
from imlcmm.features.speech.transcribe import Transcriber
from imlcmm.features.speech.voice_activity import speech_regions_stream
from imlcmm.features.subtitles.transcripts import read_sidecar
from imlcmm.features.words.regions import stretches
from imlcmm.features.words.utterances import Utterance, cut_utterances
from imlcmm.features.words.word import Word, holds_chinese, join_words, spread_words

SHORT, WINDOW, STRETCH = 15.0, 10.0, 30.0


def find_utterances(
    path: Path,
    info: MediaInfo,
    transcript: str | list[Utterance] | None,
    listener: Transcriber | None,
    limits: MediaLimits = USUAL,
) -> list[Utterance]:
    """Cut a file into utterances with their words; one without words has an empty text.

    Subtitles beside the file are taken as they are. Otherwise the words, given or heard, are cut at pauses; speech in
    which no words are found stays, without a text; and a file in which nobody speaks is cut every ten seconds.

    Args:
        path: The media file.
        info: What it holds.
        transcript: What is said, or when, too; None looks for a file beside it, and then listens.
        listener: Hears words, and finds the times of given ones; None does not listen.
        limits: What a recording may have at most.

    Raises:
        MediaError: If the file or its transcript cannot be read.
    """
    given = transcript if transcript is not None else read_sidecar(path)
    if isinstance(given, list):
        return given
    given = clean_text(given or "").strip()
    speech = speech_regions_stream(stream_sound(path, limits=limits)) if info.has_sound else []
    words: list[Word] = []
    if given:
        words = _timed(path, info, given, speech, listener, limits)
    elif speech and listener is not None and transcript is None:
        words = [word for heard in _heard(path, speech, listener, limits) for word in heard.words]
    if not words:
        return list(_by_the_clock(info))
    if info.duration <= SHORT:
        return [Utterance(0.0, info.duration, given or join_words(word.text for word in words), tuple(words))]
    return cut_utterances(words, speech, keep_wordless=True)


def _timed(
    path: Path,
    info: MediaInfo,
    said: str,
    speech: Sequence[tuple[float, float]],
    listener: Transcriber | None,
    limits: MediaLimits,
) -> list[Word]:
    """Find the times of given words: by listening in a short file, by their lengths in a long one."""
    if listener is not None and speech and info.duration <= STRETCH:
        language = listener.language or ("zh" if holds_chinese(said) else "en")
        return listener.align(read_sound(path, limits=limits), said, language)
    return spread_words(said, speech or [(0.0, info.duration)])


def _heard(
    path: Path, speech: Iterable[tuple[float, float]], listener: Transcriber, limits: MediaLimits
) -> Iterator[Utterance]:
    """Transcribe stretches of speech, each read on its own."""
    for start, end in stretches(speech, STRETCH):
        sound = read_sound(path, start=start, end=end, limits=limits)
        for heard in listener(sound):
            words = tuple(Word(w.text, w.start + start, w.end + start) for w in heard.words)
            yield heard._replace(start=heard.start + start, end=heard.end + start, words=words)


def _by_the_clock(info: MediaInfo) -> Iterator[Utterance]:
    count = max(1, round(info.duration / WINDOW))
    for number in range(count):
        yield Utterance(info.duration * number / count, info.duration * (number + 1) / count, "")
