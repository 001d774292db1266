"""From the field's pickle to the store and back, in bounded memory."""

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np

from imlcmm.datasets.catalog import KINDS, Kind
from imlcmm.datasets.field.export import export_pickle
from imlcmm.datasets.field.layout import field_splits, stored_facts
from imlcmm.datasets.field.pickles import read_pickle
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
    source: Path,
    out: Path,
    *,
    kind: str | Path | Kind | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    features: dict[str, str] | None = None,
    progress: bool = True,
) -> Path:
    """Convert a pickle in the field's layout into a store, or a store into such a pickle.

    Args:
        source: A pickle, or a store folder if `out` ends in `.pkl`.
        out: Where the result goes.
        kind: The catalogue's name of the data set, or a YAML file of its rules; only pickles that
            `export_pickle` wrote tell it themselves.
        dtype: How the store keeps features; float16 halves it.
        features: Name of the feature set of each modality, which a pickle does not tell either.
        progress: Whether to show a progress bar.

    Returns:
        The path of the result.

    Raises:
        DataError: If the source is missing, refused or inconsistent, or the result cannot be written.
    """
    source, out = Path(source), Path(out)
    if source.is_dir():
        if not store.is_store(source):
            raise DataError(f"{source} is a folder but no store; give a .pkl file, or a folder of clips to extract")
        if out.suffix != ".pkl":
            raise DataError(f"{source} is a store already; to export it, give an output name that ends in .pkl")
        return export_pickle(SentimentData(source), out, progress=progress)
    return _convert_pickle(source, out, kind, dtype, features, progress)


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
