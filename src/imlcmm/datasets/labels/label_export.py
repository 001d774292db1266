"""Writing a label file in the field's layout, as `label_file` reads it."""

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import NamedTuple

from imlcmm.datasets.labels.label_numbers import LABELS
from imlcmm.spreadsheet import spreadsheet_text

_COLUMNS = ("video_id", "clip_id", "text", *LABELS.values(), "annotation", "mode")
_SIDES = ("Negative", "Neutral", "Positive")


class LabelledRow(NamedTuple):
    """A clip: `labels` are by target, as far as there are any."""

    video: str
    clip: str
    text: str
    labels: Mapping[str, float]
    split: str


def label_csv(rows: Iterable[LabelledRow]) -> str:
    """Write label.csv; `annotation` names the side of the multimodal label, as the field's files do."""
    out = StringIO(newline="")
    table = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow(
            {
                "video_id": row.video,
                "clip_id": row.clip,
                "text": spreadsheet_text(row.text),
                "mode": row.split,
                "annotation": _side(row.labels.get("multimodal")),
                **{column: _number(row.labels.get(target)) for target, column in LABELS.items()},
            }
        )
    return out.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{round(value, 4):g}"


def _side(value: float | None) -> str:
    return "" if value is None else _SIDES[(value > 0) - (value < 0) + 1]
