"""The table of a label file as spreadsheets save it: any separator, stray spaces, blank rows, commas in texts."""

import csv
import logging
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from imlcmm.datasets.labels.label_numbers import LABELS, read_number
from imlcmm.datasets.split_names import meant_split
from imlcmm.errors import DataError
from imlcmm.text_file import read_text

_log = logging.getLogger(__name__)

_NEEDED = ("video_id", "clip_id", "label", "mode")
_LAST = "end of the file"


class LabelRow(NamedTuple):
    """A row of a label file: its line, from 1 on, and its cells by the names of the columns."""

    line: int
    cells: dict[str, str]

    @property
    def split(self) -> str | None:
        """Name the split that the mode means; None if it means none."""
        return meant_split(self.cells["mode"])


def read_rows(labels: Path, columns: Mapping[str, str] = LABELS) -> list[LabelRow]:
    """Read the rows that are not blank; all cells stay text, so ids such as 0001 keep their zeros.

    Args:
        labels: The label file.
        columns: Name of the column of each target; the rows have the field's names for them.

    Raises:
        DataError: If the file is no table, columns are missing, or a row has not as many cells as the header.
    """
    text, offset = _without_hint(read_text(labels, DataError))
    own = {column.casefold(): LABELS[target] for target, column in columns.items()}
    # The field's label columns are not read where the kind names others.
    passed = {name.casefold(): f"{name} (not read)" for name in LABELS.values() if name.casefold() not in own}
    names = {"video_id": "video_id", "clip_id": "clip_id", "text": "text", **own, **passed, "mode": "mode"}
    separator = _separator(text, names)
    lines = list(_cells(text, separator, labels, offset))
    if not lines:
        raise DataError(f"{labels} is empty: give a table with the columns {', '.join(_NEEDED)}")
    header = _header(lines[0][1], names, labels)
    rows, absorbed = [], []
    for line, written in lines[1:]:
        cells = _without_surplus(header, written)
        if len(cells) > len(header):
            cells = _absorb(header, cells, separator)
            absorbed.append(line)
        if len(cells) != len(header):
            raise DataError(
                f"{labels}, line {line}: {len(written)} cells where the header has {len(header)}: "
                f'put a text that holds "{separator}" in quotation marks'
            )
        rows.append(LabelRow(line, {n: c.strip() for n, c in zip(header, cells, strict=True) if n}))
    if absorbed:
        _log.warning(
            "%s: %d of %d rows hold the separator in their text without quotation marks, first line %d; "
            "it is read as part of the text", labels, len(absorbed), len(rows), absorbed[0],
        )  # fmt: skip
    return rows


def _without_hint(text: str) -> tuple[str, int]:
    """Take off Excel's first line `sep=;`; also give the number of lines taken."""
    found = re.match(r'"?sep=.?"?[,;\t ]*\r?\n', text, re.IGNORECASE)
    return (text[found.end() :], 1) if found else (text, 0)


def _separator(text: str, names: Mapping[str, str]) -> str:
    """Choose what splits the header into most known names."""
    header = next((line for line in text.splitlines() if line.strip(" ,;\t")), "")
    return max(",;\t", key=lambda mark: sum(_plain(cell.strip(' "')) in names for cell in header.split(mark)))


def _cells(text: str, separator: str, labels: Path, offset: int) -> Iterator[tuple[int, list[str]]]:
    """Split all lines that are not blank; a quotation mark that is never closed would swallow the last line."""
    ending = "" if text.endswith("\n") else "\n"
    # A quoted cell may follow blanks, which would make its quotation marks part of the text.
    tight = re.sub(rf'(^|[{separator}\r\n]) *("(?:[^"]|"")*")', r"\1\2", text) if ' "' in text else text
    reader = csv.reader(StringIO(tight + ending + _LAST, newline=""), delimiter=separator)
    before = 0
    try:
        for cells in reader:
            line, before = before + 1 + offset, reader.line_num
            if cells == [_LAST]:
                return
            if any(cell.strip() for cell in cells):
                yield line, cells
    except csv.Error as error:
        raise DataError(f"{labels}, line {before + 1 + offset} cannot be read as a table: {error}") from error
    raise DataError(f"{labels}, line {line}: a quotation mark is opened and never closed; close it or take it out")


def _plain(cell: str) -> str:
    """Leave away how a column's name is spelt: Video ID and video_id are one."""
    return re.sub(r"\s+", "_", cell.strip()).casefold()


def _header(cells: list[str], names: Mapping[str, str], labels: Path) -> list[str]:
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    header = [names.get(_plain(cell), cell.strip()) for cell in cells]
    missing = [spelt for spelt, name in names.items() if name in _NEEDED and name not in header]
    if missing:
        raise DataError(f"{labels}: the columns {', '.join(missing)} are missing; it has {', '.join(header)}")
    twice = [name for name in names.values() if header.count(name) > 1]
    if twice:
        raise DataError(f"{labels}: the column {twice[0]} occurs twice; remove one")
    return header


def _without_surplus(header: list[str], cells: list[str]) -> list[str]:
    """Leave out blank cells at the end that the header does not have, if the row makes sense so."""
    is_longer = len(cells) > len(header) and not any(cell.strip() for cell in cells[len(header) :])
    return cells[: len(header)] if is_longer and _makes_sense(header, cells[: len(header)]) else cells


def _absorb(header: list[str], cells: list[str], separator: str) -> list[str]:
    """Take surplus cells as parts of the text, if no other reading of the row makes sense."""
    surplus = len(cells) - len(header)
    readings = {}
    for place, name in enumerate(header):
        if name == "text" or name not in (*_NEEDED, *LABELS.values()):
            parts = cells[place : place + surplus + 1]
            joined = [*cells[:place], separator.join(parts), *cells[place + surplus + 1 :]]
            if _makes_sense(header, joined):
                readings[name] = (joined, parts[1:])
    if list(readings) != ["text"]:
        return cells
    joined, parts = readings["text"]
    # A number may be the end of the text or the label.
    return cells if any(re.fullmatch(r"[+-]?[\d.]*", part.strip()) for part in parts) else joined


def _makes_sense(header: list[str], cells: list[str]) -> bool:
    row = LabelRow(0, {name: cell.strip() for name, cell in zip(header, cells, strict=True)})
    try:
        for column in LABELS.values():
            read_number(row.cells.get(column, ""))
    except ValueError:
        return False
    return row.split is not None and all(row.cells[name] for name in ("video_id", "clip_id"))
