"""A data set: its spec and its splits of clips."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from imlcmm.datasets.catalog import Kind
from imlcmm.datasets.stores import store
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.manifest import MANIFEST, read_manifest, rules_of
from imlcmm.datasets.stores.split_files import SplitFiles, check_columns
from imlcmm.errors import DataError
from imlcmm.types import MODALITIES, DataSpec


class SentimentData:
    """A data set: its spec and its splits. Opening reads the manifest and the headers alone.

    Attributes:
        path: The store's folder.
        manifest: What the store tells of itself.
        rules: Range, classes and metrics.
        spec: What a model must know of the data.
        simulated: Whether the clips come from the simulator.
        checksum: SHA-256 over the checksums of the splits, hex; it identifies the data.
        splits: The splits by name.
    """

    def __init__(self, folder: Path) -> None:
        """Open a store.

        Raises:
            DataError: If it is damaged.
        """
        self.path = folder
        self.manifest = read_manifest(folder)
        self.rules = rules_of(self.manifest, str(folder / MANIFEST))
        self.spec = _spec(self.manifest, self.rules)
        self.simulated = self.spec.simulated
        entries = self.manifest["splits"]
        sums = [f"{name} {entries[split]['sha256'][name]}" for split in entries for name in entries[split]["sha256"]]
        self.checksum = hashlib.sha256("\n".join(sums).encode()).hexdigest()
        self.splits: dict[str, ClipDataset] = {}
        for split, entry in entries.items():
            files = SplitFiles(folder, split)
            check_columns(files, entry, self.spec)
            self.splits[split] = ClipDataset(files, self.spec, np.arange(entry["clips"]))

    @cached_property
    def sources_known(self) -> bool:
        """Tell whether the ids name source videos: some video holds two clips or more."""
        videos = [video for clips in self.splits.values() for video in clips.videos]
        return len(set(videos)) < len(videos)

    @property
    def units(self) -> str:
        """Say what can be resampled: what stands under every table that has intervals."""
        return "source videos" if self.sources_known else "clips, as their source is unknown"

    @property
    def train(self) -> ClipDataset:
        """Give the train split."""
        return self._split("train")

    @property
    def valid(self) -> ClipDataset:
        """Give the validation split."""
        return self._split("valid")

    @property
    def test(self) -> ClipDataset:
        """Give the test split."""
        return self._split("test")

    @property
    def unlabelled(self) -> ClipDataset:
        """Give the clips without labels."""
        return self._split("unlabelled")

    def verify(self) -> None:
        """Compare every file with its recorded checksum; raises a DataError naming the first that differs."""
        store.verify(self.path)

    def _split(self, name: str) -> ClipDataset:
        """Find a split or tell which there are."""
        if name not in self.splits:
            raise DataError(f"{self.path} has no {name} split, only {', '.join(self.splits)}")
        return self.splits[name]


def _spec(manifest: dict[str, Any], rules: Kind) -> DataSpec:
    """Make the spec out of a manifest."""
    splits = manifest["splits"].values()
    return DataSpec(
        widths=manifest["widths"],
        steps={m: max(split["steps"][m] for split in splits) for m in MODALITIES},
        features=manifest["features"],
        kind=rules.name,
        low=rules.low,
        high=rules.high,
        class_centres=rules.class_centres,
        class_edges=rules.class_edges,
        unimodal_labels=any(m in split["targets"] for split in splits for m in MODALITIES),
        train_size=manifest["splits"].get("train", {}).get("clips", 0),
        simulated=manifest["simulated"],
        neutral=rules.neutral,
    )
