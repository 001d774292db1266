"""Pictures of evaluations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from imlcmm.evaluation.evaluate import Evaluation
from imlcmm.files import write_figure


def predicted_against_true(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Draw the predicted sentiment of each clip over the true one, a panel a run, with the mean at each label."""
    figure = Figure(figsize=(4.2 * len(evaluations), 4.2), layout="constrained")
    jitter = np.random.default_rng(0)
    for axes, evaluation in zip(figure.subplots(1, len(evaluations), squeeze=False)[0], evaluations, strict=True):
        label = evaluation.labels[:, 0]
        predicted = evaluation.predictions["multimodal"].mean(0)
        spread = 0.02 * np.ptp(label)
        axes.scatter(label + jitter.normal(0, spread / 2, len(label)), predicted, s=8, alpha=0.35, linewidths=0)
        levels = np.unique(label.round(1))
        means = [predicted[label.round(1) == level].mean() for level in levels]
        axes.plot(levels, means, color="black", marker="o", markersize=4, label="mean at this label")
        axes.plot([label.min(), label.max()], [label.min(), label.max()], color="grey", linestyle=":", label="perfect")
        mae = np.mean([s["MAE"] for s in evaluation.scores["multimodal"]])
        axes.set_title(f"{evaluation.name}: MAE {mae:.3f}" + (" (simulated)" if evaluation.simulated else ""))
        axes.set_xlabel("true sentiment")
        axes.set_ylabel("predicted sentiment")
        axes.legend(frameon=False, fontsize=8)
    write_figure(path, figure)
