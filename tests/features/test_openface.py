"""OpenFace's CSV files are read by the names of their columns, and refused by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from imlcmm.errors import MediaError
from imlcmm.features.vision.openface import OPENFACE_COLUMNS, openface_features, read_openface

WRITTEN = ("frame", "face_id", "timestamp", "confidence", "success", "gaze_0_x", *sorted(OPENFACE_COLUMNS), "p_0")
Cell = Callable[[str, int], object]


def value(column: str, row: int) -> float:
    """Give the number that stands in a column and row of the tests' files."""
    return OPENFACE_COLUMNS.index(column) + row / 100


def write(
    path: Path,
    rows: int,
    *,
    rate: float = 25,
    change: Mapping[str, Callable[[int], object]] | None = None,
    without: tuple[str, ...] = (),
    spaces: bool = True,
) -> Path:
    """Write a file as OpenFace does; `change` gives other cells to some columns."""
    known: dict[str, Callable[[int], object]] = {
        "frame": lambda row: row + 1,
        "face_id": lambda row: 0,
        "timestamp": lambda row: f"{row / rate:.3f}",
        "confidence": lambda row: 0.98,
        "success": lambda row: 1,
        "gaze_0_x": lambda row: "0.1",
        "p_0": lambda row: 7,
    }
    known |= change or {}
    columns = [column for column in WRITTEN if column not in without]
    lines = [(", " if spaces else ",").join(columns)]
    for row in range(rows):
        cells = [known[each](row) if each in known else f"{value(each, row):.2f}" for each in columns]
        lines.append(", ".join(map(str, cells)))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_the_paper_counts_177_columns() -> None:
    described = openface_features(rate=25)
    assert described.name == "openface2-177"
    assert described.width == len(described.units) == len(set(described.columns)) == 177
    assert sum(column.startswith("AU") and column.endswith("_r") for column in described.columns) == 17
    assert sum(column.startswith("AU") and column.endswith("_c") for column in described.columns) == 18
    assert {"x_0", "y_67", "pose_Tx", "pose_Rz", "AU01_r", "AU28_c", "AU45_c"} <= set(described.columns)
    assert "AU28_r" not in described.columns


@pytest.mark.parametrize("spaces", [True, False])
def test_columns_are_found_by_name(tmp_path: Path, spaces: bool) -> None:
    found = read_openface(write(tmp_path / "clip.csv", 5, spaces=spaces), rate=25)
    expected = [[value(column, row) for column in OPENFACE_COLUMNS] for row in range(5)]
    assert found.values == pytest.approx(np.array(expected, np.float32))
    assert found.times == pytest.approx(np.array([[i / 25, (i + 1) / 25] for i in range(5)]))


@pytest.mark.parametrize("rate", [24, 25, 29.97, 30, 60])
def test_at_the_rate_of_the_file_every_row_is_given_once(tmp_path: Path, rate: float) -> None:
    found = read_openface(write(tmp_path / "clip.csv", 90, rate=rate), rate=rate)
    assert found.values[:, 0] == pytest.approx(np.arange(90) / 100)


def test_another_rate_shows_the_newest_row(tmp_path: Path) -> None:
    found = read_openface(write(tmp_path / "clip.csv", 30, rate=30), rate=10)
    assert found.values[:, 0] == pytest.approx(np.arange(0, 30, 3) / 100)
    assert len(found.times) == 10


def test_rows_without_success_or_confidence_are_nan(tmp_path: Path) -> None:
    change = {"success": lambda row: int(row != 1), "confidence": lambda row: 0.3 if row == 2 else 0.9}
    path = write(tmp_path / "clip.csv", 4, change=change)
    seen = np.isfinite(read_openface(path, rate=25).values).all(axis=1)
    assert seen.tolist() == [True, False, False, True]
    stricter = read_openface(path, rate=25, confidence=0.95).values
    assert np.isnan(stricter).all()
    assert np.isfinite(read_openface(path, rate=25, confidence=0.2).values[2]).all()


def test_numbers_that_are_none_make_the_row_nan(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.csv", 3, change={"AU12_r": lambda row: "nan" if row == 1 else "0.50"})
    assert np.isnan(read_openface(path, rate=25).values).all(axis=1).tolist() == [False, True, False]


def test_rows_that_the_file_lacks_are_nan(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.csv", 6, change={"timestamp": lambda row: row / 25 if row < 3 else (row + 4) / 25})
    seen = np.isfinite(read_openface(path, rate=25).values).all(axis=1)
    # The row before the gap stands for one more moment, as it does where a video's rate varies.
    assert seen.tolist() == [True] * 4 + [False] * 3 + [True] * 3


def test_a_file_that_begins_late_begins_with_nan(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.csv", 3, change={"timestamp": lambda row: (row + 2) / 25})
    assert np.isnan(read_openface(path, rate=25).values[:, 0]).tolist() == [True, True, False, False, False]


def test_the_face_found_most_often_is_read(tmp_path: Path) -> None:
    change = {
        "face_id": lambda row: row % 2,
        "timestamp": lambda row: row // 2 / 25,
        "success": lambda row: int(row % 2 == 1 or row == 0),
    }
    found = read_openface(write(tmp_path / "clip.csv", 8, change=change), rate=25)
    assert found.values[:, 0] == pytest.approx([0.01, 0.03, 0.05, 0.07])


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.csv", 3, without=("AU12_r", "pose_Rx"))
    with pytest.raises(MediaError, match="pose_Rx, AU12_r: run"):
        read_openface(path, rate=25)
    with pytest.raises(MediaError, match="timestamp"):
        read_openface(write(tmp_path / "picture.csv", 3, without=("timestamp",)), rate=25)


def test_many_missing_columns_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.csv", 3, without=tuple(f"x_{i}" for i in range(68)))
    with pytest.raises(MediaError, match="x_4 and 63 more"):
        read_openface(path, rate=25)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [("AU01_r", "high", "column AU01_r"), ("timestamp", "-1", "timestamp"), ("timestamp", "nan", "timestamp")],
)
def test_what_is_no_number_is_named(tmp_path: Path, column: str, cell: str, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        read_openface(write(tmp_path / "clip.csv", 3, change={column: lambda row: cell}), rate=25)


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x80 no text", b'a,b\n"1,2\n'])
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.csv").write_bytes(content)
    with pytest.raises(MediaError, match=r"clip\.csv"):
        read_openface(tmp_path / "clip.csv", rate=25)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"none\.csv"):
        read_openface(tmp_path / "none.csv", rate=25)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no rows"):
        read_openface(write(tmp_path / "clip.csv", 0), rate=25)


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": float("nan")}, {"rate": 25, "confidence": 2}])
def test_senseless_options_are_refused(tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(MediaError, match=next(reversed(options))):
        read_openface(write(tmp_path / "clip.csv", 2), **options)
