"""What to extract with; apart from the extractors, so that a command can tell its options without loading them."""

from dataclasses import dataclass, field
from typing import Literal

from imlcmm.features.media.limits import USUAL, MediaLimits


@dataclass(frozen=True)
class ExtractorOptions:
    """What to extract with.

    Attributes:
        audio: mfcc, or egemaps by openSMILE, whose licence forbids commercial use.
        text_encoder: Hugging Face id or folder of a BERT, in place of the encoder that comes as a package.
        frame_rate: Pictures a second.
        language: Language of the speech, such as zh or en; found out if not given.
        speech_model: faster-whisper model, a name or a folder, in place of the one that comes as a package.
        transcribe: Whether to listen where no words are given.
        cues: What to measure beside the sentiment of a prediction: voice and face, the voice alone, or nothing.
        speakers: Whether to say who speaks: auto by the transcript's names, the channels of a call or the voices.
        longest: Hours that a recording may last.
        largest: Megapixels that a picture may have.
    """

    audio: Literal["mfcc", "egemaps"] = "mfcc"
    text_encoder: str | None = None
    frame_rate: float = 25.0
    language: str | None = None
    speech_model: str | None = None
    transcribe: bool = field(
        default=True, metadata={"off": ("no_asr", "Never listen: words are given, or there are none.")}
    )
    cues: Literal["all", "voice", "none"] = "all"
    speakers: Literal["auto", "none"] = "auto"
    longest: float = USUAL.hours
    largest: float = USUAL.megapixels

    @property
    def limits(self) -> MediaLimits:
        """What a recording may have at most; beyond that its header is not believed."""
        return MediaLimits(self.longest, self.largest)
