"""What a prediction says of a video."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from imlcmm.clean_text import clean_text, path_text
from imlcmm.features.cue_names import CUES
from imlcmm.features.feature_set import reasons
from imlcmm.features.words.utterances import UNKNOWN
from imlcmm.features.words.word import Word
from imlcmm.types import MODALITIES


@dataclass(frozen=True)
class Moment:
    """A stretch of an utterance that a modality's pooling looked at more than at others.

    Attributes:
        modality: audio or vision.
        start: Seconds from the start of the video.
        end: Seconds from the start of the video.
        weight: Times the weight that an equal share of attention would have.
    """

    modality: str
    start: float
    end: float
    weight: float


@dataclass(frozen=True)
class Contribution:
    """A word that the text's sentiment hinges on.

    Attributes:
        word: The word, in Chinese a piece of a few characters.
        start: Seconds from the start of the video.
        end: Seconds from the start of the video.
        change: What the sentiment would lose without it, in the label's unit: above 0 for a word that raises it.
    """

    word: str
    start: float
    end: float
    change: float


@dataclass(frozen=True)
class UtterancePrediction:
    """What is said of one utterance.

    Attributes:
        start: Seconds from the start of the video.
        end: Seconds from the start of the video.
        transcript: What is said in it.
        sentiment: Multimodal sentiment in the label's unit; None where nothing could be read.
        interval: Where the label of nine validation clips of ten lay; None for a model without calibration, and where
            there are doubts.
        confidence: Probability that the label is on the same side of neutral; None as the interval.
        unimodal: Sentiment of each modality alone, for models with such heads.
        agreement: "agreement", "conflict", or "" where fewer than two modalities speak.
        moments: Where voice and face were looked at most.
        contributions: The words that the text's sentiment hinges on, the weightiest first.
        cues: What was measured of voice and face, by the names of `CUES` and in their units; no sentiment.
        missing: Why a modality was not read, or has no sentiment of its own.
        words: The words with the seconds from the start of the video.
        speaker: Who speaks; "unknown" where others could be told, empty where nobody is named.
        doubts: Why what validation measured says nothing of this utterance, such as "few words".
    """

    start: float
    end: float
    transcript: str
    sentiment: float | None
    interval: tuple[float, float] | None = None
    confidence: float | None = None
    unimodal: Mapping[str, float] = field(default_factory=dict)
    agreement: str = ""
    moments: Sequence[Moment] = ()
    contributions: Sequence[Contribution] = ()
    cues: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    words: Sequence[Word] = ()
    speaker: str = ""
    doubts: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Keep what is no writing out of everything that is made of this."""
        object.__setattr__(self, "transcript", clean_text(self.transcript))
        object.__setattr__(self, "speaker", clean_text(self.speaker))

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it."""
        return asdict(self) | {"words": [word._asdict() for word in self.words]}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> "UtterancePrediction":
        """Make an utterance again of what `to_dict` gave, or of a part of it.

        Raises:
            KeyError: If a needed part is missing.
            TypeError: If it is none.
        """
        interval = said.get("interval")
        return cls(
            **{
                **said,
                "interval": None if interval is None else tuple(interval),
                "moments": [Moment(**moment) for moment in said.get("moments", ())],
                "contributions": [Contribution(**each) for each in said.get("contributions", ())],
                "words": [Word(**word) for word in said.get("words", ())],
            }
        )


@dataclass(frozen=True)
class VideoPrediction:
    """What is said of a file.

    Attributes:
        path: The file.
        model: Name and origin of the model.
        low: Smallest sentiment of the model's scale.
        high: Largest sentiment of the model's scale.
        utterances: The utterances in order, up to a failure.
        failure: Why the file could not be read, or not to its end, in one line; empty if it could.
        neutral: Where positive and negative part.
    """

    path: Path
    model: str
    low: float
    high: float
    utterances: Sequence[UtterancePrediction] = ()
    failure: str = ""
    neutral: float = 0.0

    def __post_init__(self) -> None:
        """Keep what is no writing out of everything that is made of this."""
        object.__setattr__(self, "failure", clean_text(self.failure))

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it."""
        utterances = [each.to_dict() for each in self.utterances]
        usual = {"usual_cues": self.usual_cues, "usual_cues_of_speakers": self.usual_cues_of_speakers}
        return {**asdict(self), "path": path_text(self.path), "utterances": utterances, **usual}

    @classmethod
    def from_dict(cls, path: Path, said: Mapping[str, Any]) -> "VideoPrediction":
        """Make a prediction again of what `to_dict` gave; the path is given, as JSON may not hold it.

        Raises:
            ValueError: If it is none.
        """
        try:
            utterances = [UtterancePrediction.from_dict(each) for each in said["utterances"]]
            own = {name: value for name, value in said.items() if not name.startswith("usual_cues")}
            return cls(**{**own, "path": path, "utterances": utterances})
        except (KeyError, TypeError) as error:
            raise ValueError(f"holds no prediction ({error})") from error

    @property
    def speakers(self) -> list[str]:
        """Name those who speak, in the order in which they are first heard."""
        return [name for name in dict.fromkeys(u.speaker for u in self.utterances) if name not in ("", UNKNOWN)]

    @property
    def has_several_speakers(self) -> bool:
        """Tell whether it must be said who speaks."""
        return len(self.speakers) > 1

    @property
    def usual_cues(self) -> dict[str, float]:
        """Give the median of each cue over all utterances."""
        return _medians(self.utterances)

    @property
    def usual_cues_of_speakers(self) -> dict[str, dict[str, float]]:
        """Give the medians of each speaker, with which one compares: nobody smiles like anybody else."""
        return {name: _medians([u for u in self.utterances if u.speaker == name]) for name in self.speakers}

    @property
    def cues_over_median(self) -> list[dict[str, float]]:
        """Give how far the cues of each utterance are from the medians of its speaker, of all if nobody is named."""
        everybody, own = self.usual_cues, self.usual_cues_of_speakers
        return [_over(u.cues, own.get(u.speaker, everybody)) for u in self.utterances]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Give one flat row an utterance, and one for a failure."""
        usual = self.usual_cues
        failed = [{"file": path_text(self.path), "failure": self.failure}] if self.failure else []
        said = [
            {
                "file": path_text(self.path),
                "start": each.start,
                "end": each.end,
                "speaker": each.speaker,
                "sentiment": each.sentiment,
                "low": each.interval[0] if each.interval else None,
                "high": each.interval[1] if each.interval else None,
                "confidence": each.confidence,
                "doubts": "; ".join(each.doubts),
                **{m: each.unimodal.get(m) for m in MODALITIES},
                "agreement": each.agreement,
                "missing": reasons(each.missing),
                "transcript": each.transcript,
                **{f"{name} ({CUES[name]})": each.cues.get(name) for name in usual},
                **{f"{name} over median": over.get(name) for name in usual},
                "failure": "",
            }
            for each, over in zip(self.utterances, self.cues_over_median, strict=True)
        ]
        return said + failed


def _medians(utterances: Sequence[UtterancePrediction]) -> dict[str, float]:
    found = {name: [u.cues[name] for u in utterances if name in u.cues] for name in CUES}
    return {name: round(median(values), 2) for name, values in found.items() if values}


def _over(cues: Mapping[str, float], middle: Mapping[str, float]) -> dict[str, float]:
    return {name: round(cues[name] - usual, 2) for name, usual in middle.items() if name in cues}
