"""Where models stand beside each other, and which of them a paired test cannot tell apart."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from imlcmm.evaluation.statistics import compare, holm, seed_weights

RESAMPLES = 10_000
"""So many that a difference can be shown among sixteen models: 120 pairs, and no p of one below 2 / (RESAMPLES + 1)."""


@dataclass(frozen=True)
class Pair:
    """Two models, by their places in order of rank, and the p-value of their difference, adjusted for all pairs."""

    first: int
    second: int
    p_value: float


@dataclass(frozen=True)
class Ranking:
    """Models in order of their mean rank.

    Attributes:
        names: Models, the best first.
        ranks: Mean rank of each over the resamples; 1 is the best, ties share their ranks.
        pairs: Every two of them.
        sure: Below which adjusted p-value two models are told apart.
    """

    names: Sequence[str]
    ranks: Sequence[float]
    pairs: Sequence[Pair]
    sure: float

    @property
    def groups(self) -> list[list[int]]:
        """The largest sets of two models or more of which no two can be told apart, by their places, in order."""
        alike: list[set[int]] = [set() for _ in self.names]
        for pair in self.pairs:
            if pair.p_value >= self.sure:
                alike[pair.first].add(pair.second)
                alike[pair.second].add(pair.first)
        found = (sorted(group) for group in _cliques(alike, set(), set(range(len(alike))), set()))
        return sorted(group for group in found if len(group) > 1)


def rank(names: Sequence[str], draws: np.ndarray, whole: Sequence[float], sure: float = 0.05) -> Ranking:
    """Rank models by their errors on common resamples, and compare every two, adjusted after Holm for all pairs.

    Args:
        names: Models.
        draws: (models, resamples) errors; lower is better.
        whole: Error of each model on the clips themselves.
        sure: Below which adjusted p-value two models are told apart.
    """
    mean = rankdata(draws, axis=0).mean(1)
    order = np.argsort(mean, kind="stable")
    places = list(combinations(range(len(order)), 2))
    tests = [compare(whole[order[a]] - whole[order[b]], draws[order[a]], draws[order[b]]) for a, b in places]
    adjusted = holm([test.p_value for test in tests])
    pairs = [Pair(a, b, p) for (a, b), p in zip(places, adjusted, strict=True)]
    return Ranking([names[i] for i in order], [float(mean[i]) for i in order], pairs, sure)


def mean_draws(values: np.ndarray, videos: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Resample the mean over clips and seeds of (seeds, clips) values, as `bootstrap` does, at once: (resamples,).

    Args:
        values: What is averaged, such as absolute errors; NaN where a clip does not count.
        videos: Source video of each clip.
        resamples: Draws of the bootstrap.
        seed: Seed of the draws.
    """
    names, owner = np.unique(np.asarray(videos), return_inverse=True)
    known, count = np.isfinite(values), len(names)
    sums = np.stack([np.bincount(owner, row, minlength=count) for row in np.where(known, values, 0.0)])
    sizes = np.stack([np.bincount(owner, row, minlength=count) for row in known.astype(float)])
    generator = np.random.default_rng(seed)
    drawn = (np.bincount(generator.integers(count, size=count), minlength=count) for _ in range(resamples))
    with np.errstate(invalid="ignore"):
        means = np.stack([(sums @ times) / (sizes @ times) for times in drawn])
    found: np.ndarray = (seed_weights(len(values), resamples, seed) * means).sum(1)
    return found


def _cliques(alike: Sequence[Collection[int]], taken: set[int], left: set[int], done: set[int]) -> Iterator[set[int]]:
    """Find the sets that no model can be added to (Bron and Kerbosch 1973)."""
    if not left and not done:
        yield taken
    for model in sorted(left):
        yield from _cliques(alike, taken | {model}, left & set(alike[model]), done & set(alike[model]))
        left, done = left - {model}, done | {model}
