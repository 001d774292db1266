"""The data card: what a user should know of a data set before trusting a number measured on it."""

from collections.abc import Iterator

import numpy as np

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.datasets.stores.store import unusable_columns
from imlcmm.types import MODALITIES, TARGETS

_UNKNOWN = (
    "Source unknown: no two ids share a video (`video$_$clip`). Nobody can tell whether splits share videos, so there "
    "are no source-disjoint scores, and intervals are over clips."
)


def data_card(data: SentimentData) -> str:
    """Describe a data set in Markdown: sizes, classes, lengths, missing frames, labels and shared source videos."""
    return "\n".join(
        [
            *_head(data),
            *_classes(data),
            *_lengths(data),
            *_correlations(data),
            *_overlap(data),
        ]
    )


def _head(data: SentimentData) -> Iterator[str]:
    """Name the data set."""
    yield f"# {data.rules.title}: {data.path.name}"
    yield ""
    if data.simulated:
        yield "**SIMULATED: these clips come from a simulator. No number measured on them says anything of people.**"
        yield ""
    yield f"- kind: `{data.spec.kind}`, labels from {data.spec.low:g} to {data.spec.high:g}"
    for m in MODALITIES:
        width, steps = data.spec.widths[m], data.spec.steps[m]
        if m in data.spec.absent:
            yield f"- {m}: none in this data set"
            continue
        yield f"- {m}: features `{data.spec.features[m]}`, width {width}, at most {steps} steps"
    yield f"- checksum: `{data.checksum}`"


def _classes(data: SentimentData) -> Iterator[str]:
    """Count the clips of each split and class."""
    yield from ("", "## Clips and classes", "")
    yield from _row(
        "split", "clips", "videos", *(f"class {centre:g}" for centre in data.spec.class_centres), "no label"
    )
    yield _rule(len(data.spec.class_centres) + 4)
    for name, clips in data.splits.items():
        label = clips.labels[:, 0].numpy()
        known = label[np.isfinite(label)]
        # The edges come from decimal fractions that float32 labels meet only up to rounding.
        classes = np.searchsorted(np.asarray(data.spec.class_edges) + 1e-6, known, side="left")
        counts = np.bincount(classes, minlength=len(data.spec.class_centres))
        yield from _row(name, len(clips), len(set(clips.videos)), *counts, len(label) - len(known))


def _lengths(data: SentimentData) -> Iterator[str]:
    """Tell how long the clips are, and how many frames are missing or padding."""
    yield from ("", "## Steps", "")
    yield from _row(
        "split", "modality", "mean", "median", "longest", "missing", "values filled", "padding to the longest"
    )
    yield _rule(8)
    for name, clips in data.splits.items():
        for m in data.spec.present:
            steps = clips.lengths(m)
            total, longest = int(steps.sum()), int(steps.max())
            entry = data.manifest["splits"][name]
            missing = entry["non_finite"][m] / max(1, total)
            filled = entry.get("filled", {}).get(m, 0) / max(1, total * data.spec.widths[m])
            padding = 1 - total / max(1, longest * len(steps))
            yield from _row(
                name, m, f"{steps.mean():.1f}", f"{np.median(steps):g}", longest, f"{missing:.2%}", f"{filled:.2%}",
                f"{padding:.1%}",
            )  # fmt: skip
    if "filled" in entry:
        known = "train split" if "train" in data.splits else "data set, which has no train split"
        yield from ("", "*missing*: frames of which half the values or more are NaN or infinite; *filled*: other such")
        yield f"values, in whose place the mean of their column over the {known} stands."
    else:
        yield from ("", "*missing*: frames with any value that is NaN or infinite, as earlier versions counted them.")
    yield from (f"\n**{line}.**" for line in unusable_columns(data.manifest))


def _correlations(data: SentimentData) -> Iterator[str]:
    """Tell how the labels of the targets go together over all labelled clips."""
    labels = np.concatenate([clips.labels.numpy() for clips in data.splits.values()])
    there = [column for column in range(len(TARGETS)) if np.isfinite(labels[:, column]).any()]
    if len(there) < 2:
        return
    yield from ("", "## Correlation of the labels", "")
    yield from _row("", *(TARGETS[column] for column in there))
    yield _rule(len(there) + 1)
    for first in there:
        yield from _row(TARGETS[first], *(_pearson(labels[:, first], labels[:, second]) for second in there))


def _overlap(data: SentimentData) -> Iterator[str]:
    """Tell how many clips come from a video that another split knows."""
    videos = {name: set(clips.videos) for name, clips in data.splits.items()}
    if len(videos) < 2:
        return
    yield from ("", "## Clips whose source video also occurs in another split", "")
    if not data.sources_known:
        yield _UNKNOWN
        return
    yield from _row("split", *(f"in {name}" for name in videos))
    yield _rule(len(videos) + 1)
    for name, clips in data.splits.items():
        yield from _row(name, *("" if other == name else _shared(clips, videos[other]) for other in videos))


def _shared(clips: ClipDataset, videos: set[str]) -> str:
    """Count the clips whose video is among the given ones."""
    shared = sum(video in videos for video in clips.videos)
    return f"{shared} ({shared / len(clips):.1%})"


def _pearson(first: np.ndarray, second: np.ndarray) -> str:
    """Correlate two labels over the clips that have both."""
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < 2 or not first[both].std() or not second[both].std():
        return "–"
    return f"{np.corrcoef(first[both], second[both])[0, 1]:.3f}"


def _row(*cells: object) -> list[str]:
    """Write one row of a table."""
    return ["| " + " | ".join(str(cell) for cell in cells) + " |"]


def _rule(cells: int) -> str:
    """Write the line under a table's head."""
    return "|" + " --- |" * cells
