"""How far raters agree."""

import numpy as np
from jaxtyping import Float


def krippendorff_alpha(labels: Float[np.ndarray, "raters units"]) -> float | None:
    """Compute Krippendorff's alpha with the interval metric, which takes the distances of labels for what they are.

    It is 1 - D_o / D_e: the mean squared distance of labels within a unit over that between all labels, both of units
    with two labels or more (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011).

    Args:
        labels: A row a rater, a column a unit; NaN where a rater said nothing.

    Returns:
        At most 1, which is full agreement; 0 is what chance gives. None where no unit has two labels, or all labels are
        equal, of which alpha says nothing.
    """
    counts = np.isfinite(labels).sum(0)
    paired, counts = labels[:, counts >= 2], counts[counts >= 2]
    values = paired[np.isfinite(paired)]
    if not len(values) or np.ptp(values) == 0:
        return None
    # The squared distances of all ordered pairs of m numbers add up to 2 m² times their variance.
    within = np.sum(2 * counts**2 * np.nanvar(paired, axis=0) / (counts - 1)) / len(values)
    between = 2 * len(values) ** 2 * np.var(values) / (len(values) * (len(values) - 1))
    return float(1 - within / between)
