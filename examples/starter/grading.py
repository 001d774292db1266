"""How good a good review is: what raters of other texts would say of it, given the side that it is on.

A ridge regression of pooled token states learns people's graded ratings. It is off by an error of deviation s, so that
a text which it places at g, and which is known to be good, has the mean of a normal distribution cut off at zero:
g + s phi(g/s) / Phi(g/s).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import truncnorm

RIDGE = 1000.0


class Grader(NamedTuple):
    """A linear grader.

    Attributes:
        centre: (features,) means in training.
        scale: (features,) deviations in training.
        weights: (features,) of the standardised features.
        middle: Mean label in training.
        error: Deviation of the labels from what it says, on texts that it did not learn from.
    """

    centre: Float[np.ndarray, " features"]
    scale: Float[np.ndarray, " features"]
    weights: Float[np.ndarray, " features"]
    middle: float
    error: float

    def __call__(self, pooled: Float[np.ndarray, "texts features"]) -> Float[np.ndarray, " texts"]:
        """Grade texts."""
        graded: np.ndarray = (pooled - self.centre) / self.scale @ self.weights + self.middle
        return graded

    def given_side(self, pooled: Float[np.ndarray, " features"], side: float, share: float | None = None) -> float:
        """Grade a text of which it is known whether it is good (+1) or bad (-1).

        Args:
            pooled: Its features.
            side: +1 or -1.
            share: The quantile to give; None gives the mean.
        """
        place = side * float(self(pooled[None])[0])
        known = truncnorm(-place / self.error, np.inf, place, self.error)
        return float(np.clip(side * (known.mean() if share is None else known.ppf(share)), -1, 1))


def pool(states: Float[np.ndarray, "steps width"]) -> Float[np.ndarray, " features"]:
    """Put the mean, the first and the largest of a text's token states side by side."""
    states = states.astype(np.float32)
    return np.concatenate([states.mean(0), states[0], states.max(0)])


def fit_grader(
    pooled: Float[np.ndarray, "texts features"],
    labels: Float[np.ndarray, " texts"],
    held_out: Float[np.ndarray, "others features"],
    their_labels: Float[np.ndarray, " others"],
) -> Grader:
    """Fit a grader, and measure its error on texts held out."""
    centre, scale, middle = pooled.mean(0), pooled.std(0) + 1e-6, float(labels.mean())
    z = ((pooled - centre) / scale).astype(float)
    weights = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ (labels - middle))
    grader = Grader(centre, scale, weights, middle, 1.0)
    error = float(np.sqrt(np.mean((grader(held_out) - their_labels) ** 2)))
    return grader._replace(error=error)
