"""The clips of a folder, as the field lays them out: `label.csv` and `<video_id>/<clip_id>.mp4`, or just files."""

from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from imlcmm.errors import DataError
from imlcmm.features.text_file import read_text

_PICTURES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".wmv", ".mpg", ".mpeg", ".m4v", ".flv", ".ts", ".3gp")
_SOUNDS = (".wav", ".mp3", ".m4a", ".flac", ".ogg", ".opus", ".aac")
MEDIA = frozenset(_PICTURES + _SOUNDS)
_LABELS = {"multimodal": "label", "text": "label_T", "audio": "label_A", "vision": "label_V"}
_SPLITS = ("train", "valid", "test")


class SourceClip(NamedTuple):
    """A clip before its features are extracted.

    Attributes:
        identifier: `video$_$clip`, unique.
        path: The media file; it may not exist.
        split: train, valid, test or unlabelled.
        transcript: What is said, None where it has to be found out.
        labels: A value for each target that has one.
    """

    identifier: str
    path: Path
    split: str
    transcript: str | None
    labels: dict[str, float]


def find_clips(videos: Path, labels: Path | None) -> list[SourceClip]:
    """List the clips: the rows of the label file in its order, or, without one, all media files, unlabelled.

    Raises:
        DataError: If there are none, or the label file cannot be read as one.
    """
    if not videos.is_dir():
        raise DataError(f"{videos} is no folder; give the folder that holds the clips")
    clips = _labelled(videos, labels) if labels else _unlabelled(videos)
    if not clips:
        raise DataError(f"{labels or videos}: no clips are found; media files end in {' '.join(sorted(MEDIA))}")
    return clips


def media_files(paths: Iterable[Path]) -> list[Path]:
    """List files, and all media files of folders.

    Raises:
        DataError: If a path does not exist, or a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        inside = _inside(path) if path.is_dir() else [path]
        if not inside or not inside[0].exists():
            raise DataError(f"{path}: {'no media files are in it' if path.is_dir() else 'there is no such file'}")
        found += inside
    return found


def _unlabelled(videos: Path) -> list[SourceClip]:
    return [SourceClip(_identifier(path, videos), path, "unlabelled", None, {}) for path in _inside(videos)]


def _inside(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in MEDIA and p.is_file())


def _identifier(path: Path, videos: Path) -> str:
    """Name a file by its folder and its name; the suffix stays where it tells two files apart."""
    inside = path.relative_to(videos)
    twins = [p for p in path.parent.glob(f"{_escaped(path.stem)}.*") if p.suffix.lower() in MEDIA]
    return f"{inside.parent.as_posix()}$_${path.name if len(twins) > 1 else path.stem}"


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _labelled(videos: Path, labels: Path) -> list[SourceClip]:
    table = _read_table(labels)
    missing = [c for c in ("video_id", "clip_id", "label", "mode") if c not in table]
    if missing:
        raise DataError(f"{labels}: the columns {', '.join(missing)} are missing; it has {', '.join(table)}")
    known = _media_files(videos)
    clips = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        if row["mode"] not in _SPLITS:
            raise DataError(f"{labels}, line {line}: mode is '{row['mode']}'; it must be one of {', '.join(_SPLITS)}")
        key = (row["video_id"], row["clip_id"])
        clips.append(
            SourceClip(
                identifier="$_$".join(key),
                path=known.get(key, videos / key[0] / f"{key[1]}.mp4"),
                split=row["mode"],
                transcript=row.get("text") or None,
                labels={t: _number(row[c], labels, line, c) for t, c in _LABELS.items() if row.get(c)},
            )
        )
    twice = pd.Series([clip.identifier for clip in clips])
    if twice.duplicated().any():
        raise DataError(f"{labels}: the clip {twice[twice.duplicated()].iloc[0]} occurs twice")
    return clips


def _read_table(labels: Path) -> pd.DataFrame:
    """Read all cells as text: ids such as 0001 keep their zeros."""
    text = read_text(labels, DataError)
    try:
        table = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    except ValueError as error:
        raise DataError(f"{labels} cannot be read as a table: {error}".replace("\n", " ")) from error
    return table.rename(columns=str.strip)


def _media_files(videos: Path) -> dict[tuple[str, str], Path]:
    """Find `<video_id>/<clip_id>.*` in the folder, or in its folder `Raw`."""
    roots = [root for root in (videos / "Raw", videos) if root.is_dir()]
    return {
        (path.parent.name, path.stem): path
        for root in reversed(roots)
        for path in sorted(root.glob("*/*"))
        if path.suffix.lower() in MEDIA
    }


def _number(cell: str, labels: Path, line: int, column: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise DataError(f"{labels}, line {line}: {column} is '{cell}', which is no number") from None
