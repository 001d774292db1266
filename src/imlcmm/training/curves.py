"""The learning-curve picture of a run."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from imlcmm.files import write_figure


def draw_learning_curve(history: Sequence[dict[str, float]], best_epoch: int, path: Path, title: str) -> None:
    """Draw training and validation loss, and the validation error of the sentiment, over the epochs."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, names, label in (
        (left, {"train_loss": "train", "valid_loss": "validation"}, "joint loss"),
        (right, {"valid_mae": "validation"}, "mean absolute error of the sentiment"),
    ):
        for name, legend in names.items():
            rows = [row for row in history if name in row]
            axes.plot([row["epoch"] for row in rows], [row[name] for row in rows], label=legend)
        axes.axvline(best_epoch, color="grey", linestyle=":", label="selected")
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.2)
        axes.legend(frameon=False)
    figure.suptitle(title)
    write_figure(path, figure)
