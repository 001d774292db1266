"""Measuring on validation clips how far a model's sentiment can be trusted."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize
from torch import Tensor

from imlcmm.calibration import Calibration, Curve, curve_key
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.models.base import SentimentModel
from imlcmm.models.inference import beside, heads_of, keep_modalities
from imlcmm.types import MODALITIES, Batch

COVERAGE, FEWEST, PRIOR = 0.9, 20, 1e-4
SUBSETS = tuple(subset for size in (1, 2, 3) for subset in combinations(MODALITIES, size))


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
    judged = {curve_key("multimodal", subset): torch.stack([found["multimodal"].float(), batch.label])}
    if len(subset) == 1 and subset[0] in found:
        judged[curve_key(subset[0], ())] = torch.stack([found[subset[0]].float(), batch.unimodal_labels[subset[0]]])
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
