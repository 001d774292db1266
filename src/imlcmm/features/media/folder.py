"""The media files of folders."""

from collections.abc import Iterable
from pathlib import Path

from imlcmm.errors import DataError
from imlcmm.features.media.companions import is_shadow, tell_left_out
from imlcmm.features.media.formats import MEDIA


def media_files(paths: Iterable[Path]) -> list[Path]:
    """List files, and all media files of folders.

    Raises:
        DataError: If a path does not exist, or a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        inside = files_inside(path) if path.is_dir() else [path]
        if not inside or not inside[0].exists():
            raise DataError(f"{path}: {'no media files are in it' if path.is_dir() else 'there is no such file'}")
        found += inside
    return found


def files_inside(folder: Path) -> list[Path]:
    """List the media files of a folder and of those in it, and tell which files are left out."""
    files = {path for path in folder.rglob("*") if path.is_file()}
    found = {path for path in files if path.suffix.lower() in MEDIA and not is_shadow(path)}
    tell_left_out(folder, files - found)
    return sorted(found)
