"""A picture of a file's sentiment over time."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from imlcmm.clean_text import path_text
from imlcmm.features.cue_names import CUES
from imlcmm.files import write_figure
from imlcmm.prediction.result import VideoPrediction
from imlcmm.types import MODALITIES

_COLOURS, _CUE, _SPEAKERS = "RdYlGn", "#5b7aa9", "Pastel1"
_REACH = {"dB": 3.0, "Hz": 20.0, "words/s": 1.0, "%": 10.0, "°": 5.0}
"""What a lane shows at least to both sides, in each unit, so that nothing looks like much."""
_TURNS = 60
"""How many turns there is room to name."""


def draw_timeline(prediction: VideoPrediction, path: Path) -> None:
    """Draw the fused sentiment with its interval, a strip for each modality that has numbers, and a lane for each cue.

    Cues are what was measured, each against its speaker's median in the recording; they are no sentiment. Where several
    speak, a strip says who.

    Args:
        prediction: What was said of the file.
        path: PNG to write.
    """
    heard = [m for m in MODALITIES if any(m in u.unimodal for u in prediction.utterances)]
    usual = prediction.usual_cues
    named = prediction.has_several_speakers
    heights = [2.6, *([0.25] if named else []), *([0.35 * len(heard)] if heard else []), *[0.55] * len(usual)]
    figure = Figure(figsize=(10, sum(heights) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    _draw_fused(panels[0], prediction)
    if named:
        _draw_speakers(panels[1], prediction)
    if heard:
        _draw_strips(panels[1 + named], prediction, heard)
    for axes, (name, middle) in zip(panels[len(panels) - len(usual) :], usual.items(), strict=True):
        _draw_cue(axes, prediction, name, "own median" if named else f"median {middle:.3g} {CUES[name]}")
    panels[-1].set_xlabel("seconds")
    figure.suptitle(f"{path_text(prediction.path.name)} · {prediction.model}")
    write_figure(path, figure)


def _draw_fused(axes: Axes, prediction: VideoPrediction) -> None:
    """Draw a bar an utterance, from neutral to its sentiment, and the interval around it; hatched where in doubt."""
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
            hatch="////" if u.doubts else None,
            linewidth=0.5,
        )
        if u.interval:
            axes.vlines(middle, *u.interval, color="0.3", linewidth=1)
    axes.axhline(prediction.neutral, color="0.3", linewidth=0.8)
    if all(u.sentiment is None for u in prediction.utterances):
        axes.text(0.5, 0.6, "nothing that the model reads", transform=axes.transAxes, ha="center", color="0.4")
    axes.set(ylim=(prediction.low - 0.025 * span, prediction.high + 0.025 * span), ylabel="sentiment")
    if len(prediction.utterances) > 0:
        axes.set_xlim(prediction.utterances[0].start, prediction.utterances[-1].end)


def _draw_speakers(axes: Axes, prediction: VideoPrediction) -> None:
    """Draw a field in the speaker's colour for an utterance, grey where nobody is known, with names where they fit."""
    paint = mpl.colormaps[_SPEAKERS]
    colours = {name: paint(place % paint.N) for place, name in enumerate(prediction.speakers)}
    room = (prediction.utterances[-1].end - prediction.utterances[0].start) / _TURNS
    before = ""
    for u in prediction.utterances:
        axes.broken_barh([(u.start, u.end - u.start)], (0, 1), facecolor=colours.get(u.speaker, "0.9"))
        if u.speaker in colours and u.speaker != before and u.end - u.start > room:
            axes.text(u.start, 0.5, f" {u.speaker}", va="center", fontsize=7, clip_on=True, parse_math=False)
        before = u.speaker
    axes.set(yticks=[0.5], yticklabels=["speaker"], ylim=(0, 1))


def _draw_strips(axes: Axes, prediction: VideoPrediction, heard: list[str]) -> None:
    """Draw a coloured field for each modality of each utterance; grey where it says nothing, framed on conflict."""
    paint = mpl.colormaps[_COLOURS]
    span = prediction.high - prediction.low
    for row, m in enumerate(heard):
        for u in prediction.utterances:
            value = u.unimodal.get(m)
            colour = "0.9" if value is None else paint((value - prediction.low) / span)
            edge = "black" if u.agreement == "conflict" and value is not None else "white"
            axes.broken_barh([(u.start, u.end - u.start)], (row - 0.4, 0.8), facecolor=colour, edgecolor=edge)
    axes.set(yticks=range(len(heard)), yticklabels=heard, ylim=(len(heard) - 0.5, -0.5))


def _draw_cue(axes: Axes, prediction: VideoPrediction, name: str, middle: str) -> None:
    """Draw how far a cue is from the speaker's median, which is told in words, in each utterance."""
    pairs = zip(prediction.utterances, prediction.cues_over_median, strict=True)
    known = [(u, over[name]) for u, over in pairs if name in over]
    starts, away = [u.start for u, _ in known], [over for _, over in known]
    axes.bar(starts, away, [u.end - u.start for u, _ in known], align="edge", color=_CUE, linewidth=0)
    axes.axhline(0, color="0.6", linewidth=0.6)
    unit = CUES[name]
    reach = max([_REACH[unit], *map(abs, away)])
    axes.set(ylim=(-1.1 * reach, 1.1 * reach), yticks=[0], yticklabels=[f"{name}\n{middle}"])
    axes.tick_params(axis="y", length=0, labelsize=7)
    axes.annotate(f"±{reach:.2g} {unit}", (1.005, 0.5), xycoords="axes fraction", va="center", fontsize=7, color="0.4")
    axes.spines[["top", "right"]].set_visible(False)
