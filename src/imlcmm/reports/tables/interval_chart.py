"""Rows of means with their intervals: the pictures of leaderboards and of experiments."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType

from matplotlib.figure import Figure

from imlcmm.evaluation.evaluate import Evaluation
from imlcmm.evaluation.statistics import interval
from imlcmm.evaluation.tables import UNSCALED
from imlcmm.files import write_figure

SIMULATED = "Simulated data: not comparable with published numbers"


def draw_leaderboard(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Draw the mean of two metrics for each model, with the 95 % interval over videos and seeds, a row a model."""
    first = next(iter(evaluations[0].scores["multimodal"][0]))
    figure = _rows_with_intervals({e.name: e for e in evaluations}, (first, "MAE"))
    if evaluations[0].simulated:
        figure.suptitle(SIMULATED)
    write_figure(path, figure)


def draw_settings(
    evaluations: Mapping[str, Evaluation],
    unsure: Mapping[str, Collection[str]],
    reference: str | None,
    title: str,
    path: Path,
) -> None:
    """Draw the mean of some metrics with the 95 % interval over videos and seeds, a row a setting.

    Args:
        evaluations: By the setting's name.
        unsure: For each metric that is shown, the settings that cannot be told from what they are compared with.
        reference: The setting that all others are compared with, marked by a dotted line; None if there are several.
        title: Title of the picture.
        path: PNG to write.
    """
    figure = _rows_with_intervals(evaluations, list(unsure), columns=4, hollow=unsure)
    if reference is not None:
        for axes, metric in zip(figure.axes, unsure, strict=True):
            axes.axvline(_scaled(metric, evaluations[reference].mean(metric)), color="grey", linestyle=":", linewidth=1)
    if any(unsure.values()):
        title += " Hollow dots cannot be told from what they are compared with (paired test, Holm)."
    figure.suptitle("\n".join(wrap(title, 110)), fontsize=9)
    write_figure(path, figure)


def _rows_with_intervals(
    evaluations: Mapping[str, Evaluation],
    metrics: Sequence[str],
    columns: int = 2,
    hollow: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Figure:
    """Draw a panel a metric, whose rows are the evaluations; the dots of some are hollow."""
    height, count = -(-len(metrics) // columns), min(columns, len(metrics))
    size = (1.6 + 3.4 * count, height * (1.0 + 0.32 * len(evaluations)) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(height, count, sharey=True, squeeze=False).ravel()
    names = list(evaluations)[::-1]
    for axes, metric in zip(panels, metrics, strict=False):
        for row, name in enumerate(names):
            ends = [_scaled(metric, end) for end in interval(evaluations[name].draws["multimodal"][metric])]
            axes.plot(ends, [row, row], color="tab:blue", linewidth=2, alpha=0.5)
            fill = "white" if name in hollow.get(metric, ()) else "tab:blue"
            mean = _scaled(metric, evaluations[name].mean(metric))
            axes.plot(mean, row, marker="o", color="tab:blue", markerfacecolor=fill)
        unit = "" if metric in UNSCALED else " in %"
        axes.set_xlabel(f"{metric}{unit} (95 % interval)", fontsize=8)
        axes.grid(axis="x", alpha=0.2)
        axes.set_yticks(range(len(names)), names)
    for axes in panels[len(metrics) :]:
        axes.remove()
    return figure


def _scaled(metric: str, value: float) -> float:
    return value if metric in UNSCALED else 100 * value
