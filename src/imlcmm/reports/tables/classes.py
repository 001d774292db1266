"""Table 1: how many clips of each class each split has."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from imlcmm.datasets.catalog import KINDS
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.evaluation.metrics import classes
from imlcmm.evaluation.tables import markdown
from imlcmm.reports.tables.figures import draw_class_counts
from imlcmm.reports.tables.published import published_beside
from imlcmm.reports.tables.results import name_data, write_result
from imlcmm.types import DataSpec

FIVE = ("NEG", "WNEG", "NEU", "WPOS", "POS")


def class_names(spec: DataSpec, five: Sequence[str]) -> Sequence[str]:
    """Name the classes of a data set, ascending: those of five by the given names, others by their middle."""
    if spec.kind not in KINDS:
        return [f"{centre:g}" for centre in spec.class_centres]
    return five if len(spec.class_centres) == len(five) else [f"{centre:+g}" for centre in spec.class_centres]


def count_classes(data: SentimentData) -> pd.DataFrame:
    """Count the clips of each split (a row) in all and in each class (a column); clips without a label have none."""
    names = class_names(data.spec, FIVE)
    rows = {}
    for split, clips in data.splits.items():
        label = clips.labels[:, 0].numpy()
        owner = classes(label[np.isfinite(label)], data.spec.class_edges)
        rows[split] = [len(clips), *np.bincount(owner, minlength=len(names))]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["clips", *names])


def class_counts(data: SentimentData, folder: Path) -> str:
    """Write table1.md, .csv, .tex and .png, and give the Markdown."""
    counts = count_classes(data)
    caption = f"Clips of each split and class. {name_data(data)}."
    table = counts.rename_axis("split").reset_index()
    text = "\n\n".join(["## table1", caption, markdown(table), published_beside(data.spec.kind, "table1")]) + "\n"
    picture = write_result(folder, "table1", text, table, table, caption)
    labelled = counts.drop(columns="clips")
    draw_class_counts(labelled[labelled.sum(axis=1) > 0], caption, picture)
    return text
