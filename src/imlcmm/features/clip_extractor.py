"""From a clip to the features of its three modalities; what a clip lacks is named, never made up."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from imlcmm.clean_text import clean_text
from imlcmm.features.cutting import find_utterances
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.features.feature_set import Features, FeatureSet
from imlcmm.features.media.recording import Recording
from imlcmm.features.media.sound import SOUND_RATE
from imlcmm.features.speakers.naming import name_speakers
from imlcmm.features.speech.transcribe import Transcriber
from imlcmm.features.speech.voice_activity import speech_regions
from imlcmm.features.text.encoder import TextExtractor, TextFeatures
from imlcmm.features.vision.faces import FaceExtractor
from imlcmm.features.words.utterances import Utterance
from imlcmm.features.words.word import Word, join_words, spread_words
from imlcmm.types import MODALITIES

_SILENCE = 1e-4


class ExtractedClip(NamedTuple):
    """What a clip holds.

    Attributes:
        transcript: What is said, empty if nothing is.
        words: Its words in time, in seconds from the clip's start.
        features: Features of each modality that the clip has.
        text: The tokens of the transcript, None without one.
        missing: Why each other modality is missing.
        speech: Where somebody speaks, in seconds from the clip's start.
    """

    transcript: str
    words: tuple[Word, ...]
    features: dict[str, Features]
    text: TextFeatures | None
    missing: dict[str, str]
    speech: Sequence[tuple[float, float]] = ()

    @classmethod
    def of_text(cls, transcript: str, read: TextFeatures) -> "ExtractedClip":
        """Make a clip of bare text, whose words have no times."""
        features = {"text": Features(read.values, np.full((len(read.values), 2), np.nan))} if len(read.values) else {}
        return cls(transcript, (), features, read, {"audio": "", "vision": ""})


class ClipExtractor:
    """Extract clip after clip with the same options."""

    def __init__(self, options: ExtractorOptions | None = None, modalities: Collection[str] = MODALITIES) -> None:
        """Load the extractors; the speech model waits until a clip needs it.

        Args:
            options: What to extract with.
            modalities: What to extract; the others are missing from every clip.

        Raises:
            MissingPackageError: If an extractor's package is not installed.
        """
        self.options = options or ExtractorOptions()
        self.audio = _audio_extractor(self.options.audio) if "audio" in modalities else None
        self.vision = FaceExtractor(rate=self.options.frame_rate) if "vision" in modalities else None
        self.text = TextExtractor(self.options.text_encoder) if "text" in modalities else None

    @property
    def feature_sets(self) -> dict[str, FeatureSet]:
        """Describe the features of each modality that is extracted."""
        extractors = {"text": self.text, "audio": self.audio, "vision": self.vision}
        return {m: extractor.features for m, extractor in extractors.items() if extractor is not None}

    def utterances(self, recording: Recording, transcript: str | list[Utterance] | None = None) -> list[Utterance]:
        """Cut a recording into utterances, as `find_utterances` does, listening if the options allow it.

        Who speaks is told as `name_speakers` does, unless the options forbid it.

        Raises:
            MediaError: If the file or its transcript cannot be read.
            MissingPackageError: If a model's file is missing or another one.
        """
        found = find_utterances(recording, transcript, (lambda: self.transcriber) if self.options.transcribe else None)
        if self.options.speakers == "none":
            return [utterance._replace(speaker="") for utterance in found]
        return name_speakers(recording, found)

    def __call__(
        self,
        recording: Recording,
        *,
        start: float = 0.0,
        end: float | None = None,
        transcript: str | None = None,
        words: Sequence[Word] = (),
    ) -> ExtractedClip:
        """Extract a clip, or a stretch of it.

        Args:
            recording: The media file.
            start: Second at which to begin.
            end: Second at which to end; None is the end of the file.
            transcript: What is said; None transcribes the speech if the options allow it.
            words: The words of the transcript in time, from the stretch's start; without them the words are spread over
                the speech.

        Raises:
            MediaError: If the file cannot be read.
        """
        sound, missing = _sound(recording, start, end)
        speech = speech_regions(sound) if len(sound) else []
        features = {} if self.audio is None or "audio" in missing else {"audio": self.audio(sound)}
        seen = self._faces(recording, start, end, speech, missing)
        if seen is not None:
            features["vision"] = seen
        said, timed = self._words(sound, speech, transcript, words, missing)
        text = self.text([said])[0] if self.text is not None and said else None
        if text is not None:
            features["text"] = Features(text.values, _token_times(text, said, timed))
        return ExtractedClip(said, timed, features, text, missing, speech)

    @cached_property
    def transcriber(self) -> Transcriber:
        """Load what listens.

        Raises:
            MissingPackageError: If it or its model is not installed.
        """
        return Transcriber(self.options.speech_model, language=self.options.language)

    def _faces(
        self,
        recording: Recording,
        start: float,
        end: float | None,
        speech: list[tuple[float, float]],
        missing: dict[str, str],
    ) -> Features | None:
        if self.vision is None:
            return None
        if not recording.info.has_picture:
            missing["vision"] = "there is no picture"
            return None
        faces = self.vision(recording.frames(self.options.frame_rate, start, end), speech=speech)
        if np.isfinite(faces.values).all(axis=1).any():
            return faces
        missing["vision"] = "no face is seen"
        return None

    def _words(
        self,
        sound: np.ndarray,
        speech: Sequence[tuple[float, float]],
        given: str | None,
        timed: Sequence[Word],
        missing: dict[str, str],
    ) -> tuple[str, tuple[Word, ...]]:
        """Find what is said, given or heard, and when."""
        said = clean_text(given or "").strip()
        if said:
            return said, tuple(timed or spread_words(said, speech or [(0.0, len(sound) / SOUND_RATE)]))
        if given is None and speech and self.options.transcribe:
            heard = [word for utterance in self.transcriber(sound) for word in utterance.words]
            if heard:
                return join_words(word.text for word in heard), tuple(heard)
        missing["text"] = "there are no words"
        return "", ()


def _sound(recording: Recording, start: float, end: float | None) -> tuple[np.ndarray, dict[str, str]]:
    if not recording.info.has_sound:
        return np.zeros(0, np.float32), {"audio": "there is no sound"}
    sound = recording.sound(start, end)
    silent = not len(sound) or float(np.abs(sound).max()) < _SILENCE
    return sound, {"audio": "the sound is silent"} if silent else {}


@runtime_checkable
class AudioExtractor(Protocol):
    """What turns sound of 16 kHz into features."""

    features: FeatureSet

    def __call__(self, sound: np.ndarray) -> Features:
        """Extract."""
        ...


def _audio_extractor(name: str) -> AudioExtractor:
    if name == "egemaps":
        from imlcmm.features.audio.egemaps import EgemapsExtractor

        return EgemapsExtractor()
    from imlcmm.features.audio.mfcc import MfccExtractor

    return MfccExtractor()


def _token_times(text: TextFeatures, said: str, words: tuple[Word, ...]) -> np.ndarray:
    """Give each token the time of the word that its first character belongs to; special tokens have none (NaN)."""
    times = np.full((len(text.values), 2), np.nan)
    place, borders = 0, []
    for word in words:
        place = said.find(word.text.strip(), place)
        if place < 0:
            break
        borders.append((place, place + len(word.text.strip()), word))
        place += len(word.text.strip())
    for step, (begin, end) in enumerate(text.spans):
        middle = (begin + end) / 2
        found = next((word for first, last, word in borders if first <= middle < last), None)
        if end > begin and found is not None:
            times[step] = found.start, found.end
    return times
