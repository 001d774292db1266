"""How far a model's sentiment can be trusted: curves that were measured on validation, kept in its checkpoint."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from imlcmm.errors import ModelError
from imlcmm.files import write_json
from imlcmm.types import MODALITIES
from imlcmm.untrusted import inside, read_json

FILE = "calibration.json"


@dataclass(frozen=True)
class Curve:
    """What the size of a prediction says about its error.

    Attributes:
        clips: Validation clips it was measured on.
        half_width: Half of the interval around a prediction that holds the label of 90 % of clips (split conformal).
        intercept: Log-odds that a prediction of zero is on the label's side of zero, not negative.
        slope: What each unit of sentiment adds to them, not negative.
        neutral: What "zero" stands for here: where the labels part into positive and negative.
    """

    clips: int
    half_width: float
    intercept: float
    slope: float
    neutral: float = 0.0

    def confidence(self, sentiment: float) -> float:
        """Give the probability that the label lies on the same side of zero; zero itself counts as negative."""
        odds = self.intercept + self.slope * abs(sentiment - self.neutral)
        return (1 + math.tanh(odds / 2)) / 2


class StoredCalibration(TypedDict):
    """What the file holds."""

    modalities: list[Literal["text", "audio", "vision"]]
    curves: dict[str, Curve]


@dataclass(frozen=True)
class Calibration:
    """The curve of each head and, for the multimodal one, of each set of modalities that it may have read.

    Attributes:
        modalities: Those that some validation clip has; a model must not be believed on others.
        curves: By head and set; none where too few clips have them and a label.
    """

    modalities: Sequence[str]
    curves: Mapping[str, Curve]

    def curve(self, head: str, modalities: Collection[str] = ()) -> Curve | None:
        """Look a curve up; `modalities` are those that the multimodal head has read."""
        return self.curves.get(curve_key(head, modalities))

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Calibration":
        """Make the curves of what a file holds, which is a `StoredCalibration`."""
        return cls(tuple(stored["modalities"]), {key: Curve(**curve) for key, curve in stored["curves"].items()})

    def write(self, folder: Path) -> None:
        """Put the curves beside a checkpoint's weights."""
        write_json(folder / FILE, asdict(self))


def read_calibration(folder: Path) -> Calibration | None:
    """Read the curves of a checkpoint; None if it has none.

    Raises:
        ModelError: If the file is damaged.
    """
    file = folder / FILE
    if not file.exists():
        return None
    try:
        return Calibration.of(read_json(inside(folder, FILE), StoredCalibration))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} {error}; train again or copy the checkpoint anew") from error


def curve_key(head: str, modalities: Collection[str]) -> str:
    """Name a curve: the head, and in order what it read."""
    return " ".join([head, *(m for m in MODALITIES if m in modalities)])
