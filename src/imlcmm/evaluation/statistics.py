"""Intervals and paired tests that respect that clips of one video are alike, and that another training differs."""

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


def bootstrap(
    scorer: Scorer,
    predictions: Sequence[np.ndarray],
    label: np.ndarray,
    videos: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Compute each metric, averaged over drawn seeds, on drawn videos: (resamples,) each.

    Seeds and videos are crossed, for each seed predicts each video, so both are drawn with replacement, each by itself
    (Owen 2007, "The pigeonhole bootstrap"). One seed alone is always drawn: then the draws are over videos.

    The same videos, resamples and seed give the same resamples of videos, and for as many predictions the same of
    seeds, so that the draws of two runs are paired. A metric that one seed does not have is NaN.

    Args:
        scorer: What is measured.
        predictions: One vector (clips,) a seed.
        label: (clips,) truth.
        videos: Source video of each clip.
        resamples: Draws of the bootstrap.
        seed: Seed of the draws.
    """
    scores = [[scorer(p[rows], label[rows]) for p in predictions] for rows in video_resamples(videos, resamples, seed)]
    weights = seed_weights(len(predictions), resamples, seed)
    return {
        name: (weights * np.array([[each[name] for each in draw] for draw in scores])).sum(1) for name in scores[0][0]
    }


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Give the 95 % interval of bootstrap draws."""
    finite = draws[np.isfinite(draws)]
    if len(finite) == 0:
        return (np.nan, np.nan)
    low, high = np.quantile(finite, [0.025, 0.975])
    return (float(low), float(high))


def compare(difference: float, first: np.ndarray, second: np.ndarray) -> Comparison:
    """Compare two runs in a metric by their paired draws: first minus second.

    The p-value is twice the smaller share of resamples on one side of zero, with one added to both counts so that it
    is never zero (Davison and Hinkley 1997, section 4.2).

    Args:
        difference: Difference on the clips themselves.
        first: (resamples,) draws of one run.
        second: (resamples,) draws of the other.
    """
    differences = first - second
    differences = differences[np.isfinite(differences)]
    below, above = (differences <= 0).sum(), (differences >= 0).sum()
    p_value = min(1.0, 2 * (min(below, above) + 1) / (len(differences) + 1))
    return Comparison(difference, *interval(differences), p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of several tests so that one false alarm in all of them stays as rare as in one (Holm 1979).

    Args:
        p_values: One of each test.

    Returns:
        The adjusted values, in the same order.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def seed_mean(scorer: Scorer, predictions: Sequence[np.ndarray], label: np.ndarray) -> Scores:
    """Average the scores of several seeds."""
    scores = [scorer(p, label) for p in predictions]
    return {name: float(np.mean([s[name] for s in scores])) for name in scores[0]}


def seed_weights(seeds: int, resamples: int, seed: int) -> np.ndarray:
    """Draw as many seeds as there are, with replacement, and give each one's share: (resamples, seeds)."""
    # Of numbers of seeds that differ the draws are independent, and those of the videos are of another stream.
    generator = np.random.default_rng([seed, seeds])
    return generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds


def video_resamples(videos: Sequence[str], resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draw as many videos as there are, with replacement, and give the rows of their clips."""
    names, owner = np.unique(np.asarray(videos), return_inverse=True)
    clips = [np.flatnonzero(owner == i) for i in range(len(names))]
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.concatenate([clips[i] for i in generator.integers(len(names), size=len(names))])
