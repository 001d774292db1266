"""The manifest of an extraction, which says of every clip what became of it."""

from collections import Counter
from pathlib import Path

import pandas as pd

FILE = "clips.csv"
COLUMNS = ("clip", "file", "split", "status", "reason")


def read_clip_manifest(store: Path) -> pd.DataFrame | None:
    """Read the manifest of a data set; None for one that was not extracted here."""
    file = store / FILE
    return pd.read_csv(file, dtype=str, keep_default_na=False) if file.is_file() else None


def fates(manifest: pd.DataFrame) -> str:
    """Say how many clips went which way."""
    count = Counter(manifest["status"])
    return (
        f"{len(manifest)} clips = {count['complete']} complete + {count['partial']} with a modality missing "
        f"+ {count['failed']} failed"
    )
