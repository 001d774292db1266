"""Predictions on their way out."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import pandas as pd
import pytest

from imlcmm.cli import main
from imlcmm.errors import ImlcmmError, MissingPackageError
from imlcmm.features.subtitles.transcripts import read_transcript
from imlcmm.features.words.word import Word
from imlcmm.prediction.description import describe_prediction
from imlcmm.prediction.export import check_export, export, table
from imlcmm.prediction.result import Contribution, Moment, UtterancePrediction, VideoPrediction
from imlcmm.prediction.timeline import draw_timeline


@pytest.fixture
def video():
    happy = UtterancePrediction(
        0.0, 2.5, "真的很好", 0.6, (0.1, 1.0), 0.9, {"text": 0.8, "audio": -0.4}, "conflict",
        (Moment("audio", 0.0, 1.0, 2.5),), (Contribution("很好", 0.0, 1.0, 0.25),), {"pitch": 180.0, "smile": 20.0},
        {"vision": "no face is seen"}, (
            Word("真", 0.2, 0.5), Word("好", 0.5, 1.0),
        ), doubts=("few words",),
    )  # fmt: skip
    return VideoPrediction(Path("clip.mp4"), "model", -1.0, 1.0, (happy, UtterancePrediction(2.5, 4.0, "", None)))


@pytest.fixture
def broken():
    return VideoPrediction(Path("bad.mp4"), "model", -1.0, 1.0, failure="bad.mp4 is empty")


def test_json_holds_everything(video, broken, tmp_path):
    export([video, broken], tmp_path / "x.json")
    first, second = json.loads((tmp_path / "x.json").read_text())
    assert first["utterances"][0]["words"][0] == {"text": "真", "start": 0.2, "end": 0.5, "probability": None}
    assert first["utterances"][0]["unimodal"] == {"text": 0.8, "audio": -0.4}
    assert first["utterances"][0]["contributions"][0]["word"] == "很好"
    assert second["failure"] == "bad.mp4 is empty"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_have_a_row_an_utterance_and_one_a_failure(video, broken, tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"x.{ending}"
    export([video, broken], path)
    rows = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    assert list(rows["file"]) == ["clip.mp4", "clip.mp4", "bad.mp4"]
    assert rows["sentiment"][0] == 0.6
    assert pd.isna(rows["sentiment"][1])
    assert rows["failure"][2] == "bad.mp4 is empty"
    assert rows["missing"][0] == "vision: no face is seen"


@pytest.mark.parametrize("ending", ["srt", "vtt"])
def test_subtitles_can_be_read_back(video, tmp_path, ending):
    export([video], tmp_path / f"x.{ending}")
    first, second = read_transcript(tmp_path / f"x.{ending}")
    assert (first.start, first.end, first.text) == (0.0, 2.5, "[+0.60] 真的很好")
    assert second.text == "[–]"


def test_elan_reads_tiers(video, tmp_path):
    elan = pytest.importorskip("pympi.Elan")
    export([video], tmp_path / "x.eaf")
    tiers = elan.Eaf(str(tmp_path / "x.eaf"))
    assert list(tiers.get_tier_names()) == [
        "words",
        "utterances",
        "sentiment",
        "text",
        "audio",
        "pitch (Hz)",
        "smile (%)",
    ]
    assert tiers.get_annotation_data_for_tier("sentiment")[0][:3] == (0, 2500, "+0.60")
    assert [found[:3] for found in tiers.get_annotation_data_for_tier("words")] == [(200, 500, "真"), (500, 1000, "好")]
    assert tiers.get_annotation_data_for_tier("utterances")[0][2] == "真的很好"
    assert tiers.get_annotation_data_for_tier("audio")[0][2] == "-0.40"


@pytest.mark.parametrize("name", ["a clip.mkv", "clip.mp3", "你好.webm", "clip.xyz"])
def test_elan_finds_the_media(video, tmp_path, name):
    elan = pytest.importorskip("pympi.Elan")
    (tmp_path / "media").mkdir()
    media = tmp_path / "media" / name
    export([replace(video, path=media)], tmp_path / "x.eaf")
    (link,) = elan.Eaf(str(tmp_path / "x.eaf")).media_descriptors
    assert url2pathname(urlsplit(link["MEDIA_URL"]).path) == str(media)
    assert tmp_path / unquote(link["RELATIVE_MEDIA_URL"]) == media


@pytest.mark.parametrize(
    ("files", "out", "form", "match"),
    [
        (["a.mp4", "b.mp4"], "x.srt", None, "holds one file, but there are 2; give a folder and --format srt"),
        (["a.mp4"], "x.doc", None, r"must be one of \.json, \.csv"),
        (["a.mp4"], "out", None, "for a folder, add --format srt"),
        (["a.mp4"], "file/x.json", None, "is a file, not a folder"),
        (["a.mp4"], "folder.json", None, "is a folder; add --format json"),
        (["a.mp4"], "file", "srt", "is a file, not a folder"),
        (["1/a.mp4", "2/a.mp4"], "out", "vtt", r"two files are named a\.mp4"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(tmp_path, files, out, form, match):
    (tmp_path / "file").touch()
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(ImlcmmError, match=match):
        check_export([Path(name) for name in files], tmp_path / out, form)


def test_the_command_refuses_before_it_loads_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("imlcmm.prediction.scoring.score_files", lambda *_, **__: pytest.fail("a model is loaded"))
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "file").touch()
    for words in (["--export", "x.srt"], ["--format", "srt"], ["--pictures", str(tmp_path / "file")]):
        with pytest.raises(SystemExit):
            main(["predict", str(tmp_path), *words])
        assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_package_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr("imlcmm.prediction.export.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"\.eaf needs pympi: pip install 'imlcmm\[export\]'"):
        check_export([Path("a.mp4")], tmp_path / "x.eaf")


def test_a_folder_gets_a_file_each(video, broken, tmp_path):
    export([video, broken], tmp_path / "out", "vtt")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bad.vtt", "clip.vtt"]
    twins = [video, replace(video, path=Path("clip.wav"))]
    export(twins, tmp_path / "twins", "json")
    assert sorted(path.name for path in (tmp_path / "twins").iterdir()) == ["clip.mp4.json", "clip.wav.json"]


def test_the_description_names_what_is_missing_and_what_mattered(video, broken):
    text = describe_prediction(VideoPrediction(video.path, "model", -1.0, 1.0, video.utterances[:1]))
    for part in (
        "+0.60",
        "+0.10 to +1.00",
        "90%",
        "conflict",
        "vision: no face is seen",
        "text hinges on “很好” (+0.25)",
        "audio looked at 0.0-1.0 s (2.5 times its share)",
    ):
        assert part in text
    assert describe_prediction(broken) == "bad.mp4: bad.mp4 is empty"


def test_cues_are_told_with_their_units_and_against_the_median(video, tmp_path):
    said = [replace(u, cues={"pitch": 150.0 + 30 * i, "loudness": -20.0}) for i, u in enumerate(video.utterances)]
    video = replace(video, utterances=said)
    middle = video.usual_cues["pitch"]
    row = table([video]).iloc[0]
    assert (row["pitch (Hz)"], row["pitch over median"]) == (150.0, 150.0 - middle)
    assert "measured, no sentiment (medians): loudness -20 dB, pitch" in describe_prediction(video)
    draw_timeline(video, tmp_path / "x.png")
    export([video], tmp_path / "x.eaf")
    assert f"150 ({150 - middle:+.3g})" in (tmp_path / "x.eaf").read_text()
    export([video], tmp_path / "x.json")
    (stored,) = json.loads((tmp_path / "x.json").read_text())
    assert stored["usual_cues"] == {"loudness": -20.0, "pitch": middle}
    assert VideoPrediction.from_dict(video.path, stored).usual_cues == video.usual_cues


@pytest.fixture
def talk(video):
    """Anna's voice is high, Bo's low; nobody knows who says the last."""
    said = [
        UtterancePrediction(float(n), n + 1.0, f"turn {n}", 0.4, cues={"pitch": pitch}, speaker=name)
        for n, (name, pitch) in enumerate(
            [("Anna", 200.0), ("Bo", 100.0), ("Anna", 220.0), ("Bo", 110.0), ("unknown", 150.0)]
        )
    ]
    return replace(video, utterances=said)


def test_several_speakers_are_named_everywhere(talk, tmp_path):
    assert talk.speakers == ["Anna", "Bo"]
    assert list(table([talk])["speaker"]) == ["Anna", "Bo", "Anna", "Bo", "unknown"]
    for ending in ("json", "srt", "vtt"):
        export([talk], tmp_path / f"x.{ending}")
    (stored,) = json.loads((tmp_path / "x.json").read_text())
    assert VideoPrediction.from_dict(talk.path, stored).speakers == ["Anna", "Bo"]
    assert "[+0.40] Anna: turn 0" in (tmp_path / "x.srt").read_text()
    assert "<v Anna>[+0.40] turn 0" in (tmp_path / "x.vtt").read_text()
    lines = describe_prediction(talk).splitlines()
    assert lines[1].split()[:4] == ["time", "(s)", "speaker", "sentiment"]
    assert lines[2].split()[:3] == ["0.0-1.0", "Anna", "+0.40"]
    draw_timeline(talk, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000


def test_speakers_have_tiers_of_their_own(talk, tmp_path):
    elan = pytest.importorskip("pympi.Elan")
    export([talk], tmp_path / "x.eaf")
    tiers = elan.Eaf(str(tmp_path / "x.eaf"))
    assert len(tiers.get_annotation_data_for_tier("utterances")) == 5
    assert [found[2] for found in tiers.get_annotation_data_for_tier("utterances Anna")] == ["turn 0", "turn 2"]
    assert tiers.get_parameters_for_tier("utterances Bo")["PARTICIPANT"] == "Bo"
    assert "utterances unknown" in tiers.get_tier_names()


def test_one_speaker_is_named_in_tables_alone(talk, tmp_path):
    one = replace(talk, utterances=[replace(u, speaker=u.speaker.replace("Bo", "Anna")) for u in talk.utterances])
    for ending in ("srt", "vtt", "eaf"):
        export([one], tmp_path / f"x.{ending}")
        assert "Anna" not in (tmp_path / f"x.{ending}").read_text()
    assert "speaker" not in describe_prediction(one)
    assert table([one])["speaker"][0] == "Anna"


def test_cues_are_compared_with_the_speakers_own_median(talk, tmp_path):
    assert talk.usual_cues == {"pitch": 150.0}
    assert talk.usual_cues_of_speakers == {"Anna": {"pitch": 210.0}, "Bo": {"pitch": 105.0}}
    assert list(table([talk])["pitch over median"]) == [-10.0, -5.0, 10.0, 5.0, 0.0]
    export([talk], tmp_path / "x.eaf")
    assert "200 (-10)" in (tmp_path / "x.eaf").read_text()


def test_the_picture_is_drawn(video, tmp_path):
    draw_timeline(video, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000


def test_the_table_of_nothing_is_empty():
    assert table([]).empty
