"""The names of columns, and the files that hold a split."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from imlcmm.datasets.catalog import Kind
from imlcmm.datasets.split_names import NAMED_SPLITS, meant_split
from imlcmm.errors import DataError
from imlcmm.types import TARGETS
from imlcmm.untrusted import inside

Form = Literal["parquet", "webdataset"]
ENDINGS: Mapping[Form, str] = {"parquet": ".parquet", "webdataset": ".tar"}
LABELS = dict(zip(TARGETS, ("label", "label_T", "label_A", "label_V"), strict=True))
"""The column of each target's label; a kind of one's own may name others."""


def label_columns(rules: Kind) -> dict[str, str]:
    """Name the columns of the labels in a folder of somebody else's: the kind's own names, or the usual ones."""
    return dict(rules.sources) or LABELS


def shard_name(form: Form, split: str, number: int, count: int) -> str:
    """Name a file as its readers expect it."""
    if form == "parquet":
        return f"data/{split}-{number:05d}-of-{count:05d}.parquet"
    return f"{split}-{number:06d}.tar"


def cut(sizes: np.ndarray, most: int, rows: int) -> list[tuple[int, int]]:
    """Cut clips into runs of at most so many bytes, but one clip at least, and so many rows.

    Args:
        sizes: (clips,) bytes of each.
        most: Bytes of a run.
        rows: Clips of a run.

    Returns:
        First and past-the-last row of each run.
    """
    ends = np.cumsum(sizes)
    runs, begin = [], 0
    while begin < len(sizes):
        before = int(ends[begin - 1]) if begin else 0
        end = int(np.searchsorted(ends, before + most, side="right"))
        end = min(max(end, begin + 1), begin + rows, len(sizes))
        runs.append((begin, end))
        begin = end
    return runs


def form_of(folder: Path) -> Form | None:
    """Tell what a folder holds, if it is one of ours or of this kind."""
    for form in ENDINGS:
        if any(_listed(folder, form)):
            return form
    return None


def found_files(folder: Path, form: Form) -> dict[str, list[Path]]:
    """Find the files of each split by their names, or by the names of the folders in which they lie.

    Raises:
        DataError: If a name tells no split, or a file is a link out of the folder.
    """
    splits: dict[str, list[Path]] = {}
    for path in _listed(folder, form):
        name = meant_split(re.split(r"[-.\d]", path.name)[0].strip("_")) or meant_split(path.parent.name)
        if name not in NAMED_SPLITS:
            raise DataError(
                f"{path} does not tell its split; begin its name with {', '.join(NAMED_SPLITS[:-1])} or "
                f"{NAMED_SPLITS[-1]}, as in train-00000-of-00001{ENDINGS[form]}"
            )
        splits.setdefault(name, []).append(path)
    return {
        split: [checked(folder, str(path.relative_to(folder))) for path in paths] for split, paths in splits.items()
    }


def checked(folder: Path, name: str) -> Path:
    """Give a file of a folder.

    Raises:
        DataError: If it is missing, or lies elsewhere.
    """
    try:
        path = inside(folder, name)
    except (ValueError, OSError) as error:
        raise DataError(f"{folder / name} {error}; copy the folder anew") from error
    if not path.is_file():
        raise DataError(f"{path} is missing; copy the folder anew")
    return path


def _listed(folder: Path, form: Form) -> Sequence[Path]:
    """List the files of a form in a folder and in its folders, in order of their names."""
    return sorted(path for pattern in ("*", "*/*") for path in folder.glob(pattern + ENDINGS[form]))
