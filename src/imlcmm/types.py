"""What every stage speaks of: modalities, clips, batches, predictions and the shape of a data set."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor
else:
    # What checks types at run time finds the name, though commands that need no tensor start without PyTorch.
    Tensor = Any

MODALITIES = ("text", "audio", "vision")
TARGETS = ("multimodal", *MODALITIES)
ABSENT = "none"
"""Name of the feature set of a modality that a data set lacks."""


def written(sentiment: float | None, low: float) -> str:
    """Write a sentiment, with its sign where labels go below zero; a dash where there is none."""
    if sentiment is None or not math.isfinite(sentiment):
        return "–"
    return f"{sentiment:+.2f}" if low < 0 else f"{sentiment:.2f}"


def written_interval(interval: tuple[float, float] | None, low: float) -> str:
    """Write an interval of sentiments, a dash where there is none."""
    return "–" if interval is None else f"{written(interval[0], low)} to {written(interval[1], low)}"


@dataclass(frozen=True)
class DataSpec:
    """What a model must know of a data set; stored in the checkpoint, and compared with the data at load.

    Attributes:
        widths: Features a frame of each modality.
        steps: Frames of the longest clip of each modality.
        features: Name of the feature set of each modality, such as "openface2"; "unknown" where a file does not tell,
            ABSENT where no clip has the modality.
        kind: The catalogue's name for the data set's rules: simsv2, sims, mosi or mosei.
        low: Smallest label.
        high: Largest label.
        class_centres: Label value that each sentiment class stands for, ascending.
        class_edges: The borders between neighbouring classes; a label on a border belongs to the lower class.
        unimodal_labels: Whether text, audio and vision have labels of their own.
        train_size: Clips in the train split.
        simulated: Whether the clips come from the simulator.
        neutral: Where positive and negative part.
    """

    widths: dict[str, int]
    steps: dict[str, int]
    features: dict[str, str] = field(default_factory=lambda: dict.fromkeys(MODALITIES, "unknown"))
    kind: str = "simsv2"
    low: float = -1.0
    high: float = 1.0
    class_centres: Sequence[float] = (-0.9, -0.4, 0.0, 0.4, 0.9)
    class_edges: Sequence[float] = (-0.7, -0.1, 0.1, 0.7)
    unimodal_labels: bool = True
    train_size: int = 0
    simulated: bool = False
    neutral: float = 0.0

    @property
    def absent(self) -> tuple[str, ...]:
        """List the modalities that no clip has: their width is 1 and their sequences are empty."""
        return tuple(m for m in MODALITIES if self.features.get(m) == ABSENT)

    @property
    def present(self) -> tuple[str, ...]:
        """List the modalities that are not absent."""
        return tuple(m for m in MODALITIES if m not in self.absent)

    def reads_alike(self, other: "DataSpec", modality: str) -> bool:
        """Tell whether both have the same features of a modality, as far as their files tell."""
        names = {spec.features[modality] for spec in (self, other)} - {"unknown"}
        return self.widths[modality] == other.widths[modality] and len(names) < 2

    def __post_init__(self) -> None:
        """Make tuples again of the lists that JSON makes of them."""
        object.__setattr__(self, "class_centres", tuple(self.class_centres))
        object.__setattr__(self, "class_edges", tuple(self.class_edges))

    @property
    def unit(self) -> float:
        """Labels' size of one on the models' own scale, which reaches 1 to 3 from its zero as in the field's data."""
        half = max(self.high - self.neutral, self.neutral - self.low)
        return half / min(max(half, 1.0), 3.0)

    def scaled(self, label: Any) -> Any:
        """Turn a label, or a tensor of labels, into the models' own scale, whose zero is neutral."""
        return label if (self.neutral, self.unit) == (0.0, 1.0) else (label - self.neutral) / self.unit

    def sentiment(self, raw: Tensor) -> Tensor:
        """Turn numbers of the models' own scale into sentiment in the label's unit."""
        return raw if (self.neutral, self.unit) == (0.0, 1.0) else raw * self.unit + self.neutral


@dataclass(frozen=True)
class Clip:
    """One clip on its way into a data set.

    Attributes:
        identifier: `video$_$clip`, unique in the data set.
        transcript: What is said.
        sequences: For each modality (steps, width) float; zero steps where the modality is absent.
        labels: A value for each target that has one.
        tokens: (text steps, 3) token id, attention mask and segment of each text step, or None.
        pieces: How each text step is written; empty where nobody knows.
    """

    identifier: str
    transcript: str
    sequences: dict[str, np.ndarray]
    labels: dict[str, float] = field(default_factory=dict)
    tokens: np.ndarray | None = None
    pieces: Sequence[str] = ()


class Batch(NamedTuple):
    """Some clips, padded with zeros at the end to the longest of them.

    Attributes:
        text: (batch, text steps, width) features.
        audio: (batch, audio steps, width) features.
        vision: (batch, vision steps, width) features.
        masks: For each modality (batch, steps), True on real frames; a row without any True lacks the modality.
        label: (batch,) multimodal sentiment, NaN where the clip has no label.
        unimodal_labels: For each modality (batch,), the multimodal label in data sets without unimodal ones.
        row: (batch,) position of each clip in its split.
        tokens: (batch, 3, text steps) token ids, attention mask and segments, or None.
    """

    text: Tensor
    audio: Tensor
    vision: Tensor
    masks: dict[str, Tensor]
    label: Tensor
    unimodal_labels: dict[str, Tensor]
    row: Tensor
    tokens: Tensor | None = None

    def sequence(self, modality: str) -> Tensor:
        """Give the features of one modality by its name, (batch, steps, width)."""
        sequence: Tensor = getattr(self, modality)
        return sequence


class Pass(NamedTuple):
    """One pass of an epoch over the training clips.

    Attributes:
        name: What it is called.
        reads_unlabelled: Whether clips without labels, where there are any, join the labelled ones.
    """

    name: str
    reads_unlabelled: bool = True


class Prediction(NamedTuple):
    """What a model says of a batch.

    Attributes:
        sentiment: (batch,) multimodal sentiment in the label's unit.
        unimodal: (batch,) sentiment from each modality alone, NaN where the clip lacks the modality;
            empty for models without such heads.
        logits: Raw output of each target's head, (batch, 1) for regression and (batch, classes) for classification;
            finite also where the modality is absent; empty for models with one plain head.
        attention: What was attended to, for explanations; the model's docstring gives names and shapes.
        features: Intermediate features that the model's own loss needs.
    """

    sentiment: Tensor
    unimodal: Mapping[str, Tensor] = MappingProxyType({})
    logits: Mapping[str, Tensor] = MappingProxyType({})
    attention: Mapping[str, Tensor] = MappingProxyType({})
    features: Mapping[str, Tensor] = MappingProxyType({})
