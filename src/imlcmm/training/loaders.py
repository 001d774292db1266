"""Batches of an epoch, in an order that depends on the seed and the epoch alone."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle, islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Sampler

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.types import MODALITIES, Batch, Pass


class EpochBatches(Sampler[list[int]]):
    """Cut seeded permutations of the rows into batches, other ones each epoch."""

    def __init__(
        self,
        rows: int,
        batch_size: int,
        seed: int,
        epoch: int,
        repeats: int = 1,
        lengths: np.ndarray | None = None,
        window: int = 1,
    ) -> None:
        """Take how many rows there are, what the order depends on, and how often an epoch goes through the rows.

        With the rows' lengths, those of `window` batches at a time are dealt out by length, so that a batch holds rows
        of like length and little padding; the batches of a window come in a drawn order.
        """
        self.rows, self.batch_size, self.seed, self.epoch, self.repeats = rows, batch_size, seed, epoch, repeats
        self.lengths, self.window = lengths, window

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        full, rest = divmod(self.rows * self.repeats, self.batch_size)
        return max(1, full + (rest > 1))

    def __iter__(self) -> Iterator[list[int]]:
        """Give the rows of each batch; a last batch of one clip joins the one before (BatchNorm needs two)."""
        rounds = range(self.epoch * self.repeats, (self.epoch + 1) * self.repeats)
        order = [row for each in rounds for row in permutation(self.rows, self.seed, each)]
        if self.lengths is not None and self.window > 1:
            size = self.window * self.batch_size
            windows = [order[start : start + size] for start in range(0, len(order), size)]
            order = [row for number, rows in enumerate(windows) for row in self._by_length(rows, number)]
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            last = start == (len(self) - 1) * self.batch_size
            yield order[start : None if last else start + self.batch_size]

    def _by_length(self, rows: list[int], number: int) -> list[int]:
        """Order the rows of a window by length, its whole batches in a drawn order; what is left over comes last."""
        ordered = sorted(rows, key=lambda row: int(self.lengths[row]))  # type: ignore[index]
        whole = len(rows) // self.batch_size
        drawn = permutation(whole, self.seed + 2, self.epoch * 10_007 + number)
        batches = [ordered[i * self.batch_size : (i + 1) * self.batch_size] for i in drawn]
        return [row for batch in batches for row in batch] + ordered[whole * self.batch_size :]


class Shard(Sampler[Any]):
    """Deal the batches out among several devices; the first ones come again where the last round lacks some.

    So a step of `world` devices treats `world` batches.
    """

    def __init__(self, batches: Sampler[Any], rank: int, world: int) -> None:
        """Take all batches, which device this is, and how many there are."""
        self.batches, self.rank, self.world = batches, rank, world

    def __len__(self) -> int:
        """Count the batches of this device."""
        return math.ceil(len(self.batches) / self.world)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        """Go round the batches."""
        return islice(cycle(self.batches), self.rank, len(self) * self.world, self.world)


class PassBatches(Sampler[list[tuple[bool, int]]]):
    """The batches of one pass: rows marked True where they are labelled, and as many unlabelled ones marked False."""

    def __init__(self, labelled: EpochBatches, unlabelled_rows: int) -> None:
        """Take the labelled batches, and how many unlabelled clips there are to draw from, if any."""
        self.labelled, self.rows = labelled, unlabelled_rows

    def __len__(self) -> int:
        """Count the batches, by the labelled clips."""
        return len(self.labelled)

    def __iter__(self) -> Iterator[list[tuple[bool, int]]]:
        """Draw unlabelled clips from a permutation of their own, begun anew when it is used up."""
        endless = cycle(permutation(self.rows, self.labelled.seed + 1, self.labelled.epoch))
        for rows in self.labelled:
            few = islice(endless, self.labelled.batch_size if self.rows else 0)
            yield [(True, row) for row in rows] + [(False, row) for row in few]


class Chained(Sampler[Any]):
    """Several passes, one after the other."""

    def __init__(self, passes: Sequence[Shard]) -> None:
        """Take the passes."""
        self.passes = passes

    def __len__(self) -> int:
        """Count the batches of all passes."""
        return sum(map(len, self.passes))

    def __iter__(self) -> Iterator[Any]:
        """Go through one pass after the other."""
        return chain.from_iterable(self.passes)


class EpochLoader(NamedTuple):
    """The batches of an epoch, and the pass that begins with each of certain batches."""

    batches: DataLoader[Batch]
    begins: dict[int, str]


def permutation(rows: int, seed: int, epoch: int) -> list[int]:
    """Shuffle the rows for one epoch of one seed."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order: list[int] = torch.randperm(rows, generator=generator).tolist()
    return order


