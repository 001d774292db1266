"""Files appear whole or not at all."""

import pytest

from imlcmm.errors import ImlcmmError
from imlcmm.files import check_space, replacing, write_json, write_text


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


def test_what_the_disk_has_no_room_for_is_refused_before_it_is_written(tmp_path):
    check_space(tmp_path / "deep" / "small.pkl", 1000)
    with pytest.raises(ImlcmmError, match=r"big\.pkl needs 1e\+09 GB or more, but .* GB are free there"):
        check_space(tmp_path / "deep" / "big.pkl", 10**18)
