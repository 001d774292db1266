"""Files appear whole or not at all."""

import pytest

from imlcmm.files import replacing, write_json, write_text


def write_half(path):
    with replacing(path) as beside:
        beside.write_text("half of the new")
        raise RuntimeError("power cut")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "note.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="power cut"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_equal_content_makes_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1, "y": [2.5, None]})
    write_json(tmp_path / "b.json", {"y": [2.5, None], "x": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
