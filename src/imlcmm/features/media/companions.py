"""The files of a folder of clips that are no clips: those that belong there, and those to tell of."""

import logging
from collections.abc import Iterable
from pathlib import Path

from imlcmm.features.media.formats import MEDIA

logger = logging.getLogger(__name__)

_TRANSCRIPTS = {".srt", ".vtt", ".txt", ".ass", ".ssa", ".lrc", ".sbv", ".ttml", ".eaf", ".textgrid"}
_TABLES = {".csv", ".tsv", ".xlsx", ".xls", ".json", ".jsonl", ".parquet", ".pkl"}
_PAPERS = {"readme", "license", "licence", "changelog"}
_SYSTEM = {"thumbs.db", "desktop.ini"}
_NAMED = 3


def is_shadow(path: Path) -> bool:
    """Tell what macOS writes beside a file on a foreign disk: it has the file's name after "._", and no content."""
    return path.name.startswith("._")


def tell_left_out(folder: Path, others: Iterable[Path]) -> None:
    """Log in one line which files of a folder are no clips, except those that belong beside clips."""
    names = [path.relative_to(folder).as_posix() for path in sorted(others) if not _belongs(path, folder)]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        logger.warning(
            "%s: %s left out, as no video or sound file's name ends so: %s%s; give a file itself to have it read",
            folder,
            "1 file was" if len(names) == 1 else f"{len(names)} files were",
            ", ".join(map(repr, names[:_NAMED])),
            more,
        )


def _belongs(path: Path, folder: Path) -> bool:
    """Tell whether a file is usual beside clips: hidden, a transcript, a table, or a picture of a clip's timeline."""
    if any(part.startswith(".") for part in path.relative_to(folder).parts):
        return True
    usual = path.suffix.lower() in _TRANSCRIPTS | _TABLES | {".md"} or path.name.lower() in _SYSTEM
    timeline = path.suffix.lower() == ".png" and Path(path.stem).suffix.lower() in MEDIA
    return usual or timeline or path.stem.lower() in _PAPERS
