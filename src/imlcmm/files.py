"""Writing files in one step: a reader, or a run that is killed, sees the old file or the new one, never half of it.

And telling files apart by their digest.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imlcmm.errors import ImlcmmError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside the wanted one, to be written to; it takes its place when the block ends without an error."""
    beside = path.with_name(f".{path.name}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """Refuse a folder that is a file, or in which nothing can be made; one that is missing must have such a parent.

    Raises:
        ImlcmmError: Naming it.
    """
    there = _nearest(folder)
    if not there.is_dir():
        raise ImlcmmError(f"{there} is a file, not a folder; choose another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ImlcmmError(f"nothing can be written in {there}; choose another folder")


def check_space(out: Path, needed: int) -> None:
    """Refuse to write what the disk has no room for.

    Args:
        out: File or folder to write.
        needed: Bytes that it will have at least.

    Raises:
        ImlcmmError: Telling both figures.
    """
    free = shutil.disk_usage(_nearest(out)).free
    if free < needed:
        raise ImlcmmError(
            f"{out} needs {needed / 1e9:.2g} GB or more, but {free / 1e9:.2g} GB are free there; free some space, or "
            "choose another place"
        )


def _nearest(path: Path) -> Path:
    """Find what exists of a path that may not be there yet: itself, or the nearest folder above it."""
    return next(there for there in (path.absolute(), *path.absolute().parents) if there.exists())


def is_full(error: OSError) -> bool:
    """Tell whether the disk, or a share of it, is used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def cache_folder() -> Path:
    """Give the folder for files that can be made again: imlcmm in XDG_CACHE_HOME, or in ~/.cache."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "imlcmm"


def file_name(text: str) -> str:
    """Make a name for a file of any text, such as a clip's id."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:100] or "_"


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys, so that equal content makes equal bytes."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def write_figure(path: Path, figure: "Figure") -> None:
    """Write a picture as PNG."""
    with replacing(path) as beside:
        figure.savefig(beside, dpi=120, format="png")


def file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
