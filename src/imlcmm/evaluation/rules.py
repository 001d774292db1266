"""What is reported for each data set, by the official rules."""

import numpy as np

from imlcmm.datasets.catalog import Kind
from imlcmm.datasets.kind_file import find_kind
from imlcmm.evaluation import metrics

WEAK = 0.4
TWO, THREE, FIVE = (0.0,), (-0.1, 0.1), (-0.7, -0.1, 0.1, 0.7)


def score(kind: str | Kind, predicted: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Compute every metric of a data set over the clips that have both a label and a prediction.

    Args:
        kind: Name of the data set in the catalogue, or its rules.
        predicted: (clips,) sentiment; NaN where a clip has no prediction.
        label: (clips,) sentiment; NaN where a clip has no label.

    Raises:
        DataError: If the catalogue has no such data set.
    """
    known = np.isfinite(predicted) & np.isfinite(label)
    p, y = predicted[known].astype(np.float32), label[known].astype(np.float32)
    rules = find_kind(kind)
    if rules.metrics:
        return score_own(rules, p, y)
    low_high = (rules.low, rules.high)
    return score_sims(p, y) if low_high == (-1.0, 1.0) else score_mosi(p, y)


def absolute_errors(kind: str | Kind, predicted: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Give what MAE is the mean of: the error of each clip, NaN where it lacks a label or a prediction.

    Args:
        kind: Name of the data set in the catalogue, or its rules.
        predicted: (..., clips) sentiment.
        label: (clips,) sentiment.
    """
    rules = find_kind(kind)
    p, y = predicted.astype(np.float32), label.astype(np.float32)
    if rules.metrics or (rules.low, rules.high) == (-1.0, 1.0):
        p, y = np.clip(p, rules.low, rules.high), np.clip(y, rules.low, rules.high)
    errors: np.ndarray = np.abs(p - y).astype(float)
    return errors


def metric_names(kind: str | Kind) -> list[str]:
    """Name what is reported for a data set, in order."""
    nothing = np.zeros(0)
    return list(score(kind, nothing, nothing))


def score_own(rules: Kind, predicted: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Score data of one's own: both vectors are clipped to its range, and neutral counts as negative."""
    p, y = np.clip(predicted, rules.low, rules.high), np.clip(label, rules.low, rules.high)
    sides, edges, size = (rules.neutral,), rules.class_edges, len(rules.class_centres)
    found = {
        "Acc2": metrics.binned_accuracy(p, y, sides),
        "F1": metrics.binned_f1(p, y, sides),
        f"Acc{size}": metrics.binned_accuracy(p, y, edges),
        f"F1_{size}": metrics.binned_f1(p, y, edges),
        "MAE": metrics.mean_absolute_error(p, y),
        "Corr": metrics.pearson(p, y),
        "R2": metrics.r_squared(p, y),
    }
    return {name: found[name] for name in rules.metrics}


def score_sims(predicted: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Score CH-SIMS and CH-SIMS v2: both vectors are clipped to [-1, 1] first, and zero counts as negative."""
    p, y = np.clip(predicted, -1, 1), np.clip(label, -1, 1)
    weak = np.abs(y) <= np.float32(WEAK)
    return {
        "Acc2": metrics.binned_accuracy(p, y, TWO),
        "F1": metrics.binned_f1(p, y, TWO),
        "Acc2_weak": metrics.binned_accuracy(p[weak], y[weak], TWO),
        "Acc3": metrics.binned_accuracy(p, y, THREE),
        "Acc5": metrics.binned_accuracy(p, y, FIVE),
        "MAE": metrics.mean_absolute_error(p, y),
        "Corr": metrics.pearson(p, y),
        "R2": metrics.r_squared(p, y),
    }


def score_mosi(predicted: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Score CMU-MOSI and MOSEI: negative against non-negative, and without the zeros negative against positive."""
    p, y = predicted, label
    polar = y != 0
    return {
        "Acc2_has0": float(np.mean((p >= 0) == (y >= 0))) if len(y) else np.nan,
        "F1_has0": metrics.weighted_f1(p >= 0, y >= 0),
        "Acc2_non0": float(np.mean((p > 0)[polar] == (y > 0)[polar])) if polar.any() else np.nan,
        "F1_non0": metrics.weighted_f1((p > 0)[polar], (y > 0)[polar]),
        "Acc5": metrics.rounded_accuracy(p, y, 2),
        "Acc7": metrics.rounded_accuracy(p, y, 3),
        "MAE": metrics.mean_absolute_error(p, y),
        "Corr": metrics.pearson(p, y),
    }
