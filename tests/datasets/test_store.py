"""Writing stores: complete or not at all, checked clip by clip."""

import errno
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from imlcmm.datasets.card import data_card
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores import split_writer
from imlcmm.datasets.stores.store import StoreWriter, read_manifest, verify
from imlcmm.errors import DataError
from imlcmm.modules.standardize import Standardize
from imlcmm.types import Clip

WIDTHS = {"text": 4, "audio": 3, "vision": 2}


def clip(name: str, steps: int = 3, label: float = 0.2, **changes) -> Clip:
    sequences = {m: np.full((steps, width), 0.5, "float32") for m, width in WIDTHS.items()}
    return Clip(
        **({"identifier": name, "transcript": "hm", "sequences": sequences, "labels": {"multimodal": label}} | changes)
    )


def written(folder: Path, *clips: Clip, more: Iterable[Clip] = (), **options) -> Path:
    with StoreWriter(folder, kind="simsv2", widths=WIDTHS, **options) as writer:
        for one in chain(clips, more):
            writer.add("train", one)
    return folder


def test_files_are_plain_safetensors(tmp_path):
    store = written(tmp_path / "a", clip("v$_$1", 3), clip("v$_$2", 5))
    tensors = load_file(store / "train.safetensors")
    assert tensors["audio"].shape == (8, 3)
    assert tensors["audio_offsets"].tolist() == [0, 3, 8]
    assert tensors["labels"].shape == (2, 4)
    manifest = read_manifest(store)
    assert manifest["splits"]["train"]["steps"] == {"text": 5, "audio": 5, "vision": 5}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    assert sorted(path.name for path in store.iterdir()) == ["dataset.json", "train.json", "train.safetensors"]


BAD = [np.nan, np.inf, -np.inf, 1e39]


def clip_of(audio, identifier="v$_$1"):
    return clip(identifier, sequences={"text": np.ones((2, 4)), "audio": audio, "vision": np.ones((1, 2))})


@pytest.mark.parametrize("value", BAD)
def test_a_single_value_that_is_not_finite_becomes_the_mean_of_its_column(tmp_path, value):
    audio = np.arange(12.0).reshape(4, 3)
    audio[1, 2] = value
    data = load_dataset(written(tmp_path / "a", clip_of(audio)))
    entry = data.manifest["splits"]["train"]
    assert (entry["non_finite"]["audio"], entry["filled"]["audio"]) == (0, 1)
    batch = data.train.batch([0])
    assert batch.masks["audio"].all()
    assert batch.audio[0, 1].tolist() == [3.0, 4.0, pytest.approx((2 + 8 + 11) / 3)]
    scale = Standardize(3)
    scale.set_statistics(*data.train.statistics()["audio"])
    assert scale(batch.audio, batch.masks["audio"])[0, 1, 2].item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("value", BAD)
