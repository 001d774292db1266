"""The project's own data set on disk: ragged safetensors and JSON, written in bounded memory and all at once."""

import json
import logging
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from imlcmm.datasets.catalog import KINDS, LABEL_TOLERANCE, Kind
from imlcmm.datasets.kind_file import describe_kind, find_kind
from imlcmm.datasets.stores.manifest import FORMAT, MANIFEST, SPLITS, read_manifest
from imlcmm.datasets.stores.repair import Repair
from imlcmm.datasets.stores.split_writer import SplitWriter
from imlcmm.errors import DataError
from imlcmm.files import check_folder, file_digest, is_full
from imlcmm.types import MODALITIES, TARGETS, Clip

logger = logging.getLogger(__name__)

_NAMED = 8


class StoreWriter:
    """Write a data set clip by clip; the folder appears, complete, when the `with` block ends without an error.

    Features are appended to files, so memory does not grow with the data but for a few bytes a clip. Of values that are
    not finite, single ones are stored as their column's mean over the train split (over all splits where there is
    none), frames that mostly consist of them as zeros and marked invalid, and columns that do as zeros. The manifest
    counts all three.

    Args:
        folder: Where the store goes; an existing store is replaced, any other folder with files in it is refused.
        kind: The catalogue's name of the data set, or rules of one's own, which the store then carries.
        widths: Features a frame of each modality; text may have 0 where only tokens are known.
        features: Name of the feature set of each modality.
        dtype: How features are stored.
        simulated: Whether the clips come from the simulator.
        notes: Anything worth keeping with the data, such as where it came from; must fit in JSON.
        counted: `left_out`, and `filled` of each split, of an earlier store from which the clips come repaired, so that
            nothing of it can be seen.

    Raises:
        DataError: If the folder is in use, a clip does not fit the data set, or the disk is full.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kind: str | Path | Kind,
        widths: dict[str, int],
        features: dict[str, str] | None = None,
        dtype: Literal["float32", "float16"] = "float32",
        simulated: bool = False,
        notes: dict[str, Any] | None = None,
        counted: Mapping[str, Any] | None = None,
    ) -> None:
        """Check that the store can be written there; nothing is created yet."""
        self.folder = Path(folder)
        self.kind: Kind = find_kind(kind)
        missing = [m for m in MODALITIES if m not in widths]
        if missing:
            raise DataError(f"{folder}: no width is given for {', '.join(missing)}")
        self.widths = {m: int(widths[m]) for m in MODALITIES}
        self.features = {m: (features or {}).get(m, "unknown") for m in MODALITIES}
        self.dtype = dtype
        self.simulated = simulated
        self.notes = notes or {}
        self.counted = counted or {}
        self._splits: dict[str, SplitWriter] = {}
        self._seen: set[str] = set()
        self._temporary = self.folder.parent / f".{self.folder.name}.{uuid.uuid4().hex[:12]}.partial"
        refuse_foreign(self.folder)

    def __enter__(self) -> "StoreWriter":
        """Create the temporary folder beside the final one."""
        try:
            self._temporary.mkdir(parents=True)
        except OSError as error:
            raise DataError(f"cannot write {self.folder}: {error.strerror}; choose another folder") from error
        return self

    def add(self, split: str, clip: Clip, oracle: np.ndarray | None = None) -> None:
        """Append a clip to a split.

        Args:
            split: train, valid, test or unlabelled.
            clip: The clip; its sequences are (steps, width) of each modality.
            oracle: (subsets, levels) posterior of the multimodal label, from the simulator only.

        Raises:
            DataError: Naming the split and the clip, if the clip does not fit the data set.
        """
        where = f"split {split}, clip {clip.identifier}"
        if split not in SPLITS:
            raise DataError(f"there is no split '{split}'; choose one of {', '.join(SPLITS)}")
        if clip.identifier in self._seen:
            raise DataError(f"{where}: the id occurs twice; ids must be unique in the data set")
        self._seen.add(clip.identifier)
        if split not in self._splits:
            self._splits[split] = SplitWriter(self._temporary, split, self.widths, self.dtype)
        labels = _label_row(clip, self.kind, where)
        try:
            self._splits[split].append(clip, labels, oracle, where)
        except OSError as error:
            raise disk_error(self.folder, error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Assemble the splits and move the store into place, or remove every trace of it."""
        try:
            if error is None:
                self._finish()
        except OSError as failure:
            raise disk_error(self.folder, failure) from failure
        finally:
            for writer in self._splits.values():
                writer.close()
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _finish(self) -> None:
        """Write the splits and the manifest, then swap the finished folder in."""
        if not self._splits:
            raise DataError(f"{self.folder}: no clip was added, so there is nothing to store")
        source = [self._splits["train"]] if "train" in self._splits else list(self._splits.values())
        repairs = {m: Repair.of(split.columns[m] for split in source) for m in MODALITIES}
        counted = self.counted
        splits = {s: self._splits[s].assemble(repairs) for s in SPLITS if s in self._splits}
        for split, filled in counted.get("filled", {}).items():
            splits.get(split, {}).update(filled=filled)
        left_out = {m: np.flatnonzero(repair.left_out).tolist() for m, repair in repairs.items()}
        manifest = {
            "format": FORMAT,
            "kind": self.kind.name,
            **({} if self.kind.name in KINDS else {"rules": describe_kind(self.kind)}),
            "widths": self.widths,
            "features": self.features,
            "dtype": self.dtype,
            "simulated": self.simulated,
            "notes": self.notes,
            "left_out": counted.get("left_out", left_out),
            "splits": splits,
        }
        for line in unusable_columns(manifest):
            logger.warning("%s: %s", self.folder, line)
        (self._temporary / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False), encoding="utf-8")
        swap(self._temporary, self.folder)


