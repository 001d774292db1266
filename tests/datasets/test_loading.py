"""Splits, batches, statistics and the conversion of a pickle that is loaded directly."""

import os
import pickle

import numpy as np
import pytest
import torch
from field_files import field_file, field_split

from imlcmm.datasets.card import data_card
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.errors import DataError
from imlcmm.types import Clip

WIDTHS = {"text": 4, "audio": 3, "vision": 2}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    with StoreWriter(tmp_path / "s", kind="simsv2", widths=WIDTHS, features={"audio": "egemaps"}) as writer:
        for row in range(10):
            steps = {"text": row % 3 + 1, "audio": row + 1, "vision": 0 if row == 4 else 2}
            sequences = {m: rng.normal(3, 2, (steps[m], width)) for m, width in WIDTHS.items()}
            sequences["vision"][:, 1] = 7
            if row == 2:
                sequences["audio"][1] = np.nan
            labels = {"multimodal": row / 10, "text": -0.2}
            tokens = np.arange(steps["text"] * 3).reshape(-1, 3)
            writer.add("train", Clip(f"v{row // 4}$_${row}", f"say {row}", sequences, labels, tokens))
        writer.add("unlabelled", Clip("u$_$0", "", {}, {}, np.zeros((0, 3))))
    return tmp_path / "s"


def test_spec_and_names(folder):
    data = load_dataset(str(folder))
    assert data.spec.widths == WIDTHS
    assert data.spec.steps == {"text": 3, "audio": 10, "vision": 2}
    assert data.spec.features == {"text": "unknown", "audio": "egemaps", "vision": "unknown"}
    assert (data.spec.kind, data.spec.low, data.spec.train_size, data.spec.unimodal_labels) == ("simsv2", -1, 10, True)
    assert data.train.videos == ["v0"] * 4 + ["v1"] * 4 + ["v2"] * 2
    assert data.train.transcripts[3] == "say 3"
    assert len(data.checksum) == 64
    with pytest.raises(DataError, match="no test split, only train, unlabelled"):
        _ = data.test


def test_batch_is_padded_to_its_longest_clip(folder):
    train = load_dataset(folder).train
    batch = train.batch([4, 2])
    assert batch.audio.shape == (2, 5, 3)
    assert batch.masks["audio"].tolist() == [[True] * 5, [True, False, True, False, False]]
    assert batch.vision.shape == (2, 2, 2)
    assert not batch.masks["vision"][0].any()
    assert batch.row.tolist() == [4, 2]
    torch.testing.assert_close(batch.label, torch.tensor([0.4, 0.2]))
    torch.testing.assert_close(batch.unimodal_labels["text"], torch.tensor([-0.2, -0.2]))
    assert batch.unimodal_labels["audio"].isnan().all()
    assert batch.tokens.shape == (2, 3, 3)
    assert batch.tokens[0, :, 1].tolist() == [3, 4, 5]
    assert batch.tokens[1].tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    np.testing.assert_array_equal(batch.audio[0].numpy(), train.frames("audio", 4))


def test_empty_clip_gives_one_masked_step(folder):
    batch = load_dataset(folder).unlabelled.batch([0])
    assert batch.text.shape == (1, 1, 4)
    assert not any(mask.any() for mask in batch.masks.values())
    assert batch.label.isnan().all()
    assert batch.tokens.shape == (1, 3, 1)


@pytest.mark.parametrize("rows", [[1, 3], (1, 3), np.array([1, 3]), torch.tensor([1, 3]), [np.int64(1), np.int64(3)]])
def test_rows_come_in_many_forms(folder, rows):
    assert load_dataset(folder).train.batch(rows).row.tolist() == [1, 3]


def test_rows_that_do_not_exist(folder):
    train = load_dataset(folder).train
    for rows in ([10], [-1]):
        with pytest.raises(IndexError, match="rows must lie in"):
            train.batch(rows)


def test_batches_go_in_order_and_work_in_a_loader(folder):
    train = load_dataset(folder).train
    assert [len(batch.row) for batch in train.batches(4)] == [4, 4, 2]
    assert [batch.row.tolist() for batch in train.batches(2, [7, 1, 5])] == [[7, 1], [5]]
    loader = torch.utils.data.DataLoader(train, batch_size=4, collate_fn=train.batch)
    assert torch.cat([batch.row for batch in loader]).tolist() == list(range(10))


def test_subset_is_a_data_set_of_its_own(folder):
    part = load_dataset(folder).train.subset([6, 2])
    assert (part.ids, len(part)) == (["v1$_$6", "v0$_$2"], 2)
    batch = part.batch([1])
    assert batch.row.tolist() == [1]
    assert batch.label.item() == pytest.approx(0.2)
    assert part.subset([1]).ids == ["v0$_$2"]


def test_data_sets_travel_to_workers_without_their_data(folder):
    train = load_dataset(folder).train.subset([3, 5])
    content = pickle.dumps(train)
    again = pickle.loads(content)
    assert len(content) < 3000
    torch.testing.assert_close(again.batch([0, 1]).audio, train.batch([0, 1]).audio)


