"""Values of a field file in other forms than arrays of numbers: what they mean is taken, the rest is refused."""

from collections import OrderedDict, defaultdict

import numpy as np
import pytest
import torch
from field_files import field_file, field_split

from imlcmm.datasets.convert import convert
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.errors import DataError


def loaded(tmp_path, **changes) -> ClipDataset:
    content = {"train": field_split("train", 6)}
    content["train"].update(changes)
    return load_dataset(field_file(tmp_path / "f.pkl", content), "simsv2").train


def test_dictionaries_with_order_or_defaults(tmp_path):
    plain = {name: field_split(name, 5) for name in ("train", "valid")}
    expected = load_dataset(field_file(tmp_path / "plain.pkl", plain), kind="simsv2")
    counted = defaultdict(dict, {name: OrderedDict(split) for name, split in plain.items()})
    found = load_dataset(field_file(tmp_path / "other.pkl", counted), kind="simsv2")
    assert found.checksum == expected.checksum


@pytest.mark.parametrize("form", [str, np.bytes_, np.str_])
def test_labels_written_as_text(tmp_path, form):
    values = ["0.5", "-1", "0", "1e-1", " 0.25", "1.0"]
    data = loaded(tmp_path, regression_labels=np.array([form(v) for v in values]))
    np.testing.assert_allclose(data.batch(range(6)).label, [0.5, -1, 0, 0.1, 0.25, 1], rtol=1e-6)
    with pytest.raises(DataError, match=r"key 'regression_labels': could not convert .*'good'.*numbers are needed"):
        loaded(tmp_path, regression_labels=["good", *values[1:]])


def test_a_label_of_none_is_named(tmp_path):
    with pytest.raises(DataError, match=r"clip train0\$_\$1: the label is nan"):
        loaded(tmp_path, regression_labels=[0.5, None, 0.5, 0.5, 0.5, 0.5])


@pytest.mark.parametrize("nothing", [[], None, np.zeros(0), np.zeros((0, 5))])
def test_clips_without_frames(tmp_path, nothing):
    vision = list(field_split("train", 6)["vision"])
    vision[0] = vision[3] = nothing
    data = loaded(tmp_path, vision=vision, vision_lengths=[0, 7, 7, 0, 7, 7])
    assert data.lengths("vision").tolist() == [0, 7, 7, 0, 7, 7]
    assert data.lengths("audio").all()
    with pytest.raises(DataError, match="key 'vision': no clip has a frame"):
        loaded(tmp_path, vision=[nothing] * 6)


def test_ids_in_rows_of_objects(tmp_path):
    rows = np.array([["v", i] for i in range(6)], object)
    assert loaded(tmp_path, id=rows).ids == [f"v$_${i}" for i in range(6)]


def test_a_set_of_ids_has_no_order(tmp_path):
    with pytest.raises(DataError, match="key 'id': set instead of a list"):
        loaded(tmp_path, id={f"v{i}" for i in range(6)})


def test_a_folder_that_is_no_store(tmp_path):
    with pytest.raises(DataError, match="is a folder but no store"):
        convert(tmp_path, tmp_path / "b.pkl")


def test_tensors_are_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"torch.*array"):
        loaded(tmp_path, regression_labels=torch.zeros(6))


def test_ids_of_bytes_are_text(tmp_path):
    assert loaded(tmp_path, id=np.array([f"v$_${i}".encode() for i in range(6)])).ids == [f"v$_${i}" for i in range(6)]
    assert loaded(tmp_path, id=[f"片$_${i}".encode() for i in range(6)]).ids == [f"片$_${i}" for i in range(6)]
