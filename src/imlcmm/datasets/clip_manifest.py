"""The manifest of an extraction, which says of every clip what became of it."""

from collections import Counter
from pathlib import Path

import pandas as pd

from imlcmm.errors import DataError
from imlcmm.untrusted import inside

FILE = "clips.csv"
COLUMNS = ("clip", "file", "split", "status", "reason")


def read_clip_manifest(store: Path) -> pd.DataFrame | None:
    """Read the manifest of a data set; None for one that was not extracted here.

    Raises:
        DataError: If it is none.
    """
    file = store / FILE
    if not file.is_file():
        return None
    try:
        manifest = pd.read_csv(inside(store, FILE), dtype=str, keep_default_na=False)
        return manifest[list(COLUMNS)]
    except (ValueError, LookupError) as error:
        raise DataError(f"{file} is no manifest of an extraction; remove it, or extract again") from error


def fates(manifest: pd.DataFrame) -> str:
    """Say how many clips went which way."""
    count = Counter(manifest["status"])
    return (
        f"{len(manifest)} clips = {count['complete']} complete + {count['partial']} with a modality missing "
        f"+ {count['failed']} failed"
    )
