"""How far a model's sentiment can be trusted: curves that were measured on validation, kept in its checkpoint."""

import math
from bisect import bisect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from imlcmm.errors import ModelError
from imlcmm.files import write_json
from imlcmm.types import MODALITIES
from imlcmm.untrusted import inside, read_json

FILE = "calibration.json"


@dataclass(frozen=True)
class Curve:
    """What a prediction, and the length of what it was made of, say of the label.

    A model's output is no mean: trained on labels that are good or bad, or on absolute errors, it goes to the ends of
    the scale where the labels are divided. `value` puts the mean label of such predictions in its place. Curves of
    few clips, and of older checkpoints, have no knots: they leave the prediction as it is, with one width for all.

    Attributes:
        clips: Validation clips it was measured on.
        half_width: Half of the interval around any prediction that holds the label of 90 % of clips (split conformal).
        intercept: Log-odds that a value of zero is on the label's side of zero, not negative.
        slope: What each unit of sentiment adds to them, not negative.
        neutral: What "zero" stands for here: where the labels part into positive and negative.
        knots: Predictions, increasing.
        values: Mean label at each knot, never decreasing (isotonic regression).
        places: Predictions, increasing, at which the distances are known.
        below: How far under the value the interval begins there (conformalised quantile regression; Romano, Patterson
            and Candès 2019).
        above: How far over the value it ends there.
        lengths: Fewest, median and most steps of nine clips of ten.
        by_length: What the logarithm of steps over the median adds to `below`, `above` and the log-odds.
    """

    clips: int
    half_width: float
    intercept: float
    slope: float
    neutral: float = 0.0
    knots: Sequence[float] = ()
    values: Sequence[float] = ()
    places: Sequence[float] = ()
    below: Sequence[float] = ()
    above: Sequence[float] = ()
    lengths: Sequence[int] = ()
    by_length: Sequence[float] = ()

    def __post_init__(self) -> None:
        """Make tuples of lists, as a file has them, and refuse what is no curve.

        Raises:
            ValueError: If the parts do not belong together.
        """
        for part in ("knots", "values", "places", "below", "above", "lengths", "by_length"):
            object.__setattr__(self, part, tuple(getattr(self, part)))
        pairs = len(self.knots) == len(self.values) and len(self.places) == len(self.below) == len(self.above)
        rising = all(a < b for each in (self.knots, self.places) for a, b in pairwise(each))
        lengths = len(self.lengths) == len(self.by_length) in (0, 3) and all(steps > 0 for steps in self.lengths)
        if not (pairs and rising and lengths and 1 not in (len(self.knots), len(self.places))):
            raise ValueError("holds a curve whose parts do not belong together")

    def value(self, predicted: float) -> float:
        """Give the mean label of clips with such a prediction; beyond the knots the last slope goes on."""
        if not self.knots:
            return predicted
        i = min(max(bisect(self.knots, predicted), 1), len(self.knots) - 1)
        (x, right), (y, upper) = self.knots[i - 1 : i + 1], self.values[i - 1 : i + 1]
        return y + (upper - y) * (predicted - x) / (right - x)

    def interval(self, predicted: float, steps: int | None = None) -> tuple[float, float]:
        """Give the interval that holds nine labels of ten of clips like this one.

        Args:
            predicted: What the model said.
            steps: Length of the first modality that it read; None is the median.
        """
        value = self.value(predicted)
        if not self.places:
            return value - self.half_width, value + self.half_width
        below, above = (
            max(0.0, float(np.interp(predicted, self.places, distances)) + self._longer(i, steps))
            for i, distances in enumerate((self.below, self.above))
        )
        return value - below, value + above

    def confidence(self, predicted: float, steps: int | None = None) -> float:
        """Give the probability that the label is on the value's side of zero; zero itself counts as negative."""
        odds = self.intercept + self.slope * abs(self.value(predicted) - self.neutral) + self._longer(2, steps)
        return (1 + math.tanh(max(odds, 0.0) / 2)) / 2

    def _longer(self, which: int, steps: int | None) -> float:
        if not self.lengths or steps is None:
            return 0.0
        fewest, median, most = self.lengths
        return self.by_length[which] * math.log(min(max(steps, fewest), most) / median)


class StoredCalibration(TypedDict):
    """What the file holds."""

    modalities: list[Literal["text", "audio", "vision"]]
    curves: dict[str, Curve]
    languages: NotRequired[list[str]]


@dataclass(frozen=True)
class Calibration:
    """The curve of each head and, for the multimodal one, of each set of modalities that it may have read.

    Attributes:
        modalities: Those that some validation clip has; a model must not be believed on others.
        curves: By head and set; none where too few clips have them and a label.
        languages: Codes of those that the clips' transcripts are in, such as zh and en; none where they are not known.
    """

    modalities: Sequence[str]
    curves: Mapping[str, Curve]
    languages: Sequence[str] = ()

    def curve(self, head: str, modalities: Collection[str] = ()) -> Curve | None:
        """Look a curve up; `modalities` are those that the multimodal head has read."""
        return self.curves.get(curve_key(head, modalities))

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Calibration":
        """Make the curves of what a file holds, which is a `StoredCalibration`."""
        curves = {key: Curve(**curve) for key, curve in stored["curves"].items()}
        return cls(tuple(stored["modalities"]), curves, tuple(stored.get("languages", ())))

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