def verify(folder: Path) -> None:
    """Compare every file of a store with its recorded SHA-256.

    Raises:
        DataError: Naming the first file that has changed since the store was written.
    """
    for split in read_manifest(folder)["splits"].values():
        for name, expected in split["sha256"].items():
            if file_digest(Path(folder) / name) != expected:
                raise DataError(f"{Path(folder) / name} has changed since it was written; convert the data set again")


def unusable_columns(manifest: Mapping[str, Any]) -> list[str]:
    """Say, a line a modality, which columns are zero everywhere because most of their values were not finite."""
    lines = []
    extractors = manifest.get("notes", {}).get("extractors", {})
    for m, numbers in manifest.get("left_out", {}).items():
        if numbers:
            names = extractors[m]["columns"] if m in extractors else None
            named = ", ".join(names[n] if names else str(n) for n in numbers[:_NAMED])
            more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
            counted = "" if names else " (counted from 0)"
            lines.append(
                f"{m} column{'s' * (len(numbers) > 1)} {named}{more}{counted} left out: most values are NaN or infinite"
            )
    return lines


def is_store(folder: Path) -> bool:
    """Tell whether a folder holds a store."""
    return (Path(folder) / MANIFEST).is_file()


def _label_row(clip: Clip, rules: Kind, where: str) -> np.ndarray:
    """Order a clip's labels as TARGETS, NaN where absent, and check their range."""
    row = np.full(len(TARGETS), np.nan, np.float32)
    for target, value in clip.labels.items():
        if target not in TARGETS:
            raise DataError(f"{where}: there is no label '{target}'; choose from {', '.join(TARGETS)}")
        if not rules.low - LABEL_TOLERANCE <= value <= rules.high + LABEL_TOLERANCE:
            raise DataError(
                f"{where}: the {target} label is {value:g}, but {rules.name} has labels from "
                f"{rules.low:g} to {rules.high:g}; check the file or choose another kind"
            )
        row[TARGETS.index(target)] = value
    return row


def refuse_foreign(folder: Path) -> None:
    """Refuse to write over anything that is not a store.

    Raises:
        DataError: If there is something else, or nothing can be written there.
    """
    check_folder(folder.parent)
    if folder.exists() and not is_store(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} exists and is not a data set; choose another folder or remove it")


def swap(new: Path, folder: Path) -> None:
    """Put a finished folder in place of an earlier one, which comes back if that fails."""
    if not folder.exists():
        new.replace(folder)
        return
    old = new.with_suffix(".old")
    folder.replace(old)
    try:
        new.replace(folder)
    except OSError:
        old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def disk_error(path: Path, error: OSError) -> DataError:
    """Turn an error of the operating system into one line."""
    if is_full(error):
        return DataError(f"the disk is full, {path} was not written; free some space and try again")
    return DataError(f"cannot write {path}: {error.strerror or error}; check the folder and try again")