def test_a_frame_is_missing_only_when_most_of_it_is(tmp_path, value):
    audio = np.ones((4, 3))
    audio[1, 1:] = value
    data = load_dataset(written(tmp_path / "a", clip_of(audio)))
    entry = data.manifest["splits"]["train"]
    assert (entry["non_finite"]["audio"], entry["filled"]["audio"]) == (1, 0)
    batch = data.train.batch([0])
    assert batch.masks["audio"].tolist() == [[True, False, True, True]]
    assert batch.audio[0, 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_column_that_is_mostly_not_finite_is_named_and_left_out(tmp_path, value, dtype, caplog):
    audio = np.random.default_rng(0).normal(size=(5, 3))
    audio[:4, 1] = value
    data = load_dataset(written(tmp_path / "a", clip_of(audio), dtype=dtype))
    assert data.manifest["left_out"] == {"text": [], "audio": [1], "vision": []}
    entry = data.manifest["splits"]["train"]
    assert (entry["non_finite"]["audio"], entry["filled"]["audio"]) == (0, 0)
    batch = data.train.batch([0])
    assert batch.masks["audio"].all()
    assert batch.audio[0, :, 1].tolist() == [0.0] * 5
    assert data.train.statistics()["audio"][1][1].isinf()
    said = "audio column 1 (counted from 0) left out: most values are NaN or infinite"
    assert said in caplog.text
    assert said in data_card(data)


def test_missing_frames_say_nothing_of_the_columns(tmp_path):
    audio = np.full((9, 3), np.nan)
    audio[:2] = [[1, 2, 3], [3, 2, np.nan]]
    data = load_dataset(written(tmp_path / "a", clip_of(audio)))
    assert data.manifest["left_out"]["audio"] == []
    assert data.train.batch([0]).audio[0, 1].tolist() == [3, 2, 3]
    assert data.manifest["splits"]["train"]["non_finite"]["audio"] == 7


def test_many_frames_without_a_face_do_not_cost_its_columns(tmp_path):
    audio = np.ones((10, 3))
    audio[4:, 1:] = np.nan
    data = load_dataset(written(tmp_path / "a", clip_of(audio)))
    assert data.manifest["left_out"]["audio"] == []
    assert data.train.batch([0]).masks["audio"][0].tolist() == [True] * 4 + [False] * 6


def test_many_dead_columns_do_not_cost_the_frames(tmp_path):
    audio = np.ones((10, 3))
    audio[:, 1:] = np.nan
    data = load_dataset(written(tmp_path / "a", clip_of(audio)))
    assert data.manifest["left_out"]["audio"] == [1, 2]
    assert data.train.batch([0]).masks["audio"].all()


def test_other_splits_are_filled_with_the_means_of_train(tmp_path):
    with StoreWriter(tmp_path / "a", kind="simsv2", widths=WIDTHS) as store:
        bad = np.ones((2, 3)) * 100
        bad[0, 0] = np.nan
        store.add("test", clip_of(bad, "w$_$1"))
        store.add("train", clip_of(np.ones((2, 3)) * 7))
    assert load_dataset(tmp_path / "a").test.batch([0]).audio[0, 0].tolist() == [7, 100, 100]


def test_names_of_left_out_columns_are_those_of_the_extractor(tmp_path):
    notes = {"extractors": {"audio": {"columns": ["loudness", "pitch", "jitter"]}}}
    audio = np.ones((3, 3))
    audio[:, 1] = np.nan
    with StoreWriter(tmp_path / "a", kind="simsv2", widths=WIDTHS, notes=notes) as store:
        store.add("train", clip_of(audio))
    assert "**audio column pitch left out: most" in data_card(load_dataset(tmp_path / "a"))


def test_a_store_of_an_earlier_version_still_opens_and_has_a_card(tmp_path):
    written(tmp_path / "a", clip("v$_$1"))
    manifest = json.loads((tmp_path / "a" / "dataset.json").read_text())
    del manifest["left_out"], manifest["splits"]["train"]["filled"]
    (tmp_path / "a" / "dataset.json").write_text(json.dumps(manifest))
    assert "as earlier versions counted them" in data_card(load_dataset(tmp_path / "a"))


def test_float16_is_kept_and_read_as_float32(tmp_path):
    data = load_dataset(written(tmp_path / "a", clip("v$_$1"), dtype="float16"))
    assert load_file(data.path / "train.safetensors")["audio"].dtype == np.float16
    assert str(data.train.batch([0]).audio.dtype) == "torch.float32"
    large = {m: np.full((1, width), 1e5) for m, width in WIDTHS.items()}
    with pytest.raises(DataError, match="float16 cannot"):
        written(tmp_path / "b", clip("v$_$1", sequences=large), dtype="float16")


def test_pieces_of_the_text_are_kept_where_they_are_known(tmp_path):
    data = load_dataset(written(tmp_path / "a", clip("v$_$1"), clip("v$_$2", pieces=["很", "好", "\ud800"])))
    assert [data.train.pieces(row) for row in (0, 1)] == [[], ["很", "好", "?"]]
    assert data.train.subset([1]).pieces(0) == ["很", "好", "?"]
    assert load_dataset(written(tmp_path / "b", clip("v$_$1"))).train.pieces(0) == []


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (clip("x", label=1.2), r"split train, clip x: the multimodal label is 1\.2"),
        (clip("x", label=float("nan")), "label is nan"),
        (clip("x", labels={"sound": 0.0}), "no label 'sound'"),
        (clip("first"), "occurs twice"),
        (clip("x", sequences={"audio": np.ones((3, 9))}), r"audio has shape \(3, 9\)"),
        (clip("x", sequences={"audio": np.ones(3)}), r"audio has shape \(3,\)"),
        (clip("x", tokens=np.ones((2, 3))), "fits the text"),
        (clip("x", tokens=np.ones((3, 3))), "all or none"),
        (clip("x", pieces=["h", "m"]), "2 written pieces are given for 3 text steps"),
    ],
)
def test_bad_clips_leave_nothing_behind(tmp_path, bad, match):
    with pytest.raises(DataError, match=match):
        written(tmp_path / "a", clip("first"), bad)
    assert not list(tmp_path.iterdir())


