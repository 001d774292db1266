"""From a store to a folder of Parquet files or tar shards, and back, some clips at a time."""

import json
import logging
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from imlcmm.datasets.catalog import KINDS, Kind
from imlcmm.datasets.clip_manifest import FILE, read_clip_manifest
from imlcmm.datasets.interchange.card import write_card
from imlcmm.datasets.interchange.facts import FACTS, FORMAT, Facts
from imlcmm.datasets.interchange.names import LABELS, Form, form_of, found_files, label_columns
from imlcmm.datasets.interchange.packages import package
from imlcmm.datasets.interchange.parquet_in import read_parquet
from imlcmm.datasets.interchange.parquet_out import write_parquet
from imlcmm.datasets.interchange.rows import Row, known_widths
from imlcmm.datasets.interchange.tar_in import read_tar
from imlcmm.datasets.interchange.tar_out import tar_sizes, write_tars
from imlcmm.datasets.kind_file import find_kind
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.datasets.stores.store import StoreWriter, disk_error, swap
from imlcmm.errors import DataError
from imlcmm.files import check_folder, check_space
from imlcmm.progress import Progress
from imlcmm.types import ABSENT, MODALITIES

logger = logging.getLogger(__name__)

SHARD = 256 << 20
_READERS: Mapping[Form, Callable[..., Iterator[Row]]] = {"parquet": read_parquet, "webdataset": read_tar}


def is_folder(folder: Path) -> bool:
    """Tell whether a folder holds facts, Parquet files or tar shards."""
    return (folder / FACTS).is_file() or form_of(folder) is not None


def export_folder(data: SentimentData, out: Path, form: Form, *, shard: int = SHARD, progress: bool = False) -> Path:
    """Write a data set as a folder of Parquet files or WebDataset shards, with a card and what the way back needs.

    Args:
        data: The data set.
        out: The folder; an earlier one of this kind is replaced, any other with files in it is refused.
        form: parquet or webdataset.
        shard: Bytes of a file, about; of Parquet before compression.
        progress: Whether to show a progress bar.

    Raises:
        DataError: If it cannot be written.
        MissingPackageError: If the extra `interchange` is not installed.
    """
    out = Path(out)
    for name in ("datasets", "pyarrow", "webdataset"):
        package(name)
    if form == "webdataset":
        check_space(out, sum(int(tar_sizes(data, clips).sum()) for clips in data.splits.values()))
    bar = Progress(total=sum(map(len, data.splits.values())), desc=out.name, unit="clip", disable=not progress)
    with bar, _finished(out) as folder:
        files = (write_parquet if form == "parquet" else write_tars)(data, folder, shard, bar)
        write_card(data, folder, form, files)
        if (data.path / FILE).is_file():
            shutil.copy(data.path / FILE, folder / FILE)
        facts = json.dumps(_facts(data, form, files), indent=2, ensure_ascii=False)
        (folder / FACTS).write_text(facts, encoding="utf-8")
    return out


def import_folder(
    source: Path,
    out: Path,
    *,
    kind: str | Path | Kind | None = None,
    dtype: Literal["float32", "float16"] | None = None,
    features: dict[str, str] | None = None,
    progress: bool = False,
) -> Path:
    """Make a store of a folder of Parquet files or WebDataset shards.

    Args:
        source: The folder, ours or somebody else's with the columns that `docs/interchange.md` names.
        out: Where the store goes.
        kind: Rules of the labels; only folders of ours tell them themselves.
        dtype: How the store keeps features; float32, or what a folder of ours tells, if left out.
        features: Name of the feature set of each modality, which only folders of ours tell.
        progress: Whether to show a progress bar.

    Raises:
        DataError: If the folder is damaged or lacks something, or the result cannot be written.
        MissingPackageError: If the extra `interchange` is not installed.
    """
    source, out = Path(source), Path(out)
    facts = Facts(source) if (source / FACTS).exists() else None
    rules = None if kind is None else find_kind(kind)
    if facts and rules not in (None, facts.rules):
        raise DataError(f"{source} is of kind {facts.rules.name}, not {kind}; leave the kind out")
    if facts is None and rules is None:
        raise DataError(f"{source}: nothing tells its kind; give kind as one of {', '.join(KINDS)}, or a .yaml file")
    package("webdataset" if form_of(source) == "webdataset" else "pyarrow")
    plan = _Plan.ours(source, facts) if facts else _Plan.foreign(source, rules, features)  # type: ignore[arg-type]
    writer = StoreWriter(out, dtype=dtype or plan.dtype, **plan.writer)
    total = sum(facts.clips.values()) if facts else None
    bar = Progress(total=total, desc=source.name, unit="clip", disable=not progress)
    with bar, writer:
        for split in plan.files:
            count = labelled = 0
            for row in plan.rows(split):
                _add(writer, split, row, source)
                bar.update()
                count, labelled = count + 1, labelled + bool(row.clip.labels)
            if facts and count != facts.clips[split]:
                raise DataError(
                    f"{source} holds {count} clips of split {split} instead of {facts.clips[split]}; copy it anew"
                )
            if not (facts or labelled or split == "unlabelled"):
                raise DataError(
                    f"{source}: no clip of split {split} has a label in {', '.join(plan.labels.values())}; rename the "
                    "column, or the split to unlabelled"
                )
    if (source / FILE).is_file() and read_clip_manifest(source) is not None:
        shutil.copy(source / FILE, out / FILE)
    return out


