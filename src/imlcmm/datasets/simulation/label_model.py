"""The label distribution of the simulator: how the sentiment of M, text, audio and vision go together; Bayes' rule.

The joint table over the eleven label values of each target has the most entropy among all tables with the wanted
marginals and pairwise correlations, p(m, t, a, v) ∝ Π φ_i(x_i) · exp(Σ J_ij x_i x_j): nothing else is assumed.
The marginal of the multimodal label is table 1's, even within each class, which gives it a deviation of .76 in train.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

LEVELS: np.ndarray = np.round(np.linspace(-1.0, 1.0, 11), 1)
SUBSETS: tuple[str, ...] = ("T", "A", "V", "TA", "TV", "AV", "TAV")

# CH-SIMS v2, table 1 of the IML-CMM paper: negative, weakly negative, neutral, weakly positive, positive.
CLASS_COUNTS: Mapping[str, tuple[int, ...]] = {
    "train": (921, 433, 232, 318, 818),
    "valid": (224, 110, 62, 83, 168),
    "test": (291, 211, 93, 183, 256),
}
CLASS_LEVELS: tuple[tuple[int, ...], ...] = ((0, 1), (2, 3, 4), (5,), (6, 7, 8), (9, 10))
CORRELATIONS: Mapping[tuple[int, int], float] = {
    (0, 1): 0.776,
    (0, 2): 0.876,
    (0, 3): 0.841,
    (1, 2): 0.729,
    (1, 3): 0.567,
    (2, 3): 0.785,
}
UNIMODAL_MOMENTS: tuple[tuple[float, float], ...] = ((-0.06, 0.61), (-0.10, 0.60), (-0.06, 0.65))
# Annotators use the neutral label about twice as often as its neighbours.
NEUTRAL_WEIGHT = 2.0


class LabelModel(NamedTuple):
    """The distribution of labels that every simulated clip is drawn from.

    Attributes:
        joint: (11, 11, 11, 11) probability of each (multimodal, text, audio, vision) combination in the train split.
        conditional: (11, 11, 11, 11) probability of (text, audio, vision) given the multimodal label, the first axis.
    """

    joint: np.ndarray
    conditional: np.ndarray

    def draw(self, multimodal: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Draw text, audio and vision levels, (clips, 3) indices into LEVELS, for multimodal levels (clips,)."""
        cumulative = np.cumsum(self.conditional.reshape(len(LEVELS), -1), axis=1)
        uniform = random.random(len(multimodal))
        cells = [
            np.searchsorted(cumulative[m], u * cumulative[m, -1]) for m, u in zip(multimodal, uniform, strict=True)
        ]
        return np.asarray(np.stack(np.unravel_index(np.asarray(cells, dtype=np.int64), (len(LEVELS),) * 3), axis=1))

    def posterior(self, prior: np.ndarray, likelihoods: np.ndarray) -> np.ndarray:
        """Apply Bayes' rule to one clip for every subset of modalities.

        Args:
            prior: (11,) share of each multimodal level in the clip's split.
            likelihoods: (3, 11) density of what each of text, audio and vision shows, given that modality's own level.

        Returns:
            (7, 11) probability of each multimodal level given each of SUBSETS.
        """
        weights = dict(zip("TAV", likelihoods / likelihoods.max(axis=1, keepdims=True), strict=True))
        table = np.empty((len(SUBSETS), len(LEVELS)))
        for row, subset in enumerate(SUBSETS):
            seen = self.conditional
            for name in "VAT":  # the last axis goes first, so that the next one becomes the last
                seen = seen @ (weights[name] if name in subset else np.ones(len(LEVELS)))
            table[row] = prior * seen
        return np.asarray(table / table.sum(axis=1, keepdims=True))