def test_wrong_splits_kinds_and_empty_stores(tmp_path):
    with pytest.raises(DataError, match="no split 'dev'"), StoreWriter(tmp_path / "a", kind="mosi", widths=WIDTHS) as w:
        w.add("dev", clip("x"))
    with pytest.raises(DataError, match="no clip was added"), StoreWriter(tmp_path / "a", kind="mosi", widths=WIDTHS):
        pass
    with pytest.raises(DataError, match="simsv2, sims, mosi, mosei"):
        StoreWriter(tmp_path / "a", kind="movies", widths=WIDTHS)
    with pytest.raises(DataError, match="no width is given for vision"):
        StoreWriter(tmp_path / "a", kind="mosi", widths={"text": 1, "audio": 1})
    assert not list(tmp_path.iterdir())


def test_a_store_is_replaced_and_other_folders_are_refused(tmp_path):
    written(tmp_path / "a", clip("x"))
    written(tmp_path / "a", clip("y"))
    assert load_dataset(tmp_path / "a").train.ids == ["y"]
    with pytest.raises(DataError, match="label"):
        written(tmp_path / "a", clip("z", label=7.0))
    assert load_dataset(tmp_path / "a").train.ids == ["y"]
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="not a data set"):
        written(tmp_path / "b", clip("x"))
    assert (tmp_path / "b" / "thesis.txt").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_an_interrupt_leaves_nothing_behind(tmp_path):
    def interrupted() -> Iterator[Clip]:
        yield clip("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "a", more=interrupted())
    assert not list(tmp_path.iterdir())


def test_full_disk_is_one_line_and_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(split_writer, "write_columns", full)
    with pytest.raises(DataError, match="disk is full"):
        written(tmp_path / "a", clip("x"))
    assert not list(tmp_path.iterdir())


def test_damage_is_noticed(tmp_path):
    store = written(tmp_path / "a", clip("x"), clip("y"))
    verify(store)
    tensors = store / "train.safetensors"
    content = tensors.read_bytes()
    tensors.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"train\.safetensors has \d+ bytes instead of"):
        load_dataset(store)
    tensors.write_bytes(content[:-1] + b"\x07")
    with pytest.raises(DataError, match="has changed"):
        load_dataset(store).verify()
    tensors.write_bytes(b"\xff" * len(content))
    with pytest.raises(DataError, match="is damaged"):
        load_dataset(store)
    tensors.unlink()
    with pytest.raises(DataError, match="is missing"):
        load_dataset(store)
    (store / "dataset.json").write_text("{")
    with pytest.raises(DataError, match=r"dataset\.json is damaged"):
        load_dataset(store)


def test_other_format_version(tmp_path):
    store = written(tmp_path / "a", clip("x"))
    manifest = json.loads((store / "dataset.json").read_text())
    (store / "dataset.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(DataError, match="format 99"):
        load_dataset(store)
