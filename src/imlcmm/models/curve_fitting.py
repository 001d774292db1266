"""Fitting what predictions say of labels, on clips that the model was not trained on."""

import math
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.optimize import isotonic_regression, linprog, minimize
from scipy.sparse import csr_array, eye_array, hstack

from imlcmm.calibration import Curve

COVERAGE, PRIOR = 0.9, 1e-4
MOST_KNOTS, CLIPS_A_KNOT = 9, 25
FEWEST_FOR_DISTANCES, MOST_FOR_DISTANCES = 100, 3000
_TAIL = (1 - COVERAGE) / 2
_DIGITS = 4

_Clips = Float[np.ndarray, " clips"]


def fit_curve(predicted: _Clips, label: _Clips, neutral: float = 0.0, steps: _Clips | None = None) -> Curve:
    """Fit a curve.

    Args:
        predicted: What the model said.
        label: What people said.
        neutral: Where labels part into positive and negative.
        steps: Length of what it was said of; None if the length does not matter.
    """
    predicted, label = predicted.astype(float), label.astype(float)
    lengths = _lengths(steps)
    longer = np.zeros(len(label)) if steps is None or not lengths else _logarithm(steps, lengths)
    knots, values = _means(predicted, label)
    bare = Curve(len(label), 0.0, 0.0, 0.0, neutral, knots, values)
    value = np.array([bare.value(each) for each in predicted.tolist()])
    intercept, slope, odds = _log_odds(value - neutral, label - neutral, longer)
    places, below, above, by_length = _distances(predicted, label - value, longer)
    return Curve(
        len(label), round(_conformal(np.abs(label - value)), _DIGITS), intercept, slope, neutral, knots, values,
        places, below, above, lengths, (*by_length, odds) if lengths else (),
    )  # fmt: skip


def _lengths(steps: _Clips | None) -> tuple[int, ...]:
    """Give the fewest, median and most steps of nine clips of ten; nothing of few clips, or where all are alike."""
    if steps is None or len(steps) < FEWEST_FOR_DISTANCES:
        return ()
    fewest, median, most = np.quantile(np.maximum(steps, 1), [_TAIL, 0.5, 1 - _TAIL], method="nearest").astype(int)
    return (int(fewest), int(median), int(most)) if fewest < most else ()


def _logarithm(steps: _Clips, lengths: tuple[int, ...]) -> _Clips:
    fewest, median, most = lengths
    logarithm: np.ndarray = np.log(np.clip(steps, fewest, most) / median)
    return logarithm


def _means(predicted: _Clips, label: _Clips) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give the mean prediction and label of parts of equal size in order of prediction, the labels made to rise."""
    parts = min(MOST_KNOTS, len(label) // CLIPS_A_KNOT)
    if parts < 2:
        return (), ()
    order = np.array_split(np.argsort(predicted, kind="stable"), parts)
    knots = [round(float(predicted[part].mean()), _DIGITS) for part in order]
    means = isotonic_regression([label[part].mean() for part in order], weights=[len(part) for part in order]).x
    apart = [True, *(a < b for a, b in pairwise(knots))]
    kept = [(knot, round(float(mean), _DIGITS)) for knot, mean, new in zip(knots, means, apart, strict=True) if new]
    return (tuple(k for k, _ in kept), tuple(m for _, m in kept)) if len(kept) > 1 else ((), ())


def _log_odds(value: _Clips, label: _Clips, longer: _Clips) -> tuple[float, float, float]:
    """Fit the log-odds of the right side by logistic regression on the size of the value and the length."""
    right, size = (value > 0) == (label > 0), np.abs(value)
    scale = max(float(np.abs(label).max()), 1e-6)

    def loss(weights: np.ndarray) -> float:
        odds = weights[0] + weights[1] * size / scale + weights[2] * longer
        return float(np.logaddexp(0, np.where(right, -odds, odds)).mean() + PRIOR * (weights**2).sum())

    intercept, slope, odds = minimize(loss, np.zeros(3), bounds=[(0, None), (0, None), (None, None)]).x.tolist()
    return round(intercept, _DIGITS), round(slope / scale, _DIGITS), round(odds, _DIGITS)


def _distances(
    predicted: _Clips, error: _Clips, longer: _Clips
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, float]]:
    """Fit how far under and over the value nine labels of ten lie, by prediction and length.

    Quantile regressions on each half are widened by what the other half needs (split conformal, both ways); the last
    ones are fitted on all clips.
    """
    parts = 5 if len(error) >= 4 * FEWEST_FOR_DISTANCES else 3
    places = np.unique(np.round(np.quantile(predicted, np.linspace(0.02, 0.98, parts)), _DIGITS))
    if len(error) < FEWEST_FOR_DISTANCES or len(places) < parts:
        return (), (), (), (0.0, 0.0)
    design = np.column_stack([*(np.interp(predicted, places, hat) for hat in np.eye(parts)), longer])
    halves = np.arange(len(error)) < len(error) // 2
    need = np.empty(len(error))
    for half in (halves, ~halves):
        low, high = (design @ _quantile_regression(design[half], error[half], q) for q in (_TAIL, 1 - _TAIL))
        need[~half] = np.maximum(low - error, error - high)[~half]
    margin = _conformal(need)
    low, high = (_quantile_regression(design, error, q) for q in (_TAIL, 1 - _TAIL))
    below, above = (np.round(each, _DIGITS).tolist() for each in (margin - low[:-1], margin + high[:-1]))
    by_length = round(-float(low[-1]), _DIGITS), round(float(high[-1]), _DIGITS)
    return tuple(places.tolist()), tuple(below), tuple(above), by_length


def _quantile_regression(design: np.ndarray, values: np.ndarray, share: float) -> np.ndarray:
    """Fit a linear quantile (Koenker and Bassett 1978) as a linear programme."""
    every = -(-len(values) // MOST_FOR_DISTANCES)
    design, values = design[::every], values[::every]
    count, width = design.shape
    equal = hstack([csr_array(design), eye_array(count), -eye_array(count)])
    cost = np.concatenate([np.zeros(width), np.full(count, share), np.full(count, 1 - share)])
    bounds = [(None, None)] * width + [(0, None)] * (2 * count)
    weights: np.ndarray = linprog(cost, A_eq=equal, b_eq=values, bounds=bounds, method="highs").x[:width]
    return weights


def _conformal(scores: np.ndarray) -> float:
    """Give the score that nine new clips of ten stay under, whatever their distribution."""
    rank = min(math.ceil((len(scores) + 1) * COVERAGE), len(scores))
    return float(np.sort(scores)[rank - 1])
