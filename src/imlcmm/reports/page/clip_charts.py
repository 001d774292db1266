"""The pictures of what a model looked at: feature curves, attention maps, pooling weights, features' parts."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from imlcmm.reports.explanations.explanation import Explanation
from imlcmm.reports.explanations.feature_response import FeatureCurve
from imlcmm.reports.page.charts import panel
from imlcmm.reports.page.svg import COLOURS, FAINT, INK, house_style

LONGEST_NAME, PIECE_HEIGHT = 24, 0.15


def feature_curve(curve: FeatureCurve, modality: str) -> Figure:
    """Draw the effect over a feature's values, and under it how often the data has them."""
    with house_style():
        figure, axes = panel((3.6, 2.2))
        low, high = float(curve.values[0]), float(curve.values[-1])
        axes.axhline(0, color=FAINT, linewidth=0.6)
        axes.plot(curve.values, curve.effect, color=COLOURS[modality])
        counts, edges = np.histogram(curve.seen, bins=40, range=(low, high))
        under = axes.twinx()
        under.stairs(counts, edges, fill=True, color=FAINT, alpha=0.25)
        under.set(ylim=(0, 4 * max(counts.max(), 1)), yticks=[])
        under.spines["left"].set_visible(False)
        axes.set(xlabel=curve.name[:60] + (f" ({curve.unit})" if curve.unit else ""), ylabel="effect on sentiment")
        axes.set_xlim(low, high)
        return figure


def attention_map(explanation: Explanation, modality: str) -> Figure:
    """Draw the attention from text steps, named where they are known, to the steps or seconds of audio or vision."""
    share = explanation.maps[modality]
    rate = explanation.rates.get(modality)
    across = share.shape[1] / rate if rate else share.shape[1]
    with house_style():
        written = len(explanation.pieces) == len(share)
        figure, axes = panel((3.6, max(2.2, 0.7 + PIECE_HEIGHT * len(share) * written)))
        fade = ListedColormap([(*to_rgb(COLOURS[modality]), alpha) for alpha in np.linspace(0.02, 1, 128)])
        axes.imshow(share, cmap=fade, vmin=share.min(), vmax=share.max(), aspect="auto", interpolation="none",
                    extent=(0, across, len(share), 0))  # fmt: skip
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel=f"{modality} ({'seconds' if rate else 'steps'})", ylabel="text (steps)")
        if written:
            axes.set_yticks(np.arange(len(share)) + 0.5, explanation.pieces)
            axes.set_ylabel("")
        return figure


def pooling(explanation: Explanation, modality: str) -> Figure:
    """Draw the weights of a modality's attention pooling in equal shares: over its steps, or a bar a written piece."""
    shares = explanation.pools[modality] * len(explanation.pools[modality])
    if modality == "text" and len(explanation.pieces) == len(shares):
        return _pooled_pieces(explanation.pieces, shares)
    rate = explanation.rates.get(modality)
    edges = np.arange(len(shares) + 1) / (rate or 1)
    with house_style():
        figure, axes = panel((3.6, 1.7))
        axes.stairs(shares, edges, fill=True, color=COLOURS[modality], alpha=0.7)
        axes.axhline(1, color=FAINT, linewidth=0.6, linestyle=":")
        axes.set(xlabel=f"{modality} ({'seconds' if rate else 'steps'})", ylabel="equal shares")
        axes.set_xlim(0, edges[-1])
        return figure


def _pooled_pieces(pieces: Sequence[str], shares: np.ndarray) -> Figure:
    with house_style():
        figure, axes = panel((3.6, 0.7 + PIECE_HEIGHT * len(pieces)))
        axes.barh(range(len(pieces)), shares, color=COLOURS["text"], alpha=0.7, height=0.8)
        axes.axvline(1, color=FAINT, linewidth=0.6, linestyle=":")
        axes.set_yticks(range(len(pieces)), pieces)
        axes.set_ylim(len(pieces) - 0.5, -0.5)
        axes.set_xlabel("equal shares")
        return figure


def feature_parts(explanation: Explanation, modality: str) -> Figure:
    """Draw the effects of the features that mattered most to a clip."""
    named = list(explanation.features[modality])[::-1]
    with house_style():
        figure, axes = panel((3.6, 0.7 + 0.22 * len(named)))
        axes.barh(range(len(named)), [effect for _, effect in named], color=COLOURS[modality], height=0.6)
        axes.axvline(0, color=INK, linewidth=0.6)
        names = [n if len(n) <= LONGEST_NAME else n[: LONGEST_NAME - 1] + "…" for n, _ in named]
        axes.set_yticks(range(len(named)), names)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.set_xlabel("effect on sentiment")
        return figure


def opinions(explanation: Explanation) -> Figure:
    """Draw prediction, interval and label of each head on the scale of the labels."""
    with house_style():
        figure, axes = panel((3.6, 0.7 + 0.32 * len(explanation.opinions)))
        for row, opinion in enumerate(explanation.opinions):
            colour = COLOURS[opinion.head]
            if opinion.interval:
                axes.plot(opinion.interval, [row, row], color=colour, linewidth=5, alpha=0.3, solid_capstyle="butt")
            if opinion.sentiment is not None:
                axes.plot(opinion.sentiment, row, "o", color=colour, markersize=6)
            if opinion.label is not None:
                axes.plot(opinion.label, row, "D", color=INK, markersize=4, fillstyle="none")
        margin = 0.025 * (explanation.high - explanation.low)
        axes.axvline(explanation.neutral, color=FAINT, linewidth=0.6)
        axes.set_yticks(range(len(explanation.opinions)), [o.head for o in explanation.opinions])
        axes.set(
            xlim=(explanation.low - margin, explanation.high + margin), ylim=(len(explanation.opinions) - 0.5, -0.5)
        )
        axes.set_xlabel("sentiment")
        return figure