def training_loader(
    train: ClipDataset,
    unlabelled: ClipDataset | None,
    epoch: int,
    rank: int = 0,
    world: int = 1,
    *,
    batch_size: int,
    seed: int,
    repeats: int = 1,
    window: int = 1,
    workers: int = 0,
    passes: Sequence[Pass] = (Pass("train"),),
) -> EpochLoader:
    """Give the batches of one epoch; with unlabelled clips, as many of them as labelled ones in each.

    Args:
        train: Labelled clips.
        unlabelled: Clips without labels.
        epoch: Number of the epoch.
        rank: Which device this is.
        world: How many devices share the batches.
        batch_size: Labelled clips a batch.
        seed: With the epoch, what the order depends on.
        repeats: How often a pass goes through the labelled clips.
        window: Batches among which clips are dealt out by length.
        workers: Processes that make batches.
        passes: The passes that make the epoch, each in an order of its own.
    """

    def collate(marked: list[tuple[bool, int]]) -> Batch:
        known = train.batch([row for is_labelled, row in marked if is_labelled])
        others = [row for is_labelled, row in marked if not is_labelled]
        return join(known, without_labels(unlabelled.batch(others))) if unlabelled is not None and others else known

    lengths = np.sum([train.lengths(m) for m in MODALITIES], axis=0) if window > 1 else None
    chained, begins, first = [], {}, 0
    for number, each in enumerate(passes):
        labelled = EpochBatches(len(train), batch_size, seed + 500_009 * number, epoch, repeats, lengths, window)
        extra = len(unlabelled) if unlabelled is not None and each.reads_unlabelled else 0
        chained.append(Shard(PassBatches(labelled, extra), rank, world))
        begins[first] = each.name
        first += len(chained[-1])
    return EpochLoader(_loader(_Marked(), Chained(chained), collate, workers), begins)


def validation_loader(valid: ClipDataset, batch_size: int) -> DataLoader[Batch]:
    """Give the validation clips in order."""
    rows = list(range(len(valid)))
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    return _loader(rows, batches, valid.batch, 0)


class _Marked:
    """A data set whose items are their own indices, whatever these are."""

    def __getitem__(self, index: tuple[bool, int]) -> tuple[bool, int]:
        return index


def _loader(rows: Any, batches: Any, collate: Callable[[Any], Batch], workers: int) -> DataLoader[Batch]:
    return DataLoader(
        rows, batch_sampler=batches, collate_fn=collate, num_workers=workers, pin_memory=torch.cuda.is_available()
    )


def join(first: Batch, second: Batch) -> Batch:
    """Put two batches below each other, padded to the longer of the two."""

    def both(a: Tensor, b: Tensor, time: int | None = None) -> Tensor:
        if time is not None:
            longest = max(a.shape[time], b.shape[time])
            a, b = (_pad(x, time, longest) for x in (a, b))
        return torch.cat([a, b])

    tokens = None
    if first.tokens is not None and second.tokens is not None:
        tokens = both(first.tokens, second.tokens, 2)
    return Batch(
        **{m: both(first.sequence(m), second.sequence(m), 1) for m in MODALITIES},
        masks={m: both(first.masks[m], second.masks[m], 1) for m in MODALITIES},
        label=both(first.label, second.label),
        unimodal_labels={m: both(first.unimodal_labels[m], second.unimodal_labels[m]) for m in MODALITIES},
        row=both(first.row, second.row),
        tokens=tokens,
    )


def without_labels(batch: Batch) -> Batch:
    """Blank the labels, whatever the file says, and mark the rows as outside the train split by -1."""
    blank = torch.full_like(batch.label, torch.nan)
    return batch._replace(
        label=blank, unimodal_labels=dict.fromkeys(MODALITIES, blank), row=torch.full_like(batch.row, -1)
    )


def _pad(x: Tensor, dimension: int, size: int) -> Tensor:
    missing = size - x.shape[dimension]
    return F.pad(x, [0, 0] * (x.dim() - 1 - dimension) + [0, missing])
