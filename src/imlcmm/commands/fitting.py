"""Markdown tables that are wider than the terminal, laid out anew."""

import re
from itertools import groupby

from imlcmm.markdown import markdown_table

_RULE = re.compile(r"\|[-: |]*\|")
_Rows = list[list[str]]


def fitted(text: str, width: int) -> str:
    """Turn each table that is wider than `width` on its side, in as many parts as it needs; nothing is left out."""
    parts: list[str] = []
    for is_table, block in groupby(text.splitlines(), key=lambda line: line.startswith("|")):
        lines = list(block)
        too_wide = is_table and max(map(len, lines)) > width
        parts += _fitted(_cells(lines), width) if too_wide else lines
    return "\n".join(parts)


def _cells(lines: list[str]) -> _Rows:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not _RULE.fullmatch(line)]


def _fitted(table: _Rows, width: int) -> list[str]:
    """Make each row a column, as many beside the names as fit."""
    names, *columns = table
    lines: list[str] = []
    while columns:
        count = next((n for n in range(len(columns), 1, -1) if _width([names, *columns[:n]]) <= width), 1)
        lines += [*markdown_table(list(zip(names, *columns[:count], strict=True))).splitlines(), ""]
        columns = columns[count:]
    return lines[:-1]


def _width(columns: _Rows) -> int:
    return sum(max(map(len, column)) + 3 for column in columns) + 1
