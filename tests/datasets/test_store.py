"""Writing stores: complete or not at all, checked clip by clip."""

import errno
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from imlcmm.datasets import split_writer
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.store import StoreWriter, read_manifest, verify
from imlcmm.errors import DataError
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


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_frames_that_are_not_finite_are_masked_and_counted(tmp_path, value):
    audio = np.ones((4, 3))
    audio[1, 2] = value
    sequences = {"text": np.ones((2, 4)), "audio": audio, "vision": np.ones((1, 2))}
    data = load_dataset(written(tmp_path / "a", clip("v$_$1", sequences=sequences)))
    assert data.manifest["splits"]["train"]["non_finite"] == {"text": 0, "audio": 1, "vision": 0}
    batch = data.train.batch([0])
    assert batch.masks["audio"].tolist() == [[True, False, True, True]]
    assert batch.audio[0, 1].tolist() == [0, 0, 0]


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
