"""From the field's pickle, Parquet files and tar shards to the store, and back, in bounded memory."""

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np

from imlcmm.datasets.catalog import KINDS, Kind
from imlcmm.datasets.field.export import export_pickle
from imlcmm.datasets.field.layout import field_splits, stored_facts
from imlcmm.datasets.field.pickles import read_pickle
from imlcmm.datasets.interchange.folders import export_folder, import_folder, is_folder
from imlcmm.datasets.interchange.names import ENDINGS, Form
from imlcmm.datasets.kind_file import find_kind
from imlcmm.datasets.stores import store
from imlcmm.datasets.stores.manifest import read_manifest, rules_of
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import DataError
from imlcmm.files import check_space
from imlcmm.progress import Progress
from imlcmm.types import ABSENT

logger = logging.getLogger(__name__)


def convert(
    source: Path | str,
    out: Path | str,
    *,
    kind: str | Path | Kind | None = None,
    dtype: Literal["float32", "float16"] | None = None,
    features: dict[str, str] | None = None,
    to: Form | None = None,
    progress: bool = True,
) -> Path:
    """Convert a pickle in the field's layout, or Parquet files or tar shards, into a store, or a store back.

    Args:
        source: A pickle, a folder of Parquet files or tar shards, or a store.
        out: Where the result goes; a name that ends in `.pkl` makes a pickle of a store.
        kind: The catalogue's name of the data set, or a YAML file of its rules; only what imlcmm wrote tells it
            itself.
        dtype: How the store keeps features; float16 halves it. float32, or as a folder tells, if left out.
        features: Name of the feature set of each modality, which files of others do not tell either.
        to: What a store becomes instead of a pickle: a folder of Parquet files, or of WebDataset shards.
        progress: Whether to show a progress bar.

    Returns:
        The path of the result.

    Raises:
        DataError: If the source is missing, refused or inconsistent, or the result cannot be written.
        MissingPackageError: If Parquet or tar is asked for without the extra `interchange`.
    """
    source, out = Path(source), Path(out)
    if source.is_dir() and store.is_store(source):
        return _export(SentimentData(source), out, to, progress)
    if to is not None:
        raise DataError(f"{source} is no store; convert it into one first, and that one into {to}")
    if source.is_dir():
        if not is_folder(source):
            raise DataError(
                f"{source} is a folder but no store, and holds neither Parquet files nor tar shards; give a .pkl file, "
                "or a folder of clips to extract"
            )
        return import_folder(source, out, kind=kind, dtype=dtype, features=features, progress=progress)
    if source.suffix in ENDINGS.values():
        raise DataError(f"{source} is one file; give the folder that holds it")
    return _convert_pickle(source, out, kind, dtype or "float32", features, progress)


def _export(data: SentimentData, out: Path, to: Form | None, progress: bool) -> Path:
    """Write a store in another form."""
    if to is not None:
        return export_folder(data, out, to, progress=progress)
    if out.suffix != ".pkl":
        raise DataError(
            f"{data.path} is a store already; to export it, give an output name that ends in .pkl, or say to what: "
            f"{' or '.join(ENDINGS)}"
        )
    return export_pickle(data, out, progress=progress)


def converted_store(source: Path, kind: Kind | None) -> Path:
    """Convert a pickle into `<stem>.store` beside it, unless that was done and the pickle has not changed since.

    Raises:
        DataError: As `convert`, and if the kind is missing for a first conversion.
    """
    out = source.with_suffix(".store")
    if store.is_store(out):
        try:
            manifest = read_manifest(out)
        except DataError:
            manifest = {}
        if manifest.get("notes", {}).get("source") == _fingerprint(source) and kind in (
            None,
            rules_of(manifest, str(out)),
        ):
            return out
    return _convert_pickle(source, out, kind, "float32", None, True)


def _convert_pickle(
    source: Path,
    out: Path,
    kind: str | Path | Kind | None,
    dtype: Literal["float32", "float16"],
    features: dict[str, str] | None,
    progress: bool,
) -> Path:
    """Read a pickle split by split and write its clips into a store."""
    if not source.is_file():
        raise DataError(f"{source} does not exist; give the path of a .pkl file")
    before = _fingerprint(source)
    content = read_pickle(source)
    facts = stored_facts(content)
    kind = kind or facts.get("kind")
    if kind is None:
        raise DataError(
            f"{source}: a pickle does not tell its kind; give kind as one of {', '.join(KINDS)}, or a .yaml file"
        )
    rules = find_kind(kind)
    splits = field_splits(content, source, rules)
    first = next(iter(splits.values()))[0]
    for m in first.absent:
        logger.warning("%s: there is no key '%s', so the data set goes without %s", source, m, m)
    names = features or facts.get("features") or {}
    check_space(out, np.dtype(dtype).itemsize * sum(part.values for parts in splits.values() for part in parts))
    total = sum(int(part.keep.sum()) for parts in splits.values() for part in parts)
    bar = Progress(total=total, desc=source.name, unit="clip", disable=not progress)
    writer = store.StoreWriter(
        out,
        kind=rules,
        widths=first.widths,
        features={**names, **dict.fromkeys(first.absent, ABSENT)},
        dtype=dtype,
        simulated=facts.get("simulated", False),
        notes={"source": before},
    )
    with bar, writer:
        for name, parts in splits.items():
            for part in parts:
                for clip in part.clips():
                    writer.add(name, clip)
                    bar.update()
    if not SentimentData(out).sources_known:
        logger.warning(
            "%s: source unknown: no two ids share a video (video$_$clip), so that intervals will be over clips", source
        )
    return out


def _fingerprint(source: Path) -> dict[str, Any]:
    """Note the size and the time of change of a file, and its name."""
    state = source.stat()
    return {"name": source.name, "bytes": state.st_size, "modified_ns": state.st_mtime_ns}
