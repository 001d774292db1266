"""The whole road: raw clips, extraction, training, evaluation, prediction, on clips made here."""

import json

import numpy as np
import pandas as pd
import pytest

from clips import Picture, Sound, make_clip, not_a_video
from imlcmm.cli import main
from imlcmm.datasets.loading import load_dataset
from imlcmm.prediction.predictor import Predictor

astronaut = pytest.importorskip("skimage.data").astronaut
TEXTS = ["这部电影真好看", "太糟糕了", "我很高兴", "令人失望", "非常喜欢", "真没意思"]


def babble(seed, seconds=1.0):
    """Make noise that swells and fades like syllables."""
    draw = np.random.default_rng(seed)
    moments = np.arange(int(16_000 * seconds)) / 16_000
    return (0.2 * draw.normal(size=moments.size) * np.sin(8 * np.pi * moments) ** 2).astype(np.float32)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    face = astronaut()
    lines = ["video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode"]
    for number, text in enumerate(TEXTS):
        path = folder / "Raw" / f"v{number % 3}" / f"{number:04d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        make_clip(path, Picture(np.stack([face] * 10), rate=10), Sound(babble(number)))
        split = ("train", "valid", "test")[number % 3]
        label = 0.8 if number % 2 == 0 else -0.8
        lines.append(f"v{number % 3},{number:04d},{text},{label},{label},{label},{label},,{split}")
    not_a_video(folder / "Raw" / "v0" / "0099.mp4")
    lines.append("v0,0099,坏,0,0,0,0,,train")
    lines.append("v0,0100,无,0,0,0,0,,train")
    (folder / "label.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def extract(videos, out, *words):
    return main(["extract", str(videos), str(out), "--labels", str(videos / "label.csv"), "--frame_rate", "5", *words])


def same_files(one, other):
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.fixture(scope="module")
def store(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("store") / "data"
    assert extract(videos, out, "--workers", "1", "--allow_failures", "true") == 0
    return out


def test_every_clip_is_accounted_for(store):
    manifest = pd.read_csv(store / "clips.csv")
    assert manifest["status"].tolist() == ["complete"] * 6 + ["failed"] * 2
    assert "0099" in manifest["reason"][6]
    assert "0100" in manifest["reason"][7]
    data = load_dataset(store)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 2, "valid": 2, "test": 2}
    assert data.spec.features == {"text": "e5-small-384", "audio": "mfcc-25", "vision": "face-194"}
    assert len(data.manifest["notes"]["extractors"]["vision"]["columns"]) == data.spec.widths["vision"]
    assert "".join(data.train.pieces(0)[1:-1]).strip("▁") == data.train.transcripts[0]
    assert len(data.train.pieces(0)) == data.train.lengths("text")[0]


def test_failures_end_in_a_code_and_what_is_done_is_kept(videos, store, tmp_path, capsys):
    out = tmp_path / "again"
    with pytest.raises(SystemExit) as stop:
        extract(videos, out, "--workers", "2")
    assert stop.value.code == 2
    assert "2 clips failed" in capsys.readouterr().err
    assert len(list((tmp_path / "again.parts").glob("*.safetensors"))) == 6
    assert extract(videos, out, "--allow_failures", "true") == 0
    assert same_files(store, out)


@pytest.mark.slow
def test_a_cluster_makes_the_same_data_set(videos, store, tmp_path):
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    assert extract(videos, tmp_path / "data", "--ray", "local", "--allow_failures", "true") == 0
    assert same_files(store, tmp_path / "data")


def test_a_model_of_these_clips_scores_a_new_one(videos, store, tmp_path, capsys):
    run = tmp_path / "run"
    common = ["--data", str(store), "--recipe", "none"]
    small = ["--model.width", "8", "--model.heads", "2", "--model.tokens", "2", "--optimization.epochs", "1"]
    quiet = ["--trainer.progress", "false"]
    assert main(["train", *common, "--model", "IMLCMM", "--folder", str(run), *small, *quiet]) == 0
    card = next(run.glob("seed-*/best/README.md")).read_text(encoding="utf-8")
    assert "8 clips = 6 complete + 0 with a modality missing + 2 failed (25.0% lost)" in card
    assert main(["evaluate", str(run), "--data", str(store)]) == 0
    clip = videos / "Raw" / "v2" / "0002.mp4"
    words = ["--model", str(run), "--transcript", "我很高兴", "--transcribe", "false", "--frame_rate", "5"]
    export = ["--export", str(tmp_path / "out.json"), "--pictures", str(tmp_path / "pictures")]
    capsys.readouterr()
    assert main(["predict", str(clip), *words, *export]) == 0
    assert "我很高兴" in capsys.readouterr().out
    (video,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    (utterance,) = video["utterances"]
    assert not utterance["unimodal"]  # two validation clips prove nothing
    assert set(utterance["missing"]) == {"text", "audio", "vision"}
    assert all("too few validation clips" in reason for reason in utterance["missing"].values())
    assert -1 <= utterance["sentiment"] <= 1
    assert {moment["modality"] for moment in utterance["moments"]} == {"audio", "vision"}
    assert (tmp_path / "pictures" / "0002.mp4.png").exists()


def test_a_broken_file_is_named_and_the_rest_is_scored(videos, store, tmp_path, capsys):
    predictor_words = ["--transcribe", "false", "--frame_rate", "5"]
    run = tmp_path / "run"
    quiet = ["--optimization.epochs", "1", "--trainer.progress", "false", "--recipe", "none"]
    main(["train", "--data", str(store), "--model", "LF_DNN", "--folder", str(run), *quiet])
    (videos / "Raw" / "v0" / "0000.txt").write_text("这部电影真好看", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["predict", str(videos / "Raw" / "v0"), "--model", str(run), *predictor_words])
    told = capsys.readouterr()
    assert "这部电影真好看" in told.out
    assert "1 of 3 files" in told.err


def test_other_features_are_refused(simulated, tmp_path):
    from imlcmm.errors import ModelError
    from imlcmm.models import IMLCMM

    IMLCMM(simulated.spec, width=8, heads=2).save_pretrained(tmp_path / "model")
    with pytest.raises(ModelError, match="trained on text features"):
        Predictor.load(tmp_path / "model")
