"""Subtitles as video sites, players and lyric editors write them."""

import pytest

from imlcmm.errors import MediaError
from imlcmm.features.subtitles.transcripts import find_sidecar, given_transcript, read_transcript
from imlcmm.features.words.word import Word, split_words

AUTOMATIC = """WEBVTT
Kind: captions
Language: en

00:00:00.000 --> 00:00:02.000 align:start position:0%
 
I<00:00:00.500><c> love</c><00:00:01.000><c> it</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
I love it
 

00:00:02.010 --> 00:00:04.000 align:start position:0%
I love it
really<00:00:03.000><c> so</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
really so
 

00:00:04.010 --> 00:00:05.000 align:start position:0%
really so
no

00:00:05.000 --> 00:00:06.000 align:start position:0%
no
no<00:00:05.500><c> no</c>
"""
ASS = """[Script Info]
; a comment, with commas
Title: Default
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,what,broken

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,no words
Dialogue: 0,0:00:03.50,0:00:05.00,Default,,0,0,0,,你好，\\N世界。
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1}Well,{\\i0} hello\\hthere{a note}
Dialogue: 1,0:00:01.00,0:00:02.50,Shadow,,0,0,0,,Well, hello there
Dialogue: 0,0:00:01.00,0:00:09.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0{\\p0}
Dialogue: 0,0:00:06.00,0:00:07.00,Default,,0,0,0,,{\\p1}m 0 0{\\p0}After a drawing

[Fonts]
fontname: a.ttf
Dialogue: no, this is a font
"""
LYRICS = """[ti:A song]
[ar: Somebody]
[#] a comment
[offset:+500]
[00:01.50][00:10.5]First, and again
[00:03.500]Second
[00:05:50]

[00:20.50]Last
"""


def written(tmp_path, name, content, encoding="utf-8"):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return tmp_path / name


