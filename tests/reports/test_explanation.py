"""`imlcmm explain`: one clip, in the terminal and as pictures."""

import numpy as np
import pytest
import torch

from imlcmm.calibration import read_calibration
from imlcmm.cli import main
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.errors import DataError
from imlcmm.files import file_name
from imlcmm.reports.explanations.explanation import Explainer, characters, find_clip
from imlcmm.reports.explanations.explanation_table import describe_explanation
from imlcmm.reports.page.explanation_page import write_explanation


def test_a_clip_is_found_by_its_name_with_and_without_dollars(simulated):
    identifier = simulated.test.ids[7]
    assert find_clip(simulated, "test", identifier) == 7
    assert find_clip(simulated, "test", identifier.replace("$_$", "/")) == 7


def test_an_unknown_clip_gets_one_line_with_a_close_match(simulated):
    typed = simulated.test.ids[7].replace("$_$", "/")
    with pytest.raises(DataError, match="there is no clip 'nothing' in the test split; did you mean '"):
        find_clip(simulated, "test", "nothing")
    with pytest.raises(DataError) as error:
        find_clip(simulated, "test", typed + "9")
    assert f"did you mean '{typed}'?" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="not in the test split but in train; use --split train"):
        find_clip(simulated, "test", simulated.train.ids[0])


def test_the_numbers_are_the_model_s(imlcmm_run, simulated):
    explanation = Explainer.load(imlcmm_run, simulated)(2)
    batch = simulated.test.batch([2])
    models = [imlcmm_run.load(seed) for seed in imlcmm_run.seeds]
    with torch.no_grad():
        first, second = (model(batch) for model in models)
    curve = read_calibration(imlcmm_run.seeds[0] / "best").curve("text")
    text = explanation.opinions[1]
    assert [o.head for o in explanation.opinions] == ["multimodal", "text", "audio", "vision"]
    assert text.sentiment == pytest.approx(float(first.unimodal["text"]))
    assert text.others == [pytest.approx(float(second.unimodal["text"]))]
    assert text.label == pytest.approx(float(simulated.test.labels[2, 1]))
    assert text.confidence == pytest.approx(curve.confidence(text.sentiment))
    assert text.interval[1] == pytest.approx(min(curve.interval(text.sentiment)[1], 1.0))
    np.testing.assert_allclose(explanation.pools["audio"], first.attention["audio"][0].numpy())
    assert all(len(named) == 6 for named in explanation.features.values())


def test_a_model_without_kan_and_attention_is_explained_by_its_predictions(lf_dnn_run, simulated):
    explanation = Explainer.load(lf_dnn_run, simulated)(0)
    assert [o.head for o in explanation.opinions] == ["multimodal"]
    assert explanation.pools == explanation.maps == explanation.features == {}
    assert "multimodal" in describe_explanation(explanation)


def test_text_steps_are_called_by_their_pieces(imlcmm_run, simulated, monkeypatch, tmp_path):
    steps = int(simulated.test.lengths("text")[2])
    monkeypatch.setattr(ClipDataset, "pieces", lambda data, row: [f"▁词{i}" for i in range(steps)])
    explainer = Explainer.load(imlcmm_run, simulated)
    explanation = explainer(2)
    best = int(explanation.pools["text"].argmax())
    assert f"text looked at “词{best}” (step {best})" in describe_explanation(explanation)
    write_explanation(explainer, explanation, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(f">词{i}<" in page for i in range(steps))


def test_a_chinese_text_with_a_character_a_step_needs_no_pieces():
    assert characters("太好 了！", 6) == ["[CLS]", "太", "好", "了", "！", "[SEP]"]
    assert characters("太好了！", 5) == characters("太ok！", 6) == characters("", 2) == []


def test_the_command_prints_and_writes(imlcmm_run, simulated_folder, simulated, tmp_path, capsys):
    identifier = simulated.test.ids[4]
    words = ["explain", str(imlcmm_run.folder), "--data", str(simulated_folder), "--clip", identifier]
    main([*words, "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert identifier in said
    assert "SIMULATED" in said
    assert "text looked at step" in said
    assert said.count("how the steps of the text are written is not known") == 1
    name = file_name(identifier)
    pictures = {path.stem.removeprefix(f"{name}-") for path in (tmp_path / "out").glob(f"{name}-*.png")}
    assert {"heads", "pooling-text", "attention-audio", "features-vision", "kan-text-1"} <= pictures
    assert (tmp_path / "out" / f"{name}-kan-text-1.png").read_bytes().startswith(b"\x89PNG")
    assert identifier in (tmp_path / "out" / "explanation.html").read_text(encoding="utf-8")
    main([*words, "--out", str(tmp_path / "one.html")])
    assert {path.name for path in tmp_path.iterdir()} == {"out", "one.html"}
    # The same input gives the same page, byte for byte.
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "out" / "explanation.html").read_bytes()


def test_the_command_s_mistakes_get_one_line(imlcmm_run, simulated_folder, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["explain", str(imlcmm_run.folder), "--data", str(simulated_folder), "--clip", "nothing"])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert "did you mean" in error
    assert error.count("\n") == 1
