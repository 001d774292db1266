"""The labels in a label file's cells: how a number is written there, and which numbers a data set allows."""

import math
import re
from pathlib import Path

from imlcmm.datasets.catalog import LABEL_TOLERANCE, Kind
from imlcmm.errors import DataError

LABELS = {"multimodal": "label", "text": "label_T", "audio": "label_A", "vision": "label_V"}
_NOTHING = frozenset(("", "-", "nan", "na", "n/a", "#n/a", "none", "null"))


def read_number(cell: str) -> float | None:
    """Read a label, with a decimal point or comma; None where there is none.

    Raises:
        ValueError: If it is no number.
    """
    if cell.casefold() in _NOTHING:
        return None
    number = float(cell.replace(",", ".") if re.fullmatch(r"[+-]?\d*,\d+", cell) else cell)
    return None if math.isnan(number) else number


def check_range(found: list[tuple[int, dict[str, float]]], labels: Path, kind: Kind | None) -> None:
    """Refuse labels that are infinite or outside a kind's range.

    Args:
        found: The line and the label of each target, of each row.
        labels: The label file.
        kind: The rules of the labels; None allows all finite ones.

    Raises:
        DataError: Naming the first such lines, and the kind that would fit.
    """
    low, high = (kind.low - LABEL_TOLERANCE, kind.high + LABEL_TOLERANCE) if kind else (-math.inf, math.inf)
    columns = {**LABELS, **(kind.sources if kind else {})}
    values = [(line, columns[target], value) for line, row in found for target, value in row.items()]
    bad = [one for one in values if not (math.isfinite(one[2]) and low <= one[2] <= high)]
    if not bad:
        return
    first = ", ".join(f"line {line}: {column} is {value:g}" for line, column, value in bad[:3])
    largest = max(abs(value) for _, _, value in values)
    fitting = "simsv2" if largest <= 1 else "mosi" if largest <= 3 else None
    way = f"--kind {fitting} would fit" if fitting else "mend them, or give a kind of your own (docs/own-kind.md)"
    allowed = f"from {kind.low:g} to {kind.high:g} ({kind.name})" if kind else "finite"
    raise DataError(f"{labels}: {len(bad)} labels are not {allowed}: {first}; {way}")
