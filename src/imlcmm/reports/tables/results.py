"""The files of a result, the same four for each, and the words for the data it is of."""

from pathlib import Path

import pandas as pd

from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.evaluation.tables import latex
from imlcmm.files import write_text


def write_result(folder: Path, name: str, text: str, frame: pd.DataFrame, table: pd.DataFrame, caption: str) -> Path:
    """Write NAME.md, .csv and .tex, and give the path of NAME.png for the picture.

    Args:
        folder: Where to write; it is made if need be.
        name: Name of the result.
        text: The Markdown.
        frame: All numbers.
        table: What the LaTeX shows.
        caption: Its caption.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{name}.md", text)
    write_text(folder / f"{name}.csv", frame.to_csv(index=False))
    write_text(folder / f"{name}.tex", latex(table, caption))
    return folder / f"{name}.png"


def name_data(data: SentimentData) -> str:
    """Name a data set by its rules and its file, and say whether it is simulated."""
    origin = "SIMULATED data: not comparable with published numbers" if data.simulated else "real data"
    return f"{data.rules.title}: {data.path.name} ({data.spec.kind}, {origin})"
