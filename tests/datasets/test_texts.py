"""Texts, ids and names as strangers' files hold them."""

import pickle
from typing import ClassVar

import numpy as np
import pytest
from field_files import field_file, field_split

from imlcmm.datasets.loading import load_dataset

WORDS = "我很喜欢这部电影"


class Python2(pickle._Pickler):
    """Writes text as Python 2 wrote `str`: bytes without an encoding."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)
    encoding = "utf-8"

    def save_str(self, text):
        content = text.encode(self.encoding)
        self.write(b"U" + bytes([len(content)]) + content)

    dispatch[str] = save_str


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_text_of_python_2_is_read_in_its_encoding(tmp_path, encoding):
    split = field_split("train", 3)
    split = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in split.items()}
    split |= {"raw_text": [WORDS, "模", "plain"], "id": ["视频片段$_$1", "视频片段$_$2", "视频片段$_$3"]}
    with (tmp_path / "f.pkl").open("wb") as file:
        pickler = Python2(file, 2)
        pickler.encoding = encoding
        pickler.dump({"train": split})
    data = load_dataset(tmp_path / "f.pkl", "simsv2")
    assert data.train.transcripts == [WORDS, "模", "plain"]
    assert data.train.ids == ["视频片段$_$1", "视频片段$_$2", "视频片段$_$3"]


def test_both_encodings_in_one_column(tmp_path):
    split = field_split("train", 2) | {"raw_text": [WORDS.encode(), WORDS.encode("gb18030")]}
    assert load_dataset(field_file(tmp_path / "f.pkl", {"train": split}), "simsv2").train.transcripts == [WORDS, WORDS]


@pytest.mark.parametrize("protocol", [2, 4])
def test_keys_of_bytes(tmp_path, protocol):
    split = {key.encode(): value for key, value in field_split("train", 3).items()}
    data = load_dataset(field_file(tmp_path / "f.pkl", {b"train": split}, protocol), "simsv2")
    assert data.train.transcripts == ["words 0", "words 1", "words 2"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.array([["a"], ["b"]]), ["a", "b"]),
        (np.array([["v", "0"], ["v", "1"]]), ["v$_$0", "v$_$1"]),
        (np.array([b"a", b"b"]), ["a", "b"]),
        ([("v", 0), ("v", 1.0)], ["v$_$0", "v$_$1"]),
        ([["v", 0.5, 1.5], ["v", 2.0, 3.0]], ["v$_$0.5$_$1.5", "v$_$2$_$3"]),
        ([np.array(["v", "0"]), np.array(["v", "1"])], ["v$_$0", "v$_$1"]),
        ([7, 8], ["7", "8"]),
        (np.array([7.0, 8.0]), ["7", "8"]),
    ],
)
def test_ids_in_other_forms(tmp_path, given, expected):
    split = field_split("train", 2) | {"id": given}
    assert load_dataset(field_file(tmp_path / "f.pkl", {"train": split}), "simsv2").train.ids == expected


def test_numbers_that_start_again_in_each_split(tmp_path, caplog):
    content = {name: field_split(name, 2) | {"id": [0, 1]} for name in ("train", "test")}
    data = load_dataset(field_file(tmp_path / "f.pkl", content), "simsv2")
    assert (data.train.ids, data.test.ids) == (["train-0", "train-1"], ["test-0", "test-1"])
    assert "start again" in caplog.text


def test_missing_transcripts_are_empty(tmp_path):
    split = field_split("train", 3) | {"raw_text": [None, float("nan"), ["x"]]}
    assert load_dataset(field_file(tmp_path / "f.pkl", {"train": split}), "simsv2").train.transcripts == ["", "", "x"]


@pytest.mark.parametrize("name", ["dev", "Val", "VALIDATION", "Valid"])
def test_other_names_of_a_split(tmp_path, name, caplog):
    content = {"Train": field_split("train", 3), name: field_split("valid", 2)}
    assert list(load_dataset(field_file(tmp_path / "f.pkl", content), "simsv2").splits) == ["train", "valid"]
    assert f"the split '{name}' is taken for valid" in caplog.text
