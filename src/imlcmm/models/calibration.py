"""How far a model's sentiment can be trusted, measured on validation clips and kept in its checkpoint."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.errors import ModelError
from imlcmm.files import write_json
from imlcmm.models.base import SentimentModel
from imlcmm.models.inference import beside, heads_of, keep_modalities
from imlcmm.types import MODALITIES, Batch
from imlcmm.untrusted import inside, read_json

FILE = "calibration.json"
COVERAGE, FEWEST, PRIOR = 0.9, 20, 1e-4
SUBSETS = tuple(subset for size in (1, 2, 3) for subset in combinations(MODALITIES, size))


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
        return float(expit(self.intercept + self.slope * abs(sentiment - self.neutral)))


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
        return self.curves.get(_key(head, modalities))

    def write(self, folder: Path) -> None:
        """Put the curves beside a checkpoint's weights."""
        write_json(folder / FILE, asdict(self))


class _Stored(TypedDict):
    modalities: list[Literal["text", "audio", "vision"]]
    curves: dict[str, Curve]


def read_calibration(folder: Path) -> Calibration | None:
    """Read the curves of a checkpoint; None if it has none.

    Raises:
        ModelError: If the file is damaged.
    """
    file = folder / FILE
    if not file.exists():
        return None
    try:
        found = read_json(inside(folder, FILE), _Stored)
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} {error}; train again or copy the checkpoint anew") from error
    return Calibration(tuple(found["modalities"]), {key: Curve(**curve) for key, curve in found["curves"].items()})


@torch.no_grad()
def calibrate(model: SentimentModel, clips: ClipDataset, batch_size: int = 64) -> Calibration:
    """Measure the errors of a model on clips it was not trained on, as it is and with modalities taken away.

    A set of modalities is measured on the clips that have all of it, each head on those that have its label.
    """
    model.eval()
    judged: dict[str, list[Tensor]] = {}
    seen: set[str] = set()
    for batch in (beside(model, batch) for batch in clips.averaging(model.averages).batches(batch_size)):
        present = {m: mask.any(1) for m, mask in batch.masks.items()}
        seen |= {m for m, rows in present.items() if rows.any()}
        for subset in SUBSETS:
            usable = torch.stack([present[m] for m in subset]).all(0)
            if usable.any():
                found = heads_of(model(keep_modalities(batch, subset)))
                for key, both in _judge(found, batch, subset).items():
                    judged.setdefault(key, []).append(both[:, usable & both.isfinite().all(0)])
    pairs = {key: torch.cat(both, dim=1).cpu().numpy() for key, both in judged.items()}
    neutral = model.spec.neutral
    curves = {key: fit_curve(p, y, neutral) for key, (p, y) in pairs.items() if len(p) >= FEWEST}
    return Calibration(tuple(m for m in MODALITIES if m in seen), curves)


def _judge(found: Mapping[str, Tensor], batch: Batch, subset: Sequence[str]) -> dict[str, Tensor]:
    """Put what was predicted from a set of modalities beside its label, (2, clips) for each curve."""
    judged = {_key("multimodal", subset): torch.stack([found["multimodal"].float(), batch.label])}
    if len(subset) == 1 and subset[0] in found:
        judged[_key(subset[0], ())] = torch.stack([found[subset[0]].float(), batch.unimodal_labels[subset[0]]])
    return judged


def fit_curve(
    predicted: Float[np.ndarray, " clips"], label: Float[np.ndarray, " clips"], neutral: float = 0.0
) -> Curve:
    """Fit the log-odds of the right side by logistic regression, and take the conformal quantile of the errors."""
    predicted, label = predicted - neutral, label - neutral
    right, size = (predicted > 0) == (label > 0), np.abs(predicted).astype(float)
    scale = max(float(np.abs(label).max()), 1e-6)

    def loss(weights: np.ndarray) -> float:
        odds = weights[0] + weights[1] * size / scale
        return float(np.logaddexp(0, np.where(right, -odds, odds)).mean() + PRIOR * (weights**2).sum())

    intercept, slope = minimize(loss, np.zeros(2), bounds=[(0, None), (0, None)]).x
    rank = min(np.ceil((len(label) + 1) * COVERAGE) / len(label), 1.0)
    half_width = np.quantile(np.abs(predicted - label), rank, method="higher")
    return Curve(
        len(label), round(float(half_width), 4), round(float(intercept), 4), round(float(slope) / scale, 4), neutral
    )


def _key(head: str, modalities: Collection[str]) -> str:
    """Name a curve: the head, and in order what it read."""
    return " ".join([head, *(m for m in MODALITIES if m in modalities)])
