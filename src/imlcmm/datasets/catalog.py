"""The data sets of the field as values: label range, sentiment classes and which labels exist."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

LABEL_TOLERANCE = 1e-4
"""How far beyond a kind's range a label may lie: what rounding does."""


@dataclass(frozen=True)
class Kind:
    """The rules that all files of one data set share.

    Attributes:
        name: Short name, as on the command line.
        title: Name in print.
        low: Smallest label.
        high: Largest label.
        class_centres: Label value that each sentiment class stands for, ascending.
        class_edges: Borders between neighbouring classes; a label on a border belongs to the lower class.
        unimodal_labels: Whether text, audio and vision have labels of their own.
        step: Distance between neighbouring label values, or None where labels are averages of several raters.
        neutral: Where positive and negative part.
        sources: Key or column of the label of each target; empty for the field's own names.
        metrics: What is reported; empty for the official metrics of the field's data sets.
        recipes: The field's data set whose recipes are trained by; empty for the models' defaults.
    """

    name: str
    title: str
    low: float
    high: float
    class_centres: tuple[float, ...]
    class_edges: tuple[float, ...]
    unimodal_labels: bool
    step: float | None
    neutral: float = 0.0
    sources: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    recipes: str = ""


def _sims(name: str, title: str) -> Kind:
    """Describe a CH-SIMS data set: labels from -1 to 1 in steps of 0.2 and five classes."""
    return Kind(name, title, -1.0, 1.0, (-0.9, -0.4, 0.0, 0.4, 0.9), (-0.7, -0.1, 0.1, 0.7), True, 0.2, recipes=name)


def _cmu(name: str, title: str) -> Kind:
    """Describe a CMU data set: labels from -3 to 3, averaged over raters, and seven classes."""
    centres, edges = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
    return Kind(name, title, -3.0, 3.0, centres, edges, False, None, recipes=name)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "simsv2": _sims("simsv2", "CH-SIMS v2"),
        "sims": _sims("sims", "CH-SIMS"),
        "mosi": _cmu("mosi", "CMU-MOSI"),
        "mosei": _cmu("mosei", "CMU-MOSEI"),
    }
)
