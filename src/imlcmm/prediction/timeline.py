"""A picture of a file's sentiment over time."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from imlcmm.clean_text import path_text
from imlcmm.files import write_figure
from imlcmm.prediction.result import VideoPrediction
from imlcmm.types import MODALITIES

_COLOURS = "RdYlGn"


def draw_timeline(prediction: VideoPrediction, path: Path) -> None:
    """Draw the fused sentiment with its interval, and under it a strip for each modality.

    Args:
        prediction: What was said of the file.
        path: PNG to write.
    """
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    fused, strips = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    _draw_fused(fused, prediction)
    _draw_strips(strips, prediction)
    strips.set_xlabel("seconds")
    figure.suptitle(f"{path_text(prediction.path.name)} · {prediction.model}")
    write_figure(path, figure)


def _draw_fused(axes: Axes, prediction: VideoPrediction) -> None:
    """Draw a bar an utterance, from neutral to its sentiment, and the interval around it."""
    paint = mpl.colormaps[_COLOURS]
    span = prediction.high - prediction.low
    for u in prediction.utterances:
        if u.sentiment is None:
            continue
        middle, colour = (u.start + u.end) / 2, paint((u.sentiment - prediction.low) / span)
        height = u.sentiment - prediction.neutral
        axes.bar(
            u.start,
            height,
            u.end - u.start,
            prediction.neutral,
            align="edge",
            color=colour,
            edgecolor="0.3",
            linewidth=0.5,
        )
        if u.interval:
            axes.vlines(middle, *u.interval, color="0.3", linewidth=1)
    axes.axhline(prediction.neutral, color="0.3", linewidth=0.8)
    axes.set(ylim=(prediction.low - 0.025 * span, prediction.high + 0.025 * span), ylabel="sentiment")
    if len(prediction.utterances) > 0:
        axes.set_xlim(prediction.utterances[0].start, prediction.utterances[-1].end)


def _draw_strips(axes: Axes, prediction: VideoPrediction) -> None:
    """Draw a coloured field for each modality of each utterance; grey where it says nothing, framed on conflict."""
    paint = mpl.colormaps[_COLOURS]
    span = prediction.high - prediction.low
    for row, m in enumerate(MODALITIES):
        for u in prediction.utterances:
            value = u.unimodal.get(m)
            colour = "0.9" if value is None else paint((value - prediction.low) / span)
            edge = "black" if u.agreement == "conflict" and value is not None else "white"
            axes.broken_barh([(u.start, u.end - u.start)], (row - 0.4, 0.8), facecolor=colour, edgecolor=edge)
    axes.set(yticks=range(len(MODALITIES)), yticklabels=MODALITIES, ylim=(len(MODALITIES) - 0.5, -0.5))
