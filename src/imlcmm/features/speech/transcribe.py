"""What is said and when: recognising speech (Whisper, Radford et al. 2023), and timing the words of a given text."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from imlcmm.clean_text import clean_text
from imlcmm.errors import MissingPackageError, ModelError
from imlcmm.features.media.cut import cut_sound, join_sound
from imlcmm.features.media.sound import SOUND_RATE
from imlcmm.features.speech.encode_once import encode_once
from imlcmm.features.speech.voice_activity import speech_regions
from imlcmm.features.speech.whisper_model import INSTALL, find_model
from imlcmm.features.words.regions import SpeechClock, stretches
from imlcmm.features.words.utterances import Utterance, cut_utterances
from imlcmm.features.words.word import Word, spread_words, time_words
from imlcmm.stopwatch import timed

logger = logging.getLogger(__name__)

LANGUAGES = ("zh", "en")
_LIKELY_SILENT, _UNSURE, _REPETITIVE = 0.5, -0.5, 2.4
_SHORTEST_WORD = 0.25
# Whisper takes short Chinese and English speech for many languages, but is seldom sure of it.
_SURE_OF_ANOTHER = 0.8
# The features of a long recording would take gigabytes at once.
_STRETCH = 300.0
_WINDOW = 30.0
_FRAMES_PER_SECOND = 100
_TOKENS_PER_SECOND = 50
# The decoder reads 448 tokens; some of them say what to do.
_MOST_TOKENS = 440


class Transcriber:
    """Recognises speech, and finds the times of given words."""

    @timed("models")
    def __init__(self, model: str | Path | None = None, *, language: str | None = None, threads: int = 1) -> None:
        """Load the model, on the processor.

        Args:
            model: Folder or name of a faster-whisper model on this machine; None is the one that comes as packages.
            language: Code of the language spoken; None chooses between zh and en, each time anew, unless it is
                surely another one.
            threads: Threads to compute with.

        Raises:
            MissingPackageError: If faster-whisper or the model is not installed.
            ModelError: If the model does not know the language or cannot be loaded.
        """
        try:
            from faster_whisper import WhisperModel  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingPackageError(f"speech recognition needs faster-whisper: {INSTALL}") from error
        folder = find_model(model)
        try:
            self._model: Any = WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        except (RuntimeError, ValueError, OSError) as error:
            reason = str(error).replace("\n", " ")
            raise ModelError(f"{folder} cannot be loaded as a Whisper model: {reason}") from error
        encode_once(self._model)
        if language is not None:
            self._check(language)
        self.language = language

    @timed("speech")
    def __call__(self, sound: Float[np.ndarray, " samples"]) -> list[Utterance]:
        """Recognise what is said; where there is no speech nothing is heard, and doubtful words are left out.

        Args:
            sound: (samples,) of 16 kHz in [-1, 1].

        Returns:
            Utterances with their words in order; none if nothing is said.
        """
        regions = speech_regions(sound)
        if not regions:
            return []
        language, words = self.language, []
        for start, end in stretches(regions, _STRETCH):
            language, heard = self._hear(cut_sound(sound, start, end), language)
            words += [word.shifted(start) for word in heard]
        return cut_utterances(words, regions, language=language or "")

    @timed("speech")
    def align(self, sound: Float[np.ndarray, " samples"], text: str, language: str) -> list[Word]:
        """Find the times of the words of a given text.

        Whisper listens to 30 seconds at once. More speech, a text too long for it or one that it cannot read is spread
        over the speech in proportion to the words' lengths instead.

        Args:
            sound: (samples,) of 16 kHz in [-1, 1].
            text: What is said in it.
            language: Code of its language, such as zh or en.

        Returns:
            Every word of the text in order (Chinese by characters), with times in seconds that never go back.

        Raises:
            ModelError: If the model does not know the language.
        """
        self._check(language)
        said = " ".join(text.split())
        if not said:
            return []
        clock = SpeechClock(speech_regions(sound) or [(0.0, len(sound) / SOUND_RATE)])
        heard = self._aligned(sound, said, language, clock)
        if heard is None:
            return spread_words(said, clock.regions)
        return time_words(Word(piece.text, *clock(piece.start, piece.end)) for piece in heard)

    def _hear(self, sound: np.ndarray, language: str | None) -> tuple[str, list[Word]]:
        """Recognise a stretch; give its language and its words."""
        segments, info = self._listen(sound, language)
        another = info.language not in LANGUAGES
        if language is None and another and info.language_probability < _SURE_OF_ANOTHER:
            chances = dict(info.all_language_probs)
            segments, info = self._listen(sound, max(LANGUAGES, key=lambda code: float(chances.get(code, 0.0))))
        words: list[Word] = []
        for segment in segments:
            if _is_credible(segment):
                words += [_heard(w) for w in segment.words or ()]
            # The rest is too short for a word; Whisper would take it for half a minute, and fill it.
            if segment.end > len(sound) / SOUND_RATE - _SHORTEST_WORD:
                break
        return str(info.language), time_words(words)

    def _listen(self, sound: np.ndarray, language: str | None) -> tuple[Iterator[Any], Any]:
        """Start recognising; the segments are computed as they are taken."""
        segments, info = self._model.transcribe(
            sound,
            language=language,
            # Hotter attempts are random: the same clip would not give the same words.
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=True,
            vad_parameters={"min_silence_duration_ms": 500, "speech_pad_ms": 200, "min_speech_duration_ms": 250},
        )
        return iter(segments), info

    def _aligned(self, sound: np.ndarray, said: str, language: str, clock: SpeechClock) -> list[Word] | None:
        """Time the text's tokens in seconds of speech; None where that cannot be done."""
        from faster_whisper.tokenizer import Tokenizer  # type: ignore[import-untyped]

        model = self._model
        multilingual = model.model.is_multilingual
        tokenizer = Tokenizer(model.hf_tokenizer, multilingual, task="transcribe", language=language)
        tokens = tokenizer.encode(f" {said}" if language != "zh" else said)
        texts, groups = tokenizer.split_tokens_on_unicode(tokens)
        if not 0 < clock.total <= _WINDOW or len(tokens) > _MOST_TOKENS or "".join(texts).split() != said.split():
            return None
        speech = join_sound(sound, clock.regions)
        frames = round(clock.total * _FRAMES_PER_SECOND)
        features = model.feature_extractor(np.pad(speech, (0, int(_WINDOW * SOUND_RATE) - len(speech))))
        encoded = model.encode(features[:, : int(_WINDOW * _FRAMES_PER_SECOND)])
        try:
            (result,) = model.model.align(encoded, tokenizer.sot_sequence, [tokens], frames)
        except (RuntimeError, ValueError) as error:
            logger.warning("the text '%s…' could not be aligned and is spread instead: %s", said[:20], error)
            return None
        return _timed(texts, groups, result.alignments, clock.total)

    def _check(self, language: str) -> None:
        if language not in self._model.supported_languages:
            known = ", ".join(self._model.supported_languages)
            raise ModelError(f"language '{language}' is not known to the speech model: give one of {known}")


def _timed(
    texts: list[str], groups: list[list[int]], path: list[tuple[int, int]], duration: float
) -> list[Word] | None:
    """Read off the path through tokens and time when each group of tokens begins; it ends where the next one does."""
    begins: dict[int, float] = {}
    for token, step in path:
        begins.setdefault(token, min(duration, step / _TOKENS_PER_SECOND))
    borders = np.cumsum([0, *(len(group) for group in groups)]).tolist()
    if any(border not in begins for border in borders[:-1]):
        return None
    times = [begins.get(border, duration) for border in borders]
    return [Word(text, start, end) for text, start, end in zip(texts, times[:-1], times[1:], strict=True)]


def _is_credible(segment: Any) -> bool:
    """Refuse what Whisper tends to invent where nothing is said, and loops."""
    silent = segment.no_speech_prob > _LIKELY_SILENT and segment.avg_logprob < _UNSURE
    return not silent and segment.compression_ratio <= _REPETITIVE


def _heard(word: Any) -> Word:
    return Word(clean_text(word.word), float(word.start), float(word.end), round(float(word.probability), 3))
