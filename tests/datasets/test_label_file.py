"""The field's folder layout and label file."""

import pytest

from imlcmm.datasets import extract as extraction
from imlcmm.datasets.catalog import KINDS
from imlcmm.datasets.labels.label_file import find_clips
from imlcmm.errors import DataError, ImlcmmError
from imlcmm.features.media.folder import media_files

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
        ("v1,0001,x,1,,,,Positive,held", "line 2: mode is 'held'"),
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


def read(folder, content, kind="simsv2", encoding="utf-8"):
    (folder / "label.csv").write_bytes(content.encode(encoding))
    return find_clips(folder, folder / "label.csv", KINDS[kind])


SHORT = "video_id,clip_id,text,label,mode\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (SHORT + "v1,1,x,0.4,train\n", "utf-8"),
        (SHORT + "v1,1.0,x,0.4,TRAIN\n,,,,\n\n", "utf-8"),
        (SHORT + " v1 , 0001 ,x, 0.4 , Train \n", "utf-8"),
        ("\tVideo ID\tCLIP_ID\ttext\tLabel\tmode\t\n0\tv1\t0001\tx\t0,4\ttrain\t\n", "utf-16"),
        ("sep=;\r\n" + SHORT.replace(",", ";") + "v1;0001;x;0,4;training\r\n", "utf-8-sig"),
        ("Unnamed: 0," + SHORT + '0,v1,0001,x,"0,4",train\n', "utf-8"),
    ],
)
def test_tables_of_spreadsheets(videos, content, encoding):
    (clip,) = read(videos, content, encoding=encoding)
    assert clip == ("v1$_$0001", videos / "Raw/v1/0001.mp4", "train", "x", {"multimodal": 0.4})


def test_ids_matched_by_number_are_said_once(videos, caplog):
    read(videos, SHORT + "v1,1,x,0,train\nv1,2,y,0,val\n")
    assert [r.getMessage().split("label.csv: ")[1] for r in caplog.records] == [
        "2 ids are matched to files by number, such as v1/1 as v1/0001"
    ]


def test_an_id_of_two_files_is_refused(videos):
    (videos / "Raw/v1/01.mp4").touch()
    with pytest.raises(DataError, match="line 2: v1/1 may be v1/0001, v1/01"):
        read(videos, SHORT + "v1,1,x,0,train\n")


@pytest.mark.parametrize("cell", ["nan", "NA", "-", ""])
def test_a_cell_of_nothing_is_no_label(videos, cell):
    (clip,) = read(videos, SHORT + f"v1,0001,x,{cell},train\n")
    assert clip.labels == {}


def test_commas_in_a_text_are_kept_and_said(videos, caplog):
    first, _ = read(videos, SHORT + "v1,0001,well, no, yes,0.4,dev\nv1,0002,x,0,test\n")
    assert (first.transcript, first.labels["multimodal"], first.split) == ("well, no, yes", 0.4, "valid")
    assert "1 of 2 rows hold the separator" in caplog.text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (' "well, no"', "well, no"),
        ('   "well, ""no"" and, ""yes"""', 'well, "no" and, "yes"'),
        ('"said, ""no"""', 'said, "no"'),
        ('"well, ""a"" or ""b"""', 'well, "a" or "b"'),
        ('"one\n   ""two"""', 'one\n   "two"'),
        ('a 5" disc', 'a 5" disc'),
    ],
)
def test_quoted_cells_stay_as_they_are(videos, caplog, written, text):
    (clip,) = read(videos, SHORT + f'"v1" , "0001" ,{written}, "0.4" ,train\n')
    assert (clip.identifier, clip.transcript, clip.labels) == ("v1$_$0001", text, {"multimodal": 0.4})
    assert not caplog.records


def test_empty_cells_at_the_end_say_nothing(videos, caplog):
    read(videos, SHORT.replace("\n", ",,\n") + "v1,0001,x,0.4,train,,\nv1,0002,x,0.4,train,\n")
    assert not caplog.records


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SHORT + "v1,0001,x,0,4,train\n", "line 2: 6 cells where the header has 5"),
        (SHORT + "v1,0001,x,0.4\n", "line 2: 4 cells"),
        (SHORT.replace("text", "text,note") + "v1,0001,x,y,z,0.4,train\n", "line 2: 7 cells"),
        (SHORT + 'v1,0001,"x,0.4,train\nv1,0002,y,0,test\n', "line 2: a quotation mark"),
        (SHORT + "v1,,x,0.4,train\n", "line 2: video_id or clip_id is empty"),
        (SHORT + "\nv1,0001,x,3,train\nv1,0002,x,-2,train\n", "2 labels are not from -1 to 1 .simsv2.: line 3: label "
         "is 3, line 4: label is -2; --kind mosi would fit"),
        (SHORT + "v1,0001,x,70,train\n", "line 2: label is 70; mend them, or give a kind"),
        (SHORT + "v1,0001,x,inf,train\n", "line 2: label is inf"),
        ("PK\x03\x04" + "\0" * 22 + "\x13\0\0\0[Content_Types].xml", "is a spreadsheet .*: save it as CSV in UTF-8"),
    ],
)  # fmt: skip
def test_doubtful_tables_are_refused_by_line(videos, content, message):
    with pytest.raises(DataError, match=message):
        read(videos, content)


def test_extract_refuses_labels_out_of_range_before_it_extracts(videos, monkeypatch):
    monkeypatch.setattr(extraction, "run_limited", lambda *_, **__: pytest.fail("a clip is extracted"))
    (videos / "label.csv").write_text(SHORT + "v1,0001,x,3,train\n")
    with pytest.raises(DataError, match="line 2: label is 3; --kind mosi would fit"):
        extraction.extract(videos, videos / "out", labels=videos / "label.csv", kind="sims")
    assert not (videos / "out.parts").exists()


@pytest.mark.parametrize("part", ["../../etc", "/etc", "a/../../b", "a\\b", "x" * 300])
@pytest.mark.parametrize("place", [0, 1])
def test_ids_that_leave_the_folder_are_refused(videos, part, place):
    ids = [part, "0001"] if place == 0 else ["v1", part]
    with pytest.raises(DataError, match=r"line 2: .* is no id of a clip within the folder"):
        read(videos, SHORT + f"{ids[0]},{ids[1]},x,0.4,train\n")


def test_clips_without_a_label_are_counted(videos, caplog):
    read(videos, SHORT + "v1,0001,x,,train\nv1,0002,y,0,train\n")
    assert "1 of 2 clips have no label, though they are in a split" in caplog.text


def test_the_more_usual_video_of_a_row_is_taken(videos):
    for suffix in ("mts", "ogv", "rm", "gif"):
        (videos / f"Raw/v1/0001.{suffix}").touch()
    (clip,) = read(videos, SHORT + "v1,0001,x,0,train\n")
    assert clip.path.name == "0001.mp4"


@pytest.mark.parametrize("out", ["taken", "file/out"])
def test_extract_refuses_where_it_could_not_write_before_it_extracts(videos, monkeypatch, out):
    monkeypatch.setattr(extraction, "run_limited", lambda *_, **__: pytest.fail("a clip is extracted"))
    (videos / "taken").mkdir()
    (videos / "taken" / "mine.txt").touch()
    (videos / "file").touch()
    with pytest.raises(ImlcmmError, match=r"is not a data set|is a file, not a folder"):
        extraction.extract(videos, videos / out)
