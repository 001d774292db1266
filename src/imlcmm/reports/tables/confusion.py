"""Which sentiment classes a run takes for which."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from imlcmm.evaluation.evaluate import Evaluation
from imlcmm.evaluation.metrics import classes
from imlcmm.reports.tables.classes import class_names
from imlcmm.types import DataSpec

FIVE = ("negative", "weakly negative", "neutral", "weakly positive", "positive")


class Confusion(NamedTuple):
    """Clips by class.

    Attributes:
        names: Name of each class, ascending.
        counts: (classes, classes) clips, the true class down and the predicted one across, averaged over seeds.
    """

    names: Sequence[str]
    counts: np.ndarray


def confusion(evaluation: Evaluation, spec: DataSpec) -> Confusion:
    """Count the multimodal head's classes against the label's, by the data set's borders."""
    size, label = len(spec.class_centres), evaluation.labels[:, 0]
    known = np.isfinite(label)
    true = classes(label[known], spec.class_edges)
    told = [classes(seed[known], spec.class_edges) for seed in evaluation.predictions["multimodal"]]
    counts = [np.bincount(true * size + each, minlength=size * size).reshape(size, size) for each in told]
    return Confusion(class_names(spec, FIVE), np.mean(counts, axis=0))
