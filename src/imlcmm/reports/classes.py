"""Table 1: how many clips of each class each split has."""

from pathlib import Path

import numpy as np
import pandas as pd

from imlcmm.datasets.loading import SentimentData
from imlcmm.evaluation.metrics import classes
from imlcmm.evaluation.tables import markdown
from imlcmm.reports.figures import draw_class_counts
from imlcmm.reports.published import published
from imlcmm.reports.results import write_result

FIVE = ("NEG", "WNEG", "NEU", "WPOS", "POS")


def count_classes(data: SentimentData) -> pd.DataFrame:
    """Count the clips of each split (a row) in all and in each class (a column); clips without a label have none."""
    names = FIVE if len(data.spec.class_centres) == len(FIVE) else [f"{c:+g}" for c in data.spec.class_centres]
    rows = {}
    for split, clips in data.splits.items():
        label = clips.labels[:, 0].numpy()
        owner = classes(label[np.isfinite(label)], data.spec.class_edges)
        rows[split] = [len(clips), *np.bincount(owner, minlength=len(names))]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["clips", *names])


def class_counts(data: SentimentData, title: str, folder: Path) -> str:
    """Write table1.md, .csv, .tex and .png, and give the Markdown."""
    counts = count_classes(data)
    simulated = ", SIMULATED" if data.simulated else ""
    caption = f"Clips of each split and class. {title} ({data.spec.kind}{simulated})."
    table = counts.rename_axis("split").reset_index()
    text = "\n\n".join(["## table1", caption, markdown(table), published("table1").markdown]) + "\n"
    picture = write_result(folder, "table1", text, table, table, caption)
    labelled = counts.drop(columns="clips")
    draw_class_counts(labelled[labelled.sum(axis=1) > 0], caption, picture)
    return text
