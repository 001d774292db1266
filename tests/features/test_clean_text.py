"""Characters that are no writing come into no transcript, no id and no result."""

import json
import os
import pickle
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from imlcmm.clean_text import clean_text
from imlcmm.datasets.labels.label_file import find_clips
from imlcmm.datasets.loading import load_dataset
from imlcmm.errors import DataError, MediaError
from imlcmm.features.clip_extractor import ClipExtractor
from imlcmm.features.subtitles.transcripts import read_transcript
from imlcmm.prediction.description import describe_prediction
from imlcmm.prediction.export import export
from imlcmm.prediction.result import UtterancePrediction, VideoPrediction
from imlcmm.prediction.timeline import draw_timeline

ODD = "\x00\x01\x08\x0e\x1a\x1b\x7f\x80\x9f\u200b\u200e\u202e\u2060\u2069\ufeff\ufff9\ufdd0\uffff\ud800"
KEPT = "می\u200cخواهم 👩\u200d💻 ❤\ufe0f café 我\n\tI\r\n"


def test_only_what_is_no_writing_is_dropped():
    assert clean_text(ODD) == ""
    assert clean_text(KEPT) == KEPT
    assert clean_text("a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g") == "a b c d e f g"


@pytest.mark.parametrize("end", [b"\x1a", b"\x00", b"\x00" * 3, b"\r\n\x1a"])
def test_marks_of_the_end_of_a_file_are_no_words(tmp_path, end):
    (tmp_path / "a.txt").write_bytes("I love this film, 我爱它".encode() + end)
    assert read_transcript(tmp_path / "a.txt") == "I love this film, 我爱它"
    (tmp_path / "a.srt").write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\nI \x01love\xe2\x80\x8b it\n" + end)
    assert [u.text for u in read_transcript(tmp_path / "a.srt")] == ["I love it"]


def test_a_mark_at_the_beginning_and_a_zero_at_the_end(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfI love this film\0")
    assert read_transcript(tmp_path / "a.txt") == "I love this film"


def test_clips_whose_names_hold_such_characters_are_found(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a\u200b.mp4").touch()
    (tmp_path / "label.csv").write_text("video_id,clip_id,text,label,mode\nv,a\u200b,x,0.4,train\n", "utf-8")
    (clip,) = find_clips(tmp_path, tmp_path / "label.csv")
    assert clip.path.is_file()
    assert clip.identifier == "v$_$a"


def test_references_to_such_characters_are_none_either(tmp_path):
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nI&#8203; &lrm;love&#1; it&rlm;\n")
    assert [u.text for u in read_transcript(tmp_path / "a.vtt")] == ["I love it"]


@pytest.mark.parametrize("content", [b"\x00\x01\x02\x03 text", b"abc\x00\x00\x00", b"GIF89a\x01\x00\x02\x00"])
def test_what_is_no_text_is_still_refused(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(MediaError, match="is no text"):
        read_transcript(tmp_path / "a.txt")


def test_label_files(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "1.mp4").touch()
    (tmp_path / "label.csv").write_bytes(b"video_id,clip_id,text,label,mode\nv,1,I \x00love\x01 it,0.4,train\n\x1a")
    (clip,) = find_clips(tmp_path, tmp_path / "label.csv")
    assert (clip.transcript, clip.path.name) == ("I love it", "1.mp4")


def test_pickles(tmp_path):
    split = {m: np.ones((2, 3, 2)) for m in ("text", "audio", "vision")} | {"regression_labels": np.zeros(2)}
    content = {"train": {**split, "id": ["v$_$1\x1a", "v$_$2"], "raw_text": ["I \ud800love\x00 it", KEPT]}}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, 4))
    train = load_dataset(tmp_path / "a.pkl", "mosi").train
    assert (train.ids, train.transcripts) == (["v$_$1", "v$_$2"], ["I love it", KEPT])
    content["train"]["id"] = ["v$_$1\x1a", "v$_$1"]
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(content, 4))
    with pytest.raises(DataError, match="occurs twice"):
        load_dataset(tmp_path / "b.pkl", "mosi")


def test_words_that_a_caller_gives():
    extractor = ClipExtractor.__new__(ClipExtractor)
    said, words = extractor._words(np.zeros(16_000, np.float32), [(0.0, 1.0)], "I \x1alove it\x00", (), {})
    assert (said, [word.text for word in words]) == ("I love it", ["I", "love", "it"])


@pytest.mark.parametrize("ending", [".srt", ".vtt", ".eaf", ".csv", ".json"])
def test_exports_can_be_read(tmp_path, ending):
    spoken = UtterancePrediction(0.0, 1.5, f"I {ODD}love <it> & 我\x0b它", 0.5)
    path = tmp_path / f"out{ending}"
    export([VideoPrediction(Path(f"a{ODD[1:-1]}.mp4"), "m", -1.0, 1.0, [spoken], f"bad {ODD[1:-1]}", 0.0)], path)
    content = path.read_text("utf-8")
    if ending == ".json":
        content = json.dumps(json.loads(content), ensure_ascii=False)
    assert not [c for c in content if c not in "\t\n" and (ord(c) < 32 or c in ODD)]
    if ending == ".eaf":
        values = [node.text for node in ElementTree.parse(path).iter("ANNOTATION_VALUE")]
        assert "I love <it> & 我 它" in values
    elif ending in (".srt", ".vtt"):
        (found,) = read_transcript(path)
        assert (found.start, found.end) == (0.0, 1.5)
        assert found.text.startswith("[+0.50] I love <it> & 我")


def test_names_of_files_that_are_no_utf8(tmp_path):
    for name in (b"\xba\xc3.wav", b"\xba\xc4.wav"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    assert [clip.identifier for clip in find_clips(tmp_path, None)] == [".$_$\\xba\\xc3", ".$_$\\xba\\xc4"]
    path = sorted(tmp_path.iterdir())[0]
    predicted = VideoPrediction(path, "m", -1.0, 1.0, [UtterancePrediction(0.0, 1.0, "Hi", 0.5)])
    draw_timeline(predicted, tmp_path / "x.png")
    for ending in (".csv", ".json", ".eaf", ".srt"):
        export([predicted], tmp_path / f"x{ending}")
    assert "\\xba\\xc3.wav" in describe_prediction(predicted)
    (tmp_path / "a\x01.wav").touch()
    (tmp_path / "a.wav").touch()
    with pytest.raises(DataError, match=r"the clip .* occurs twice"):
        find_clips(tmp_path, None)
