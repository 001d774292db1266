"""Pictures of evaluations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from imlcmm.evaluation.evaluate import Evaluation
from imlcmm.evaluation.statistics import interval
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
        axes.set_title(
            f"{evaluation.name}: MAE {evaluation.mean('MAE'):.3f}" + (" (simulated)" if evaluation.simulated else "")
        )
        axes.set_xlabel("true sentiment")
        axes.set_ylabel("predicted sentiment")
        axes.legend(frameon=False, fontsize=8)
    write_figure(path, figure)


def draw_leaderboard(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Draw the mean of two metrics for each model, with the 95 % interval over videos, a row a model."""
    first = next(iter(evaluations[0].scores["multimodal"][0]))
    figure = Figure(figsize=(9, 1.2 + 0.32 * len(evaluations)), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), (first, "MAE"), strict=True):
        for row, evaluation in enumerate(reversed(evaluations)):
            low, high = interval(evaluation.draws["multimodal"][metric])
            axes.plot([low, high], [row, row], color="tab:blue", linewidth=2, alpha=0.5)
            axes.plot(evaluation.mean(metric), row, marker="o", color="tab:blue")
        axes.set_xlabel(f"{metric} (95 % interval over videos)")
        axes.grid(axis="x", alpha=0.2)
        axes.set_yticks(range(len(evaluations)), [e.name for e in reversed(evaluations)])
    if evaluations[0].simulated:
        figure.suptitle("Simulated data: not comparable with published numbers")
    write_figure(path, figure)
