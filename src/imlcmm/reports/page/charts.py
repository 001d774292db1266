"""The pictures of runs: learning curves, parts of the loss, predicted against true, confidence against outcome."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from imlcmm.evaluation.evaluate import Evaluation
from imlcmm.reports.page.svg import COLOURS, FAINT, INK, house_style
from imlcmm.reports.tables.reliability import Reliability
from imlcmm.types import TARGETS, DataSpec

SIZE = (3.6, 2.6)
MOST_POINTS = 1500
_TERMS = {**COLOURS, "mixup_audio": COLOURS["audio"], "mixup_vision": COLOURS["vision"], "regularizer": FAINT}


def panel(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """Begin a picture of one chart; as narrow as a phone, so that its words stay readable there."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def loss_curves(histories: Sequence[pd.DataFrame], selected: Sequence[int]) -> Figure:
    """Draw the joint loss of all seeds in training and validation, with a dot at the selected epoch."""
    lines = {"train_loss": ("train", FAINT), "valid_loss": ("validation", COLOURS["multimodal"])}
    return _over_epochs(histories, lines, "joint loss", selected)


def error_curves(histories: Sequence[pd.DataFrame], selected: Sequence[int]) -> Figure:
    """Draw the validation error of the sentiment of all seeds, with a dot at the selected epoch."""
    lines = {"valid_mae": ("validation", COLOURS["multimodal"])}
    return _over_epochs(histories, lines, "mean absolute error", selected)


def term_curves(histories: Sequence[pd.DataFrame], terms: Sequence[str]) -> Figure:
    """Draw parts of the training loss of all seeds, as they are weighted in it."""
    lines = {f"train_{term}": (term, _TERMS.get(term, INK)) for term in terms}
    return _over_epochs(histories, lines, "weighted training loss")


def loss_terms(histories: Sequence[pd.DataFrame]) -> list[list[str]]:
    """List the parts of the loss that the histories tell apart: the heads', and the others such as mixup."""
    names = [c.removeprefix("train_") for c in histories[0].columns if c.startswith("train_") and c != "train_loss"]
    heads = [t for t in TARGETS if t in names]
    return [part for part in (heads, [t for t in names if t not in heads]) if part] if len(names) > 1 else []


def predicted_against_true(evaluation: Evaluation, spec: DataSpec) -> Figure:
    """Draw each clip's mean prediction over its label, and the mean at each label; of many clips, a part."""
    known = np.flatnonzero(np.isfinite(evaluation.labels[:, 0]))
    label, predicted = evaluation.labels[known, 0], evaluation.predictions["multimodal"].mean(0)[known]
    jitter, span = np.random.default_rng(0), spec.high - spec.low
    shown = np.sort(jitter.permutation(len(label))[:MOST_POINTS])
    with house_style():
        figure, axes = panel((3.6, 3.4))
        places = label[shown] + jitter.normal(0, 0.01 * span, len(shown))
        axes.plot(
            places, predicted[shown], "o", color=COLOURS["multimodal"], label="clip", markersize=2.6, alpha=0.4,
            markeredgewidth=0,
        )  # fmt: skip
        axes.plot([spec.low, spec.high], [spec.low, spec.high], ":", color=FAINT, linewidth=1, label="perfect")
        rounded = label.round(int(np.floor(1 - np.log10(span / 9))))
        levels = np.unique(rounded)
        means = [predicted[rounded == level].mean() for level in levels]
        axes.plot(levels, means, color=INK, marker="o", markersize=3, linewidth=1, label="mean at this label")
        ends = (min(spec.low, predicted.min()) - 0.04 * span, max(spec.high, predicted.max()) + 0.04 * span)
        axes.set(xlabel="true sentiment", ylabel="predicted sentiment", xlim=ends, ylim=ends)
        return _finish(figure, axes)


def confidence_against_right(judged: Sequence[Reliability]) -> Figure:
    """Draw the share of right polarity over the confidence that was promised, for each head."""
    with house_style():
        figure, axes = panel((3.6, 3.0))
        axes.plot([0.5, 1], [0.5, 1], ":", color=FAINT, linewidth=1, label="kept promise")
        for each in judged:
            x, y = [b.confidence for b in each.bins], [b.right for b in each.bins]
            ends = [[b.right - b.low for b in each.bins], [b.high - b.right for b in each.bins]]
            colour = COLOURS[each.head]
            axes.errorbar(x, y, np.maximum(ends, 0), color=colour, linewidth=1, elinewidth=0.6, label=each.head)
            axes.plot(x, y, "o", color=colour, markersize=3)
        axes.set(xlabel="promised confidence", ylabel="share with the right polarity")
        return _finish(figure, axes)


def _over_epochs(
    histories: Sequence[pd.DataFrame], lines: Mapping[str, tuple[str, str]], ylabel: str, selected: Sequence[int] = ()
) -> Figure:
    """Draw columns of each seed, by their label and colour, and a dot on the last one at the seed's selected epoch."""
    with house_style():
        figure, axes = panel()
        for i, history in enumerate(histories):
            for column, (label, colour) in lines.items():
                _line(axes, history, column, colour, label if i == 0 else None)
            if selected:
                _dot(axes, history, column, selected[i])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="epoch", ylabel=ylabel)
        return _finish(figure, axes)


def _line(axes: Axes, history: pd.DataFrame, column: str, colour: str, label: str | None) -> None:
    """Draw a column of one seed, a single epoch as a point."""
    if column in history:
        marker, epochs = "o" if len(history) == 1 else None, history["epoch"] + 1
        axes.plot(epochs, history[column], color=colour, label=label, marker=marker, linewidth=1, alpha=0.8)


def _dot(axes: Axes, history: pd.DataFrame, column: str, epoch: int) -> None:
    if column in history:
        at = history.iloc[epoch]
        axes.plot(at["epoch"] + 1, at[column], "o", color=INK, markersize=3)


def _finish(figure: Figure, axes: Axes) -> Figure:
    axes.grid(alpha=0.25, linewidth=0.5)
    names = axes.get_legend_handles_labels()[1]
    if names:
        columns = 4 if len(names) < 5 else 3
        figure.legend(loc="outside upper left", ncols=columns, fontsize=7.5, handlelength=1.2, columnspacing=1.0)
    return figure
