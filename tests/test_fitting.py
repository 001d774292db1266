"""Tables in a terminal: never wider than it, and nothing left out."""

import re

import pandas as pd
import pytest

from imlcmm.commands.fitting import fitted
from imlcmm.evaluation.tables import markdown, number, score_table, without_repeats

METRICS = ("Acc2", "F1", "MAE", "Corr")


def frame(disjoint: float) -> pd.DataFrame:
    rows = [
        ("IMLCMM", head, metric, value, 0.01, value - 0.1, value + 0.1, 5)
        for head, value in (("multimodal", 0.7), ("source-disjoint", disjoint), ("text", 0.6))
        for metric in METRICS
    ]
    return pd.DataFrame(rows, columns=["run", "head", "metric", "mean", "std", "low", "high", "seeds"])


@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_a_wide_table_is_turned_and_keeps_every_cell(width):
    table = score_table(frame(0.65), {"constant": dict.fromkeys(METRICS, 0.5)})
    text = f"Scores.\n\n{markdown(table)}\n\nDone."
    found = fitted(text, width)
    assert max(map(len, found.splitlines())) <= width
    assert found.startswith("Scores.\n\n|")
    assert found.endswith("|\n\nDone.")
    cells = [cell.strip() for line in found.splitlines() for cell in line.split("|")]
    for row in table.itertuples(index=False):
        for cell in row:
            assert cell in cells
    assert fitted(text, 1000) == text


def test_what_fits_in_no_way_is_still_shown():
    text = markdown(pd.DataFrame({"a": ["x" * 50], "b": ["y" * 50]}))
    assert re.search("x{50}.*\n", fitted(text, 20))
    assert re.search("y{50}.*", fitted(text, 20))


def test_a_row_that_repeats_the_one_above_is_left_out():
    assert "source-disjoint" not in set(without_repeats(frame(0.7))["head"])
    assert "source-disjoint" in set(without_repeats(frame(0.65))["head"])


def test_what_is_not_defined_is_a_dash():
    assert number("Corr", float("nan")) == "–"
    undefined = frame(0.65)
    undefined.loc[undefined["metric"] == "Corr", ["mean", "std", "low", "high"]] = float("nan")
    table = score_table(undefined, {"constant": {**dict.fromkeys(METRICS, 0.5), "Corr": float("nan")}})
    assert set(table["Corr"]) == {"–"}
