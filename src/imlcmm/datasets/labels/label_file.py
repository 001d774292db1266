"""The clips of a folder, as the field lays them out: `label.csv` and `<video_id>/<clip_id>.mp4`, or just files."""

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from imlcmm.clean_text import clean_text, path_text
from imlcmm.datasets.catalog import Kind
from imlcmm.datasets.labels.label_numbers import LABELS, check_range, read_number
from imlcmm.datasets.labels.label_table import LabelRow, read_rows
from imlcmm.errors import DataError
from imlcmm.features.media.companions import is_shadow
from imlcmm.features.media.folder import files_inside
from imlcmm.features.media.formats import MEDIA
from imlcmm.untrusted import shown

_log = logging.getLogger(__name__)

_LONGEST = 255
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


def find_clips(videos: Path, labels: Path | None, kind: Kind | None = None) -> list[SourceClip]:
    """List the clips: the rows of the label file in its order, or, without one, all media files, unlabelled.

    Raises:
        DataError: If there are none, the label file cannot be read as one, or a label is outside the range of `kind`.
    """
    if not videos.is_dir():
        raise DataError(f"{videos} is no folder; give the folder that holds the clips")
    clips = _labelled(videos, labels, kind) if labels else _unlabelled(videos)
    if not clips:
        raise DataError(f"{labels or videos}: no clips are found; media files end in {' '.join(sorted(MEDIA))}")
    return clips


def _unlabelled(videos: Path) -> list[SourceClip]:
    clips = [SourceClip(_identifier(path, videos), path, "unlabelled", None, {}) for path in files_inside(videos)]
    _refuse_twins(clips, videos)
    return clips


def _identifier(path: Path, videos: Path) -> str:
    """Name a file by its folder and its name; the suffix stays where it tells two files apart."""
    inside = PurePosixPath(path_text(path.relative_to(videos).as_posix()))
    twins = [p for p in path.parent.glob(f"{_escaped(path.stem)}.*") if p.suffix.lower() in MEDIA]
    return f"{inside.parent.as_posix()}$_${inside.name if len(twins) > 1 else inside.stem}"


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _labelled(videos: Path, labels: Path, kind: Kind | None) -> list[SourceClip]:
    columns = (kind and kind.sources) or LABELS
    known = _media_files(videos)
    by_number: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for key in known:
        by_number.setdefault(_numbers(key), []).append(key)
    clips, renamed, found = [], [], []
    for row in read_rows(labels, columns):
        where = f"{labels}, line {row.line}"
        written, split = _written_ids(row, where), _split(row, where)
        key = written if written in known else _by_number(written, by_number, where)
        if key != written:
            renamed.append(f"{'/'.join(written)} as {'/'.join(key)}")
        found.append((row.line, _read_labels(row, where)))
        path = known.get(key, videos / key[0] / f"{key[1]}.mp4")
        clips.append(SourceClip(path_text("$_$".join(key)), path, split, row.cells.get("text") or None, found[-1][1]))
    check_range(found, labels, kind)
    without = sum("multimodal" not in row for _, row in found)
    if without:
        _log.warning("%s: %d of %d clips have no label, though they are in a split", labels, without, len(found))
    if renamed:
        _log.warning("%s: %d ids are matched to files by number, such as %s", labels, len(renamed), renamed[0])
    _refuse_twins(clips, labels)
    return clips


def _refuse_twins(clips: list[SourceClip], where: Path) -> None:
    twice = pd.Series([clip.identifier for clip in clips], dtype=object)
    if twice.duplicated().any():
        raise DataError(f"{where}: the clip {twice[twice.duplicated()].iloc[0]} occurs twice")


def _written_ids(row: LabelRow, where: str) -> tuple[str, str]:
    written = (row.cells["video_id"], row.cells["clip_id"])
    for part in written:
        if not part:
            raise DataError(f"{where}: video_id or clip_id is empty; fill it in")
        way = PurePosixPath(part)
        if way.is_absolute() or ".." in way.parts or len(part.encode()) > _LONGEST or set(part) & set("\\\0"):
            raise DataError(f"{where}: {shown(part)} is no id of a clip within the folder; mend it")
    return written


def _split(row: LabelRow, where: str) -> str:
    if row.split not in _SPLITS:
        raise DataError(f"{where}: mode is '{row.cells['mode']}'; it must be one of {', '.join(_SPLITS)}")
    return row.split


def _numbers(key: tuple[str, str]) -> tuple[str, ...]:
    """Write ids without leading zeros and without the decimals that a spreadsheet adds."""
    return tuple(re.sub(r"^0*([0-9]+?)(\.0+)?$", r"\1", clean_text(part)) for part in key)


def _by_number(
    written: tuple[str, str], by_number: dict[tuple[str, ...], list[tuple[str, str]]], where: str
) -> tuple[str, str]:
    """Find the file of ids that lost their zeros; ids without a file stay as they are."""
    found = by_number.get(_numbers(written), [])
    if len(found) > 1:
        names = ", ".join("/".join(key) for key in found[:5])
        raise DataError(f"{where}: {'/'.join(written)} may be {names}; write the ids as the files' names")
    return found[0] if found else written


def _read_labels(row: LabelRow, where: str) -> dict[str, float]:
    numbers = {}
    for target, column in LABELS.items():
        cell = row.cells.get(column, "")
        try:
            number = read_number(cell)
        except ValueError:
            raise DataError(f"{where}: {column} is '{cell}', which is no number") from None
        if number is not None:
            numbers[target] = number
    return numbers


def _media_files(videos: Path) -> dict[tuple[str, str], Path]:
    """Find `<video_id>/<clip_id>.*` in the folder, or in its folder `Raw`; of several, the more usual format."""
    roots = [root for root in (videos / "Raw", videos) if root.is_dir()]
    return {
        (path.parent.name, path.stem): path
        for root in reversed(roots)
        for path in sorted(_of_media(root.glob("*/*")), key=_usualness)
    }


def _of_media(paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path.suffix.lower() in MEDIA and not is_shadow(path))


def _usualness(path: Path) -> tuple[int, Path]:
    return -MEDIA.index(path.suffix.lower()), path
