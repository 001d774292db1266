"""Where results go that belong to a run."""

from pathlib import Path

from imlcmm.errors import ImlcmmError


def own_folder(run: Path) -> Path:
    """Give a run's folder, for results beside it.

    Raises:
        ImlcmmError: If it is no folder here, but fetched from a hub or part of a package.
    """
    if not run.is_dir():
        raise ImlcmmError(f"{run} is no folder here; say by --out where the results go")
    return run
