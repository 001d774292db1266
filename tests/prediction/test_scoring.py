"""Files are scored in processes of their own: one that breaks costs itself alone, and what is scored stays."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from clips import Sound, make_clip
from imlcmm.cli import main
from imlcmm.errors import ModelError
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.jobs.workers import Limits
from imlcmm.prediction.predictor import Predictor
from imlcmm.prediction.scoring import Scoring, score_files

OPTIONS = ExtractorOptions(transcribe=False)
TEXTS = {"a": "非常喜欢，值得推荐", "b": "太差了，非常失望", "crash": "好", "hang": "好"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    noise = np.random.default_rng(0).normal(size=16_000).astype(np.float32) / 10
    for name, text in TEXTS.items():
        make_clip(folder / f"{name}.wav", Sound(noise, codec="pcm_s16le"))
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    (folder / "broken.mp4").write_bytes(b"\0" * 100)
    return folder


def plain(prediction):
    """Give a prediction as JSON holds it."""
    return json.loads(json.dumps(prediction.to_dict()))


def test_what_crashes_or_hangs_costs_itself_and_another_run_goes_on(folder, tmp_path, capsys):
    out = tmp_path / "out.json"
    words = ["predict", str(folder), "--export", str(out), "--transcribe", "false"]
    with pytest.raises(SystemExit):
        main([*words, "--own_models", "breaking", "--time_limit", "4"])
    told = capsys.readouterr()
    assert "crash.wav: its process ended with code -6" in told.out
    assert "hang.wav: it took more than 4 s; raise --time_limit" in told.out
    assert "broken.mp4: " in told.out
    assert "3 of 5 files gave no result" in told.err
    first = {video["path"]: video for video in json.loads(out.read_text("utf-8"))}
    assert [video["failure"] == "" for _, video in sorted(first.items())] == [True, True, False, False, False]
    assert {(video["model"], video["low"], video["high"]) for video in first.values()} == {("starter model", -1, 1)}
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out.json.parts").iterdir() if len(path.stem) == 20}
    assert len(kept) == 3  # the file that cannot be read has a result that says so

    (folder / "broken.mp4").unlink()
    assert main(words) == 0
    second = {video["path"]: video for video in json.loads(out.read_text("utf-8"))}
    assert all(video["failure"] == "" for video in second.values())
    assert len(second) == 4
    assert all(second[path] == video for path, video in first.items() if not video["failure"])
    assert not (tmp_path / "out.json.parts").exists()


def test_a_process_says_what_the_predictor_says_and_nothing_is_scored_twice(folder, tmp_path):
    files = [folder / "a.wav", folder / "b.wav"]
    found = list(score_files(files, Scoring(None, OPTIONS), tmp_path, workers=2))
    torch.set_num_threads(1)
    predictor = Predictor.load(None, OPTIONS)
    expected = [plain(predictor(path)) for path in files]
    assert sorted(map(plain, found), key=lambda said: said["path"]) == expected

    def written():
        return {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json") if len(path.stem) == 20}

    before = written()
    assert list(map(plain, score_files(files, Scoring(None, OPTIONS), tmp_path))) == expected
    assert written() == before
    list(score_files(files, Scoring(None, replace(OPTIONS, frame_rate=5.0)), tmp_path))
    assert all(written()[name] > time for name, time in before.items())
    for part in tmp_path.glob("*.json"):
        part.write_text("{}")
    assert len(list(score_files(files, Scoring(None, OPTIONS), tmp_path))) == 2


def test_it_is_told_how_far_a_file_is_read(tmp_path):
    noise = np.random.default_rng(0).normal(size=16_000 * 65).astype(np.float32) / 10
    path = make_clip(tmp_path / "long.wav", Sound(noise, codec="pcm_s16le"))
    told = []
    limits = Limits(60.0, 6.0)
    scored = score_files(
        [path], Scoring(None, OPTIONS), tmp_path / "parts", limits=limits, reached=lambda *at: told.append(at)
    )
    assert [video.failure for video in scored] == [""]
    assert {each for each, _ in told} == {path}
    assert max(second for _, second in told) == pytest.approx(65.0)


def test_a_model_that_cannot_be_loaded_is_told_at_once(folder, tmp_path):
    with pytest.raises(ModelError, match="no checkpoint"):
        Predictor.load(tmp_path)
    with pytest.raises(SystemExit):
        main(["predict", str(folder), "--model", str(tmp_path)])


@pytest.mark.slow
def test_a_cluster_says_the_same(folder, tmp_path):
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    files = [folder / "a.wav", folder / "b.wav"]
    alone = sorted(map(plain, score_files(files, Scoring(None, OPTIONS), tmp_path / "alone")), key=str)
    spread = score_files(files, Scoring(None, OPTIONS), tmp_path / "spread", ray="local", workers=2)
    assert sorted(map(plain, spread), key=str) == alone


def test_a_cluster_needs_a_place_for_its_results(folder, capsys):
    with pytest.raises(SystemExit):
        main(["predict", str(folder), "--ray", "local"])
    assert "--ray needs --export FILE" in capsys.readouterr().err


def test_words_after_two_dashes_are_refused_where_nothing_takes_them(folder, capsys):
    with pytest.raises(SystemExit):
        main(["predict", str(folder), "--", "--optimization.epochs=1"])
    assert capsys.readouterr().err == "imlcmm: predict takes no words after --; see imlcmm predict --help\n"