def _add(writer: StoreWriter, split: str, row: Row, source: Path) -> None:
    """Add a clip; what the writer says of it gets the folder's name before it."""
    try:
        writer.add(split, row.clip, row.oracle)
    except DataError as error:
        raise DataError(f"{source}, {error}") from error


class _Plan:
    """What is read, and what the store's writer must know before.

    Attributes:
        files: The files of each split.
        writer: What the writer is given.
        dtype: How features are stored unless something else is asked for.
        labels: Column of each target's label.
    """

    def __init__(
        self, form: Form, files: dict[str, list[Path]], labels: Mapping[str, str], features: dict[str, str]
    ) -> None:
        self.files = files
        self.dtype: Literal["float32", "float16"] = "float32"
        self._read, self.labels, self._features = _READERS[form], labels, features
        self.writer: dict[str, Any] = {"features": features}

    @classmethod
    def ours(cls, source: Path, facts: Facts) -> "_Plan":
        """Plan by the facts of a folder."""
        told = facts.content
        plan = cls(facts.form, facts.files(source), LABELS, told["features"])
        plan.dtype = told["dtype"]
        plan.writer |= {"kind": facts.rules, "widths": told["widths"], "counted": facts.counted}
        plan.writer |= {"simulated": told["simulated"], "notes": told["notes"]}
        return plan

    @classmethod
    def foreign(cls, source: Path, rules: Kind, features: dict[str, str] | None) -> "_Plan":
        """Plan by the files that there are, and by what the first clips hold."""
        form = form_of(source)
        if form is None:
            raise DataError(f"{source} holds neither Parquet files nor tar shards")
        plan = cls(form, found_files(source, form), label_columns(rules), dict(features or {}))
        widths = known_widths(row for split in plan.files for row in plan.rows(split))
        if not widths:
            raise DataError(
                f"{source}: no clip has a frame of {', '.join(MODALITIES)}, or tokens; nothing can be learnt"
            )
        absent = [m for m in MODALITIES if m not in widths]
        for m in absent:
            logger.warning("%s: no clip has a frame of %s, so the data set goes without %s", source, m, m)
        plan.writer["features"] = {**plan._features, **dict.fromkeys(absent, ABSENT)}
        plan.writer |= {"kind": rules, "widths": dict.fromkeys(MODALITIES, 1) | widths}
        return plan

    def rows(self, split: str) -> Iterator[Row]:
        """Read the clips of a split in order."""
        for path in self.files[split]:
            yield from self._read(path, self.labels, self._features)


def _facts(data: SentimentData, form: Form, files: Mapping[str, list[str]]) -> dict[str, Any]:
    """Collect what the files do not tell."""
    manifest, kept = data.manifest, ("kind", "rules", "widths", "features", "dtype", "simulated", "notes", "left_out")
    splits = {
        split: {"clips": entry["clips"], "files": files[split]} | {k: entry[k] for k in ("filled",) if k in entry}
        for split, entry in manifest["splits"].items()
    }
    return {"format": FORMAT, "form": form, **{k: manifest[k] for k in kept if k in manifest}, "splits": splits}


@contextmanager
def _finished(out: Path) -> Iterator[Path]:
    """Give a folder to write into that takes its place, complete, when the block ends without an error."""
    check_folder(out.parent)
    if out.exists() and not (out / FACTS).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} exists and is no such folder; choose another or remove it")
    temporary = out.parent / f".{out.name}.{uuid.uuid4().hex[:12]}.partial"
    try:
        temporary.mkdir(parents=True)
        yield temporary
        swap(temporary, out)
    except OSError as error:
        raise disk_error(out, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
