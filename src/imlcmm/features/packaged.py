"""Model files that lie in other packages: read as data, as importing these would load much or phone home."""

import hashlib
import importlib.util
import mmap
from pathlib import Path

from imlcmm.errors import MissingPackageError


def find_packaged(package: str, *place: str) -> Path | None:
    """Find a file or folder in an installed package; None if the package or the file is not there."""
    spec = importlib.util.find_spec(package)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    return next((found for folder in folders if (found := folder.joinpath(*place)).exists()), None)


def read_packaged(path: Path, sha256: str, remedy: str) -> bytes:
    """Read a file, if it is the one that was tried.

    Args:
        path: The file.
        sha256: The digest that it must have.
        remedy: What the user can do if it is missing or another one.

    Raises:
        MissingPackageError: If it cannot be read or is another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingPackageError(f"{str(path)!r} cannot be read ({error.strerror}): {remedy}") from error
    _check(path, hashlib.sha256(content).hexdigest(), sha256, remedy)
    return content


def map_packaged(path: Path, sha256: str, remedy: str) -> mmap.mmap:
    """Map a file into memory, if it is the one that was tried: what is never looked at takes no room.

    Args:
        path: The file.
        sha256: The digest that it must have.
        remedy: What the user can do if it is missing or another one.

    Raises:
        MissingPackageError: If it cannot be read or is another one.
    """
    try:
        with path.open("rb") as file:
            _check(path, hashlib.file_digest(file, "sha256").hexdigest(), sha256, remedy)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise MissingPackageError(f"{str(path)!r} cannot be read ({error.strerror}): {remedy}") from error


def _check(path: Path, found: str, wanted: str, remedy: str) -> None:
    if found != wanted:
        raise MissingPackageError(f"{str(path)!r} has SHA-256 {found[:12]}… instead of {wanted[:12]}…: {remedy}")
