"""Text files of many encodings: read right, or refused by name."""

import pytest

from imlcmm.errors import DataError
from imlcmm.text_file import read_text

CHINESE = "这部电影真的很好看，推荐！\n"


def written(folder, text, encoding):
    path = folder / "a.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "gb18030"])
def test_what_is_certain_is_read(tmp_path, encoding):
    assert read_text(written(tmp_path, CHINESE, encoding), DataError) == CHINESE


@pytest.mark.parametrize("text", ["推荐", "精彩", "好", "没劲", "繁體中文的電影", "“It’s” fine"])
def test_little_chinese_is_enough(tmp_path, text):
    assert read_text(written(tmp_path, text, "gb18030"), DataError) == text


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("這部電影真的很好看", "cp950", "Big5"),
        ("我愛你", "cp950", "Big5"),
        ("とても良い映画です", "cp932", "Shift-JIS"),
        ("とても良い映画です", "euc_jp", "EUC-JP"),
        ("とても良い映画です", "iso2022_jp", "ISO-2022-JP"),
        ("이 영화 정말 재미있어요", "cp949", "EUC-KR"),
        ("감동", "cp949", "EUC-KR"),
        ("It’s a café, très bien", "cp1252", "Windows-1252"),
        ("Фильм хороший", "cp1251", "Windows-1251"),
        ("Привет, как дела", "koi8-r", "Windows-1251"),
        ("垃圾", "gb18030", "neither UTF-8 nor Chinese"),
        ("a\0\0b" * 9, "latin-1", "is no text"),
    ],
)
@pytest.mark.parametrize("frame", ["{}", "video_id,text,label\nv1,{},0.4\n"])
def test_what_would_be_guessed_is_refused_by_name(tmp_path, text, encoding, name, frame):
    with pytest.raises(DataError, match=rf"a\.csv.*{name}.*save it as UTF-8") as caught:
        read_text(written(tmp_path, frame.format(text), encoding), DataError)
    assert "\n" not in str(caught.value)


def test_a_damaged_mark_is_no_utf16(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is damaged"):
        read_text(tmp_path / "a.csv", DataError)
