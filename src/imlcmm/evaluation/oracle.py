"""The ceiling of every metric on simulated data: the best decision that the oracle's posterior allows."""

from functools import partial

import numpy as np

from imlcmm.datasets.simulation.label_model import LEVELS, SUBSETS
from imlcmm.datasets.simulation.simulate import oracle_predictions
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.evaluation.metrics import classes
from imlcmm.evaluation.rules import FIVE, THREE, TWO, score


def oracle_scores(split: ClipDataset, subset: str = "TAV") -> dict[str, float]:
    """Score the oracle that sees some modalities (letters T, A, V), each metric by its own best decision.

    The median is best for MAE, the mean for Corr and R², the likeliest class for the accuracies.

    Raises:
        ValueError: If the split has no oracle.
        DataError: If there is no such subset.
    """
    if split.oracle is None:
        raise ValueError("only simulated splits have an oracle")
    best = oracle_predictions(split.oracle.numpy(), subset)
    posterior = split.oracle[:, SUBSETS.index(subset)].double().numpy()
    rate = partial(score, split.spec.kind, label=split.labels[:, 0].numpy())
    found = {"MAE": rate(best["median"])["MAE"], **{name: rate(best["mean"])[name] for name in ("Corr", "R2")}}
    for names, edges in ((("Acc2", "F1", "Acc2_weak"), TWO), (("Acc3",), THREE), (("Acc5",), FIVE)):
        decided = rate(_likeliest_class(posterior, edges))
        found |= {name: decided[name] for name in names}
    return found


def _likeliest_class(posterior: np.ndarray, edges: tuple[float, ...]) -> np.ndarray:
    """Give for each clip a level inside its likeliest class."""
    owner = classes(LEVELS, edges)
    share = np.stack([posterior[:, owner == c].sum(1) for c in range(len(edges) + 1)], axis=1)
    inside = np.array([LEVELS[owner == c].mean() for c in range(len(edges) + 1)])
    chosen: np.ndarray = inside[share.argmax(1)]
    return chosen
