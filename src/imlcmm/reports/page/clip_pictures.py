"""The pictures of an explanation by name, for a page and for files."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from imlcmm.reports.explanations.explanation import Explanation
from imlcmm.reports.explanations.feature_response import FeatureCurve
from imlcmm.reports.page import clip_charts


class Picture(NamedTuple):
    """A figure with a short name for its file and a sentence that says what it shows."""

    name: str
    figure: Figure
    caption: str


def opinion_pictures(explanation: Explanation) -> Iterator[Picture]:
    """Give the picture of the heads."""
    figure = clip_charts.opinions(explanation)
    yield Picture("heads", figure, "Prediction of each head (dot), its 90 % interval (bar) and the label (diamond).")


def pooling_pictures(explanation: Explanation) -> Iterator[Picture]:
    """Give the picture of each modality's pooling."""
    for m in explanation.pools:
        caption = f"Where the {m} head's pooling looked; the dotted line is an equal share for every step."
        yield Picture(f"pooling-{m}", clip_charts.pooling(explanation, m), caption)


def map_pictures(explanation: Explanation) -> Iterator[Picture]:
    """Give the attention maps."""
    for m, share in explanation.maps.items():
        least, most = share.min() * share.size, share.max() * share.size
        caption = f"Attention from text to {m}, from {least:.2f} (pale) to {most:.2f} times an equal share."
        yield Picture(f"attention-{m}", clip_charts.attention_map(explanation, m), caption)


def feature_pictures(explanation: Explanation) -> Iterator[Picture]:
    """Give the features that mattered most to the clip."""
    for m in explanation.features:
        caption = f"The {m} features with the largest effect on this clip's sentiment."
        yield Picture(f"features-{m}", clip_charts.feature_parts(explanation, m), caption)


def curve_pictures(curves: Mapping[str, Sequence[FeatureCurve]]) -> Iterator[Picture]:
    """Give the curves of the strongest features."""
    for m, found in curves.items():
        for i, curve in enumerate(found, start=1):
            caption = f"{curve.name}: over the frames its effect has a standard deviation of {curve.spread:.2g}."
            yield Picture(f"kan-{m}-{i}", clip_charts.feature_curve(curve, m), caption)
