"""Pictures of evaluations and experiments, other than rows of intervals."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib import colormaps
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
        axes.set_title(
            f"{evaluation.name}: MAE {evaluation.mean('MAE'):.3f}" + (" (simulated)" if evaluation.simulated else "")
        )
        axes.set_xlabel("true sentiment")
        axes.set_ylabel("predicted sentiment")
        axes.legend(frameon=False, fontsize=8)
    write_figure(path, figure)


def draw_class_counts(counts: pd.DataFrame, title: str, path: Path) -> None:
    """Draw the share of each class (a column) in each split (a row)."""
    figure = Figure(figsize=(8, 0.9 + 0.5 * len(counts)), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(counts))
    colors = colormaps["RdYlGn"](np.linspace(0.1, 0.9, counts.shape[1]))
    for name, color in zip(counts.columns, colors, strict=True):
        shares = (counts[name] / counts.sum(axis=1)).to_numpy(dtype=float)
        axes.barh(counts.index, shares, left=left, color=color, label=str(name))
        left += shares
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the labelled clips")
    axes.set_title(title, fontsize=9)
    axes.legend(ncols=counts.shape[1], frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.25))
    write_figure(path, figure)


def draw_correlations(table: pd.DataFrame, sure: pd.DataFrame, title: str, path: Path) -> None:
    """Draw a heatmap of correlations; cells that are not sure to differ from zero are in brackets."""
    figure = Figure(figsize=(1.5 + 0.9 * table.shape[1], 1.4 + 0.6 * len(table)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(table.to_numpy(), vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
    for row, column in np.ndindex(*table.shape):
        value = table.iat[row, column]
        text = f"{value:.2f}" if sure.iat[row, column] else f"({value:.2f})"
        axes.text(column, row, text, ha="center", va="center", color="white" if abs(value) > 0.6 else "black")
    axes.set_xticks(range(table.shape[1]), table.columns)
    axes.set_yticks(range(len(table)), table.index)
    axes.set_title("\n".join(wrap(title, 70)), fontsize=9)
    figure.colorbar(image, label="correlation")
    write_figure(path, figure)


def draw_severity(table: pd.DataFrame, title: str, path: Path) -> None:
    """Draw a metric over the severity of each corruption, a panel a corruption and a line a model.

    Args:
        table: Columns model, corruption, severity, scale and value.
        title: Title of the picture.
        path: PNG to write.
    """
    kinds = list(dict.fromkeys(table["corruption"]))
    figure = Figure(figsize=(3.6 * min(3, len(kinds)), 2.9 * -(-len(kinds) // 3) + 0.8), layout="constrained")
    panels = figure.subplots(-(-len(kinds) // 3), min(3, len(kinds)), sharey=True, squeeze=False).ravel()
    names = list(dict.fromkeys(table["model"]))
    colors = dict(zip(names, colormaps["tab20"](np.arange(len(names)) % 20), strict=True))
    for axes, kind in zip(panels, kinds, strict=False):
        shown = table[table["corruption"] == kind]
        for name, rows in shown.groupby("model", sort=False):
            strong = {"linewidth": 2.5, "color": "black"} if name == "IMLCMM" else {"color": colors[name]}
            axes.plot(rows["severity"], rows["value"], marker=".", label=name, **strong)
        axes.set_title(kind, fontsize=9)
        axes.set_xlabel(shown["scale"].iloc[0], fontsize=8)
        axes.grid(alpha=0.2)
    for axes in panels[len(kinds) :]:
        axes.remove()
    panels[0].set_ylabel("MAE")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False, fontsize=8
    )
    figure.suptitle("\n".join(wrap(title, 110)), fontsize=9)
    write_figure(path, figure)


def draw_label_shares(table: pd.DataFrame, title: str, path: Path) -> None:
    """Draw MAE with its interval over the share of labels, a line without and one with unlabelled clips.

    Args:
        table: Columns share, unlabelled, mean, low and high.
        title: Title of the picture.
        path: PNG to write.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for unlabelled, rows in table.groupby("unlabelled"):
        name = "with unlabelled clips" if unlabelled else "labelled clips alone"
        (line,) = axes.plot(rows["share"], rows["mean"], marker="o", label=name)
        axes.fill_between(rows["share"], rows["low"], rows["high"], alpha=0.15, color=line.get_color(), linewidth=0)
    axes.set_xscale("log")
    axes.set_xticks(sorted(set(table["share"])), [f"{share:.0%}" for share in sorted(set(table["share"]))])
    axes.minorticks_off()
    axes.set_xlabel("share of the labels")
    axes.set_ylabel("MAE (95 % interval)")
    axes.grid(alpha=0.2)
    axes.legend(frameon=False)
    axes.set_title("\n".join(wrap(title, 80)), fontsize=9)
    write_figure(path, figure)
