"""Predictions on their way out."""

import json
from pathlib import Path

import pandas as pd
import pytest

from imlcmm.errors import ImlcmmError
from imlcmm.features.subtitles import read_transcript
from imlcmm.prediction.description import describe_prediction
from imlcmm.prediction.export import export, table
from imlcmm.prediction.result import Moment, UtterancePrediction, VideoPrediction
from imlcmm.prediction.timeline import draw_timeline


@pytest.fixture
def video():
    happy = UtterancePrediction(
        0.0, 2.5, "真的很好", 0.6, (0.1, 1.0), 0.9, {"text": 0.8, "audio": -0.4}, "conflict",
        (Moment("text", 0.0, 1.0, 2.5, "很好"),), {"vision": "no face is seen"},
    )  # fmt: skip
    return VideoPrediction(Path("clip.mp4"), "model", -1.0, 1.0, (happy, UtterancePrediction(2.5, 4.0, "", None)))


@pytest.fixture
def broken():
    return VideoPrediction(Path("bad.mp4"), "model", -1.0, 1.0, failure="bad.mp4 is empty")


def test_json_holds_everything(video, broken, tmp_path):
    export([video, broken], tmp_path / "x.json")
    first, second = json.loads((tmp_path / "x.json").read_text())
    assert first["utterances"][0]["unimodal"] == {"text": 0.8, "audio": -0.4}
    assert first["utterances"][0]["moments"][0]["text"] == "很好"
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
    assert tiers.get_annotation_data_for_tier("sentiment")[0][:3] == (0, 2500, "+0.60")
    assert tiers.get_annotation_data_for_tier("words")[0][2] == "真的很好"
    assert tiers.get_annotation_data_for_tier("audio")[0][2] == "-0.40"
    assert not tiers.get_annotation_data_for_tier("vision")


def test_a_timeline_holds_one_file_and_an_unknown_ending_none(video, broken, tmp_path):
    with pytest.raises(ImlcmmError, match="there are 2"):
        export([video, broken], tmp_path / "x.srt")
    with pytest.raises(ImlcmmError, match=r"\.json, \.csv"):
        export([video], tmp_path / "x.doc")


def test_the_description_names_what_is_missing_and_what_mattered(video, broken):
    text = describe_prediction(VideoPrediction(video.path, "model", -1.0, 1.0, video.utterances[:1]))
    for part in ("+0.60", "+0.10 to +1.00", "90%", "conflict", "vision: no face is seen", "“很好” (2.5 times"):
        assert part in text
    assert describe_prediction(broken) == "bad.mp4: bad.mp4 is empty"


def test_the_picture_is_drawn(video, tmp_path):
    draw_timeline(video, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000


def test_the_table_of_nothing_is_empty():
    assert table([]).empty
