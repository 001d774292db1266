"""Whether a model tells clips apart, or says of every clip the same."""

import numpy as np

NEARLY_CONSTANT = 0.05
"""Below this share of the labels' deviation, predictions are as good as one number."""


def spread(predicted: np.ndarray, label: np.ndarray) -> float:
    """Give the predictions' deviation as a share of the labels', over clips that have both; NaN where labels are alike.

    Args:
        predicted: (clips,) sentiment; NaN where a clip has no prediction.
        label: (clips,) sentiment; NaN where a clip has no label.
    """
    known = np.isfinite(predicted) & np.isfinite(label)
    deviation = float(label[known].std()) if known.any() else 0.0
    return float(predicted[known].std()) / deviation if deviation else float("nan")
