"""Batches of an epoch."""

import numpy as np
import pytest
import torch

from imlcmm.training.loaders import EpochBatches, PassBatches, Shard, join, training_loader, without_labels


@pytest.mark.parametrize(("rows", "sizes"), [(64, [32, 32]), (65, [32, 33]), (66, [32, 32, 2]), (5, [5]), (1, [1])])
def test_every_row_comes_once_and_no_batch_has_one_clip(rows, sizes):
    batches = list(EpochBatches(rows, 32, seed=1, epoch=0))
    assert [len(b) for b in batches] == sizes
    assert len(EpochBatches(rows, 32, 1, 0)) == len(sizes)
    assert sorted(row for batch in batches for row in batch) == list(range(rows))


def test_the_order_depends_on_seed_and_epoch_alone():
    order = list(EpochBatches(50, 8, seed=1, epoch=4))
    assert order == list(EpochBatches(50, 8, seed=1, epoch=4))
    assert order != list(EpochBatches(50, 8, seed=1, epoch=5))
    assert order != list(EpochBatches(50, 8, seed=2, epoch=4))


def test_an_epoch_of_few_clips_goes_through_them_again():
    batches = list(EpochBatches(12, 8, seed=1, epoch=3, repeats=4))
    drawn = [row for batch in batches for row in batch]
    assert len(batches) == len(EpochBatches(48, 8, seed=1, epoch=0)) == 6
    rounds = [drawn[start : start + 12] for start in range(0, 48, 12)]
    assert all(sorted(each) == list(range(12)) for each in rounds)
    assert len({tuple(each) for each in rounds}) == 4
    assert drawn[-12:] != [row for batch in EpochBatches(12, 8, seed=1, epoch=4, repeats=4) for row in batch][:12]


@pytest.mark.parametrize("rows", [64, 65, 66, 200, 5, 1])
def test_windows_deal_clips_out_by_length_and_lose_none(rows):
    lengths = np.random.default_rng(0).integers(1, 100, rows)
    batches = list(EpochBatches(rows, 8, 1, 2, lengths=lengths, window=4))
    assert sorted(row for batch in batches for row in batch) == list(range(rows))
    assert [len(b) for b in batches] == [len(b) for b in EpochBatches(rows, 8, 1, 2)]
    assert batches == list(EpochBatches(rows, 8, 1, 2, lengths=lengths, window=4))
    assert rows < 9 or batches != list(EpochBatches(rows, 8, 1, 3, lengths=lengths, window=4))


def test_windows_save_padding_and_draw_the_order_of_their_batches():
    lengths = np.random.default_rng(0).integers(1, 100, 4096)

    def padded(window):
        batches = EpochBatches(4096, 32, 1, 0, lengths=lengths, window=window)
        return sum(len(batch) * lengths[batch].max() for batch in batches)

    assert padded(16) < 0.6 * padded(1)
    means = [lengths[batch].mean() for batch in EpochBatches(4096, 32, 1, 0, lengths=lengths, window=16)][:16]
    assert means != sorted(means)


def test_devices_share_the_batches_and_take_equally_many():
    batches = EpochBatches(70, 10, seed=1, epoch=0)
    shares = [list(Shard(batches, rank, 3)) for rank in range(3)]
    assert [len(share) for share in shares] == [3, 3, 3]
    assert len(Shard(batches, 1, 3)) == 3
    dealt = [share[i] for i in range(3) for share in shares]
    assert dealt == [*batches, *batches][:9]
    assert list(Shard(batches, 0, 1)) == list(batches)


def test_unlabelled_clips_come_round_again():
    batches = list(PassBatches(EpochBatches(12, 4, 1, 0), unlabelled_rows=5))
    drawn = [row for batch in batches for labelled, row in batch if not labelled]
    assert len(batches) == 3
    assert len(drawn) == 12
    assert set(drawn) == set(range(5))


def test_joined_batches_keep_their_clips(simulated):
    first = simulated.train.batch([0, 1])
    second = without_labels(simulated.unlabelled.batch([2, 3, 4]))
    joined = join(first, second)
    for m in ("text", "audio", "vision"):
        steps = first.sequence(m).shape[1]
        assert torch.equal(joined.sequence(m)[:2, :steps], first.sequence(m))
        assert not joined.sequence(m)[:2, steps:].any()
        assert not joined.masks[m][:2, steps:].any()
    assert joined.label.isnan().tolist() == [False] * 2 + [True] * 3
    assert joined.row.tolist() == [0, 1, -1, -1, -1]


def test_the_semi_supervised_loader_mixes_both(simulated):
    batch = next(iter(training_loader(simulated.train, simulated.unlabelled, 0, batch_size=8, seed=1).batches))
    assert batch.label.isnan().sum() == 8
    assert len(batch.label) == 16
