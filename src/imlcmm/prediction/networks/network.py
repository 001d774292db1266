"""What a predictor asks of a network, in arrays alone."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from imlcmm.calibration import Calibration
from imlcmm.types import DataSpec


class ClipArrays(NamedTuple):
    """Some clips, padded with zeros at the end to the longest of them.

    Attributes:
        sequences: For each modality (batch, steps, width) features.
        masks: For each modality (batch, steps), True on real frames; a row without any True lacks the modality.
        tokens: (batch, 3, text steps) token ids, attention mask and segments.
    """

    sequences: Mapping[str, Float[np.ndarray, "batch steps width"]]
    masks: Mapping[str, Bool[np.ndarray, "batch steps"]]
    tokens: Int[np.ndarray, "batch 3 steps"]


class Scores(NamedTuple):
    """What a network says of some clips; `imlcmm.types.Prediction` has the same in tensors.

    Attributes:
        sentiment: (batch,) multimodal sentiment in the label's unit.
        unimodal: (batch,) sentiment from each modality alone, NaN where the clip lacks it; empty without such heads.
        attention: (batch, steps) weights of each modality's pooling; empty for models without.
    """

    sentiment: Float[np.ndarray, " batch"]
    unimodal: Mapping[str, Float[np.ndarray, " batch"]] = MappingProxyType({})
    attention: Mapping[str, Float[np.ndarray, "batch steps"]] = MappingProxyType({})


@runtime_checkable
class Network(Protocol):
    """A trained model."""

    @property
    def spec(self) -> DataSpec:
        """Shape of the data that it was trained on."""
        ...

    @property
    def means(self) -> Mapping[str, Float[np.ndarray, " width"]]:
        """Mean of each feature in training, which stands for single values that could not be measured."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """How far it can be trusted; None where nothing was measured."""
        ...

    def __call__(self, clips: ClipArrays) -> Scores:
        """Score some clips."""
        ...
