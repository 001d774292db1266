"""The field's folder layout and label file."""

import pytest

from imlcmm.datasets.label_file import find_clips, media_files
from imlcmm.errors import DataError

HEADER = "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n"


@pytest.fixture
def videos(tmp_path):
    for name in ("Raw/v1/0001.mp4", "Raw/v1/0002.MKV", "Raw/v2/0001.wav", "Raw/v2/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def write(folder, *lines, encoding="utf-8"):
    (folder / "label.csv").write_text(HEADER + "\n".join(lines), encoding=encoding)
    return folder / "label.csv"


def test_rows_become_clips_in_their_order(videos):
    labels = write(videos, "v2,0001,好,0.4,1.0,0,-0.2,Positive,test", "v1,0002,,-1,,,,Negative,train")
    first, second = find_clips(videos, labels)
    assert (first.identifier, first.split, first.transcript) == ("v2$_$0001", "test", "好")
    assert first.path == videos / "Raw/v2/0001.wav"
    assert first.labels == {"multimodal": 0.4, "text": 1.0, "audio": 0.0, "vision": -0.2}
    assert (second.path.name, second.transcript, second.labels) == ("0002.MKV", None, {"multimodal": -1.0})


def test_a_row_without_a_file_stays_in_the_list(videos):
    (clip,) = find_clips(videos, write(videos, "v9,0007,x,0,,,,Neutral,valid"))
    assert not clip.path.exists()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_encodings_of_spreadsheets(videos, encoding):
    (clip,) = find_clips(videos, write(videos, "v1,0001,真的很好,1,,,,Positive,train", encoding=encoding))
    assert clip.transcript == "真的很好"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("v1,0001,x,high,,,,Positive,train", "line 2: label is 'high'"),
        ("v1,0001,x,1,,,,Positive,dev", "line 2: mode is 'dev'"),
        ("v1,0001,x,1,,,,P,train\nv1,0001,y,1,,,,P,train", "occurs twice"),
    ],
)
def test_mistakes_are_named(videos, line, message):
    with pytest.raises(DataError, match=message):
        find_clips(videos, write(videos, line))


def test_missing_columns_are_named(videos):
    (videos / "label.csv").write_text("video_id,text\nv1,x")
    with pytest.raises(DataError, match="clip_id, label, mode"):
        find_clips(videos, videos / "label.csv")


def test_without_labels_all_media_files_are_clips(videos):
    (videos / "Raw/v1/0001.wav").touch()
    clips = find_clips(videos, None)
    names = ["Raw/v1$_$0001.mp4", "Raw/v1$_$0001.wav", "Raw/v1$_$0002", "Raw/v2$_$0001"]
    assert [clip.identifier for clip in clips] == names
    assert {clip.split for clip in clips} == {"unlabelled"}


def test_a_folder_without_clips(tmp_path):
    with pytest.raises(DataError, match="no clips"):
        find_clips(tmp_path, None)
    with pytest.raises(DataError, match="is no folder"):
        find_clips(tmp_path / "absent", None)


OTHERS = [
    "wma",
    "aiff",
    "aif",
    "mka",
    "gif",
    "m4v",
    "3gp",
    "mts",
    "m2ts",
    "ogv",
    "wv",
    "amr",
    "caf",
    "au",
    "rmvb",
    "MP4",
]


def test_every_format_that_is_read_is_found(tmp_path, caplog):
    for suffix in OTHERS:
        (tmp_path / f"one-{suffix}.{suffix}").touch()
    assert {path.suffix[1:] for path in media_files([tmp_path])} == set(OTHERS)
    assert len(find_clips(tmp_path, None)) == len(OTHERS)
    assert not caplog.records


@pytest.mark.parametrize("scan", [lambda folder: media_files([folder]), lambda folder: find_clips(folder, None)])
def test_what_a_scan_leaves_out_is_counted_and_named(tmp_path, caplog, scan):
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "x.psd", "in/notes.docx", "in/recording", "z.zip"):
        (tmp_path / name).touch()
    assert len(scan(tmp_path)) == 1
    (line,) = caplog.messages
    assert "4 files were left out" in line
    assert "'in/notes.docx', 'in/recording', 'x.psd' and 1 more" in line


def test_what_belongs_beside_clips_is_not_told(tmp_path, caplog):
    (tmp_path / ".git").mkdir()
    names = ("a.srt", "a.zh.vtt", "a.txt", "a.ass", "a.lrc", "label.csv", "label.xlsx", "README", "README.md",
             ".hidden", ".git/config", "Thumbs.db", "a.mp4.png", "._a.mp4")  # fmt: skip
    for name in ("a.mp4", *names):
        (tmp_path / name).touch()
    assert media_files([tmp_path]) == [tmp_path / "a.mp4"]
    assert not caplog.records


def test_the_video_of_a_row_goes_before_its_sound(videos):
    for name in ("0001.wma", "0001.gif.bak", "._0001.mp4"):
        (videos / "Raw/v1" / name).touch()
    (clip,) = find_clips(videos, write(videos, "v1,0001,x,0,,,,Neutral,valid"))
    assert clip.path.name == "0001.mp4"
