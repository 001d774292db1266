"""Writing a split as WebDataset shards: tar files in which the files of a clip share their name's beginning."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from imlcmm.datasets.interchange.names import LABELS, cut, shard_name
from imlcmm.datasets.interchange.packages import package
from imlcmm.datasets.interchange.rows import classes, clip_sizes, written_modalities, written_targets
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.progress import Progress
from imlcmm.types import TARGETS

_MEMBER = 1536
"""Bytes that a small file takes in a tar, beside its content: its head, and what fills up the last blocks."""


def write_tars(data: SentimentData, folder: Path, most: int, bar: Progress) -> dict[str, list[str]]:
    """Write all splits into a folder, and name the files of each.

    Args:
        data: The data set.
        folder: Where the shards go.
        most: Bytes of a shard, about.
        bar: Told of every clip.
    """
    wds = package("webdataset")
    targets = written_targets(data)
    names: dict[str, list[str]] = {}
    for split, clips in data.splits.items():
        sizes = tar_sizes(data, clips)
        shards = cut(sizes, most, len(sizes))
        names[split] = [shard_name("webdataset", split, n, len(shards)) for n in range(len(shards))]
        samples = _Samples(clips, targets)
        for (begin, end), name in zip(shards, names[split], strict=True):
            # An open file, since webdataset takes names for addresses, and "pipe:" for a command.
            with (
                (folder / name).open("wb") as file,
                wds.TarWriter(file, encoder=False, mtime=0, user="", group="", mode=0o644) as tar,
            ):
                for row in range(begin, end):
                    tar.write(samples.sample(row))
                    # The tar remembers every member otherwise.
                    tar.tarstream.members = []
                    bar.update()
    return names


def tar_sizes(data: SentimentData, clips: ClipDataset) -> np.ndarray:
    """Count the bytes that each clip takes in a shard, about."""
    modalities = written_modalities(data)
    sizes = clip_sizes(clips, modalities, np.dtype(data.manifest["dtype"]).itemsize)
    sizes += clips.lengths("text") * 12 + _MEMBER * (len(modalities) + 2)
    return sizes


class _Samples:
    """The samples of one split."""

    def __init__(self, clips: ClipDataset, targets: list[str]) -> None:
        self.clips, self.targets = clips, targets
        self.ids, self.transcripts, self.classes = clips.ids, clips.transcripts, classes(clips)

    def sample(self, row: int) -> dict[str, Any]:
        """Make the files of a clip."""
        clips = self.clips
        files: dict[str, Any] = {"__key__": f"{clips.split}-{row:08d}", "json": self._json(row)}
        for m in clips.spec.present:
            if clips.spec.widths[m]:
                files[f"{m}.npy"] = _npy(clips.frames(m, row))
            valid = clips.valid_frames(m, row)
            if not valid.all():
                files[f"{m}_valid.npy"] = _npy(valid)
        tokens = clips.clip_tokens(row)
        if tokens is not None:
            files["tokens.npy"] = _npy(tokens)
        if clips.oracle is not None:
            files["oracle.npy"] = _npy(clips.oracle[row].numpy())
        return files

    def _json(self, row: int) -> bytes:
        """Write what is no array."""
        labels = self.clips.labels[row].tolist()
        content: dict[str, Any] = {"id": self.ids[row], "transcript": self.transcripts[row]}
        for target in self.targets:
            label = labels[TARGETS.index(target)]
            content[LABELS[target]] = None if np.isnan(label) else label
        content["class"] = None if self.classes[row] < 0 else int(self.classes[row])
        steps = {m: int(self.clips.lengths(m)[row]) for m in self.clips.spec.present if not self.clips.spec.widths[m]}
        pieces = self.clips.pieces(row)
        content |= ({"steps": steps} if steps else {}) | ({"pieces": pieces} if pieces else {})
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()


def _npy(array: np.ndarray) -> bytes:
    """Write an array as NumPy's own format."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()
