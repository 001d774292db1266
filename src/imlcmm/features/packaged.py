"""Model files that lie in other packages: read as data, as importing these would load much or phone home."""

import hashlib
import importlib.util
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
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise MissingPackageError(f"{str(path)!r} has SHA-256 {found[:12]}… instead of {sha256[:12]}…: {remedy}")
    return content
