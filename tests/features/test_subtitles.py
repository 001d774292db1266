import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imlcmm.errors import MediaError
from imlcmm.features.subtitles.transcripts import find_sidecar, read_transcript, write_srt, write_vtt
from imlcmm.features.words.utterances import Utterance

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> {\\an8}there,
I <3 1 < 2 > 0

2
01:00:03,040 --> 01:00:04,000 X1:100 X2:200
你好，
世界。
"""
VTT = """WEBVTT - captions

STYLE
::cue { color: red }

NOTE --> is no time
00:00:07.000

first one
00:01.000 --> 00:02.500 align:start
<v Bob>Hi <00:00:01.500><c.yellow>there</c> &amp; &lt;you&gt;

NOTE between

00:00:03.000 --> 00:00:04.000
42

1:00:00.000 --> 1:00:01.000
- last
1984
"""


def read(tmp_path, name, content, encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return read_transcript(path)


def texts(found):
    return [(u.start, u.end, u.text) for u in found]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reads_subrip_without_markup(tmp_path, end):
    assert texts(read(tmp_path, "a.srt", SRT.replace("\n", end))) == [
        (1.0, 2.5, "Hello there, I <3 1 < 2 > 0"),
        (3603.04, 3604.0, "你好，世界。"),
    ]


def test_reads_webvtt_without_comments_names_and_speakers(tmp_path):
    assert texts(read(tmp_path, "a.vtt", VTT)) == [
        (1.0, 2.5, "Hi there & <you>"),
        (3.0, 4.0, "42"),
        (3600.0, 3601.0, "- last 1984"),
    ]


def test_forgives_missing_numbers_dots_blank_lines_and_disorder(tmp_path):
    content = (
        "00:00:05.000 --> 00:00:06.000\nlate\n42\n\n00:00:01,5 --> 00:00:02\nA --> B\n\nstill A\n2\n"
        "00:00:03,000 --> 00:00:04,000\nnext\n\n9\n00:00:07,000 --> 00:00:08,000\n<i></i>\n"
    )
    assert texts(read(tmp_path, "a.srt", content)) == [
        (1.005, 2.0, "A --> B still A"),
        (3.0, 4.0, "next"),
        (5.0, 6.0, "late 42"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom", "gb18030"])
def test_reads_the_usual_encodings_of_chinese(tmp_path, encoding):
    if encoding.endswith("-bom"):
        content = ("\ufeff" + SRT).encode(encoding.removesuffix("-bom"))
    else:
        content = SRT.encode(encoding)
    assert read(tmp_path, "a.srt", content)[1].text == "你好，世界。"


@pytest.mark.parametrize(
    "content",
    [
        "Ils étaient très fâchés, où ça".encode("latin-1"),
        b"\xff\xfe\x00",
        "Привет, как дела".encode("cp1251"),
    ],
)
def test_an_encoding_that_would_be_guessed_is_refused(tmp_path, content):
    with pytest.raises(MediaError, match=r"a\.txt.*save it as UTF-8"):
        read(tmp_path, "a.txt", content)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nA\n\n2\n00:00:0x,000 --> 00:00:04,000\nB\n", 6),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nA\n\n2\n00:00:03,000 00:00:04,000\nB\n", 6),
        ("a.srt", "1\n00:00:01,000 -> 00:00:02,000\nA\n", 2),
        ("a.srt", "1\n00:00:75,000 --> 00:00:76,000\nA\n", 2),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nA\n\n2\nx --> y\nB\n", 6),
        ("a.srt", "1\n00:00:05,000 --> 00:00:04,000\nA\n", 2),
        ("a.srt", "no subtitles\n", 1),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:0x.000\nHi\n\n00:03.000 --> 00:04.000\nyo\n", 3),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHi\n\nwords of no time\n", 6),
    ],
)
def test_a_broken_subtitle_is_refused_by_its_line(tmp_path, name, content, line):
    with pytest.raises(MediaError, match=rf"{name}, line {line}: '") as caught:
        read(tmp_path, name, content)
    assert "\n" not in str(caught.value)


def test_plain_text_is_one_text_and_emptiness_is_allowed(tmp_path):
    assert read(tmp_path, "a.txt", " 你好。\nHello.\n") == "你好。\nHello."
    assert read(tmp_path, "b.txt", "") == ""
    assert read(tmp_path, "b.srt", "") == []
    assert read(tmp_path, "b.vtt", "WEBVTT\n") == []


def test_files_that_are_no_transcripts_are_refused(tmp_path):
    with pytest.raises(MediaError, match=r"\.srt, \.vtt, \.ass, \.ssa, \.lrc, \.txt"):
        read_transcript(tmp_path / "a.docx")
    with pytest.raises(MediaError, match="check the path"):
        read_transcript(tmp_path / "absent.srt")


def test_finds_the_file_beside_the_video(tmp_path):
    video = tmp_path / "clip[1].mp4"
    for name in ("clip[1].mp4", "clip1.srt", "clip[1].srt.bak", "other.srt"):
        (tmp_path / name).touch()
    assert find_sidecar(video) is None
    for name in ("clip[1].en.srt", "clip[1].zh.srt", "clip[1].txt", "clip[1].VTT", "clip[1].srt"):
        (tmp_path / name).touch()
        assert find_sidecar(video) == tmp_path / name


def test_a_text_file_is_not_its_own_transcript(tmp_path):
    (tmp_path / "a.txt").touch()
    assert find_sidecar(tmp_path / "a.txt") is None


def test_writes_what_players_read():
    found = [
        Utterance(1.0, 3661.5, "a\n\n b"),
        Utterance(4000.0, 4001.0, " "),
        Utterance(5000.0, 5001.0004, "x <y> --> &"),
    ]
    assert write_srt(found) == (
        "1\n00:00:01,000 --> 01:01:01,500\na\nb\n\n2\n01:23:20,000 --> 01:23:21,000\nx <y> -> &\n\n"
    )
    assert write_vtt(found) == (
        "WEBVTT\n\n00:00:01.000 --> 01:01:01.500\na\nb\n\n01:23:20.000 --> 01:23:21.000\nx &lt;y&gt; --&gt; &amp;\n"
    )


@pytest.mark.parametrize("name", ["Anna", "Bo & Co", "<b>", "小明", "A --> B"])
def test_who_speaks_is_written_into_the_voice_tag(tmp_path, name):
    found = [Utterance(1.0, 2.0, "Hi\nyou", speaker=name), Utterance(2.0, 3.0, "Bye")]
    assert [one.speaker for one in read(tmp_path, "a.vtt", write_vtt(found))] == [name, ""]
    assert write_srt(found) == write_srt(one._replace(speaker="") for one in found)


CUES = st.lists(
    st.tuples(
        st.integers(0, 9_000_000),
        st.integers(0, 9000),
        st.text(alphabet="ab 19我好。,&;<>-'é", min_size=1, max_size=20),
    ),
    max_size=6,
)


@pytest.mark.parametrize(("name", "write"), [("a.srt", write_srt), ("a.vtt", write_vtt)])
@settings(max_examples=40, deadline=None)
@given(cues=CUES)
def test_what_is_written_is_read_again(tmp_path_factory, name, write, cues):
    utterances = [Utterance(s / 1000, (s + d) / 1000, " ".join(t.split())) for s, d, t in sorted(cues)]
    # SubRip has no way to write an arrow or a tag as text.
    if name == "a.srt":
        utterances = [u._replace(text=u.text.replace(">", "")) for u in utterances]
        utterances = [u._replace(text=" ".join(u.text.split())) for u in utterances]
    wanted = [u for u in utterances if u.text]
    assert read(tmp_path_factory.mktemp("subtitles"), name, write(utterances)) == wanted
