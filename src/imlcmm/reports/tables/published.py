"""The numbers that others have published, to be shown beside ours and never among them."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import pandas as pd

from imlcmm.datasets.catalog import KINDS
from imlcmm.evaluation.tables import markdown

FILE = files("imlcmm") / "reports" / "tables" / "published.toml"


class Published(NamedTuple):
    """A table as it was printed.

    Attributes:
        title: What it shows.
        table: A row a model or setting; accuracies, F1, Corr and R² in percent, NaN where nothing was printed.
        notes: What is wrong with it, or must be known to read it.
    """

    title: str
    table: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def markdown(self) -> str:
        """The table with its notes, under a heading that says whose it is."""
        head = f"### As published, on the real data: {self.title}\n\nNot ours, and not checked by us."
        body = self.table.map(_printed).rename_axis("").reset_index()
        return "\n\n".join([head, markdown(body), *(f"- {note}" for note in self.notes)])


def published_beside(kind: str, *names: str) -> str:
    """Write tables to stand beside results on data of a kind; beside another kind's they are left out with a word."""
    theirs = _read()["source"]["kind"]
    if kind != theirs:
        return f"The published numbers are of {KINDS[theirs].title}, so they do not stand beside these."
    return "\n\n".join(published(name).markdown for name in names)


def published(name: str) -> Published:
    """Look a table up by the name of its experiment, such as table4.

    Raises:
        KeyError: If nothing was published under that name.
    """
    found = _read()[name]
    rows = {
        row: values + [float("nan")] * (len(found["columns"]) - len(values)) for row, values in found["rows"].items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=found["columns"])
    return Published(found["title"], table, tuple(found["notes"]))


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def _printed(value: float | int) -> str:
    return "–" if pd.isna(value) else f"{value:,g}"
