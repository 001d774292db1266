"""The field's metrics as pure functions of two vectors, in float32 like the official code."""

from collections.abc import Sequence

import numpy as np


def binned_accuracy(predicted: np.ndarray, label: np.ndarray, edges: Sequence[float]) -> float:
    """Compute the share of clips in the same class; classes are right-closed bins between the edges."""
    return _mean(classes(predicted, edges) == classes(label, edges))


def binned_f1(predicted: np.ndarray, label: np.ndarray, edges: Sequence[float]) -> float:
    """Compute the F1 score over the same bins, weighted by how often each class is true."""
    return weighted_f1(classes(predicted, edges), classes(label, edges))


def classes(values: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Number the right-closed bins: a value on an edge belongs to the lower class."""
    return np.searchsorted(np.asarray(edges, dtype=np.float32), values.astype(np.float32), side="left")


def weighted_f1(predicted: np.ndarray, true: np.ndarray) -> float:
    """Compute the F1 score of classes, weighted by how often each is true; NaN without clips.

    The result is scikit-learn's `f1_score(average="weighted")`, without its checks: a bootstrap asks often.
    """
    if not len(true):
        return np.nan
    p, t = predicted.astype(np.int64), true.astype(np.int64)
    size = int(max(p.max(), t.max())) + 1
    told, real, hit = (np.bincount(x, minlength=size) for x in (p, t, t[p == t]))
    return float((real * 2 * hit / np.maximum(told + real, 1)).sum() / len(t))


def rounded_accuracy(predicted: np.ndarray, label: np.ndarray, bound: int) -> float:
    """Compute the share of equal integers after clipping to ±bound and rounding half to even."""
    return _mean(np.round(np.clip(predicted, -bound, bound)) == np.round(np.clip(label, -bound, bound)))


def mean_absolute_error(predicted: np.ndarray, label: np.ndarray) -> float:
    """Compute the mean of |predicted - label|."""
    return _mean(np.abs(predicted - label))


def pearson(predicted: np.ndarray, label: np.ndarray) -> float:
    """Compute Pearson's correlation; NaN where a vector is constant or has fewer than two clips."""
    if len(label) < 2 or np.ptp(predicted) == 0 or np.ptp(label) == 0:
        return np.nan
    return float(np.corrcoef(predicted, label)[0, 1])


def r_squared(predicted: np.ndarray, label: np.ndarray) -> float:
    """Compute 1 - SS_residual / SS_total, which is negative for predictions worse than the mean."""
    if len(label) < 2 or np.ptp(label) == 0:
        return np.nan
    y, p = label.astype(np.float64), predicted.astype(np.float64)
    return float(1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else np.nan
