"""Features that OpenFace 2 measured, taken from its CSV file by the names of the columns (Baltrušaitis et al. 2018)."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from imlcmm.errors import MediaError
from imlcmm.features.feature_set import Features, FeatureSet
from imlcmm.features.vision.faces import LANDMARK_COLUMNS, POSE_COLUMNS

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    # What checks types at run time finds the name, though pandas is imported only where it is used.
    DataFrame = Any

_INTENSITIES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
_PRESENCES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
OPENFACE_COLUMNS = (
    *LANDMARK_COLUMNS,
    *POSE_COLUMNS,
    *(f"AU{unit:02d}_r" for unit in _INTENSITIES),
    *(f"AU{unit:02d}_c" for unit in _PRESENCES),
)
_UNITS = ("px",) * 136 + ("mm",) * 3 + ("rad",) * 3 + ("1",) * 35
_JUDGED = ("timestamp", "confidence", "success")
# Time stamps are rounded to milliseconds: a row may be stamped this share of a row later than it is meant.
_SLACK = 0.1


def openface_features(*, rate: float | int, confidence: float | int = 0.5) -> FeatureSet:
    """Describe what `read_openface` gives with the same options: landmarks, pose and action units."""
    return FeatureSet(
        name=f"openface2-{len(OPENFACE_COLUMNS)}",
        modality="vision",
        columns=OPENFACE_COLUMNS,
        units=_UNITS,
        rate=float(rate),
        version="OpenFace 2",
        options={"confidence": float(confidence)},
    )


def read_openface(path: Path, *, rate: float | int, confidence: float | int = 0.5) -> Features:
    """Read the CSV file of OpenFace 2's FeatureExtraction.

    Of a file with several faces the one that is found most often is read.

    Args:
        path: The file; spaces before the names of columns do not matter, nor do other columns.
        rate: Rows a second of the result; each shows the newest row of the file at its moment.
        confidence: Rows below it count as without a face, as do those without success.

    Returns:
        (steps, 177) float32 from second 0 to the end of the file; NaN where there is no face or no row.

    Raises:
        MediaError: The file cannot be read, lacks columns or rows, holds something other than numbers, or an option
            makes no sense.
    """
    if not (rate > 0 and math.isfinite(rate)):
        raise MediaError(f"rate is {rate}: give a number above 0")
    if not 0 <= confidence <= 1:
        raise MediaError(f"confidence is {confidence}: give a number from 0 to 1")
    table = _one_face(_table(path), confidence)
    stamps = table["timestamp"].to_numpy(np.float64)
    spacing = float(np.median(np.diff(stamps))) if len(stamps) > 1 else 1 / rate
    steps = max(1, math.ceil((stamps[-1] + spacing) * rate - _SLACK))
    begin = np.arange(steps) / rate
    source = _newest(stamps, begin, spacing)
    values = table[list(OPENFACE_COLUMNS)].to_numpy(np.float32)
    found = _found(table, confidence) & np.isfinite(values).all(axis=1)
    rows = np.full((steps, len(OPENFACE_COLUMNS)), np.nan, np.float32)
    there = (source >= 0) & found[source]
    rows[there] = values[source[there]]
    return Features(rows, np.stack([begin, begin + 1 / rate], axis=1))


def _newest(
    stamps: Float[np.ndarray, " rows"], moments: Float[np.ndarray, " steps"], spacing: float
) -> Int[np.ndarray, " steps"]:
    """Give the newest row at or before each moment; -1 where it is more than a row too old, as rows are missing."""
    source = np.searchsorted(stamps, moments + _SLACK * spacing, side="right") - 1
    stale = moments - stamps[source] > (1 + _SLACK) * spacing
    return np.where(stale, -1, source)


def _found(table: DataFrame, confidence: float | int) -> np.ndarray:
    """Tell in which rows OpenFace trusts itself."""
    sure = (table["success"] == 1) & (table["confidence"] >= confidence)
    return np.asarray(sure, bool)


def _one_face(table: DataFrame, confidence: float | int) -> DataFrame:
    """Keep the face that is found most often, in the order of time."""
    if "face_id" in table:
        counts = table["face_id"][_found(table, confidence)].value_counts()
        if len(counts):
            table = table[table["face_id"] == counts.index[0]]
    return table.drop_duplicates("timestamp").sort_values("timestamp", kind="stable")


def _table(path: Path) -> DataFrame:
    """Read the columns that are used, as numbers."""
    import pandas as pd

    wanted = {*OPENFACE_COLUMNS, *_JUDGED, "face_id"}
    name = repr(str(path))
    try:
        table = pd.read_csv(
            path, skipinitialspace=True, encoding="utf-8-sig", usecols=lambda column: column.strip() in wanted
        )
    except OSError as error:
        raise MediaError(f"{name} cannot be read ({error.strerror}): check the path") from error
    except ValueError as error:
        raise MediaError(f"{name} is not a CSV file: give the one that OpenFace's FeatureExtraction writes") from error
    table.columns = table.columns.str.strip()
    missing = [column for column in (*_JUDGED, *OPENFACE_COLUMNS) if column not in table]
    if missing:
        listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise MediaError(
            f"{name} lacks the columns {listed}: run FeatureExtraction of OpenFace 2 with -2Dfp -pose -aus"
        )
    if table.empty:
        raise MediaError(f"{name} holds no rows: OpenFace read no picture, check the video")
    for column in table:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise MediaError(f"{name} holds something other than numbers in the column {column}: export it again")
    if not (np.isfinite(table["timestamp"]).all() and (table["timestamp"] >= 0).all()):
        raise MediaError(f"{name} holds a timestamp that is no second from 0 on: export it again")
    return table