def read(tmp_path, name, content, encoding="utf-8"):
    return [(u.start, u.end, u.text) for u in read_transcript(written(tmp_path, name, content, encoding))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rolling_captions_say_each_word_once_at_its_time(tmp_path, end):
    found = read_transcript(written(tmp_path, "a.vtt", AUTOMATIC.replace("\n", end)))
    assert [u.text for u in found] == ["I love it", "really so", "no", "no no"]
    assert found[0].words == (Word("I", 0.0, 0.5), Word("love", 0.5, 1.0), Word("it", 1.0, 2.0))
    assert found[1].words == (Word("really", 2.01, 3.0), Word("so", 3.0, 4.0))
    assert found[2].words == ()
    assert found[3].words == (Word("no", 5.0, 5.5), Word("no", 5.5, 6.0))


def test_rolling_captions_of_one_line(tmp_path):
    content = (
        "WEBVTT\n\n00:00.000 --> 00:02.000\nI<00:01.000><c> do</c>\n\n00:02.000 --> 00:02.010\nI do\n\n"
        "00:02.010 --> 00:04.000\nreally<00:03.000><c> so</c>\n\n00:04.000 --> 00:04.010\nreally so\n"
    )
    assert read(tmp_path, "a.vtt", content) == [(0.0, 2.0, "I do"), (2.01, 4.0, "really so")]


def test_what_is_said_twice_stays_beside_lines_that_roll(tmp_path):
    content = (
        "WEBVTT\n\n00:00.000 --> 00:01.000\nNo.\n\n00:01.000 --> 00:02.000\nNo.\n\n"
        "00:02.000 --> 00:03.000\nNo.\nI<00:02.500> do\n"
    )
    assert [text for *_, text in read(tmp_path, "a.vtt", content)] == ["No.", "No.", "I do"]


def test_a_word_of_a_cue_is_no_comment(tmp_path):
    content = "WEBVTT\n\n00:01.000 --> 00:02.000\nfirst\n \nNOTE well\n\n00:03.000 --> 00:04.000\nthird\n"
    assert [text for *_, text in read(tmp_path, "a.vtt", content)] == ["first NOTE well", "third"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.srt", f"1\n{'9' * 5000}:00:01,000 --> 00:00:02,000\nx\n"), ("a.lrc", f"[{'9' * 5000}:00.00]x\n")],
)
def test_endless_numbers_are_refused_by_their_line(tmp_path, name, content):
    with pytest.raises(MediaError, match=rf"{name}, line [12]: "):
        read(tmp_path, name, content)


def test_rolling_captions_of_chinese(tmp_path):
    content = (
        "WEBVTT\n\n00:00.000 --> 00:01.000\n \n我<00:00.400><c>喜</c><00:00.600><c>欢</c>\n\n"
        "00:01.000 --> 00:01.010\n我喜欢\n \n\n00:01.010 --> 00:02.000\n我喜欢\n这<00:01.500><c>部电影。</c>\n"
    )
    found = read_transcript(written(tmp_path, "a.vtt", content))
    assert [u.text for u in found] == ["我喜欢", "这部电影。"]
    assert [w.text for w in found[1].words] == split_words("这部电影。")
    assert found[0].words == (Word("我", 0.0, 0.4), Word("喜", 0.4, 0.6), Word("欢", 0.6, 1.0))


def test_rolling_captions_that_a_converter_turned_into_subrip(tmp_path):
    content = (
        "1\n00:00:00,000 --> 00:00:02,000\none two\n\n2\n00:00:02,000 --> 00:00:02,010\none two\n\n"
        "3\n00:00:02,010 --> 00:00:04,000\none two\nthree\n\n4\n00:00:04,000 --> 00:00:04,010\nthree\n\n"
        "5\n00:00:04,010 --> 00:00:06,000\nthree\nfour\n"
    )
    assert read(tmp_path, "a.srt", content) == [(0.0, 2.0, "one two"), (2.01, 4.0, "three"), (4.01, 6.0, "four")]


def test_three_lines_that_roll(tmp_path):
    bodies = ["a", "a\nb", "a\nb\nc", "b\nc\nd", "c\nd\nd"]
    content = "".join(f"00:00:0{n},000 --> 00:00:0{n},900\n{body}\n\n" for n, body in enumerate(bodies))
    assert [text for *_, text in read(tmp_path, "a.srt", content)] == ["a", "b", "c", "d", "d"]


@pytest.mark.parametrize(
    "cues",
    [
        ["No.", "No.", "No, never."],
        ["Yes", "Yes\nand no"],
        ["- Come\n- No", "No", "- Why\n- No", "Never"],
        ["la la", "la la", "la la", "la la"],
    ],
)
@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_who_says_the_same_twice_is_heard_twice(tmp_path, cues, suffix):
    body = "".join(f"00:00:0{n}.000 --> 00:00:0{n}.900\n{text}\n\n" for n, text in enumerate(cues))
    found = read(tmp_path, f"a{suffix}", "WEBVTT\n\n" * (suffix == ".vtt") + body)
    assert [text for *_, text in found] == [" ".join(text.split()) for text in cues]


def test_times_inside_captions_that_do_not_roll(tmp_path):
    content = (
        "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\nNOTE first\n \nstill a comment\n\n"
        "1 - name\n00:01.000 --> 00:04.000 line:0\n<v Ann><00:01.500>Well, <00:03.000>yes\nor<00:09.000> no\n\n"
        "00:05.000 --> 00:06.000\n<00:05.500> \n"
    )
    (found,) = read_transcript(written(tmp_path, "a.vtt", content))
    assert (found.start, found.end, found.text) == (1.0, 4.0, "Well, yes or no")
    assert found.words == (Word("Well,", 1.5, 3.0), Word("yes", 3.0, 3.6), Word("or", 3.6, 4.0), Word("no", 4.0, 4.0))


def test_lines_of_blanks_belong_to_the_cue_and_do_not_hide_the_next(tmp_path):
    content = "WEBVTT\n \n00:01.000 --> 00:02.000\n\t\nfirst\n   \nsecond\n \n00:03.000 --> 00:04.000\nthird\n"
    assert read(tmp_path, "a.vtt", content) == [(1.0, 2.0, "first second"), (3.0, 4.0, "third")]


def test_rare_characters_break_no_line(tmp_path):
    content = "WEBVTT\n\n00:01.000 --> 00:02.000\none\x0btwo\u2028three\x85four\x1cfive\n"
    assert read(tmp_path, "a.vtt", content) == [(1.0, 2.0, "one two three four five")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_substation(tmp_path, encoding):
    assert read(tmp_path, "a.ass", ASS, encoding) == [
        (1.0, 2.5, "Well, hello there"),
        (3.5, 5.0, "你好，世界。"),
        (6.0, 7.0, "After a drawing"),
    ]


def test_the_order_of_the_fields_is_the_files(tmp_path):
    events = "[events]\nFormat: Start, End, Text\nDialogue: 0:00:01.0,0:00:02.00,One, two\n"
    assert read(tmp_path, "a.ass", events) == [(1.0, 2.0, "One, two")]
    old = (
        "[Script Info]\nScriptType: v4.00\n\n[Events]\nFormat: Marked, End, Start, Style, Name, Text\n"
        "Dialogue: Marked=0,0:00:02.00,0:00:01.00,Default,Ann,One\n"
    )
    assert read(tmp_path, "a.ssa", old) == [(1.0, 2.0, "One")]


def speakers(tmp_path, name, content):
    return [one.speaker for one in read_transcript(written(tmp_path, name, content))]


def test_voice_tags_name_who_speaks(tmp_path):
    content = (
        "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Anna>Hi</v>\n\n00:02.000 --> 00:03.000\n<v.loud.old  Bo &amp;\tB>Hi\nyou"
        "\n\n00:03.000 --> 00:04.000\n<v Anna>Bye</v>\n<v Bo>Bye</v>\n\n00:04.000 --> 00:05.000\n<v>Who?\n\n"
        f"00:05.000 --> 00:06.000\n<v {'x' * 5000}>long\n"
    )
    assert speakers(tmp_path, "a.vtt", content) == ["Anna", "Bo & B", "", "", "x" * 100]
    assert speakers(tmp_path, "a.srt", "1\n00:00:01,000 --> 00:00:02,000\n<v Anna>Hi\n") == ["Anna"]


def test_substation_names_who_speaks(tmp_path):
    line = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,{},0,0,0,,Hi {}\n"
    events = "[Events]\nFormat: Layer, Start, End, Style, {}, MarginL, MarginR, MarginV, Effect, Text\n"
    said = line.format(" Anna ", 1) + line.format("", 2) + line.format("Bo", 3)
    for field in ("Name", "Actor"):
        assert speakers(tmp_path, "a.ass", events.format(field) + said) == ["Anna", "", "Bo"]


def test_lyrics(tmp_path):
    assert read(tmp_path, "a.lrc", LYRICS) == [
        (1.0, 3.0, "First, and again"),
        (3.0, 5.0, "Second"),
        (10.0, 20.0, "First, and again"),
        (20.0, 25.0, "Last"),
    ]


@pytest.mark.parametrize("line", ["[00:01.00]<00:01.00>Oh <00:02.00>yes<00:03.00>", "[00:01.00]Oh [00:02.00]yes"])
def test_lyrics_with_a_time_a_word(tmp_path, line):
    (found,) = read_transcript(written(tmp_path, "a.lrc", f"{line}\n[00:04.00]\n"))
    end = 3.0 if "3.00" in line else 4.0
    assert (found.text, found.words) == ("Oh yes", (Word("Oh", 1.0, 2.0), Word("yes", 2.0, end)))


def test_lyrics_in_two_languages_and_a_long_pause(tmp_path):
    content = "[00:01.00]我爱你\n[00:01.00]I love you\n[01:00.00]end"
    assert read(tmp_path, "a.lrc", content) == [(1.0, 16.0, "我爱你"), (1.0, 16.0, "I love you"), (60.0, 65.0, "end")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.ass", "just words\n", r"a\.ass has no \[Events\]"),
        ("a.ass", "[Events]\nFormat: Layer, Start, End\n", r"line 2: the format lacks Start, End or Text"),
        ("a.ass", "[Events]\nDialogue: 0,1 s,0:00:02.00,,,0,0,0,,Hi\n", "line 2: 'Dialogue: 0,1 s,.* is no event"),
        ("a.ass", "[Events]\nDialogue: 0,0:00:01.00\n", "line 2: .* is no event"),
        ("a.ssa", "[Events]\nDialogue: 0,0:00:03.00,0:00:02.00,,,0,0,0,,Hi\n", "line 2: .* ends before it begins"),
        (
            "a.lrc",
            "[ti:x]\nwords of no time\n",
            r"line 2: 'words of no time' has no time: write it as \[01:02.50\]Text",
        ),
    ],
)
def test_broken_files_are_refused_by_their_line(tmp_path, name, content, message):
    with pytest.raises(MediaError, match=message) as caught:
        read(tmp_path, name, content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".ass", ".SSA", ".lrc"])
def test_they_are_found_beside_the_video(tmp_path, suffix):
    (tmp_path / f"clip.zh{suffix}").touch()
    assert find_sidecar(tmp_path / "clip.mp4") == tmp_path / f"clip.zh{suffix}"
    assert read_transcript(tmp_path / f"clip.zh{suffix}") == []


def test_a_file_may_be_given_for_a_transcript(tmp_path):
    path = written(tmp_path, "my words.lrc", "[00:01.00]Hello")
    assert given_transcript(str(path)) == read_transcript(path)
    for words in ("I read about it.txt", "I love it.", "See a.srt\nb.srt", "x" * 9000):
        assert given_transcript(words) == words
    with pytest.raises(MediaError, match=r"there is no transcript absent\.srt: check the path"):
        given_transcript("absent.srt")
