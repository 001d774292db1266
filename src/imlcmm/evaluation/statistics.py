"""Intervals and paired tests that respect that clips of one video are alike."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

Scores = dict[str, float]
Scorer = Callable[[np.ndarray, np.ndarray], Scores]
"""Scores predictions (clips,) against labels (clips,)."""


class Comparison(NamedTuple):
    """A paired comparison of one metric: mean difference, its 95 % interval and a two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_intervals(
    scorer: Scorer,
    predictions: Sequence[np.ndarray],
    label: np.ndarray,
    videos: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Compute 95 % intervals of each metric, averaged over seeds, by resampling whole videos.

    Args:
        scorer: What is measured.
        predictions: One vector (clips,) a seed.
        label: (clips,) truth.
        videos: Source video of each clip.
        resamples: Draws of the bootstrap.
        seed: Seed of the draws.
    """
    draws = [_seed_mean(scorer, predictions, label, rows) for rows in video_resamples(videos, resamples, seed)]
    return {name: _interval(np.array([d[name] for d in draws])) for name in draws[0]}


def paired_test(
    scorer: Scorer,
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    label: np.ndarray,
    videos: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Compare two runs on the same clips: first minus second, by a bootstrap over videos that both share.

    The p-value is twice the smaller share of resamples on one side of zero, with one added to both counts so that it
    is never zero (Davison and Hinkley 1997, section 4.2).
    """
    rows = np.arange(len(label))
    a, b = (_seed_mean(scorer, p, label, rows) for p in (first, second))
    draws: list[Scores] = []
    for drawn in video_resamples(videos, resamples, seed):
        x, y = (_seed_mean(scorer, p, label, drawn) for p in (first, second))
        draws.append({name: x[name] - y[name] for name in x})
    found = {}
    for name in a:
        differences = np.array([d[name] for d in draws])
        differences = differences[np.isfinite(differences)]
        below, above = (differences <= 0).sum(), (differences >= 0).sum()
        p_value = min(1.0, 2 * (min(below, above) + 1) / (len(differences) + 1))
        found[name] = Comparison(a[name] - b[name], *_interval(differences), p_value)
    return found


def video_resamples(videos: Sequence[str], resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draw as many videos as there are, with replacement, and give the rows of their clips."""
    names, owner = np.unique(np.asarray(videos), return_inverse=True)
    clips = [np.flatnonzero(owner == i) for i in range(len(names))]
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.concatenate([clips[i] for i in generator.integers(len(names), size=len(names))])


def _seed_mean(scorer: Scorer, predictions: Sequence[np.ndarray], label: np.ndarray, rows: np.ndarray) -> Scores:
    scores = [scorer(p[rows], label[rows]) for p in predictions]
    return {name: float(np.mean([s[name] for s in scores])) for name in scores[0]}


def _interval(draws: np.ndarray) -> tuple[float, float]:
    finite = draws[np.isfinite(draws)]
    if len(finite) == 0:
        return (np.nan, np.nan)
    low, high = np.quantile(finite, [0.025, 0.975])
    return (float(low), float(high))