def test_statistics_agree_with_numpy(folder):
    train = load_dataset(folder).train
    for m, (mean, deviation) in train.statistics().items():
        frames = np.concatenate([train.frames(m, r)[train.valid_frames(m, r)] for r in range(10)]).astype("float64")
        expected = frames.std(0)
        expected[expected == 0] = np.inf
        np.testing.assert_allclose(mean, frames.mean(0), rtol=1e-6)
        np.testing.assert_allclose(deviation, expected, rtol=1e-6)
    assert train.statistics()["vision"][1][1].isinf()
    nothing = load_dataset(folder).unlabelled.statistics()["audio"]
    assert (nothing[0].tolist(), nothing[1].tolist()) == ([0, 0, 0], [np.inf] * 3)


def test_statistics_survive_a_large_offset(tmp_path):
    values = np.float32(1e4) + np.random.default_rng(0).normal(size=(500, 1)).astype("float32")
    with StoreWriter(tmp_path / "s", kind="mosi", widths={"text": 0, "audio": 1, "vision": 1}) as writer:
        for row in range(100):
            part = values[row * 5 : row * 5 + 5]
            writer.add("train", Clip(str(row), "", {"audio": part, "vision": part}, {"multimodal": 0.0}))
    mean, deviation = load_dataset(tmp_path / "s").train.statistics()["audio"]
    np.testing.assert_allclose(deviation, values.astype("float64").std(0), rtol=1e-5)
    np.testing.assert_allclose(mean, values.astype("float64").mean(0), rtol=1e-7)


def test_unimodal_labels_fall_back_to_the_multimodal_one(tmp_path):
    data = load_dataset(field_file(tmp_path / "f.pkl"), "mosi")
    batch = data.train.batch([0, 1])
    assert not data.spec.unimodal_labels
    for m in ("text", "audio", "vision"):
        torch.testing.assert_close(batch.unimodal_labels[m], batch.label)
    assert data.train.labels[:, 1:].isnan().all()


def test_oracle(tmp_path):
    posterior = np.full((7, 11), 1 / 11)
    with StoreWriter(tmp_path / "s", kind="simsv2", widths=WIDTHS, simulated=True) as writer:
        writer.add("test", Clip("a", "", {}, {"multimodal": 0.0}), posterior)
        writer.add("train", Clip("b", "", {}, {"multimodal": 0.0}))
        with pytest.raises(DataError, match="oracle must be given for every clip"):
            writer.add("test", Clip("c", "", {}, {"multimodal": 0.0}))
    data = load_dataset(tmp_path / "s")
    torch.testing.assert_close(data.test.oracle, torch.full((1, 7, 11), 1 / 11))
    assert data.train.oracle is None
    assert data.simulated
    assert "SIMULATED" in data_card(data)


def test_a_pickle_is_converted_once(tmp_path):
    path = field_file(tmp_path / "f.pkl")
    with pytest.raises(DataError, match="give kind as one of simsv2"):
        load_dataset(path)
    data = load_dataset(path, "simsv2")
    assert data.path == tmp_path / "f.store"
    stamp = (data.path / "dataset.json").stat().st_mtime_ns
    again = load_dataset(path)
    assert (again.path / "dataset.json").stat().st_mtime_ns == stamp
    field_file(path, {"train": field_split("train", 5)})
    os.utime(path, ns=(1, 1))
    assert len(load_dataset(path, "simsv2").train) == 5
    assert load_dataset(path, "mosi").spec.kind == "mosi"


def test_paths_and_kinds_that_do_not_fit(tmp_path, folder):
    with pytest.raises(DataError, match="does not exist"):
        load_dataset(tmp_path / "nothing")
    with pytest.raises(DataError, match="is no data set"):
        load_dataset(tmp_path)
    with pytest.raises(DataError, match="of kind simsv2, not mosi"):
        load_dataset(folder, "mosi")
    with pytest.raises(DataError, match="no data set kind"):
        load_dataset(folder, "movies")


def test_card_tells_what_matters(tmp_path):
    content = {name: field_split(name, 8) for name in ("train", "test")}
    content["test"]["id"] = [f"{'train0' if row < 2 else 'other'}$_$x{row}" for row in range(8)]
    content["train"]["audio"][0, 0, 0] = np.nan
    content["train"]["regression_labels"] = np.array([-0.7, -0.8, -0.1, 0.0, 0.1, 0.2, 0.7, 1.0])
    card = data_card(load_dataset(field_file(tmp_path / "f.pkl", content), "simsv2"))
    assert "SIMULATED" not in card
    assert "| train | 8 | 4 | 2 | 1 | 2 | 2 | 1 | 0 |" in card
    assert "| test | 2 (25.0%) |  |" in card
    assert "## Correlation of the labels" in card
    frames = sum(content["train"]["audio_lengths"])
    assert f"| {1 / frames / content['train']['audio'].shape[2]:.2%} |" in card


def test_a_sample_is_a_fixed_part_of_the_clips(simulated):
    part = simulated.train.sample(0.1)
    assert len(part) == round(0.1 * len(simulated.train))
    assert part.ids == simulated.train.sample(0.1).ids
    assert [i for i in simulated.train.ids if i in part.ids] == part.ids
    assert simulated.train.sample(1.0).ids == simulated.train.ids
    for share in (0.0, 1.5):
        with pytest.raises(DataError, match="more than 0 and at most 1"):
            simulated.train.sample(share)
