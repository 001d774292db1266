"""What an extractor gives: named columns with units, and where they come from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class FeatureSet:
    """The description of a modality's features, stored with every data set made of them.

    Attributes:
        name: Short name that a model's spec remembers, such as "mfcc-25"; another name means other features.
        modality: text, audio or vision.
        columns: Name of each column.
        units: Unit of each column, "1" for numbers without one.
        rate: Rows a second; None where rows are the tokens of a text.
        version: The package and the model file that compute them, with their versions.
        options: Everything else that changes the values.
    """

    name: str
    modality: str
    columns: tuple[str, ...]
    units: tuple[str, ...]
    rate: float | None
    version: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def describe(self) -> dict[str, Any]:
        """Give the description as JSON can hold it."""
        return asdict(self)


class Features(NamedTuple):
    """The features of one modality of one clip.

    Attributes:
        values: (steps, width) numbers; a row that could not be measured, such as a frame without a face, is NaN.
        times: (steps, 2) seconds from the clip's start at which each step begins and ends.
    """

    values: Float[np.ndarray, "steps width"]
    times: Float[np.ndarray, "steps 2"]


def reasons(missing: Mapping[str, str]) -> str:
    """Say in one line why modalities are missing."""
    return "; ".join(f"{m}: {why}" for m, why in missing.items())
