"""Where the utterances of a recording lie: from its subtitles, its speech, or the clock; in bounded memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from imlcmm.clean_text import clean_text
from imlcmm.features.media.recording import Recording
from imlcmm.features.speech.transcribe import Transcriber
from imlcmm.features.speech.voice_activity import speech_regions_stream
from imlcmm.features.subtitles.transcripts import read_sidecar
from imlcmm.features.words.regions import stretches
from imlcmm.features.words.utterances import Utterance, cut_utterances
from imlcmm.features.words.word import Word, holds_chinese, join_words, spread_words

SHORT, WINDOW, STRETCH = 15.0, 10.0, 30.0


def find_utterances(
    recording: Recording, transcript: str | list[Utterance] | None, listen: Callable[[], Transcriber] | None
) -> list[Utterance]:
    """Cut a recording into utterances with their words; one without words has an empty text.

    Subtitles beside the file are taken as they are. Otherwise the words, given or heard, are cut at pauses; speech in
    which no words are found stays, without a text; and a file in which nobody speaks is cut every ten seconds.

    Args:
        recording: The file.
        transcript: What is said, or when, too; None looks for a file beside it, and then listens.
        listen: Gives what hears words, and finds the times of given ones, where that is needed; None does not listen.

    Raises:
        MediaError: If the file or its transcript cannot be read.
    """
    duration = recording.info.duration
    given = transcript if transcript is not None else read_sidecar(recording.path)
    if isinstance(given, list):
        return given
    given = clean_text(given or "").strip()
    speech = speech_regions_stream(recording.sound_blocks()) if recording.info.has_sound else []
    words: list[Word] = []
    language = ""
    if given:
        words = _timed(recording, given, speech, listen)
    elif speech and listen is not None and transcript is None:
        heard = list(_heard(recording, speech, listen()))
        words, language = [word for each in heard for word in each.words], _most_spoken(heard)
    if not words:
        return list(_by_the_clock(duration))
    if duration <= SHORT:
        return [Utterance(0.0, duration, given or join_words(word.text for word in words), tuple(words), language)]
    return cut_utterances(words, speech, keep_wordless=True, language=language)


def _timed(
    recording: Recording, said: str, speech: Sequence[tuple[float, float]], listen: Callable[[], Transcriber] | None
) -> list[Word]:
    """Find the times of given words: by listening in a short file, by their lengths in a long one."""
    if listen is not None and speech and recording.info.duration <= STRETCH:
        listener = listen()
        language = listener.language or ("zh" if holds_chinese(said) else "en")
        return listener.align(recording.sound(), said, language)
    return spread_words(said, speech or [(0.0, recording.info.duration)])


def _heard(recording: Recording, speech: Iterable[tuple[float, float]], listener: Transcriber) -> Iterator[Utterance]:
    """Transcribe stretches of speech, each read on its own."""
    for start, end in stretches(speech, STRETCH):
        for heard in listener(recording.sound(start, end)):
            words = tuple(word.shifted(start) for word in heard.words)
            yield heard._replace(start=heard.start + start, end=heard.end + start, words=words)


def _most_spoken(heard: Sequence[Utterance]) -> str:
    """Name the language of most words."""
    counts = Counter[str]()
    for utterance in heard:
        counts[utterance.language] += len(utterance.words)
    return max(counts, key=counts.__getitem__, default="")


def _by_the_clock(duration: float) -> Iterator[Utterance]:
    count = max(1, round(duration / WINDOW))
    for number in range(count):
        yield Utterance(duration * number / count, duration * (number + 1) / count, "")