def apportion(weights: Sequence[int] | np.ndarray, total: int) -> np.ndarray:
    """Split `total` things in proportion to `weights` by largest remainder; exact when the weights sum to it."""
    shares = np.asarray(weights, dtype=np.float64)
    shares = shares * total / shares.sum()
    counts = np.floor(shares + 1e-9).astype(np.int64)
    order = np.argsort(-(shares - counts), kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return np.asarray(counts)


def level_counts(split: str, clips: int) -> np.ndarray:
    """Count the clips (11,) of each multimodal level in a split of `clips`: table 1's classes, even within a class."""
    counts = np.zeros(len(LEVELS), dtype=np.int64)
    for levels, clips_of_class in zip(CLASS_LEVELS, apportion(CLASS_COUNTS[split], clips), strict=True):
        counts[list(levels)] = apportion(np.ones(len(levels)), int(clips_of_class))
    return counts


@cache
def label_model() -> LabelModel:
    """Fit the table by Newton's method on its moments; takes a fraction of a second and is always the same."""
    marginals = [level_counts("train", sum(CLASS_COUNTS["train"])) / sum(CLASS_COUNTS["train"])]
    marginals += [_marginal(mean, deviation) for mean, deviation in UNIMODAL_MOMENTS]
    scaled = [(LEVELS - marginal @ LEVELS) / _deviation(marginal) for marginal in marginals]
    axes = np.meshgrid(*[np.arange(len(LEVELS))] * 4, indexing="ij")
    # One column for each level but the last of each target (the last is redundant), one for each pair.
    columns = [(axis.ravel() == level) for axis in axes for level in range(len(LEVELS) - 1)]
    columns += [(scaled[i][axes[i]] * scaled[j][axes[j]]).ravel() for i, j in CORRELATIONS]
    wanted = np.concatenate([marginal[:-1] for marginal in marginals] + [np.array(list(CORRELATIONS.values()))])
    joint = _fit(np.stack(columns, axis=1).astype(np.float64), wanted).reshape((len(LEVELS),) * 4)
    return LabelModel(joint, joint / joint.sum(axis=(1, 2, 3), keepdims=True))


def _deviation(marginal: np.ndarray) -> float:
    """Give the standard deviation of a label with this distribution over LEVELS."""
    return float(np.sqrt(marginal @ LEVELS**2 - (marginal @ LEVELS) ** 2))


def _marginal(mean: float, deviation: float) -> np.ndarray:
    """Find the distribution (11,) over LEVELS with this mean and deviation, flat but for the neutral label."""
    base = np.where(LEVELS == 0.0, NEUTRAL_WEIGHT, 1.0)
    features = np.stack([LEVELS, LEVELS**2], axis=1)
    return _fit(features, np.array([mean, deviation**2 + mean**2]), base)


def _fit(features: np.ndarray, wanted: np.ndarray, base: np.ndarray | None = None) -> np.ndarray:
    """Maximise entropy relative to `base` (states,) under given means (constraints,) of features (states, constraints).

    The dual, log Z(θ) - θ·wanted, is convex: damped Newton steps reach its minimum in a dozen rounds.
    """
    offset = np.zeros(len(features)) if base is None else np.log(base)
    theta = np.zeros(features.shape[1])

    def dual(theta: np.ndarray) -> tuple[float, np.ndarray]:
        scores = features @ theta + offset
        top = scores.max()
        weights = np.exp(scores - top)
        return float(top + np.log(weights.sum()) - theta @ wanted), weights / weights.sum()

    value, probability = dual(theta)
    for _ in range(100):
        means = probability @ features
        gradient = means - wanted
        if np.abs(gradient).max() < 1e-11:
            break
        hessian = (features * probability[:, None]).T @ features - np.outer(means, means)
        step = np.linalg.solve(hessian + 1e-12 * np.eye(len(theta)), gradient)
        size = 1.0
        while True:
            candidate, updated = dual(theta - size * step)
            if candidate <= value - 1e-4 * size * float(gradient @ step) or size < 1e-6:
                break
            size /= 2
        theta, value, probability = theta - size * step, candidate, updated
    return probability
