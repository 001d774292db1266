"""Where results go that belong to a run."""

from pathlib import Path

from imlcmm.errors import ImlcmmError
from imlcmm.pretrained import lies_elsewhere


def own_folder(run: Path) -> Path:
    """Give a run's folder, for results beside it.

    Raises:
        ImlcmmError: If it is no folder here, but on a hub or in a package.
    """
    if lies_elsewhere(run):
        raise ImlcmmError(f"{run} is no folder here; say by --out where the results go")
    return run
